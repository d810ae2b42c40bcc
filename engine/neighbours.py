"""Terms found near a recording: names in the subtitles and descriptions of its folder, and in its own file name."""

import html
import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from engine.files import path_key
from engine.terms import LONGEST, Term, letters, tidied

MOST = 100
"""Terms taken from a recording's surroundings."""
LARGEST = 4 * 2**20
"""Bytes that are looked at, in all of the files together: a second of work for each MB."""
FILES = 50
"""Files of a folder that are looked at."""
OFTEN = 2
"""A name stands in subtitles at least so often: once may be a slip, or the first word of a sentence in disguise."""

_TAG = re.compile(r"<[^<>]{0,200}>|\{[^{}]{0,200}\}")
_TIMES = re.compile(r"^\s*(\d+|[\d:,.]+\s*-->.*)\s*$")
_NAMED = re.compile(r"<(title|originaltitle|name|role|director|studio)>([^<>]{1,200})</", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?…:])\s+|\s+[-–—]\s*|[\"“”«»♪]")
_RELEASE = re.compile(
    r"^((19|20)\d\d|\d{3,4}[pi]|[xh]\.?26[45]|hevc|bluray|web(-?dl|rip)?|hdtv|dvdrip|remux)$", re.IGNORECASE
)


def near(media: Path, ours: Collection[str]) -> tuple[Term, ...]:
    """The names found near a recording, those of its title first and then the oftenest.

    Args:
        media: the recording.
        ours: the ``path_key`` of files that scribetui wrote, which tell nothing new.
    """
    found = dict.fromkeys(_title(media.stem))
    counted: Counter[str] = Counter()
    left = LARGEST
    for path in _files(media, ours):
        text = _text(path, left)
        left -= len(text)
        if path.suffix.lower() == ".nfo":
            found |= dict.fromkeys(tidied(html.unescape(match[2])) for match in _NAMED.finditer(text))
        else:
            counted.update(_names(text))
    found |= dict.fromkeys(name for name, times in counted.most_common() if times >= OFTEN)
    terms = (Term(name, source="near") for name in found if len(letters(name)) > 2 and len(name) <= LONGEST)
    return tuple(terms)[:MOST]


def _files(media: Path, ours: Collection[str]) -> list[Path]:
    try:
        listed = sorted(media.parent.iterdir())
    except OSError:
        return []  # whoever may open the recording need not be allowed to list its folder
    wanted = (path for path in listed if path.suffix.lower() in (".srt", ".nfo") and path_key(path) not in ours)
    return [path for path in wanted if path.is_file()][:FILES]


def _text(path: Path, most: int) -> str:
    """The text in the first bytes of a file, so many at most."""
    try:
        with path.open("rb") as file:
            data = file.read(max(0, most))
    except OSError:
        return ""  # one neighbour less
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="ignore")


def _title(stem: str) -> Iterator[str]:
    """The words of a file's name that may be names, up to where it tells of the release."""
    for word in re.split(r"[\s._\-()\[\]]+", stem):
        if _RELEASE.match(word):
            return
        if word[:1].isupper() and not word.isupper() and len(word) > 3:
            yield tidied(word)


def _names(text: str) -> Iterator[str]:
    """The names in subtitles: capitalised words, but for those that begin a sentence or are written small elsewhere."""
    lines = [_TAG.sub("", line) for line in text.splitlines() if not _TIMES.match(line)]
    said = tidied(" ".join(lines))
    small = {letters(word) for word in said.split() if word[:1].islower()}
    for sentence in _SENTENCE.split(said):
        words = sentence.split()
        names: list[str] = []
        for word in [*words[1:], ""]:
            bare = re.sub(r"^\W+|(['’]s)?\W*$", "", word)
            if len(bare) > 2 and bare[0].isupper() and not bare.isupper() and letters(bare) not in small:
                names.append(bare)
            elif names:
                yield " ".join(names[:3])
                names = []
