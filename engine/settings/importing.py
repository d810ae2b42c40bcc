"""Settings of the two predecessors, taken over: what each key became, and why some became nothing.

Secrets are named and never repeated; nor is the value of a key that is not known, since it could be one.
"""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from engine.settings.file import Field, SettingsError, build, fields
from engine.settings.foreign import FILMS, Key, Program, read_file
from engine.settings.groups import Settings
from engine.settings.takings import CannotTake, NotYet, Source, Taken

Outcome = Literal["set", "overruled", "refused", "not-yet", "without", "secret", "empty", "unknown"]

HINTS = 100
"""So many unknown keys get a hint what they may have been meant to be; a file with more is of some other kind."""

_SECRET = re.compile(r"token(?!s|i)|secret|passw|credential|api_?key|(^|[._])key$", re.IGNORECASE)
"""Names of keys whose values are nobody's business."""
_TOKEN = re.compile(r"\b(hf_|sk-|gh[opsu]_|xox[bp]-|AKIA)[A-Za-z0-9-]{12}")
"""How the tokens of some services begin, which may have got into any value."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one key."""

    key: str
    """Its name in the file, with those of the tables around it."""
    line: int | None = None
    """The line it is on, where that is known."""
    value: str | None = None
    """Its value as the file has it; None where it is not to be shown."""
    outcome: Outcome
    setting: str | None = None
    """Which of our settings it means."""
    became: Any = None
    """The value that setting has now."""
    was: Any = None
    """The value it had before."""
    note: str = ""
    """What was changed on the way, or why it became nothing; a phrase."""


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """All that a predecessor's file says."""

    program: str
    """The predecessor's name."""
    findings: tuple[Finding, ...]
    """In the order of the file."""
    changes: dict[str, Any]
    """Values that differ from those before, by the settings' full names."""
    unreadable: tuple[int, ...] = ()
    """Lines that could not be read."""

    def applied(self, settings: Settings) -> Settings:
        """The settings with the changes.

        Raises:
            SettingsError: a change cannot be.
        """
        data: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
        for name, value in self.changes.items():
            group, _, last = name.partition(".")
            data[group][last] = value
        return build(data, lambda _, message: SettingsError(message))


def read(path: Path, settings: Settings) -> Import:
    """What a predecessor's file would change in the settings; nothing is written.

    Args:
        path: the talks categoriser's ``config.json`` or the film pipeline's ``.env``, whatever it is called.
        settings: those there are now.

    Raises:
        CannotImport: the file cannot be read, or is neither of the two.
    """
    path = path.absolute()
    program, keys, unreadable = read_file(path)
    # The film pipeline keeps its file in a folder "config", and begins its paths at the one above.
    is_inside = program is FILMS and path.parent.name == "config"
    source = Source(path.parent.parent if is_inside else path.parent, {key.name: key.value for key in keys})
    last = {key.name: at for at, key in enumerate(keys)}
    taken = _take(program, keys, last, source)
    hints = _hints(last, program.known())
    findings = []
    changes: dict[str, Any] = {}
    for at, key in enumerate(keys):
        if last[key.name] != at:
            note = "it is set again further down, and that counts"
            findings.append(Finding(key=_named(key), line=key.line, outcome="overruled", note=note))
            continue
        finding = _of_others(program, key, hints) or _of_ours(key, taken.get(key.name), settings)
        findings.append(finding)
        if finding.outcome == "set" and finding.setting and finding.became != finding.was:
            changes[finding.setting] = finding.became
    return Import(program=program.name, findings=tuple(findings), changes=changes, unreadable=tuple(unreadable))


class _Chosen(NamedTuple):
    """The key that decides about a setting."""

    key: str
    taken: Taken


class _Meant(NamedTuple):
    """What a key means here."""

    setting: str
    outcome: Taken | CannotTake | NotYet
    chosen: _Chosen | None
    """Who decides; None where nobody has yet."""


