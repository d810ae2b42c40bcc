"""What the settings mean on this machine: every "auto" becomes a value, and a job's options come out."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine import glossary, hardware, models
from engine.commands import Options
from engine.memory import METAL, METAL_BATCH, family
from engine.recipe import EACH_WINDOW, Policy, Recipe
from engine.settings import choosing
from engine.settings.file import SettingsError, build, fields
from engine.settings.groups import Settings
from engine.terms import Term, merged

OPTIONS = {"out": "output.folder"}
"""Names of the command line that differ from the settings'."""


def resolve(settings: Settings, overrides: Mapping[str, Any] | None = None) -> Options:
    """How a job is to be done, by the settings and by what was asked for in their place.

    Args:
        settings: the user's settings.
        overrides: values by the names of the command line's options (``model``, ``chunk``, ``formats``, ``out`` ...),
            as numbers or as the user typed them; None for what was not asked for.

    Raises:
        SettingsError: a value asked for cannot be; or values do not go together.
        ModelMissing: the model is not on this machine and may not be fetched.
    """
    given = dict(overrides or {})
    named = given.pop("terms", None)
    settings = override(settings, given)
    return Options(
        recipe=recipe(settings),
        formats=tuple(settings.output.formats),
        out=os.path.abspath(os.path.expanduser(settings.output.folder)) if settings.output.folder else None,
        track=None if settings.listen.track == "auto" else str(settings.listen.track),
        terms=_terms(settings, named),
        terms_beside=settings.terms.beside,
        terms_near=settings.terms.near,
        corrects=settings.terms.correct,
        chunking=settings.chunks.chunking,
    )


def _terms(settings: Settings, named: str | Sequence[str] | None) -> tuple[Term, ...]:
    """The terms that were named in place of the settings', or those.

    Raises:
        SettingsError: a file of them cannot be read, or one cannot be.
    """
    try:
        if named is not None:
            return glossary.asked(named, Path.cwd()) if isinstance(named, str) else glossary.words(named)
        listed, file = glossary.words(settings.transcribe.terms), settings.terms.file
        return merged(listed, glossary.read(Path(file).expanduser())) if file else listed
    except glossary.TermsError as error:
        raise SettingsError(str(error)) from error


def recipe(settings: Settings) -> Recipe:
    """The recipe a job begins with.

    Raises:
        SettingsError: the model does not know the language, or what is asked for is not installed, or does not go
            together.
        ModelMissing: the model is not on this machine and may not be fetched.
    """
    asked = settings.transcribe
    backend = choosing.choose_backend(settings).value
    choosing.choose_device(settings, backend)
    model = choose_model(settings, backend).value if asked.model == "auto" else _model(asked.model, backend)
    models.require(model, backend, settings.models.download)
    if settings.listen.vad == "pyannote":
        choosing.require_installed("pyannote", 'listen.vad = "pyannote"')
    if asked.align != "off":
        choosing.require_installed("align", f'transcribe.align = "{asked.align}"')
        _check_aligner(_folder_or_name(asked.align))
    return _recipe(settings, backend, model, _language(settings, model))


def choose_model(settings: Settings, backend: str) -> choosing.Choice:
    """The model that "auto" takes, and why.

    Raises:
        ModelMissing: there is none.
    """
    return choosing.choose_model(settings, backend, lambda name: _recipe(settings, backend, name, None))


