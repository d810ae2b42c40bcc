"""What can be wrong with the ledger, each in one sentence for the user."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path

PROBE = 256 * 1024
"""Bytes that must fit on a disk that is not full: more than a transaction with a batch's text takes."""


class LedgerError(Exception):
    """The ledger cannot be read or written; one clear sentence for the user."""


class LedgerFull(LedgerError):
    """There is no room for what was to be saved: nothing of it was, and it can be saved again once there is room."""


class LedgerDamaged(LedgerError):
    """The file is no ledger, or not any more; ``engine.repair`` saves what can be read of it."""


_CURES = {
    sqlite3.SQLITE_IOERR: "check its disk",
    sqlite3.SQLITE_NOTADB: "start scribetui to have it put aside and to save what can be read of it",
    sqlite3.SQLITE_CORRUPT: "start scribetui to have it put aside and to save what can be read of it",
}


SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises: the latter where its own message quotes a schema that is torn."""


def trouble(path: Path, verb: str, error: sqlite3.Error | UnicodeDecodeError) -> LedgerError:
    """What an error of SQLite's means for the user.

    Args:
        path: the ledger.
        verb: what could not be done with it: opened, read, written.
        error: what SQLite says.
    """
    is_torn = isinstance(error, UnicodeDecodeError)
    code = sqlite3.SQLITE_CORRUPT if is_torn else getattr(error, "sqlite_errorcode", 0) & 0xFF
    # Some file systems notice only when they are told to write for good, and then SQLite cannot tell why.
    might_be_full = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    if code == sqlite3.SQLITE_FULL or (might_be_full and not has_room(path.parent)):
        return LedgerFull(
            f"The ledger {path} cannot be {verb}: its disk is full; free some space, "
            "or set SCRIBETUI_HOME to a folder on another disk."
        )
    cure = _CURES.get(code)
    kind = LedgerDamaged if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT) else LedgerError
    return kind(f"The ledger {path} cannot be {verb}: {error}{f'; {cure}' if cure else ''}.")


def suspicion(path: Path) -> Path:
    """The file beside a ledger that says that it was found damaged while in use."""
    return path.with_name(f"{path.name}.suspect")


def has_room(folder: Path) -> bool:
    """Whether something can still be written into a folder: the disk's own figures know nothing of quotas."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(os.urandom(PROBE))  # nothing that a file system could keep as a hole, or compress
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno not in (errno.ENOSPC, errno.EDQUOT)
    return True
