"""Unix sockets at paths of any length, and who is at the other end of one."""

import contextlib
import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LONGEST = 103
"""Bytes of the longest path a socket may have: 104 with the closing zero on macOS, 108 on Linux."""
BACKLOG = 64
PATIENCE = 2.0
"""Seconds that connecting may take; only where too many wait for a host that does not move does it take any."""


def listen(path: Path) -> socket.socket:
    """A socket at this path that only its owner can connect to, in place of whatever was there.

    The caller has to see to it that nobody else is listening there.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    os.chmod(path.parent, 0o700)
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _within_reach(path) as name:
            made.bind(name)
        os.chmod(path, 0o600)  # until now the folder has kept others out
        made.listen(BACKLOG)
        made.setblocking(False)
    except BaseException:
        made.close()
        raise
    return made


class Door:
    """Where clients come in: a socket at a path, put back where somebody deleted it.

    Args:
        path: of the socket; it lies two levels below the folder that its maker holds.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._house = _identity(path.parent.parent)
        self.listener = listen(path)
        """Where to accept connections; another one after ``renew``."""
        self._plate = _identity(path)

    @property
    def is_gone(self) -> bool:
        """Whether nobody can find us any more, though the folder is still ours.

        Where that was moved or deleted, what lies at the path is somebody else's.
        """
        return not self._is_there() and _identity(self._path.parent.parent) == self._house

    def renew(self) -> None:
        """Put the socket back.

        Raises:
            OSError: it cannot be made; the old one stays.
        """
        new = listen(self._path)
        self.listener.close()
        self.listener, self._plate = new, _identity(self._path)

    def close(self) -> None:
        """Let nobody in any more, and leave nothing behind; somebody else's socket at the path stays."""
        if self._is_there():
            self._path.unlink(missing_ok=True)
        self.listener.close()  # only now: an open socket's number is nobody else's

    def _is_there(self) -> bool:
        return self._plate is not None and _identity(self._path) == self._plate


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect(path: Path) -> socket.socket:
    """A connection to whoever listens at this path.

    Raises:
        OSError: nobody does, or one may not.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(PATIENCE)
    try:
        with _within_reach(path) as name:
            made.connect(name)
    except BaseException:
        made.close()
        raise
    return made


def peer(connection: socket.socket) -> int:
    """The user at the other end, as the system knows it.

    Raises:
        OSError: it cannot be told.
    """
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[1])
    user, group = ctypes.c_uint(), ctypes.c_uint()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getpeereid(connection.fileno(), ctypes.byref(user), ctypes.byref(group)):
        raise OSError(ctypes.get_errno(), "the peer cannot be told")
    return user.value


@contextlib.contextmanager
def _within_reach(path: Path) -> Iterator[str]:
    """A name for the path that is short enough, if need be seen from its own folder."""
    if len(os.fsencode(path)) <= LONGEST:
        yield str(path)
        return
    before = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.chdir(path.parent)
        try:
            yield path.name
        finally:
            os.fchdir(before)
    finally:
        os.close(before)
