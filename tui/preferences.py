"""``scribetui settings show`` and ``check``: what is set, where it comes from, and what cannot be."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import msgspec

from engine import glossary, hardware, models
from engine.glossary import TermsError
from engine.models import ModelMissing
from engine.settings import Settings, SettingsError
from engine.settings.file import fields, find_line, given, parse, read, shown, toml
from engine.settings.resolve import recipe
from tui.text import plain

WATCHED = frozenset({"failures", "watchdog", "memory", "power", "models", "host", "watch", "notify"})
"""Groups that the host reads when it starts."""
WATCHED_TOO = frozenset({"output.partial_every"})
SEEN = frozenset({"notify.bell", "notify.desktop"})
"""What only the screen reads, besides its own group."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something about the settings that is wrong, or may surprise."""

    severity: Literal["error", "warning"]
    setting: str | None
    """Its full name; None where the file as a whole is wrong."""
    line: int | None
    """The line it is on, from 1; None where that cannot be told, or where it is a default."""
    message: str
    """One sentence, with the file and the line in it."""


# ---- show


def as_json(path: Path) -> str:
    """One JSON object: ``file``, ``exists``, and ``settings`` in the file's order.

    Each setting has ``name``, ``value``, ``default``, ``from`` ("file" or "default"), ``differs``, ``unit``,
    ``meaning`` and ``allowed``.

    Raises:
        SettingsError: the file is wrong.
    """
    text = read(path)
    data = {"file": str(path), "exists": text is not None, "settings": list(_rows(path, text))}
    return msgspec.json.encode(data).decode() + "\n"


