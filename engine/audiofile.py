"""The decoded audio on disk while it is being written: one writer at a time, and only whole truths left behind."""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.stages.audio import PER_MS, SAMPLE_BYTES
from engine.stages.base import DiskFull, StageError

LOCK_WAIT = 10.0
"""Seconds to wait for another writer: one whose engine was killed ends with its next message."""

RESERVE = 8 * 2**20
"""Bytes left free on the disk: the ledger lies there too, and must be able to say what happened."""

_MS_BYTES = PER_MS * SAMPLE_BYTES
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "files there cannot grow so large",
}


class AudioFile:
    """An audio file opened for writing on, and locked; use it as a context manager.

    What is on disk up to ``trusted_ms`` is kept, the rest is cut off. An empty file is removed in the end.

    Args:
        path: The file; it and its folder are made where they are missing.
        trusted_ms: How much of what is there may be relied on.
        wait: Seconds to wait for the lock.

    Raises:
        DiskFull: there is no room for the file.
        StageError: another process is writing, or the file cannot be written.
    """

    def __init__(self, path: str, trusted_ms: int, wait: float = LOCK_WAIT) -> None:
        self._path = Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _locked(self._path, time.monotonic() + wait)
        except OSError as error:
            raise self._fault(error, None) from error
        self._size = min(os.fstat(self._file).st_size, trusted_ms * _MS_BYTES) // SAMPLE_BYTES * SAMPLE_BYTES
        self._kept = self._size
        os.ftruncate(self._file, self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def length_ms(self) -> int:
        """How much audio is on disk, rounded up to milliseconds."""
        return -(-self._size // _MS_BYTES)

    def write(self, at: int, samples: bytes, needed_ms: int | None) -> None:
        """Put samples where they belong; those that are on disk already are not written again.

        Args:
            at: The samples' place, in milliseconds.
            samples: 16-bit samples.
            needed_ms: How long the whole audio is expected to be, for the error.

        Raises:
            DiskFull: there is no room; what was written since ``keep`` is gone again.
            StageError: another fault of the disk; the same.
        """
        rest = memoryview(samples)[max(0, self._size - at * _MS_BYTES) :]
        try:
            if rest and _free(self._file) < RESERVE + len(rest):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            while rest:
                written = os.pwrite(self._file, rest, self._size)
                self._size += written
                rest = rest[written:]
        except OSError as error:
            os.ftruncate(self._file, self._kept)
            self._size = self._kept
            raise self._fault(error, needed_ms) from error

    def keep(self) -> None:
        """Others may rely on all that was written so far."""
        self._kept = self._size

    def close(self) -> None:
        """Give the file free, and remove it if nothing is in it."""
        if self._file < 0:
            return
        if not self._size:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1

    def _fault(self, error: OSError, needed_ms: int | None) -> StageError:
        folder = self._path.parent
        if error.errno not in _FULL:
            return StageError(f"The decoded audio {self._path} cannot be written: {error.strerror}.")
        needs = f"needs {_megabytes((needed_ms or 0) * _MS_BYTES)}" if needed_ms else "needs 2 MB a minute"
        free = ""
        with contextlib.suppress(OSError):  # the folder itself may be what finds no room
            free = f", where {_megabytes(shutil.disk_usage(folder).free)} are free"
        # Waiting makes room on a disk, but never raises a limit on files.
        kind = StageError if error.errno == errno.EFBIG else DiskFull
        return kind(
            f"No room for the decoded audio, {_FULL[error.errno]}: it {needs} in {folder}{free};"
            " free some space or move SCRIBETUI_HOME."
        )


def _free(file: int) -> int:
    """Bytes that may still be written on a file's disk."""
    disk = os.fstatvfs(file)
    return disk.f_bavail * disk.f_frsize


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB" if count >= 10_000_000 else f"{count / 1_000_000:.1f} MB"


def _locked(path: Path, until: float) -> int:
    """A descriptor of the file that bears this name, locked for this process alone."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while not _try_lock(file):
                if time.monotonic() >= until:
                    raise StageError(f"The decoded audio {path} is being written by another process.")
                time.sleep(0.05)
            if path.exists() and os.path.samestat(os.fstat(file), path.stat()):
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # it was removed while we waited


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
