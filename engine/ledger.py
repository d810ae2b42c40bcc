"""The ledger: one SQLite file, the only durable state, with one writer.

A batch's windows, its progress and its events are one transaction. Events that commit nothing by themselves wait, in
memory, for the next transaction; whatever a crash loses with them is only the story, never a span.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from engine import events as ev
from engine.machine import stimuli as do
from engine.reading import Claim, Reading
from engine.retention import prune
from engine.savers import SAVERS
from engine.schema import MIGRATIONS
from engine.trouble import SQLITE_ERRORS, LedgerDamaged, LedgerError, LedgerFull, has_room, trouble
from engine.view import is_logged

__all__ = ["Claim", "Ledger", "LedgerDamaged", "LedgerError", "LedgerFull"]

_encode = msgspec.json.encode

_INSERT = {
    5: "INSERT INTO event (seq, at, job, kind, data) VALUES (?,?,?,?,?)",
    8: "INSERT INTO memory (seq, at, tree, budget, available, device, swap, pressure) VALUES (?,?,?,?,?,?,?,?)",
}
"""How an event goes into its table, by the number of its values."""

PAGES_FREED = 1_000
"""Pages of 4 KiB that one pruning gives back to the disk; those left over are used again in the meantime."""
JOURNAL_KEPT = 8 * 1024 * 1024
"""Bytes that the write-ahead log keeps on the disk once it has been emptied."""
SAMPLES_WAITING = 3_600
"""Memory samples that may wait for a transaction: an hour of them, should the disk be full for that long."""


class Ledger(Reading):
    """All that outlives the process.

    Args:
        path: the SQLite file; created, with its schema, where there is none.
        read_only: only look, beside the one that writes.

    Raises:
        LedgerFull: there is no room on the disk.
        LedgerDamaged: the file is no ledger, or not any more.
        LedgerError: the file is from a later version, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._waiting: list[tuple[Any, ...]] = []
        self._samples: deque[tuple[Any, ...]] = deque(maxlen=SAMPLES_WAITING)
        self._told: list[tuple[Any, ...]] | None = None
        """What is recorded within the transaction that is open; None outside of one."""
        try:
            if read_only:
                self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            else:
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(read_only)
                self._file = _identity(path)
            except BaseException:
                self._db.close()
                raise
        except SQLITE_ERRORS as error:
            raise trouble(path, "opened", error) from error
        except OSError as error:
            raise LedgerError(f"The ledger {path} cannot be opened: {error.strerror or error}.") from error

    def _prepare(self, read_only: bool) -> None:
        if not read_only:
            if not self._db.execute("PRAGMA page_count").fetchone()[0]:
                self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")  # cannot be chosen later
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA fullfsync=ON")  # macOS: plain fsync leaves the data in the disk's own cache
            self._db.execute(f"PRAGMA journal_size_limit={JOURNAL_KEPT}")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._db.execute("PRAGMA temp_store=MEMORY")  # another disk's being full is not ours
        self._db.text_factory = _text
        self._migrate(read_only)

    def _migrate(self, read_only: bool) -> None:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise LedgerError(f"The ledger {self.path} was written by a later version of scribetui; please update.")
        if read_only and version < len(MIGRATIONS):
            what = "is of an earlier version; run scribetui once" if version else "holds nothing yet; add a file first"
            raise LedgerError(f"The ledger {self.path} {what}.")
        if 0 < version < len(MIGRATIONS):
            self._keep_copy(version)
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version={number}; COMMIT;")

    def _keep_copy(self, version: int) -> None:
        """Keep the ledger as the earlier version left it, in place of any copy from a version before that."""
        copy = self.path.with_name(f"{self.path.stem}.v{version}{self.path.suffix}")
        begun = copy.with_name(f"{copy.name}.tmp")
        begun.unlink(missing_ok=True)
        try:
            target = sqlite3.connect(begun)
            try:
                self._db.backup(target)
            finally:
                target.close()
            os.replace(begun, copy)
        except BaseException:
            begun.unlink(missing_ok=True)
            raise
        for number in range(1, version):
            copy.with_name(f"{self.path.stem}.v{number}{self.path.suffix}").unlink(missing_ok=True)

    def check(self) -> None:
        """Read the whole file, and see to it that it is sound.

        Raises:
            LedgerDamaged: it is not.
            LedgerError: the disk fails.
        """
        try:
            # From a cold disk the file comes ten times as fast from its beginning to its end as page by page.
            with self.path.open("rb", buffering=0) as file:
                block = bytearray(2**20)
                while file.readinto(block):
                    continue
        except OSError as error:
            raise LedgerError(f"The ledger {self.path} cannot be read: {error.strerror or error}.") from error
        row = self._row("PRAGMA quick_check(1)")
        if row is None or row[0] != "ok":
            raise LedgerDamaged(f"The ledger {self.path} is damaged: {row and row[0]}.")
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as pattern:
            pattern.executescript("".join(MIGRATIONS))
            missing = _columns(pattern) - _columns(self._db)
        if missing:
            raise LedgerDamaged(f"The ledger {self.path} is damaged: it has no {min(missing)}.")

    def close(self) -> None:
        """Write what waits, if there is room for it, and close the file."""
        try:
            self._settle()
        finally:
            self._db.close()

    def abandon(self) -> None:
        """Close the file as it is, without what waits."""
        if self._db.in_transaction:
            self._db.rollback()
        self._db.close()

    # ---- writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is saved and recorded within is durable at its end, or not at all.

        What was recorded before it goes along; should it fail, that waits for the next one, and the whole of this one
        can be repeated.

        Raises:
            LedgerFull: there is no room on the disk.
            LedgerError: the disk fails, or the file is not where it was.
        """
        self._check_place()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._told = []
            self._write(self._waiting)
            self._write(self._samples)
            yield
            self._write(self._told)
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise self._trouble("written", error) from error
            raise
        finally:
            self._told = None
        self._waiting.clear()
        self._samples.clear()

    def _check_place(self) -> None:
        """SQLite would go on writing into a file that nobody finds again."""
        if self._file != _identity(self.path):
            raise LedgerError(
                f"The ledger {self.path} was moved, replaced or deleted while scribetui was at work; "
                "put it back if you can, and start again."
            )

    def _write(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in rows:
            self._db.execute(_INSERT[len(row)], row)

    def has_room(self) -> bool:
        """Whether the disk would take what is to be saved, as far as trying it tells; slow where the disk is."""
        return has_room(self.path.parent)

    def flush(self) -> None:
        """Make the events durable that wait for a transaction.

        Raises:
            LedgerError: as ``transaction`` does; they go on waiting.
        """
        if self._waiting or self._samples:
            with self.transaction():
                pass

    def _settle(self) -> None:
        with suppress(LedgerFull):  # they still wait, and are only the end of the story
            self.flush()

    def record(self, entry: ev.Entry) -> None:
        """Keep an event: with the transaction that is open, else with the next one.

        How a download goes on is of no interest any more once it is over: only its beginning and its end are kept.
        """
        event = entry.event
        if isinstance(event, ev.ModelFetched) and not is_logged(event):
            return
        if isinstance(event, ev.MemorySampled):
            sample = (event.tree, event.budget, event.available, event.device, event.swap, event.pressure)
            row: tuple[Any, ...] = (entry.seq, entry.at, *sample)
        else:
            if isinstance(event, ev.JobAdded) and event.progress.speech:
                event = msgspec.structs.replace(event, progress=msgspec.structs.replace(event.progress, speech=()))
            row = (entry.seq, entry.at, getattr(event, "job", None), type(event).__name__, _encode(event))
        if self._told is not None:
            self._told.append(row)
        elif isinstance(event, ev.MemorySampled):
            self._samples.append(row)
        else:
            self._waiting.append(row)

    def save(self, instruction: do.Instruction) -> bool:
        """Carry out an instruction that saves something, within a transaction; False if it is not one."""
        saver = SAVERS.get(type(instruction))
        if saver is not None:
            saver(self._db, instruction)
        return saver is not None

    @staticmethod
    def is_saving(instruction: do.Instruction) -> bool:
        """Whether an instruction is the ledger's to carry out."""
        return type(instruction) in SAVERS

    def prune(self, now: int) -> None:
        """Let go of what nobody will ask for any more: a bounded step of it, at the time given in Unix milliseconds.

        Raises:
            LedgerError: as ``transaction`` does.
        """
        with self.transaction():
            prune(self._db, now)
        try:
            # A script, because each page is a step of this statement, and only a script is run to its end.
            self._db.executescript(f"PRAGMA incremental_vacuum({PAGES_FREED})")
        except SQLITE_ERRORS as error:
            raise self._trouble("written", error) from error

    def keep_claim(self, job: int, claim: Claim) -> None:
        """Remember under which name a job's files are written."""
        with self.transaction():
            self._db.execute("UPDATE job SET claim=? WHERE id=?", (_encode(claim).decode(), job))

    def close_attempts(self) -> None:
        """Mark the attempts that the last sitting left open: whatever they did not commit is lost."""
        with self.transaction():
            self._db.execute(
                "UPDATE attempt SET outcome='lost', reason='the engine ended', ended=began WHERE outcome IS NULL"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another one in its place."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _columns(db: sqlite3.Connection) -> set[str]:
    """Every column of every table, by their names."""
    query = (
        "SELECT schema.name || '.' || info.name FROM sqlite_master AS schema, pragma_table_info(schema.name) AS info"
    )
    return {row[0] for row in db.execute(query)}
