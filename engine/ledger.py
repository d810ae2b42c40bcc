"""The ledger: one SQLite file, the only durable state, with one writer.

A batch's windows, its progress and its events are one transaction. Events that commit nothing by themselves wait for
the next transaction; whatever is lost with them is only the story, never a span.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine import events as ev
from engine.commands import Options
from engine.machine import stimuli as do
from engine.machine.stimuli import JobRecord, Source
from engine.messages import Probed
from engine.recipe import Recipe
from engine.savers import SAVERS
from engine.schema import MIGRATIONS
from engine.states import ENDED, JobState
from engine.timeline import Span
from engine.transcript import Segment

_encode = msgspec.json.encode
_JOB = "id, path, size, mtime_ns, options, state, outputs"


def _decoder(kind: Any) -> Callable[[bytes | str], Any]:  # noqa: ANN401 - no checker has a type for a union
    return msgspec.json.Decoder(kind).decode


class Claim(msgspec.Struct, frozen=True):
    """The name a job's files have, without their ending, and the formats it was free for when it was chosen."""

    base: str
    formats: tuple[str, ...]


_to_claim = _decoder(Claim)
_to_options = _decoder(Options)
_to_recipe = _decoder(Recipe)
_to_state = _decoder(JobState)
_to_segments = _decoder(tuple[Segment, ...])
_to_paths = _decoder(tuple[str, ...])
_to_probed = _decoder(Probed)
_to_event = _decoder(ev.Event)


class LedgerError(Exception):
    """The ledger cannot be read or written; one clear sentence for the user."""


_CURES = {
    sqlite3.SQLITE_FULL: "free some space, or set SCRIBETUI_HOME to a folder on another disk",
    sqlite3.SQLITE_IOERR: "check its disk, and whether that is full",
    sqlite3.SQLITE_NOTADB: "move it away to begin with an empty queue",
    sqlite3.SQLITE_CORRUPT: "move it away to begin with an empty queue",
}


def _trouble(path: Path, verb: str, error: sqlite3.Error) -> LedgerError:
    cure = _CURES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return LedgerError(f"The ledger {path} cannot be {verb}: {error}{f'; {cure}' if cure else ''}.")


