"""The predecessors' files: read, and recognised by what they hold."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.settings import dotenv, predecessors

LARGEST = 2**20
"""Bytes above which a file is not taken for settings."""


class CannotImport(Exception):
    """A file whose settings cannot be taken over; one clear sentence for the user."""


class Key(NamedTuple):
    """One key of a file."""

    name: str
    """With those of the tables around it."""
    value: Any
    line: int | None
    """Where that is known, from 1."""


class Program(NamedTuple):
    """All that is known about a predecessor's keys."""

    name: str
    counterparts: predecessors.Counterparts
    not_yet: Mapping[str, str]
    without: Mapping[str, str]
    secrets: frozenset[str]

    def known(self) -> set[str]:
        """The names of all keys that are known."""
        ours = {key for each in self.counterparts.values() for key, _ in each}
        return ours | {*self.not_yet, *self.without, *self.secrets}


def _program(
    name: str,
    counterparts: predecessors.Counterparts,
    not_yet: Mapping[str, str],
    without: Mapping[str, str],
    secrets: str,
) -> Program:
    return Program(name, counterparts, _by_key(not_yet), _by_key(without), frozenset(secrets.split()))


def _by_key(reasons: Mapping[str, str]) -> dict[str, str]:
    return {key: why for why, keys in reasons.items() for key in keys.split()}


TALKS = _program(
    predecessors.TALKS,
    predecessors.TALKS_COUNTERPARTS,
    predecessors.TALKS_NOT_YET,
    predecessors.TALKS_WITHOUT,
    predecessors.TALKS_SECRETS,
)
FILMS = _program(
    predecessors.FILMS,
    predecessors.FILMS_COUNTERPARTS,
    predecessors.FILMS_NOT_YET,
    predecessors.FILMS_WITHOUT,
    predecessors.FILMS_SECRETS,
)


def read_file(path: Path) -> tuple[Program, list[Key], list[int]]:
    """Whose file it is, what it says, and which lines say nothing that can be read.

    Raises:
        CannotImport: it cannot be read, or is nobody's.
    """
    text = _text(path)
    if text.lstrip()[0] not in "{[":
        found = dotenv.parse(text)
        keys = [Key(entry.name.upper(), entry.value, entry.line) for entry in found.entries]
        if _has(keys, FILMS):
            return FILMS, keys, found.unreadable
        if path.suffix.lower() != ".json":
            raise CannotImport(
                f"{path} is neither the config.json of {TALKS.name} nor the .env of {FILMS.name}; "
                "only their settings can be imported."
            )
    keys = _from_json(text, path)
    if not _has(keys, TALKS):
        raise CannotImport(f"{path} is JSON, but holds no setting of {TALKS.name}; only its settings can be imported.")
    return TALKS, keys, []


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            why = "it is not a file" if path.exists() else "there is no such file"
            raise CannotImport(f"{path} cannot be imported ({why}).")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise CannotImport(f"{path} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise CannotImport("A file's name cannot hold a null character.") from error
    if len(data) > LARGEST:
        raise CannotImport(f"{path} is too large to be a file of settings.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotImport(f"{path} is not UTF-8 text; settings can be imported only from text.") from error
    if not text.strip():
        raise CannotImport(f"{path} is empty; there is nothing to import.")
    return text


def _has(keys: Iterable[Key], program: Program) -> bool:
    known = program.known()
    return any(key.name in known for key in keys)


class _Table(list[tuple[str, Any]]):
    """A JSON object as it stands, with what is named twice."""


def _from_json(text: str, path: Path) -> list[Key]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    try:
        data = json.loads(text, object_pairs_hook=_Table, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise CannotImport(f"{path}, line {error.lineno}: this is not valid JSON ({error.msg}).") from error
    except (ValueError, RecursionError) as error:
        raise CannotImport(f"{path} is not valid JSON.") from error
    if not isinstance(data, _Table):
        raise CannotImport(f"{path} is JSON, but not an object of settings.")
    return list(_flat(data, TALKS.known()))


def _flat(table: _Table, known: set[str], above: str = "") -> Iterable[Key]:
    for name, value in table:
        if isinstance(value, _Table) and not above and name not in known:
            yield from _flat(value, known, f"{name}.")
        else:
            yield Key(above + name, value, None)
