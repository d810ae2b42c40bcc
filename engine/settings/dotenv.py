"""Reading ``.env`` files: ``NAME=value`` a line, with quotes, comments and ``export``; variables are not replaced."""

import re
from typing import NamedTuple

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*", re.ASCII)
_NOTHING = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
_QUOTED = {quote: re.compile(rf"{quote}((?:\\[\s\S]|[^{quote}\\])*){quote}") for quote in "'\""}
_REST = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"[ \t]#.*")
_ESCAPED = {"'": re.compile(r"\\([\\'])"), '"': re.compile(r"\\([\\'\"abfnrtv])")}
_MEANING = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Entry(NamedTuple):
    """One name with its value."""

    name: str
    value: str
    line: int
    """The line its name is on, from 1."""


class Dotenv(NamedTuple):
    """What an ``.env`` file says."""

    entries: list[Entry]
    """In the file's order; a name that is set twice is there twice."""
    unreadable: list[int]
    """The lines that are no ``NAME=value``."""


def parse(text: str) -> Dotenv:
    """Read the text of an ``.env`` file; never fails, since a line that cannot be read spoils no other.

    A value in quotes may go over several lines. In double quotes the usual escapes are understood, in single ones only
    those of the quote and the backslash; without quotes a value ends before a `` #``.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = Dotenv([], [])
    at, line = 0, 1
    while at < len(text):
        end = _entry(text, at, line, found)
        line += text.count("\n", at, end) + 1
        at = end + 1
    return found


def _entry(text: str, at: int, line: int, found: Dotenv) -> int:
    """Take in what begins at a place; where its last line ends."""
    if nothing := _NOTHING.match(text, at):
        return nothing.end()
    whole = _REST.match(text, at)
    end = whole.end() if whole else len(text)
    name = _NAME.match(text, at)
    if name is None:
        found.unreadable.append(line)
        return end
    quote = text[name.end() : name.end() + 1]
    if quote not in _QUOTED:
        # The space before a comment may be the one after the equals sign.
        value = _COMMENT.sub("", text[name.end() - 1 : end])
        found.entries.append(Entry(name[1], value.removeprefix("=").strip(), line))
        return end
    quoted = _QUOTED[quote].match(text, name.end())
    after = _NOTHING.match(text, quoted.end()) if quoted else None
    if quoted is None or after is None:
        found.unreadable.append(line)
        return end
    value = _ESCAPED[quote].sub(lambda escape: _MEANING.get(escape[1], escape[1]), quoted[1])
    found.entries.append(Entry(name[1], value, line))
    return after.end()
