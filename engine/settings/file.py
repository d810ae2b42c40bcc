"""Reading and writing ``settings.toml``; a mistake in it is one sentence that names the file, the line and the key."""

import difflib
import json
import os
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from engine.files import replace
from engine.notices import ondone
from engine.settings.groups import Settings

WIDTH = 118

HEADER = """\
# The settings of scribetui, each with what it means and its default.
# Copy this file to where `scribetui doctor` says the settings are, and keep only the lines you want to change.
"""

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


class SettingsError(Exception):
    """A setting that cannot be; one clear sentence for the user.

    Attributes:
        key: the setting's full name, or the table's; None where the file as a whole is wrong.
        line: the line it is on, from 1; None where that cannot be told.
    """

    def __init__(self, message: str, key: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.key = key
        self.line = line


class Field(msgspec.Struct, frozen=True):
    """One setting, as ``engine.settings.groups`` describes it."""

    group: str
    name: str
    type: Any
    default: Any
    meaning: str
    allowed: str
    unit: str

    @property
    def dotted(self) -> str:
        """Its full name."""
        return f"{self.group}.{self.name}"


def fields() -> dict[str, Field]:
    """Every setting by its full name, in the order of the file."""
    found: dict[str, Field] = {}
    for group in msgspec.structs.fields(Settings):
        hints = get_type_hints(group.type, include_extras=True)
        for each in msgspec.structs.fields(group.type):
            hint = hints[each.name]
            meta = hint.__metadata__[-1]
            default = getattr(getattr(Settings(), group.name), each.name)
            field = Field(
                group.name, each.name, hint, default, meta.description, meta.extra["allowed"], meta.extra["unit"]
            )
            found[field.dotted] = field
    return found


def load(path: Path | None) -> Settings:
    """The settings in a file; the defaults where there is none.

    Raises:
        SettingsError: the file cannot be read, is no TOML, or holds an unknown key or a wrong value.
    """
    if path is None:
        return Settings()
    text = read(path)
    return Settings() if text is None else parse(text, str(path))


def given(text: str) -> frozenset[str]:
    """The full names of the settings that a text without mistakes sets."""
    return frozenset(f"{group}.{name}" for group, table in tomllib.loads(text).items() for name in table)


def create(path: Path) -> bool:
    """Write the commented default settings where there is no file yet; whether there was none.

    Raises:
        SettingsError: it cannot be written.
    """
    if os.path.exists(path):
        return False
    try:
        replace(path, default_text().encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}).") from error
    return True


