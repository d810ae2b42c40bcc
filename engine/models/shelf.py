"""What there is to choose from: the models at hand and those that can be had; and the way to take one off."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from engine.models import catalog, making, places
from engine.models.finding import find, is_at_hand

State = Literal["package", "cache", "own", "folder", "parts", "convertible", "hub"]
"""Where a model is: in a Python package, in the hub's cache, put together or converted by us, in another folder; or
what has to be done first: to put it together of its parts, to convert one of CTranslate2's, to download it."""

SHA1_DIGITS, SHA256_DIGITS = 40, 64
PIECE = 2**20


class CannotRemove(Exception):
    """A model is not ours to remove; one clear sentence for the user."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A model, at hand or not."""

    name: str
    repository: str
    """Its place on the hub."""
    state: State
    path: str | None
    """Its folder; None where it has none yet."""
    size: int
    """Bytes on this machine; of what is not here about those of the download, 0 where that is not known."""
    arrived: int = 0
    """Bytes that a download which was broken off has left."""

    @property
    def is_at_hand(self) -> bool:
        """Whether it can be had without the hub."""
        return self.state != "hub"


def shelf(backend: str, environment: Mapping[str, str] = os.environ) -> list[Item]:
    """All models that a backend knows by name, from the weakest to the best, then others in the hub's cache."""
    known = catalog.repositories(backend)
    names = [*known, *(each for each in _cached_names(backend, environment) if each not in known.values())]
    return [item(name, backend, environment) for name in names]


def item(model: str, backend: str, environment: Mapping[str, str] = os.environ) -> Item:
    """A model by its name or by ``owner/name``."""
    name, repository = catalog.canonical(model), catalog.repository(model, backend)
    path = find(name, backend, environment)
    state: State = "hub"
    size = catalog.download_bytes(name)
    if path is not None:
        state, size = _state(name, Path(path), environment), places.size(Path(path))
    elif backend == catalog.MLX and is_at_hand(name, catalog.FASTER_WHISPER, environment):
        state = "convertible"
    elif is_at_hand(name, backend, environment):
        state, size = "parts", sum(each.stat().st_size for each in places.parts(name))
    return Item(
        name=name,
        repository=repository,
        state=state,
        path=path,
        size=size,
        arrived=_arrived(repository, environment) if state == "hub" else 0,
    )


def removable(model: str, backend: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """The folders that go when a model is removed: those in the hub's cache and in our own folder, no others.

    Raises:
        CannotRemove: there are none; the message says why.
    """
    name = catalog.canonical(model)
    path = find(name, backend, environment)
    repository = catalog.repository(name, backend)
    found = [places.own_folder(environment) / name] if name in places.HALVED else []
    if "/" in repository and not Path(repository).is_absolute():
        found.append(places.repository_folder(repository, environment))
    source = find(name, catalog.FASTER_WHISPER, environment)
    if source is not None and (made := making.converted(Path(source), environment)):
        found.append(made)
    found = [each for each in found if each.is_dir() and not each.is_symlink()]
    if not found:
        if path is None:
            raise CannotRemove(f'The model "{model}" is not on this machine.')
        if places.bundled(name) is not None:
            package = places.BUNDLED[name][0].replace("_", "-")
            raise CannotRemove(f'The model "{model}" comes in the Python package {package}, and goes with that.')
        raise CannotRemove(f'The model "{model}" lies in a folder of yours, {path}; remove that yourself.')
    return found


def remove(folders: list[Path]) -> int:
    """Delete what ``removable`` named; how many bytes that was.

    Raises:
        OSError: something could not be deleted.
    """
    freed = 0
    for folder in folders:
        freed += sum(each.stat().st_size for each in folder.rglob("*") if each.is_file() and not each.is_symlink())
        shutil.rmtree(folder)
    return freed


def damaged(folder: Path) -> list[Path]:
    """The files of a folder in the hub's cache that are not what their names in the cache say: their own hashes."""
    return [each for each in sorted(folder.iterdir()) if each.is_symlink() and not _is_sound(each.resolve())]


def forget(paths: list[Path]) -> None:
    """Delete files of the hub's cache, so that they are fetched anew.

    Raises:
        OSError: one could not be deleted.
    """
    for path in paths:
        path.resolve().unlink(missing_ok=True)
        path.unlink()


def _is_sound(blob: Path) -> bool:
    if len(blob.name) == SHA256_DIGITS:
        digest = hashlib.sha256()
    elif len(blob.name) == SHA1_DIGITS and blob.exists():
        digest = hashlib.sha1(f"blob {blob.stat().st_size}\0".encode(), usedforsecurity=False)  # git's
    else:
        return blob.exists()
    try:
        with blob.open("rb") as content:
            while piece := content.read(PIECE):
                digest.update(piece)
    except OSError:
        return False
    return digest.hexdigest() == blob.name


def _state(name: str, path: Path, environment: Mapping[str, str]) -> State:
    if path.is_relative_to(places.own_folder(environment)):
        return "own"
    if path.is_relative_to(places.cache_folder(environment).absolute()):
        return "cache"
    return "package" if path == places.bundled(name) else "folder"


def _arrived(repository: str, environment: Mapping[str, str]) -> int:
    blobs = places.repository_folder(repository, environment) / "blobs"
    try:
        return sum(each.stat().st_size for each in blobs.iterdir() if each.is_file())
    except OSError:
        return 0


def _cached_names(backend: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The repositories in the hub's cache that hold a speech model for a backend, by ``owner/name``."""
    form = catalog.kind(backend)
    try:
        folders = sorted(places.cache_folder(environment).glob("models--*--*"))
    except OSError:
        return
    for folder in folders:
        name = folder.name.removeprefix("models--").replace("--", "/", 1)
        there = places.cached(name, form, environment) if form is not None else None
        if there is not None and _is_speech(there, backend):
            yield name


def _is_speech(folder: Path, backend: str) -> bool:
    """Whether a model of the right form is one of Whisper's: other models have the same form."""
    if backend == catalog.MLX:
        try:
            return b"n_mels" in (folder / "config.json").read_bytes()
        except OSError:
            return False
    if backend == catalog.ALIGN:
        return (folder / "vocab.json").is_file()
    return (folder / "tokenizer.json").is_file() or any(folder.glob("vocabulary.*"))
