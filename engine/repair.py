"""Opening the ledger when the engine starts: a damaged one is put aside, and what can be read of it is saved."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from engine.ledger import Ledger, LedgerDamaged, LedgerFull
from engine.salvage import Saved, salvage
from engine.trouble import suspicion, trouble

SIDES = ("-wal", "-shm")
"""What SQLite keeps beside its file, by ending."""


def open_ledger(path: Path) -> tuple[Ledger, str | None]:
    """The ledger, checked and pruned; and a sentence for the user if it was damaged and had to be begun anew.

    The home's lock must be held.

    Raises:
        LedgerFull: there is no room on the disk.
        LedgerError: it is from a later version, or cannot be opened.
    """
    anew = path.with_name(f"{path.stem}.saved{path.suffix}")
    if not path.exists() and anew.exists():
        os.rename(anew, path)  # the last start was interrupted just there
    told = None
    try:
        ledger = _checked(path)
    except LedgerDamaged:
        for side in ("", *SIDES):
            Path(f"{anew}{side}").unlink(missing_ok=True)
        saved = _save_into(anew, path)
        aside = _put_aside(path)
        suspicion(path).unlink(missing_ok=True)
        os.rename(anew, path)
        told = _sentence(aside, saved)
        ledger = _checked(path)
    with suppress(LedgerFull):  # the next start prunes as well
        ledger.prune(time.time_ns() // 1_000_000)
    return ledger, told


def _checked(path: Path) -> Ledger:
    ledger = Ledger(path)
    try:
        if suspicion(path).exists():
            raise LedgerDamaged(f"The ledger {path} was found damaged when it was last in use.")
        ledger.check()
    except BaseException:
        ledger.abandon()
        raise
    return ledger


def _save_into(anew: Path, damaged: Path) -> Saved:
    """Make a new ledger of what can be read of the damaged one, and leave that as it is."""
    Ledger(anew).close()
    try:
        with (
            closing(sqlite3.connect(f"{damaged.as_uri()}?mode=ro", uri=True, isolation_level=None)) as old,
            closing(sqlite3.connect(anew, isolation_level=None)) as new,
        ):
            new.execute("BEGIN IMMEDIATE")
            saved = salvage(old, new)
            new.execute("COMMIT")
            return saved
    except sqlite3.Error as error:
        raise trouble(anew, "written", error) from error


def _put_aside(path: Path) -> Path:
    stem = f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    aside = path.with_name(f"{stem}{path.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{stem}-{number}{path.suffix}")
    for side in (*SIDES, ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{side}", f"{aside}{side}")
    return aside


def _sentence(aside: Path, saved: Saved) -> str:
    if not saved.jobs:
        what = "nothing in it could be read, so the queue is empty"
    else:
        what = f"{saved.jobs} job{'s were' if saved.jobs > 1 else ' was'} saved from it"
        if saved.anew:
            what += f", {saved.anew} of which had lost something and would begin again"
    return f"The ledger was damaged and is kept as {aside}; {what}; transcripts that were finished are untouched."