def parse(text: str, name: str) -> Settings:
    """The settings in a text; ``name`` is what messages call the file.

    Raises:
        SettingsError: as for ``load``.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, message = _syntax(text, str(error))
        raise SettingsError(f"{name}, line {line}: {message}", line=line) from error

    def fail(key: tuple[str, ...], message: str) -> SettingsError:
        line = find_line(text, key)
        place = f"{name}, line {line}" if line else name
        return SettingsError(f"{place}: {message}", ".".join(key), line)

    return build(data, fail)


def build(data: Mapping[str, Any], fail: Callable[[tuple[str, ...], str], SettingsError]) -> Settings:
    """Typed settings from plain tables; ``fail`` makes the error for a key and what is wrong with it.

    Raises:
        SettingsError: an unknown key or a wrong value.
    """
    known = fields()
    groups: dict[str, dict[str, Any]] = {group.name: {} for group in msgspec.structs.fields(Settings)}
    for group, table in data.items():
        if group not in groups:
            raise fail((group,), _unknown(group, known))
        if not isinstance(table, dict):
            raise fail((group,), f"[{group}] must be a table of settings, not {shown(table)}.")
        for name, value in table.items():
            field = known.get(f"{group}.{name}")
            if field is None:
                raise fail((group, name), _unknown(f"{group}.{name}", known))
            try:
                groups[group][name] = msgspec.convert(value, field.type)
            except msgspec.ValidationError as error:
                raise fail((group, name), f"{field.dotted} must be {field.allowed}, not {shown(value)}.") from error
    if (wrong := ondone.problem(groups["notify"].get("on_done", ""))) is not None:
        raise fail(("notify", "on_done"), f"notify.on_done {wrong}")
    return msgspec.convert(groups, Settings)


def save(path: Path, changes: Mapping[str, Any]) -> Settings:
    """Change settings in a file, by their full names, keeping its comments; None takes a setting back to its default.

    The file is replaced as a whole or not at all. Where there is none, it begins as the commented default.

    Returns:
        All settings after the change.

    Raises:
        SettingsError: a change or something else in the file is wrong, or it cannot be written; nothing is changed.
    """
    import tomlkit

    text = read(path)
    try:
        document = tomlkit.parse(default_text() if text is None else text)
    except tomlkit.exceptions.ParseError as error:
        parse(text or "", str(path))
        raise SettingsError(f"{path} cannot be changed ({error}); nothing was changed.") from error
    for dotted, value in changes.items():
        group, _, name = dotted.partition(".")
        table = document.setdefault(group, tomlkit.table())
        if value is None:
            table.pop(name, None)
        elif isinstance(value, Mapping) and name in table:
            for key in set(table[name]) - set(value):
                del table[name][key]
            table[name].update(value)  # in place, since a new table would lose the comments
        else:
            table[name] = list(value) if isinstance(value, tuple) else value
    after = tomlkit.dumps(document)
    settings = parse(after, str(path))
    try:
        replace(path, after.encode())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); nothing was changed.") from error
    return settings


def default_text() -> str:
    """The commented default ``settings.toml``."""
    lines = [HEADER.rstrip()]
    known = fields()
    for group in msgspec.structs.fields(Settings):
        lines += ["", f"[{group.name}]", f"# {group.type.__doc__}"]
        tables: list[str] = []
        for field in (each for each in known.values() if each.group == group.name):
            if isinstance(field.default, dict):
                tables += ["", f"[{field.dotted}]", *_comment(field)]
            else:
                lines += ["", *_comment(field), f"{field.name} = {toml(field.default)}"]
        lines += tables
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:  # noqa: ANN401 - whatever a setting can be
    """A value as TOML writes it."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml(each) for each in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{key if _BARE.fullmatch(key) else toml(key)} = {toml(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def shown(value: Any) -> str:  # noqa: ANN401 - whatever a file can hold
    """A wrong value in a message: short, and harmless to a terminal."""
    text = json.dumps(value, default=str).replace("\x7f", "\\u007f")
    return text if len(text) <= 60 else f"{text[:57]}..."


def find_line(text: str, key: tuple[str, ...]) -> int | None:
    """The number of the line that sets a key or a table around it, from 1; None where that cannot be told."""
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        path: tuple[str, ...] | None = None
        if match := _TABLE.match(line):
            path = table = _parts(match[1])
        elif match := _KEY.match(line):
            path = (*table, *_parts(match[1]))
        if path is None:
            continue
        shared = min(len(path), len(key))
        if path[:shared] == key[:shared] and (best is None or shared > best[0]):
            best = (shared, number)
    return best[1] if best else None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _unknown(name: str, known: Mapping[str, Field]) -> str:
    last = name.rpartition(".")[2]
    # A key in the wrong table is as common as one that is misspelt.
    close = [dotted for dotted in known if dotted.rpartition(".")[2] == last]
    close += difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    by_last = {dotted.rpartition(".")[2]: dotted for dotted in known}
    close += [by_last[each] for each in difflib.get_close_matches(last, list(by_last), n=1, cutoff=0.7)]
    group = name.partition(".")[0]
    siblings = [field.name for field in known.values() if field.group == group]
    if close:
        hint = f'did you mean "{close[0]}"?'
    elif siblings:
        hint = f"[{group}] knows {', '.join(siblings)}."
    else:
        hint = f"the tables are {', '.join(dict.fromkeys(field.group for field in known.values()))}."
    return f"there is no setting {shown(name)}; {hint}"


def _comment(field: Field) -> Iterator[str]:
    default = "none" if isinstance(field.default, dict) else toml(field.default)
    unit = f"Unit: {field.unit}. " if field.unit else ""
    for text in (field.meaning, f"{unit}Allowed: {field.allowed}. Default: {default}."):
        yield from textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _syntax(text: str, message: str) -> tuple[int, str]:
    message = message.rstrip(".")
    if match := re.search(r"\s*\(at line (\d+), column \d+\)$", message):
        line, message = int(match[1]), message[: match.start()]
    else:
        line, message = len(text.splitlines()), re.sub(r"\s*\(at end of document\)$", "", message)
    return line, f"this is not valid TOML ({message[:1].lower()}{message[1:]})."


def read(path: Path) -> str | None:
    """The text of a settings file; None where there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"The settings in {path} cannot be read ({why}); correct or remove the file.") from error
