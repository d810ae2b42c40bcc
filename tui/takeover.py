"""``scribetui settings import``: what became of each key of a predecessor's settings."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.home import Home
from engine.settings import Settings, load, save
from engine.settings.file import toml
from engine.settings.importing import Finding, Import, Outcome, read
from tui import preferences
from tui.text import plain

TITLES: dict[Outcome, str] = {
    "set": "Taken over:",
    "overruled": "Overruled by another key:",
    "refused": "Cannot be, and left out:",
    "not-yet": "Not a setting yet:",
    "without": "Known, but without a counterpart:",
    "empty": "Empty:",
    "secret": "Secret, and left alone:",
    "unknown": "Not known:",
}
"""What is said above the keys with the same fate, in this order."""


def take_over(home: Home, path: Path, *, writes: bool) -> tuple[Import, Settings, Settings]:
    """Take a predecessor's settings over; what became of them, and the settings before and after.

    Args:
        home: whose settings are changed.
        path: the predecessor's file.
        writes: whether to write at all.

    Raises:
        CannotImport: the file is not a predecessor's.
        SettingsError: our own file is wrong or cannot be written; nothing is changed.
        HomeError: the home cannot be used.
    """
    before = load(home.settings)
    found = read(path, before)
    after = found.applied(before)
    if writes and found.changes:
        home.create()
        save(home.settings, found.changes)
    return found, before, after


def as_json(home: Home, path: Path, found: Import, after: Settings, *, is_written: bool) -> str:
    """One JSON object: ``file``, ``program``, ``settings``, ``written``, ``changes``, ``keys``, and more.

    Each of ``keys`` is a ``Finding``; ``unreadable`` are lines, and each of ``problems`` is a ``Problem`` of the
    settings as they are then.
    """
    data = {
        "file": str(path),
        "program": found.program,
        "settings": str(home.settings),
        "written": is_written and bool(found.changes),
        "changes": found.changes,
        "keys": found.findings,
        "unreadable": found.unreadable,
        "problems": preferences.trouble(after),
    }
    return msgspec.json.encode(data).decode() + "\n"


def as_text(home: Home, path: Path, found: Import, before: Settings, after: Settings, *, is_written: bool) -> str:
    """Every key with what became of it, and what follows."""
    lines = [f"{path} holds settings of {found.program}."]
    for outcome, title in TITLES.items():
        told = [_told(each) for each in found.findings if each.outcome == outcome]
        if told:
            lines += ["", title, *(f"  {each}" for each in told)]
    if found.unreadable:
        numbers = ", ".join(map(str, found.unreadable))
        lines += ["", f"Not to be read as NAME=value, and left out: line {numbers}."]
    lines += ["", *_followed(home, found, before, after, is_written=is_written)]
    return "\n".join(plain(line) if line else "" for line in lines) + "\n"


def _told(finding: Finding) -> str:
    place = f" (line {finding.line})" if finding.line and finding.outcome in ("refused", "unknown", "overruled") else ""
    key = finding.key + (f"={finding.value}" if finding.value is not None else "")
    if finding.outcome != "set":
        return f"{key}{place}: {finding.note}"
    was = "as it was" if finding.became == finding.was else f"was {_short(toml(finding.was))}"
    notes = "; ".join(each for each in (finding.note, was) if each)
    return f"{key} -> {finding.setting} = {toml(finding.became)} ({notes})"


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _followed(home: Home, found: Import, before: Settings, after: Settings, *, is_written: bool) -> Iterator[str]:
    yield from (f"Note: {each.message}" for each in preferences.trouble(after))
    number = len(found.changes)
    changes = "1 setting changes" if number == 1 else f"{number} settings change"
    if not number:
        yield "No setting changes, so nothing was written."
    elif is_written:
        yield f"{changes}, written to {home.settings}."
        yield from preferences.in_force(before, after)
    else:
        yield f"{changes}; nothing was written (--dry-run)."