def _recipe(settings: Settings, backend: str, model: str, language: str | None) -> Recipe:
    chunks, asked = settings.chunks, settings.transcribe
    device = choosing.choose_device(settings, backend)
    found = Recipe(
        backend=backend,
        model=model,
        compute_type=choosing.choose_numbers(settings, backend, device, models.quantised(model, backend)),
        device=device,
        batch=chunks.batch if isinstance(chunks.batch, int) else _batch(backend, device, model),
        chunk_ms=chunks.chunk * 1000,
        language=language,
        task=asked.task,
        vad=settings.listen.vad,
        align="" if asked.align == "off" else _folder_or_name(asked.align),
    )
    parallel = choosing.lanes(settings, found)
    return msgspec.structs.replace(found, parallel=parallel, threads=max(1, hardware.cores() // parallel))


def _batch(backend: str, device: str, model: str) -> int:
    if device in METAL:
        return METAL_BATCH[family(model)]
    if device != "cpu":
        return 8
    # Measured: base takes 14.5 s of the processor at batch 2, 13.2 at 4; tiny gains nothing, larger ones want memory.
    return 4 if backend == models.WHISPERX or family(model) in ("base", "small") else 2


def _model(asked: str, backend: str) -> str:
    """The model asked for; a folder by its whole path, since the host works elsewhere."""
    found = models.find(asked, backend)
    is_folder = found is not None and os.path.abspath(os.path.expanduser(asked)) == found
    return found if found is not None and is_folder else asked


def _folder_or_name(asked: str) -> str:
    path = os.path.abspath(os.path.expanduser(asked))
    return path if os.path.isdir(path) else asked


def _check_aligner(model: str) -> None:
    """Refuse what can be no model to align with; one that may be on the hub costs the finer times alone, if missing.

    Raises:
        ModelMissing: it is neither a model's folder nor a name.
    """
    if model != "auto" and not models.is_pipeline(model) and not models.is_on_hub(model, models.ALIGN):
        models.require(model, models.ALIGN)


def _language(settings: Settings, model: str) -> str | None:
    """The recipe's language.

    Raises:
        SettingsError: the model does not know it.
    """
    asked = settings.transcribe
    if not models.is_english_only(model):
        return None if asked.language == "auto" else asked.language
    if asked.language not in ("auto", "en") or asked.task == "translate":
        wanted = (
            "translate"
            if asked.task == "translate"
            else "tell languages apart"
            if asked.language == EACH_WINDOW
            else f'do the language "{asked.language}"'
        )
        raise SettingsError(f'The model "{model}" knows only English and cannot {wanted}; choose another model.')
    return "en"


def policy(settings: Settings) -> Policy:
    """How failures are answered."""
    return Policy(
        retries=settings.failures.retries,
        retry_delay_ms=round(settings.failures.retry_delay * 1000),
        climb_after=settings.failures.climb_after,
        models=_stand_ins() if settings.failures.smaller_model else {},
        listen_limit_ms=settings.watchdog.listen * 1000,
        transcribe_limit_ms=settings.watchdog.transcribe * 1000,
        recycle_chunks=settings.memory.recycle,
        park_after_ms=round(settings.memory.park_after * 1000),
        partial_every_ms=round(settings.output.partial_every * 1000),
        keep_warm_ms=round(settings.memory.keep_warm * 1000),
    )


def _stand_ins() -> dict[str, tuple[str, ...]]:
    """For each backend that is installed the models at hand, the largest first."""
    return {
        backend: tuple(each.name for each in reversed(models.available(backend)))
        for backend in models.BACKENDS
        if choosing.is_installed(backend)
    }


def environment(settings: Settings) -> dict[str, str]:
    """Environment variables that make the settings hold in child processes too; set them before any is started."""
    return {} if settings.models.download else {"HF_HUB_OFFLINE": "1"}


def override(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """The settings with other values, by the names of the command line's options.

    Raises:
        SettingsError: there is no such option, or it cannot have that value; the message calls it ``--option``.
    """
    known = {field.name: field for field in fields().values()}
    data: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
    spelled: dict[tuple[str, ...], str] = {}
    for option, value in values.items():
        if value is None:
            continue
        field = known.get(OPTIONS.get(option, option).rpartition(".")[2])
        if field is None:
            raise SettingsError(f'There is no option "--{option}".')
        spelled[(field.group, field.name)] = f"--{option.replace('_', '-')}"
        if field.name == "folder":
            value = os.path.abspath(os.path.expanduser(str(value)))
        data[field.group][field.name] = _typed(value, is_list=isinstance(field.default, tuple))

    def fail(key: tuple[str, ...], message: str) -> SettingsError:
        return SettingsError(message.replace(".".join(key), spelled.get(key, ".".join(key)), 1))

    return build(data, fail)


def _typed(value: Any, is_list: bool) -> Any:  # noqa: ANN401 - whatever was typed
    """A value as the settings file would have it."""
    if is_list:
        parts = value.split(",") if isinstance(value, str) else value
        return [part.strip() for part in parts if part.strip()]
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    return value