def as_text(path: Path, *, with_meaning: bool = False) -> str:
    """A line a setting; those that differ from their defaults have a star.

    Raises:
        SettingsError: the file is wrong.
    """
    text = read(path)
    where = f"{path} does not exist, so all are defaults." if text is None else f"{path}; * is not the default."
    lines = [plain(f"Settings: {where}"), ""]
    rows = list(_rows(path, text))
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        notes = [row["from"]] + ([f"default {toml(row['default'])}"] if row["differs"] else [])
        mark = "*" if row["differs"] else " "
        lines.append(plain(f"{mark} {row['name']:<{width}} = {toml(row['value'])}  ({'; '.join(notes)})"))
        if with_meaning:
            unit = f"Unit: {row['unit']}. " if row["unit"] else ""
            lines += [f"    {row['meaning']}", f"    {unit}Allowed: {row['allowed']}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _rows(path: Path, text: str | None) -> Iterator[dict[str, Any]]:
    settings = Settings() if text is None else parse(text, str(path))
    named = frozenset() if text is None else given(text)
    for name, field in fields().items():
        value = getattr(getattr(settings, field.group), field.name)
        yield {
            "name": name,
            "value": value,
            "default": field.default,
            "from": "file" if name in named else "default",
            "differs": value != field.default,
            "unit": field.unit,
            "meaning": field.meaning,
            "allowed": field.allowed,
        }


# ---- check


def problems(path: Path) -> list[Problem]:
    """What is wrong with a file of settings, beginning with the errors; of a file that cannot be read, only the first.

    Besides what ``load`` finds: unknown themes, actions and models, folders that are not there, and the like.
    """
    try:
        text = read(path)
        settings = Settings() if text is None else parse(text, str(path))
    except SettingsError as error:
        return [Problem(severity="error", setting=error.key, line=error.line, message=str(error))]
    return sorted((_placed(text, str(path), told) for told in _told(settings)), key=lambda each: each.severity)


def trouble(settings: Settings) -> list[Problem]:
    """What is wrong with settings that need not be in a file, beginning with the errors."""
    found = [Problem(severity=told[0], setting=told[1], line=None, message=told[2]) for told in _told(settings)]
    return sorted(found, key=lambda each: each.severity)


def sentence(problem: Problem) -> str:
    """What is said of a problem."""
    return f"Note: {problem.message}" if problem.severity == "warning" else problem.message


def verdict(path: Path, found: list[Problem]) -> str:
    """In a sentence, that a file is in order."""
    but = "" if not found else ", but for what was said above"
    if not os.path.exists(path):
        return f"There is no {path}; every setting has its default, which is in order{but}."
    return f"{path} is in order{but}."


def problems_json(path: Path, found: list[Problem]) -> str:
    """One JSON object: ``file``, ``exists``, ``ok``, and ``problems``, each as ``Problem`` has it."""
    ok = all(each.severity != "error" for each in found)
    data = {"file": str(path), "exists": os.path.exists(path), "ok": ok, "problems": found}
    return msgspec.json.encode(data).decode() + "\n"


_Told = tuple[Literal["error", "warning"], str, str]
"""How bad, which setting, and what is wrong with it."""


def _placed(text: str | None, name: str, told: _Told) -> Problem:
    severity, setting, message = told
    line = find_line(text, tuple(setting.split(".", 2))) if text is not None and _is_given(text, setting) else None
    place = f"{name}, line {line}" if line else name
    return Problem(severity=severity, setting=setting, line=line, message=f"{place}: {message}")


def _is_given(text: str, setting: str) -> bool:
    return ".".join(setting.split(".", 2)[:2]) in given(text)


def _told(settings: Settings) -> Iterator[_Told]:
    yield from _work(settings)
    yield from _terms(settings)
    yield from _screen(settings)
    yield from _places(settings)


def _work(settings: Settings) -> Iterator[_Told]:
    """What keeps jobs from being done."""
    asked = settings.transcribe
    try:
        backend = recipe(settings).backend
    except ModelMissing as error:
        # With "auto" nothing is wrong with the settings: the machine lacks something.
        yield "warning" if asked.model == "auto" else "error", "transcribe.model", str(error)
    except SettingsError as error:
        # Where it is not the model that is wrong, the sentence begins with the setting's name.
        yield (
            "error",
            next((name for name in fields() if str(error).startswith(f"{name} ")), "transcribe.model"),
            str(error),
        )
    except (OSError, RuntimeError, ValueError):  # no name at all, or one of a home that is nobody's
        yield "error", "transcribe.model", f"transcribe.model cannot be {shown(asked.model)}; there is no such model."
    else:
        if backend in models.BACKENDS and asked.model != "auto" and not models.is_at_hand(asked.model, backend):
            message = (
                f"transcribe.model: {shown(asked.model)} is not on this machine; it is downloaded when first used."
            )
            yield "warning", "transcribe.model", message
    if ":" in asked.backend:
        package = asked.backend.partition(":")[0].partition(".")[0]
        if package not in sys.modules and find_spec(package) is None:
            yield "error", "transcribe.backend", f"transcribe.backend: there is no Python package {shown(package)}."
    if asked.device == "cuda" and not hardware.has_cuda():
        message = "transcribe.device: this machine has no NVIDIA card with its driver and cuBLAS 12."
        yield "warning", "transcribe.device", message


def _terms(settings: Settings) -> Iterator[_Told]:
    """Terms that cannot be read."""
    try:
        glossary.words(settings.transcribe.terms)
    except TermsError as error:
        yield "error", "transcribe.terms", str(error)
    try:
        if settings.terms.file:
            glossary.read(Path(settings.terms.file).expanduser())
    except (TermsError, RuntimeError) as error:  # the latter for a home that is nobody's
        yield "error", "terms.file", str(error)


def _screen(settings: Settings) -> Iterator[_Told]:
    """What the screen does not know."""
    if settings.screen.theme != "auto":
        from textual.theme import BUILTIN_THEMES

        from tui import themes

        names = [*(theme.name for theme in themes.THEMES), *BUILTIN_THEMES]
        if settings.screen.theme not in names:
            message = f"there is no theme {shown(settings.screen.theme)}; there are {', '.join(names)}."
            yield "error", "screen.theme", message
    if settings.screen.keys:
        from tui import keys

        for name in keys.unknown_actions(settings.screen.keys):
            known = ", ".join(str(binding.id) for binding in keys.MAIN)
            yield "error", f"screen.keys.{name}", f"there is no action {shown(name)}; there are {known}."


def _places(settings: Settings) -> Iterator[_Told]:
    """Folders that are not there."""
    folders = [("output.folder", settings.output.folder, "it is made when the first transcript is written")]
    folders += [("watch.folders", each, "nothing is found in it until it does") for each in settings.watch.folders]
    for setting, folder, then in folders:
        if not folder:
            continue
        try:
            is_there = Path(folder).expanduser().is_dir()
        except (OSError, RuntimeError, ValueError):
            yield "error", setting, f"{setting}: {shown(folder)} cannot be a folder."
        else:
            if not is_there:
                yield "warning", setting, f"{setting}: the folder {shown(folder)} does not exist; {then}."


# ---- from when on


def in_force(before: Settings, after: Settings) -> list[str]:
    """In sentences, from when on the changes count; none where nothing has changed."""
    changed = [
        name
        for name, field in fields().items()
        if getattr(getattr(before, field.group), field.name) != getattr(getattr(after, field.group), field.name)
    ]
    screen = [name for name in changed if name.startswith("screen.") or name in SEEN]
    host = [name for name in changed if (name.partition(".")[0] in WATCHED or name in WATCHED_TOO) and name not in SEEN]
    jobs = [name for name in changed if name not in screen and name not in host]
    said = []
    if jobs:
        said.append(f"For jobs queued from now on: {', '.join(jobs)}.")
    if host:
        said.append(f"From the host's next start ('scribetui stop' ends it): {', '.join(host)}.")
    if screen:
        said.append(f"When the screen is next opened: {', '.join(screen)}.")
    return said
