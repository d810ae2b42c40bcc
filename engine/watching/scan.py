"""One look at folders and all below them, for files by how their names end; for a thread, since disks can be slow."""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable

from engine.watching.sightings import Mark, Scan

UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp", ".aria2", ".!qb", ".!ut")
"""What is added to the names of files, or of folders, that are still being fetched."""
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)
"""What is not there any more, or leads nowhere."""


def endings(extensions: Iterable[str]) -> frozenset[str]:
    """The extensions as ``scan`` wants them: in small letters and with the dot, however the user wrote them."""
    return frozenset(f".{extension.lstrip('.').casefold()}" for extension in extensions)


def scan(folders: Iterable[str], wanted: frozenset[str], is_ended: Callable[[], bool] = lambda: False) -> Scan:
    """What is there now.

    Hidden files and folders are left out, and so is what is still being fetched. Links to folders are followed, but
    no folder is looked at twice, and what can be reached without a link is called by that name.

    Args:
        folders: whole paths.
        wanted: how the names of the files end (see ``endings``).
        is_ended: whether nobody wants to know any more; asked between two folders.
    """
    found = Scan()
    roots = tuple(folders)
    visited: set[tuple[int, int]] = set()
    waiting, linked = deque(roots), deque[str]()
    while (waiting or linked) and not is_ended():
        folder = waiting.popleft() if waiting else linked.popleft()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited:
                continue
            below, links = _look(folder, wanted, found)
        except OSError as error:
            if folder in roots:
                found.lost[folder] = _why(error)
            elif error.errno not in GONE:
                found.closed[folder] = _why(error)
            continue
        visited.add((status.st_dev, status.st_ino))
        waiting.extend(below)
        linked.extend(links)
    return found


def mark_of(path: str) -> Mark | None:
    """How a file looks now; None where there is none."""
    try:
        return _mark(os.stat(path))
    except OSError:
        return None


def _look(folder: str, wanted: frozenset[str], found: Scan) -> tuple[list[str], list[str]]:
    """Note the files of one folder; the folders in it, and the links to folders."""
    with os.scandir(folder) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    names = {entry.name.casefold() for entry in entries}
    below: list[str] = []
    links: list[str] = []
    for entry in entries:
        if entry.name.startswith(".") or entry.name.casefold().endswith(UNFINISHED):
            continue
        try:
            if entry.is_dir():
                (links if entry.is_symlink() else below).append(entry.path)
            elif _is_wanted(entry.name.casefold(), wanted, names):
                mark = _mark(entry.stat())
                if mark is not None:
                    found.files[entry.path] = mark
        except OSError as error:
            if error.errno not in GONE:
                found.closed[folder] = _why(error)
    return below, links


def _is_wanted(name: str, wanted: frozenset[str], others: set[str]) -> bool:
    """Whether a name ends as wanted; some keep an empty ``film.mkv`` beside the ``film.mkv.part`` that they fill."""
    is_fetched = any(name + ending in others for ending in UNFINISHED)
    return os.path.splitext(name)[1] in wanted and not is_fetched


def _mark(status: os.stat_result) -> Mark | None:
    return Mark(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def _why(error: OSError) -> str:
    return error.strerror or str(error)
