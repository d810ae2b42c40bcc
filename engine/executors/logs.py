"""What workers print: one file a stage, kept from filling the disk."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

LOG_LIMIT = 8 * 2**20
"""Bytes after which a log is cut."""
TAIL = 2**20
"""Bytes of a log's end that are kept when it is cut."""


class Logs:
    """The logs in a folder that workers write to.

    Args:
        folder: where they lie; made where it is missing, since a user may well delete it.
        limit: bytes after which a log is begun anew, its end being kept as ``.old.log``.
    """

    def __init__(self, folder: Path, limit: int = LOG_LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._opened: set[Path] = set()

    def open(self, stage: str) -> BinaryIO:
        """The log for a stage's import path, opened so that whoever writes to it always does so at its end."""
        path = self._folder / f"{stage.partition(':')[0].rpartition('.')[2]}.log"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._opened.add(path)
        self._trim(path)
        return path.open("ab")

    def trim(self) -> None:
        """Cut every log that outgrew its limit, and keep its end beside it; its writers need not know."""
        for path in self._opened:
            self._trim(path)

    def _trim(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size <= self._limit:
            return
        with path.open("rb+") as log:
            tail = min(TAIL, self._limit)
            log.seek(-tail, os.SEEK_END)
            # On a full disk there is no room for the end, and the cut is needed most.
            with contextlib.suppress(OSError):
                # Not to the end of the file: a worker that prints all the while moves it as we read.
                path.with_suffix(".old.log").write_bytes(log.read(tail).partition(b"\n")[2])
            # What is printed between the two is lost; whoever writes goes on at the new end.
            log.truncate(0)
