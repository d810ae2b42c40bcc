"""Files of terms: named by the user, or beside a recording; a mistake in one is a sentence with file and line."""

import csv
import io
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from engine.files import shown
from engine.terms import LONGEST, MOST, MOST_ALIASES, Term, letters, merged, tidied

ENDINGS = ("toml", "csv", "tsv", "txt")
"""How the names of files of terms end; of several beside a recording all count, in this order."""
LARGEST = 2**20
"""Bytes above which a file is not taken for one of terms."""
_HEADS = ("term", "terms", "text", "name", "word")
_TIME = re.compile(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,6}(?:\.\d{1,3})?)", re.ASCII)


class TermsError(Exception):
    """Terms that cannot be read; one clear sentence for the user."""


class Found(NamedTuple):
    """What lay beside a recording."""

    terms: tuple[Term, ...]
    problems: tuple[str, ...] = ()
    """Files that could not be read, a sentence each."""


def asked(value: str, base: Path) -> tuple[Term, ...]:
    """The terms that somebody named: a file of them, or the words themselves with commas between them.

    Args:
        value: as it was typed.
        base: the folder that a relative path begins at.

    Raises:
        TermsError: it is a file's name, and the file cannot be read; or a term cannot be.
    """
    if "\0" in value:
        raise TermsError("Terms cannot hold a zero byte.")
    path = base / os.path.expanduser(value.strip())
    is_named = value.strip().lower().endswith(tuple(f".{each}" for each in ENDINGS)) or value.startswith(
        ("/", "~", ".")
    )
    if is_named or ("," not in value and len(value) < 256 and path.is_file()):
        return read(path)
    return words(value.split(","))


def words(texts: Iterable[str]) -> tuple[Term, ...]:
    """Terms of which nothing is known but how they are written; empty ones are passed over.

    Raises:
        TermsError: one is too long, or there are too many.
    """
    return _bounded([_term(text, (), 0, None, "The terms") for text in texts if tidied(text)], "The terms")


def read(path: Path) -> tuple[Term, ...]:
    """The terms of a file: ``.txt`` has one a line, ``.csv`` and ``.tsv`` aliases behind each, ``.toml`` times as well.

    Raises:
        TermsError: it cannot be read, or something in it cannot be.
    """
    kind = path.suffix.lower().removeprefix(".")
    text = _text(path)
    if kind == "toml":
        found = _from_toml(text, path)
    elif kind in ("csv", "tsv"):
        found = _from_table(text, path, "\t" if kind == "tsv" else None)
    else:
        found = _from_lines(text, path)
    return _bounded(list(found), shown(path))


def beside(media: Path, recordings: Collection[str]) -> Found:
    """The terms in ``NAME.terms.*`` and ``terms.*`` beside a recording, those of its own name first.

    Args:
        media: the recording.
        recordings: how the names of recordings end.
    """
    stems = dict.fromkeys((f"{media.stem}.terms", f"{media.name}.terms", "terms"))
    lists: list[tuple[Term, ...]] = []
    problems: list[str] = []
    for path in (media.with_name(f"{stem}.{ending}") for stem in stems for ending in ENDINGS):
        if not path.is_file() or _is_transcript(path, recordings):
            continue
        try:
            lists.append(read(path))
        except TermsError as error:
            problems.append(f"{error} Its terms are not used.")
    return Found(merged(*lists), tuple(problems))


def _is_transcript(path: Path, recordings: Collection[str]) -> bool:
    """Whether a recording of the same name lies there: then the file may be what was written for it."""
    return any(path.with_suffix(f".{ending}").exists() for ending in recordings)


def _text(path: Path) -> str:
    try:
        if not path.is_file():
            why = "it is no file" if path.exists() else "there is no such file"
            raise TermsError(f"The terms in {shown(path)} cannot be read: {why}.")
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise TermsError(f"The terms in {shown(path)} cannot be read ({error.strerror}).") from error
    if len(data) > LARGEST:
        raise TermsError(f"{shown(path)} is too large to be a file of terms.")
    return _decoded(data, path)


def _decoded(data: bytes, path: Path) -> str:
    is_wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TermsError(f"{shown(path)} is no text, so no terms can be read from it.")


