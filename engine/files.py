"""Writing files so that they are whole or not there, and choosing names that are nobody else's."""

import errno
import hashlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

_PARTIAL = ".partial"
_NAME_MAX = 255
"""Bytes a file's name may have where the system does not say."""

_ELSEWHERE = "or choose another output folder"
_CAUSES = {
    errno.EACCES: f"there is no permission to write in its folder; grant it, {_ELSEWHERE}",
    errno.EPERM: f"there is no permission to write in its folder; grant it, {_ELSEWHERE}",
    errno.ENOSPC: f"the disk is full; free some space, {_ELSEWHERE}",
    errno.EDQUOT: f"your share of the disk is used up; free some space, {_ELSEWHERE}",
    errno.EROFS: "the disk is read-only; choose another output folder",
    errno.ENOENT: f"its folder does not exist; create it, {_ELSEWHERE}",
    errno.ENOTDIR: f"its folder does not exist; create it, {_ELSEWHERE}",
    errno.ENAMETOOLONG: "the name is too long for this disk; give the media file a shorter one",
    errno.EEXIST: f"a file has that name; rename it, {_ELSEWHERE}",
    errno.EISDIR: f"a folder has that name; rename it, {_ELSEWHERE}",
}


class WriteError(Exception):
    """A file that cannot be written: one clear sentence with the file, the reason and what to do.

    Attributes:
        is_full: whether it is for want of room on the disk.
    """

    is_full = False


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file so that at any moment, whatever crashes, there is the old file or the whole new one.

    Without ``durable`` it may be lost or empty after a power cut, but it is written without waiting for the disk.

    Raises:
        WriteError: it cannot be written; nothing is left behind.
    """
    write_together([(path, data)], durable=durable)


def replace(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Put a file in another's place, or where that one's link leads, so that a crash leaves the old one or the new one.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    real = Path(os.path.realpath(path))
    descriptor, temporary = tempfile.mkstemp(dir=real.parent, prefix=".scribetui-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            _sync(file.fileno())
        os.replace(temporary, real)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(real.parent)


def write_together(files: Iterable[tuple[Path, bytes]], *, durable: bool = True, writer: str = "") -> None:
    """Write several files, each atomically, and none of them unless there is room for all.

    The data may be made on the way: only one file's is held at a time. Whoever may write the same files as somebody
    else at the same time has to say who it is: the last one wins, and its file is whole.

    Raises:
        WriteError: one cannot be written; nothing is left behind, but files already replaced stay replaced.
    """
    staged: dict[Path, Path] = {}
    try:
        for path, data in files:
            with _explained(path):
                staged[path] = _temporary(path, writer)
                _stage(staged[path], data, durable)
        for path, temporary in staged.items():
            with _explained(path):
                temporary.replace(path)
        if durable:
            for path in {path.parent: path for path in staged}.values():
                with _explained(path):
                    _sync_folder(path.parent)
    except BaseException:
        for temporary in staged.values():
            with suppress(OSError):
                temporary.unlink()
        raise


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where there is none.

    Raises:
        WriteError: it cannot be made.
    """
    with _explained(folder, "create the folder"):
        folder.mkdir(parents=True, exist_ok=True)


def remove(paths: Iterable[Path]) -> None:
    """Remove those of the files that are there, and what a crash may have left of their writing.

    Raises:
        WriteError: one cannot be removed.
    """
    for path in paths:
        with _explained(path, "remove"):
            path.unlink(missing_ok=True)
            _temporary(path).unlink(missing_ok=True)


def output_paths(base: Path, formats: Sequence[str], *, partial: bool = False) -> tuple[Path, ...]:
    """The files of these formats: ``movie.srt``, or ``movie.partial.srt`` while the job runs."""
    middle = _PARTIAL if partial else ""
    return tuple(base.with_name(f"{base.name}{middle}.{name}") for name in formats)


def claims(base: Path, formats: Sequence[str]) -> tuple[Path, ...]:
    """Every file a job may write under that base."""
    return output_paths(base, formats) + output_paths(base, formats, partial=True)


def path_key(path: Path) -> str:
    """What two paths have in common that are one file on some disk: macOS minds neither case nor composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", str(path)).casefold())


def output_base(
    media: Path,
    out_dir: Path,
    formats: Sequence[str],
    taken: Callable[[Path], bool],
    owned: Collection[Path] = (),
) -> Path:
    """Choose the path that a job's files share, without the format: ``movie``, else ``movie.mkv``, ``movie.mkv (2)``.

    A name is free if none of the job's files exists under it, but for those in ``owned``, and none is the media file.

    Args:
        media: the media file.
        out_dir: the folder for the transcripts; it need not exist.
        formats: the formats that will be written.
        taken: whether another job may write that file (see ``claims`` and ``path_key``), whether or not it exists.
        owned: files that this job has written, or claimed, before.
    """
    ours = {path_key(path) for path in owned}
    media_key = path_key(media)

    def is_free(path: Path) -> bool:
        key = path_key(path)
        return key != media_key and not taken(path) and (key in ours or not os.path.lexists(path))

    longest = max((len(os.fsencode(f"{_PARTIAL}.{name}")) for name in formats), default=0)
    room = _name_max(out_dir) - longest
    bases = (out_dir / name for name in _names(media, room))
    return next(base for base in bases if all(map(is_free, claims(base, formats))))


def shown(path: Path) -> str:
    """A path as it may stand in a message: one line, nothing that a terminal obeys."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(path))


def _names(media: Path, room: int) -> Iterator[str]:
    yield _cut(media.stem, "", room)
    yield _cut(media.name, "", room)
    for number in count(2):
        yield _cut(media.name, f" ({number})", room)


def _cut(name: str, ending: str, room: int) -> str:
    """The name with its ending, shortened until it has no more bytes than there is room for."""
    while len(name) > 1 and len(os.fsencode(name + ending)) > room:
        name = name[:-1]
    return name + ending


def _name_max(folder: Path) -> int:
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _NAME_MAX


def _temporary(path: Path, writer: str = "") -> Path:
    """Where a file is written first: for each writer always the same place, so that a crash leaves one at most."""
    digest = hashlib.sha256(os.fsencode(path.name) + writer.encode()).hexdigest()
    return path.with_name(f".{digest[:16]}.scribetui")


def _stage(temporary: Path, data: bytes, durable: bool) -> None:
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if durable:
            _sync(file.fileno())


def _sync(descriptor: int) -> None:
    """Wait until the disk itself has it; on macOS fsync alone only reaches the disk's cache."""
    if sys.platform == "darwin":
        import fcntl

        with suppress(OSError):  # not every file system knows it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        _sync(descriptor)
    except OSError as error:
        # Some network file systems cannot do this for a folder; they keep names in their own way.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _explained(path: Path, verb: str = "write") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0) or f"{error.strerror or error}; check the disk, {_ELSEWHERE}"
        failure = WriteError(f"Cannot {verb} {shown(path)}: {cause}.")
        failure.is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise failure from error