class Ledger:
    """All that outlives the process.

    Args:
        path: the SQLite file; created, with its schema, where there is none.
        read_only: only look, beside the one that writes.

    Raises:
        LedgerError: the file is no ledger, is from a later version, or cannot be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        try:
            if read_only:
                self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
            else:
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(read_only)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise _trouble(path, "opened", error) from error

    def _prepare(self, read_only: bool) -> None:
        if not read_only:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        self._db.execute("PRAGMA busy_timeout=5000")
        self._migrate(read_only)

    def _migrate(self, read_only: bool) -> None:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise LedgerError(f"The ledger {self.path} was written by a later version of scribetui; please update.")
        if read_only and version < len(MIGRATIONS):
            what = "is of an earlier version; run scribetui once" if version else "holds nothing yet; add a file first"
            raise LedgerError(f"The ledger {self.path} {what}.")
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"BEGIN; {script} PRAGMA user_version={number}; COMMIT;")

    def close(self) -> None:
        """Write what waits, and close the file."""
        self.flush()
        self._db.close()

    def abandon(self) -> None:
        """Close the file as it is, without what waits."""
        if self._db.in_transaction:
            self._db.rollback()
        self._db.close()

    # ---- writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is saved within is durable at its end, or not at all.

        Raises:
            LedgerError: the disk is full, or fails.
        """
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise _trouble(self.path, "written", error) from error

    def flush(self) -> None:
        """Make the events durable that wait for a transaction."""
        if self._db.in_transaction:
            with self.transaction():
                pass

    def record(self, entry: ev.Entry) -> None:
        """Keep an event, in the open transaction or one that is opened for it.

        Raises:
            LedgerError: the disk is full, or fails.
        """
        try:
            if not self._db.in_transaction:
                self._db.execute("BEGIN IMMEDIATE")
            event = entry.event
            if isinstance(event, ev.MemorySampled):
                row = (entry.seq, entry.at, event.tree, event.budget, event.available)
                self._db.execute("INSERT INTO memory VALUES (?,?,?,?,?)", row)
            else:
                job = getattr(event, "job", None)
                self._db.execute(
                    "INSERT INTO event VALUES (?,?,?,?,?)",
                    (entry.seq, entry.at, job, type(event).__name__, _encode(event)),
                )
        except sqlite3.Error as error:
            raise _trouble(self.path, "written", error) from error

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

    # ---- reading

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._db.execute(query, values)
        except sqlite3.Error as error:
            raise _trouble(self.path, "read", error) from error

    def _row(self, query: str, values: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - a row is what its query asks for
        return next(self._rows(query, values), None)

    def next_seq(self) -> int:
        """The number for the next event."""
        last = "(SELECT coalesce(max(seq), 0) FROM {})".format
        row = self._row(f"SELECT max({last('event')}, {last('memory')})")
        return int(row[0]) + 1

    def next_ids(self) -> tuple[int, int]:
        """The numbers for the next job and the next attempt; numbers are never used again."""
        numbers = dict(self._rows("SELECT name, seq FROM sqlite_sequence"))
        return numbers.get("job", 0) + 1, numbers.get("attempt", 0) + 1

    def jobs(self) -> tuple[JobRecord, ...]:
        """Every job in the order of the queue; those that have not ended with their progress."""
        records = [self._record(*row) for row in self._rows(f"SELECT {_JOB} FROM job ORDER BY position, id")]
        return tuple(
            msgspec.structs.replace(
                each, progress=self.summary(each.id) if isinstance(each.state, ENDED) else self.progress(each.id)
            )
            for each in records
        )

    @staticmethod
    def _record(job: int, path: str, size: int, mtime_ns: int, options: str, state: str, outputs: str) -> JobRecord:
        return JobRecord(
            id=job,
            source=Source(path, size, mtime_ns),
            options=_to_options(options),
            state=_to_state(state),
            outputs=_to_paths(outputs),
        )

    def job(self, job: int) -> JobRecord | None:
        """One job, with its progress."""
        row = self._row(f"SELECT {_JOB} FROM job WHERE id=?", (job,))
        return None if row is None else msgspec.structs.replace(self._record(*row), progress=self.progress(job))

    def claim(self, job: int) -> Claim | None:
        """The name of a job's files, once one was chosen."""
        row = self._row("SELECT claim FROM job WHERE id=?", (job,))
        return _to_claim(row[0]) if row and row[0] else None

    def others(self, job: int) -> list[tuple[JobRecord, Claim]]:
        """Every other job that has chosen the name of its files, with that name; without progress."""
        rows = self._rows(f"SELECT claim, {_JOB} FROM job WHERE claim IS NOT NULL AND id<>?", (job,))
        return [(self._record(*row), _to_claim(claim)) for claim, *row in rows]

    def warnings(self, job: int) -> tuple[str, ...]:
        """What the user was told about a job's media, each thing once."""
        rows = self._rows("SELECT data FROM event WHERE job=? AND kind='Warning' ORDER BY seq", (job,))
        return tuple(dict.fromkeys(_to_event(row[0]).message for row in rows))

    def summary(self, job: int) -> ev.Progress:
        """How long an ended job is and took; none of its windows."""
        duration, worked_ms = self._row("SELECT duration, worked_ms FROM job WHERE id=?", (job,))
        row = self._row("SELECT heard, done FROM listening WHERE job=?", (job,)) or (0, 0)
        return ev.Progress(duration=duration, heard=row[0], heard_all=bool(row[1]), worked_ms=worked_ms)

    def progress(self, job: int) -> ev.Progress:
        """How far a job has come, with all its windows."""
        duration, worked_ms = self._row("SELECT duration, worked_ms FROM job WHERE id=?", (job,))
        row = self._row("SELECT heard, done, checkpoint FROM listening WHERE job=?", (job,))
        heard, done, checkpoint = row or (0, 0, "")
        return ev.Progress(
            duration=duration,
            heard=heard,
            heard_all=bool(done),
            windows=self._spans(job, "listen"),
            covered=self._spans(job, "transcribe"),
            gaps=self._spans(job, "gap"),
            checkpoint=checkpoint,
            worked_ms=worked_ms,
        )

    def _spans(self, job: int, stage: str) -> tuple[Span, ...]:
        rows = self._rows('SELECT start, "end" FROM span WHERE job=? AND stage=? ORDER BY start', (job, stage))
        return tuple(Span(*row) for row in rows)

    def probed(self, job: int) -> Probed | None:
        """What the media file holds, once it was opened."""
        row = self._row("SELECT probed FROM listening WHERE job=?", (job,))
        return _to_probed(row[0]) if row and row[0] else None

    def decoded(self, job: int) -> list[tuple[Span, Recipe, tuple[Segment, ...]]]:
        """Every decoded window of a job in order, with the recipe that made it."""
        recipes: dict[str, Recipe] = {}
        rows = self._rows(
            'SELECT span.start, span."end", recipe, data FROM span JOIN attempt ON attempt.id=span.attempt'
            " WHERE span.job=? AND span.stage='transcribe' ORDER BY span.start",
            (job,),
        )
        found = []
        for start, end, recipe, data in rows:
            if recipe not in recipes:
                recipes[recipe] = _to_recipe(recipe)
            found.append((Span(start, end), recipes[recipe], _to_segments(data)))
        return found

    def attempts(self, job: int) -> list[dict[str, Any]]:
        """Every attempt of a job, in order, as plain values."""
        cursor = self._db.execute("SELECT * FROM attempt WHERE job=? ORDER BY id", (job,))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def entries(self, job: int | None = None, after: int = 0) -> Iterator[ev.Entry]:
        """The events in their order, memory samples among them; those of one job only, if asked."""
        if job is not None:
            rows = self._rows("SELECT seq, at, data FROM event WHERE job=? AND seq>? ORDER BY seq", (job, after))
            yield from (ev.Entry(seq, at, _to_event(data)) for seq, at, data in rows)
            return
        rows = self._rows(
            "SELECT seq, at, data, 0, 0, 0 FROM event WHERE seq>?1"
            " UNION ALL SELECT seq, at, NULL, tree, budget, available FROM memory WHERE seq>?1 ORDER BY seq",
            (after,),
        )
        for seq, at, data, tree, budget, available in rows:
            event = ev.MemorySampled(tree=tree, budget=budget, available=available) if data is None else _to_event(data)
            yield ev.Entry(seq, at, event)
