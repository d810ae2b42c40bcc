"""The models that whisperX aligns with: which one a language has, where it is, and loading it. Worker-side."""

import contextlib
import importlib.util
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

from engine.languages import NAMES, language_name
from engine.models import ALIGN, ModelMissing, find, is_pipeline, locate
from engine.models.finding import is_offline
from engine.stages.base import UnusableInput
from engine.stages.torches import quietly

AUTO = "auto"
"""``Recipe.align`` for the language's own model, by whisperX's table."""


class Aligner(NamedTuple):
    """A model in memory, with what whisperX wants to know of it."""

    model: Any
    known: dict[str, int]
    """The characters it knows, in lower case, each with its number."""
    kind: str

    def metadata(self, language: str) -> dict[str, Any]:
        """What ``whisperx.align`` is told of the model, for a text in a language."""
        return {"language": language, "dictionary": self.known, "type": self.kind}


def require_whisperx() -> None:
    """Make sure that whisperX is there.

    Raises:
        UnusableInput: it is not.
    """
    if importlib.util.find_spec("whisperx") is None:
        raise UnusableInput("whisperX is not installed, so words cannot be aligned; install scribetui[align].")


def model_for(language: str, asked: str) -> str | None:
    """The name of the model for a language; None where whisperX knows none.

    Args:
        language: ISO 639-1 code.
        asked: ``Recipe.align``.
    """
    if asked != AUTO:
        return asked
    with quietly():
        from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH
    name: str | None = DEFAULT_ALIGN_MODELS_TORCH.get(language) or DEFAULT_ALIGN_MODELS_HF.get(language)
    return name


def place_of(name: str, language: str) -> str:
    """What whisperX is to be told for a model: its folder, or the name of one of torchaudio's pipelines.

    A model from the hub is fetched, if need be. Nothing heavy is imported.

    Raises:
        UnusableInput: it is not at hand and cannot be fetched, or the folder holds no such model.
        DiskFull: there is no room for it.
    """
    if is_pipeline(name):
        return name
    found = find(name, ALIGN)
    if found is not None:
        return found
    if Path(name).expanduser().is_dir():
        raise UnusableInput(_no_model(name))
    if is_offline():
        raise UnusableInput(_missing(name, language))
    try:
        return locate(name, ALIGN)
    except ModelMissing as error:
        raise UnusableInput(_missing(name, language, error)) from error


def load(name: str, language: str, device: str) -> Aligner:
    """Load a model, fetching it first if need be.

    Args:
        name: One of torchaudio's pipelines, ``owner/name`` on the hub, or a folder.
        language: What it is for, ISO 639-1.
        device: As torch calls it.

    Raises:
        UnusableInput: it is not at hand and cannot be fetched, or it is no such model.
        DiskFull: there is no room for it.
    """
    place = place_of(name, language)
    with quietly(), contextlib.redirect_stdout(io.StringIO()):
        import torch
        import torchaudio
        from whisperx import alignment

        # Sentences do not matter here, and the data to find them with would be fetched from the network.
        alignment.nltk_load = lambda *_: _OneSentence()
        bundle = getattr(torchaudio.pipelines, place, None) if place in torchaudio.pipelines.__all__ else None
        if bundle is not None and is_offline():
            file = Path(torch.hub.get_dir(), "checkpoints", Path(bundle._path).name)
            if not file.is_file():  # torchaudio would turn to the network
                raise UnusableInput(_missing(name, language))
        try:
            model, metadata = alignment.load_align_model(
                language, device, model_name=place, model_cache_only=bundle is None
            )
        except OSError as error:
            raise UnusableInput(_missing(name, language, error)) from error
        except ValueError as error:
            raise UnusableInput(_no_model(name)) from error
    return Aligner(model.eval(), metadata["dictionary"], metadata["type"])


class _OneSentence:
    """Stands for NLTK's sentence splitter: the whole text is one."""

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return [(0, len(text))]


def _no_model(name: str) -> str:
    return f"{json.dumps(name)} is no wav2vec2 model that words can be aligned with; name another (--align FOLDER)."


def _missing(name: str, language: str, error: BaseException | None = None) -> str:
    whose = f" for {language_name(language)}" if language in NAMES else ""
    why = f" and cannot be fetched ({type(error).__name__})" if error else ""
    return (
        f"The alignment model{whose}, {json.dumps(name)}, is not on this machine{why}; go online once, or name the "
        "folder of one (--align FOLDER)."
    )
