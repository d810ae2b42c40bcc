"""The words of a transcript as one sequence, with times that can be relied on."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from engine.language import SPACELESS, cells, is_divided, may_break
from engine.transcript import Segment, Transcript, Word

_SLACK_MS = 500
"""How far outside its segment a word's time is still believed."""
_MS_PER_CELL = 70
"""Length given to a word whose end is not known; about the pace of calm speech."""

# Control characters, noncharacters and halves of surrogate pairs: no file format can hold them all.
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Token(msgspec.Struct, frozen=True, gc=False):
    """A word in its place. Times are milliseconds; starts never go back, and no word overlaps the next."""

    text: str
    """Without surrounding space, and with nothing that cannot be written to a file."""
    space: bool
    """Whether a space divides it from the word before."""
    glued: bool
    """Whether no line may break before it."""
    start: int
    end: int
    score: float
    segment: int
    """Which of the transcript's segments it is from, counted from 0."""
    window: int
    """Which of the transcript's windows it is from."""
    language: str
    guessed: bool = False
    """Whether its times were put between its neighbours', since it could not be found in the sound."""


def tokens(transcript: Transcript) -> list[Token]:
    """All words in order, with times repaired.

    Words with impossible times (before they began, outside their segment, out of order) are placed between their
    neighbours by length, and a segment without words is cut into words. Nothing that follows a window changes what
    comes before it, but for the end of the window's last word.
    """
    found: list[Token] = []
    number = 0
    for window, decoded in enumerate(transcript.windows):
        for segment in decoded.segments:
            _append(found, segment, number, window, transcript.duration)
            number += 1
    return found


def join(words: Sequence[Token]) -> str:
    """The text of a run of words."""
    return "".join(f" {word.text}" if word.space else word.text for word in words).lstrip()


def clean(text: str) -> str:
    """A text on one line, without what no file can hold."""
    return " ".join(_UNWRITABLE.sub("", " ".join(text.split())).split())


def _append(found: list[Token], segment: Segment, number: int, window: int, duration: int | None) -> None:
    words = [(word, text) for word in segment.words or tuple(_split(segment)) if (text := clean(word.text))]
    if not words:
        return
    floor = found[-1].start if found else 0
    starts, ends = _times(segment, [word for word, _ in words], floor, duration)
    if found and found[-1].end > starts[0]:
        found[-1] = msgspec.structs.replace(found[-1], end=starts[0])
    bare = segment.language not in SPACELESS and not any(_has_space(word) for word, _ in words)
    for n, (word, text) in enumerate(words):
        before = found[-1].text if found else ""
        # Between segments, and where the model gives no spaces at all, there is one unless the script has none.
        space = bool(before) and (_has_space(word) or ((n == 0 or bare) and is_divided(before, text)))
        if n == 0 and found:  # between a language with spaces and one without there is one, too
            space = space or (found[-1].language in SPACELESS) != (segment.language in SPACELESS)
        glued = bool(before) and not space and not may_break(before, text)
        place = (starts[n], ends[n], word.score, number, window)
        found.append(Token(text, space, glued, *place, segment.language, word.guessed))


def _has_space(word: Word) -> bool:
    return word.text[:1].isspace()


def _split(segment: Segment) -> Iterator[Word]:
    """Words of a segment that came without any, their times unknown."""
    parts = segment.text.split()
    if segment.language in SPACELESS:
        for place, part in enumerate(parts):
            yield from (Word(f" {char}" if place and not n else char, -1, -1, 0.0) for n, char in enumerate(part))
    else:
        yield from (Word(f" {part}", -1, -1, 0.0) for part in parts)


def _times(segment: Segment, words: list[Word], floor: int, duration: int | None) -> tuple[list[int], list[int]]:
    low, high = max(segment.start, floor), max(segment.end, segment.start, floor)
    if duration is not None:
        low, high = min(low, duration), min(high, duration)
    believed = [
        n
        for n, word in enumerate(words)
        if max(floor, low - _SLACK_MS) <= word.start <= word.end <= high + _SLACK_MS
        and (duration is None or word.end <= duration)
    ]
    anchors = _increasing(believed, [word.start for word in words])
    if anchors:
        low = min(low, words[anchors[0]].start)
        high = max(high, words[anchors[-1]].end)
    known = {n: words[n] for n in anchors}
    weights = [1 + cells(word.text) for word in words]
    starts = _fill(known, weights, low, high)
    ends = []
    for n, start in enumerate(starts):
        limit = starts[n + 1] if n + 1 < len(starts) else high
        end = known[n].end if n in known and known[n].end > start else start + _MS_PER_CELL * weights[n]
        ends.append(max(start, min(end, limit)))
    return starts, ends


def _increasing(candidates: list[int], values: list[int]) -> list[int]:
    """The longest run of candidates whose values strictly increase (patience sorting)."""
    tails: list[int] = []
    piles: list[int] = []
    before: dict[int, int] = {}
    for n in candidates:
        pile = bisect_left(tails, values[n])
        if pile == len(tails):
            tails.append(values[n])
            piles.append(n)
        elif values[n] < tails[pile]:
            tails[pile] = values[n]
            piles[pile] = n
        else:
            continue
        if pile:
            before[n] = piles[pile - 1]
    run = [piles[-1]] if piles else []
    while run and run[-1] in before:
        run.append(before[run[-1]])
    return run[::-1]


def _fill(known: dict[int, Word], weights: list[int], low: int, high: int) -> list[int]:
    """Starts of all words: the known ones, and between them the others by their weights."""
    starts: list[int] = []
    while (n := len(starts)) < len(weights):
        if n in known:
            starts.append(known[n].start)
            continue
        stop = next((m for m in range(n, len(weights)) if m in known), len(weights))
        until = known[stop].start if stop in known else high
        total = sum(weights[n:stop])
        place = _room_from(known[n - 1], weights[n - 1], total, until) if n else low
        passed = 0
        for m in range(n, stop):
            starts.append(place + (until - place) * passed // total)
            passed += weights[m]
    return starts


def _room_from(word: Word, weight: int, others: int, until: int) -> int:
    """Where the words after a known one begin: at its end, or where its share of the time ends if that is earlier."""
    share = word.start + (until - word.start) * weight // (weight + others)
    return min(word.end, until) if word.start < word.end < until else share
