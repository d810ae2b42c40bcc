"""What follows from looking at folders again and again: which files have stood still long enough to be taken. Pure."""

from collections.abc import Iterable, Mapping

import msgspec


class Mark(msgspec.Struct, frozen=True):
    """How a file looked: its size in bytes, and when it was last changed, in nanoseconds."""

    size: int
    changed: int


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the folders."""

    files: dict[str, Mark] = {}
    """The recordings that are there, by their paths."""
    lost: dict[str, str] = {}
    """The folders to be watched that cannot be looked at, and why."""
    closed: dict[str, str] = {}
    """The folders below them that cannot be looked at, and why."""


class Sighting(msgspec.Struct, frozen=True):
    """A file as it was last seen, since when it has looked like that, and whether it was dealt with."""

    mark: Mark
    since: float
    is_done: bool = False


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What a look brings to light; everything but ``due`` is found once, not with every look."""

    due: tuple[tuple[str, Mark], ...] = ()
    """The files to be taken now, by name; found again with every look until they are dealt with."""
    lost: dict[str, str] = {}
    back: tuple[str, ...] = ()
    closed: dict[str, str] = {}


class Sightings(msgspec.Struct, frozen=True, kw_only=True):
    """What is remembered of all looks so far."""

    files: dict[str, Sighting] = {}
    lost: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @property
    def is_settled(self) -> bool:
        """Whether every file that is there has been dealt with."""
        return all(sighting.is_done for sighting in self.files.values())

    def after(self, scan: Scan, now: float, settle: float) -> tuple["Sightings", Findings]:
        """What is remembered after one more look, and what it has brought to light.

        Args:
            scan: what was seen.
            now: the time at the end of the look, in seconds of a clock that never goes back.
            settle: how many seconds a file must not have changed.
        """
        files = {path: self._seen(path, mark, now) for path, mark in scan.files.items()}
        # What cannot be seen for a while is not new when it is back. But nobody knows what happened to it meanwhile,
        # so that a file which had not stood still yet begins anew.
        hidden = (*scan.lost, *scan.closed)
        for path, sighting in self.files.items() if hidden else ():
            if sighting.is_done and path not in files and _is_below(path, hidden):
                files[path] = sighting
        due = sorted(
            (path, files[path].mark)
            for path in scan.files
            if not files[path].is_done and now - files[path].since >= settle
        )
        findings = Findings(
            due=tuple(due),
            lost={folder: why for folder, why in scan.lost.items() if folder not in self.lost},
            back=tuple(sorted(self.lost - scan.lost.keys())),
            closed={folder: why for folder, why in scan.closed.items() if folder not in self.closed},
        )
        # Below a folder that is lost nothing can be said of others: what was told of them stays told.
        closed = {*scan.closed, *(folder for folder in self.closed if _is_below(folder, scan.lost))}
        return Sightings(files=files, lost=frozenset(scan.lost), closed=frozenset(closed)), findings

    def done_with(self, files: Mapping[str, Mark]) -> "Sightings":
        """The same, with these files dealt with as long as they look like that."""
        changed = {
            path: Sighting(mark, self.files[path].since, is_done=True)
            for path, mark in files.items()
            if path in self.files and self.files[path].mark == mark
        }
        return msgspec.structs.replace(self, files=self.files | changed)

    def _seen(self, path: str, mark: Mark, now: float) -> Sighting:
        before = self.files.get(path)
        return before if before is not None and before.mark == mark else Sighting(mark, now)


def _is_below(path: str, folders: Iterable[str]) -> bool:
    return any(path.startswith(folder if folder.endswith("/") else f"{folder}/") for folder in folders)
