"""Finding speech models on this machine: in a folder, in a Python package, in the cache of the model hub."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from engine.models import making, places
from engine.models.catalog import (
    ALIASES,
    ALIGN,
    CTRANSLATE2,
    FASTER_WHISPER,
    MLX,
    canonical,
    is_on_hub,
    kind,
    repositories,
    repository,
)
from engine.stages.base import UnusableInput


class ModelMissing(UnusableInput):
    """A model is not on this machine and may or can not be fetched; one clear sentence for the user."""


class Model(msgspec.Struct, frozen=True):
    """A model on this machine."""

    name: str
    path: str
    """Its folder; for MLX perhaps one of CTranslate2's, to be converted when first used."""
    size: int
    """Bytes of all its files."""


def available(backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> list[Model]:
    """The models at hand for a backend, from the weakest to the best; none for a backend from elsewhere.

    A model that comes in parts is not among them: it is taken only when asked for by name.
    """
    found = []
    for name in repositories(backend):
        folder = _whole(name, backend, environment)
        if folder is None and backend == MLX:
            folder = _whole(name, FASTER_WHISPER, environment)
        if folder is not None:
            found.append(Model(name, str(folder), places.size(folder)))
    return found


def find(model: str, backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> str | None:
    """The folder of a model, by its name, by ``owner/name`` on the hub, or by its path; None when there is none yet.

    What can be made out of what is on this machine is not made here, see ``is_at_hand`` and ``locate``. A backend from
    elsewhere knows best what its models are called: for it the answer is what was asked.
    """
    form = kind(backend)
    if form is None:
        return model
    path = Path(model).expanduser()
    if places.is_model(path, form):
        return str(path.absolute())
    name = canonical(model)
    folder = _whole(name, backend, environment)
    if folder is None and form is CTRANSLATE2:
        folder = places.joined(name, environment)
    if folder is None and backend == MLX:
        source = find(model, FASTER_WHISPER, environment)
        folder = making.converted(Path(source), environment) if source is not None else None
    return str(folder) if folder is not None else None


def is_at_hand(model: str, backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a model can be had without the hub: it is there, or can be made out of what is there."""
    if find(model, backend, environment) is not None:
        return True
    if backend == MLX:
        return is_at_hand(model, FASTER_WHISPER, environment)
    return kind(backend) is CTRANSLATE2 and bool(places.parts(canonical(model)))


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
    form = kind(backend)
    if form is None or is_at_hand(model, backend, environment):
        return
    name = canonical(model)
    at_hand = names_at_hand(backend, environment)
    if not is_on_hub(name, backend):
        known = repositories(backend)
        close = difflib.get_close_matches(name, [*known, *ALIASES] if known else [], n=1)
        names = f"the names known are {', '.join(known)}" if known else "OWNER/NAME is one on the hub"
        hint = f'did you mean "{close[0]}"?' if close else f"{names}."
        purpose = " to align words with" if backend == ALIGN else ""
        raise ModelMissing(
            f"There is no model {json.dumps(model)}{purpose} (at hand: {at_hand}), nor is it a folder that holds a "
            f"{' or a '.join(form.weights)}; {hint}"
        )
    if not download or is_offline(environment):
        allowed = "models.download = true" if not download else "models.download = true, and no HF_HUB_OFFLINE"
        raise ModelMissing(
            f"The model {json.dumps(model)} is not on this machine and downloads are switched off; at hand: {at_hand}; "
            f"allow them ({allowed}), or set {setting_of(backend)} to one of these or to a model's folder."
        )


def locate(model: str, backend: str = FASTER_WHISPER, environment: Mapping[str, str] = os.environ) -> str:
    """The folder of a model in the form its backend loads; it may take long to make or fetch it, so for workers only.

    Raises:
        ModelMissing: it is not at hand and cannot be fetched; the message says why, and what is at hand.
        CannotMake: it cannot be put together, or not be converted.
        DiskFull: there is no room for it.
    """
    folder = find(model, backend, environment)
    if folder is not None:
        return folder
    if kind(backend) is CTRANSLATE2 and places.parts(canonical(model)):
        return str(making.join(canonical(model), environment))
    if backend == MLX and is_at_hand(model, FASTER_WHISPER, environment):
        source = locate(model, FASTER_WHISPER, environment)
        return str(making.convert(model, Path(source), environment))
    require(model, backend, environment=environment)
    from engine.models.fetch import fetch  # only a worker comes here

    return str(fetch(model, backend, environment))


def names_at_hand(backend: str, environment: Mapping[str, str] = os.environ) -> str:
    """The names of the models at hand, for a sentence."""
    return ", ".join(each.name for each in available(backend, environment)) or "none"


def setting_of(backend: str) -> str:
    """The setting that names a backend's model."""
    return "transcribe.align" if backend == ALIGN else "transcribe.model"


def is_offline(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the hub's client is told to stay off the network."""
    return environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _whole(name: str, backend: str, environment: Mapping[str, str]) -> Path | None:
    """A model that is there in its backend's form, in a package or in the hub's cache."""
    form = kind(backend)
    if form is None:
        return None
    if form is CTRANSLATE2 and (folder := places.bundled(name)) is not None:
        return folder
    place = repository(name, backend)
    return places.cached(place, form, environment) if "/" in place else None