def _take(program: Program, keys: list[Key], last: Mapping[str, int], source: Source) -> dict[str, _Meant]:
    """For each key that means a setting: which, what its value became, and which key decides."""
    known = fields()
    found: dict[str, _Meant] = {}
    for setting, each in program.counterparts.items():
        chosen: _Chosen | None = None
        for name, taking in each:
            if name not in last or _is_empty(keys[last[name]].value):
                continue
            value = keys[last[name]].value
            outcome: Taken | CannotTake | NotYet
            try:
                if _TOKEN.search(_written(value)):
                    raise CannotTake("its value looks like a token, and was left alone")
                outcome = _checked(taking(value, source), known[setting])
            except (CannotTake, NotYet) as error:
                outcome = error
            if isinstance(outcome, Taken) and chosen is None:
                chosen = _Chosen(name, outcome)
            found[name] = _Meant(setting, outcome, chosen)
    return found


def _checked(taken: Taken, field: Field) -> Taken:
    """What was taken, as the setting keeps it."""
    try:
        return taken._replace(value=msgspec.convert(msgspec.to_builtins(taken.value), field.type))
    except msgspec.ValidationError as error:
        raise CannotTake(f"{field.dotted} must be {field.allowed}") from error


def _hints(names: Iterable[str], known: set[str]) -> dict[str, str]:
    """What unknown names may have been meant to be, by name."""
    unknown = [name for name in names if name not in known]
    close = {name: difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.8) for name in unknown[:HINTS]}
    return {name: f'; it has "{close[name][0]}"' if close.get(name) else "" for name in unknown}


def _of_others(program: Program, key: Key, hints: Mapping[str, str]) -> Finding | None:
    """What became of a key that means none of our settings; None for one that does."""
    name, line = _named(key), key.line
    if not _is_empty(key.value) and (key.name in program.secrets or (key.name in hints and _SECRET.search(key.name))):
        note = "its value was left alone; a token belongs into the environment"
        return Finding(key=name, line=line, outcome="secret", note=note)
    if key.name in hints:
        note = f"{program.name} has no such setting{hints[key.name]}"
        return Finding(key=name, line=line, outcome="unknown", note=note)
    if why := program.not_yet.get(key.name):
        return Finding(key=name, line=line, value=_shown(key.value), outcome="not-yet", note=why)
    if why := program.without.get(key.name):
        return Finding(key=name, line=line, outcome="without", note=why)
    return None


def _of_ours(key: Key, meant: _Meant | None, settings: Settings) -> Finding:
    """What became of a key that means one of our settings."""
    name, line = _named(key), key.line
    if meant is None:
        return Finding(key=name, line=line, outcome="empty", note="it has no value")
    value = _shown(key.value)
    setting, outcome, chosen = meant
    if not isinstance(outcome, Taken):
        why: Outcome = "refused" if isinstance(outcome, CannotTake) else "not-yet"
        return Finding(key=name, line=line, value=value, outcome=why, setting=setting, note=str(outcome))
    if chosen is not None and chosen.taken.value != outcome.value:
        note = f"{chosen.key} means the same, and counts"
        return Finding(key=name, line=line, value=value, outcome="overruled", setting=setting, note=note)
    notes = [outcome.how] if outcome.how else []
    if isinstance(key.value, str) and "$" in key.value:
        notes.append("the $ stands for itself")
    group, _, last = setting.partition(".")
    return Finding(
        key=name,
        line=line,
        value=value,
        outcome="set",
        setting=setting,
        became=outcome.value,
        was=getattr(getattr(settings, group), last),
        note=", and ".join(notes),
    )


def _is_empty(value: Any) -> bool:  # noqa: ANN401 - whatever a file can hold
    return value is None or (isinstance(value, str | list) and not value)


def _named(key: Key) -> str:
    return key.name if len(key.name) <= 80 else f"{key.name[:77]}..."


def _written(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value)


def _shown(value: Any) -> str:  # noqa: ANN401
    """A value in a message; one that looks like a token is not shown."""
    text = _written(value)
    if _TOKEN.search(text):
        return "(not shown)"
    return text if len(text) <= 60 else f"{text[:57]}..."
