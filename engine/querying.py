"""Asking an SQLite file: rows, and what is in them.

A row that does not decode (of a later version, or torn) never keeps the rest from being read.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.trouble import SQLITE_ERRORS, LedgerDamaged, LedgerError, suspicion, trouble

Read = TypeVar("Read")

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError)
"""What decoding raises for what is of another age, or torn."""


def decoder(kind: Any) -> Callable[[bytes | str], Any]:  # noqa: ANN401 - no checker has a type for a union
    """What decodes a kind of value from its JSON."""
    return msgspec.json.Decoder(kind).decode


def or_none(decode: Callable[[bytes | str], Read], data: bytes | None) -> Read | None:
    """What was written, or None where nothing was or it cannot be read."""
    if data is None:
        return None
    try:
        return decode(data)
    except UNREADABLE:
        return None


class Querying:
    """A file that can be asked; ``Ledger`` opens it.

    Every method raises ``LedgerError`` when the file cannot be read.
    """

    path: Path
    _db: sqlite3.Connection

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> Iterator[Any]:
        try:
            yield from self._db.execute(query, values)
        except SQLITE_ERRORS as error:
            raise self._trouble("read", error) from error

    def _row(self, query: str, values: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - a row is what its query asks for
        return next(self._rows(query, values), None)

    def _trouble(self, verb: str, error: sqlite3.Error | UnicodeDecodeError) -> LedgerError:
        """What an error means; damage is noted beside the file, since not every damage shows when it is checked."""
        found = trouble(self.path, verb, error)
        if isinstance(found, LedgerDamaged):
            with suppress(OSError):  # the sentence is what matters
                suspicion(self.path).touch()
        return found

    def _settle(self) -> None:
        """Put what waits to be written where a query finds it; a mere reader has nothing waiting."""