def _from_lines(text: str, path: Path) -> Iterator[Term]:
    for number, line in enumerate(text.splitlines(), 1):
        term = line.partition("#")[0] if line.lstrip().startswith("#") else line.partition(" #")[0]
        if tidied(term):
            yield _term(term, (), 0, None, _place(path, number))


def _from_table(text: str, path: Path, delimiter: str | None) -> Iterator[Term]:
    if delimiter is None:
        first = text.lstrip().partition("\n")[0]
        delimiter = ";" if ";" in first and "," not in first else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    heads: list[str] | None = None
    try:
        for row in rows:
            cells = [tidied(cell) for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if heads is None:
                heads = [cell.lower() for cell in cells] if cells[0].lower() in _HEADS else []
                if heads:
                    continue
            yield _of_cells(cells, heads, _place(path, rows.line_num))
    except csv.Error as error:
        raise TermsError(f"{_place(path, rows.line_num)}: this is no table ({error}).") from error


def _of_cells(cells: Sequence[str], heads: Sequence[str], place: str) -> Term:
    times = {"from": 0, "to": None}
    aliases: list[str] = []
    for number, cell in enumerate(cells[1:], 1):
        head = heads[number] if number < len(heads) else ""
        if head in times:
            times[head] = _time(cell, place) if cell else times[head]
        else:
            aliases += [cell] if cell else []
    if not cells[0]:
        raise TermsError(f"{place}: there are aliases, but no term before them.")
    return _term(cells[0], aliases, times["from"] or 0, times["to"], place)


def _from_toml(text: str, path: Path) -> Iterator[Term]:
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TermsError(f"{shown(path)} is not valid TOML ({tidied(str(error))}).") from error
    listed = data.get("terms")
    if set(data) != {"terms"} or not isinstance(listed, list):
        raise TermsError(f'{shown(path)}: terms are a list called "terms", and nothing else belongs in the file.')
    for number, each in enumerate(listed, 1):
        place = f"{shown(path)}, term {number}"
        yield _term(each, (), 0, None, place) if isinstance(each, str) else _of_entry(each, place)


def _of_entry(entry: Any, place: str) -> Term:  # noqa: ANN401 - whatever TOML can hold
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise TermsError(f'{place}: a term is a string, or a table with a "text".')
    unknown = sorted(set(entry) - {"text", "aliases", "from", "to"})
    if unknown:
        raise TermsError(f'{place}: there is no "{tidied(unknown[0])}"; a term has text, aliases, from and to.')
    aliases = entry.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(each, str) for each in aliases):
        raise TermsError(f"{place}: aliases are a list of strings.")
    start = _time(entry["from"], place) if "from" in entry else 0
    end = _time(entry["to"], place) if "to" in entry else None
    return _term(entry["text"], aliases, start, end, place)


def _time(value: Any, place: str) -> int:  # noqa: ANN401
    """Milliseconds, out of "1:02:03.5", "02:03" or seconds."""
    match = _TIME.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if match is None:
        raise TermsError(f'{place}: "{tidied(str(value))[:40]}" is no time such as "00:10:00".')
    hours, minutes, seconds = (float(each or 0) for each in match.groups())
    return round(((hours * 60 + minutes) * 60 + seconds) * 1000)


def _term(text: str, aliases: Iterable[str], start: int, end: int | None, place: str) -> Term:
    name, others = tidied(text), [tidied(each) for each in aliases]
    for each in (name, *others):
        if len(each) > LONGEST:
            raise TermsError(f'{place}: "{each[:40]}..." is longer than the {LONGEST} characters a term may have.')
    if not letters(name):
        raise TermsError(f'{place}: "{name}" has no letters in it.')
    if end is not None and end <= start:
        raise TermsError(f'{place}: "{name}" would end before it begins.')
    kept = tuple(dict.fromkeys(each for each in others if letters(each) and each != name))
    if len(kept) > MOST_ALIASES:
        raise TermsError(f'{place}: "{name}" has more than {MOST_ALIASES} aliases.')
    return Term(name, kept, start, end)


def _bounded(terms: list[Term], place: str) -> tuple[Term, ...]:
    if len(terms) > MOST:
        raise TermsError(f"{place}: these are {len(terms)} terms, and a job takes {MOST} at most; leave some out.")
    return merged(terms)


def _place(path: Path, line: int) -> str:
    return f"{shown(path)}, line {line}"
