"""The folder that holds all of scribetui's state, and the lock that only one engine at a time can hold.

The folder itself is locked, because a file in it could be deleted under its holder and made anew by the next one; and
a file, because that says who holds it, and because not every network file system locks folders. What no lock can
prevent, that the folder is moved away and another one put in its place, the ledger notices before it next writes.
"""

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


NETWORKED = ("nfs", "smb", "cifs", "afp", "webdav", "9p", "sshfs", "ceph", "gluster")
"""Parts of the names of file systems that other computers may write to, where a lock may not reach those."""

_held: set[int] = set()
"""The descriptors that hold homes. A forked child is to hold none: its copy would keep the lock beyond our end."""


def _let_go() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


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
    def socket(self) -> Path:
        """Where the host listens; its folder is for the user alone, whoever may look into the home."""
        return self.path / "run" / "socket"

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
            str(self.path).encode()
        except UnicodeEncodeError:  # workers are told in text where the audio lies
            raise self._unusable(OSError("its name is not valid UTF-8")) from None
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
        with (
            self._opened(self.path, os.O_RDONLY | os.O_DIRECTORY) as folder,
            self._opened(self.lock_file, os.O_RDWR | os.O_CREAT) as file,
        ):
            if not (self._take(folder, is_file=False) and self._take(file, is_file=True)):
                raise self._busy(_said_in(file)[0])
            self._check_other_computers(file)
            said = f"{os.getpid()}\n{os.uname().nodename}\n".encode()
            try:
                os.ftruncate(file, os.pwrite(file, said, 0))
            except OSError as error:
                raise self._unusable(error) from error
            try:
                yield
            finally:
                if file in _held:
                    os.ftruncate(file, 0)

    @contextmanager
    def _opened(self, path: Path, flags: int) -> Iterator[int]:
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        _held.add(descriptor)
        try:
            yield descriptor
        finally:
            if descriptor in _held:
                _held.remove(descriptor)
                os.close(descriptor)

    def holder(self) -> int | None:
        """The process that holds the home: None for nobody, 0 when it does not say who it is."""
        if not (_is_held(self.path) or _is_held(self.lock_file)):
            return None
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            return _said_in(descriptor)[0] or 0
        finally:
            os.close(descriptor)

    def holder_computer(self) -> str:
        """The name of the computer that the holder runs on, as it says itself; nothing where it does not."""
        try:
            descriptor = os.open(self.lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            return _said_in(descriptor)[1]
        finally:
            os.close(descriptor)

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

    def _take(self, descriptor: int, *, is_file: bool) -> bool:
        for wait in (0.0, *[PATIENCE] * (TRIES - 1)):
            time.sleep(wait)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            except OSError as error:
                if is_file:
                    raise self._unusable(error) from error
                return True  # this file system locks no folders; the file has to do
            return True
        return False

    def _check_other_computers(self, file: int) -> None:
        """Believe what the file says rather than the lock, where that may not reach another computer."""
        pid, computer = _said_in(file)
        if computer and computer != os.uname().nodename and _is_networked(self.path):
            raise HomeBusy(
                f"Another scribetui (process {pid} on {computer}) was at work in {self.path} and has not ended in "
                f"order; if it is not running any more, delete {self.lock_file}.",
                pid,
            )

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


def _said_in(descriptor: int) -> tuple[int | None, str]:
    """The process that the lock file names, and its computer; None and nothing where it names none."""
    pid, _, computer = os.pread(descriptor, 300, 0).partition(b"\n")
    return (int(pid) if pid.isdigit() else None), computer.strip().decode(errors="replace")


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # this file system has no such lock, so nobody holds one
    finally:
        os.close(descriptor)
    return False


def _is_networked(path: Path) -> bool:
    """Whether other computers may write to a folder too."""
    import psutil  # slow to load, and hardly ever needed

    path = path.resolve()
    mounts = [each for each in psutil.disk_partitions(all=True) if path.is_relative_to(each.mountpoint)]
    return bool(mounts) and any(
        name in max(mounts, key=lambda each: len(each.mountpoint)).fstype.lower() for name in NETWORKED
    )
