"""The folder that holds all of scribetui's state, and the lock that only one engine at a time can hold."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs

TRIES = 5
"""How often the lock is tried: ``holder`` looks at it for an instant, which must not keep an engine out."""
PATIENCE = 0.05
"""Seconds between two tries."""


class HomeError(Exception):
    """The state folder cannot be used; one clear sentence for the user."""


class HomeBusy(HomeError):
    """Another process holds the state folder; one clear sentence for the user.

    Attributes:
        pid: the process that holds it; None when it does not say.
    """

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


@dataclass(frozen=True)
class Home:
    """Where all state lives. Nothing is created before ``create``."""

    path: Path

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The home that SCRIBETUI_HOME names, else the platform's folder for a user's data."""
        named = environment.get("SCRIBETUI_HOME")
        path = Path(named).expanduser() if named else platformdirs.user_data_path("scribetui", appauthor=False)
        return cls(Path(os.path.abspath(path)))

    @property
    def ledger(self) -> Path:
        """The SQLite file."""
        return self.path / "ledger.sqlite"

    @property
    def settings(self) -> Path:
        """The user's settings; need not exist."""
        return self.path / "settings.toml"

    @property
    def cache(self) -> Path:
        """Decoded audio; may be deleted at any time."""
        return self.path / "cache"

    @property
    def logs(self) -> Path:
        """What workers print."""
        return self.path / "logs"

    @property
    def lock_file(self) -> Path:
        """The file that is locked, with the process number of its holder in it."""
        return self.path / "lock"

    def create(self) -> None:
        """Make the folder and its sub-folders, for the user's eyes only.

        Raises:
            HomeError: it cannot be made or written to.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.cache, self.logs):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise self._unusable(PermissionError("Permission denied"))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the home for oneself, creating it if need be; the lock also ends with the process, however it ends.

        Raises:
            HomeBusy: another process holds it.
            HomeError: it cannot be made or written to.
        """
        self.create()
        try:
            descriptor = os.open(self.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            if not self._take(descriptor):
                raise self._busy(_pid_in(descriptor))
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def holder(self) -> int | None:
        """The process that holds the home: None for nobody, 0 when it does not say who it is."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(descriptor) or 0
        finally:
            os.close(descriptor)
        return None

    def disk_free(self) -> int:
        """Bytes that can still be written to the home's disk; 0 when that cannot be said."""
        for folder in (self.path, *self.path.parents):
            try:
                return shutil.disk_usage(folder).free
            except FileNotFoundError:
                continue
            except OSError:
                return 0
        return 0

    def _take(self, descriptor: int) -> bool:
        for wait in (0.0, *[PATIENCE] * (TRIES - 1)):
            time.sleep(wait)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._unusable(error) from error
            return True
        return False

    def _unusable(self, error: OSError) -> HomeError:
        why = error.strerror or str(error)
        return HomeError(
            f"The state folder {self.path} cannot be used ({why}); set SCRIBETUI_HOME to a folder you can write to."
        )

    def _busy(self, pid: int | None) -> HomeBusy:
        who = f"process {pid}" if pid else "another process"
        return HomeBusy(
            f"Another scribetui ({who}) is at work in {self.path}; wait for it to end, "
            "or set SCRIBETUI_HOME to another folder.",
            pid,
        )


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0)
    return int(text) if text.isdigit() else None
