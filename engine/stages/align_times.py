"""Pure: from letters that were placed in a sound to words with times, and times for words that were not placed."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.timeline import Span
from engine.transcript import Segment, Word


class Laid(NamedTuple):
    """The words of a window as one text to be aligned."""

    text: str
    owners: tuple[int, ...]
    """For each character the number of its word; -1 for what parts two words."""


class Place(NamedTuple):
    """Where a word was placed."""

    span: Span
    is_sure: bool
    """Whether any of its letters is one that the aligner knows."""


def with_words(segments: Sequence[Segment], spaced: bool) -> tuple[Segment, ...]:
    """Segments that all have words: a segment that came without is cut at its spaces, or into characters."""
    return tuple(each if each.words else _cut(each, spaced) for each in segments)


def _cut(segment: Segment, spaced: bool) -> Segment:
    texts = [f" {text}" for text in segment.text.split()] if spaced else [c for c in segment.text if not c.isspace()]
    words = [Word(text=text, start=segment.start, end=segment.start, score=0.0) for text in texts]
    divided = _divided(words, segment.start, segment.end)
    return msgspec.structs.replace(segment, words=tuple(divided))


def lay(forms: Sequence[str], separator: str) -> Laid:
    """The spoken forms of words in a row; those that are empty are left out."""
    text, owners = "", []
    for number, form in enumerate(forms):
        if form:
            parted = f"{separator}{form}" if text else form
            owners += [-1] * (len(parted) - len(form)) + [number if char != " " else -1 for char in form]
            text += parted
    return Laid(text, tuple(owners))


def placed(words: Sequence[Word], places: Sequence[Place | None], window: Span) -> list[Word]:
    """The words with their times: in order, without overlaps, inside the window.

    A word that was not placed shares the time between its neighbours with others of its kind; before the first and
    after the last that was placed it keeps its own time, as far as there is room. Such words are marked as guessed, and
    so are those none of whose letters the aligner knows.
    """
    found: list[Word] = []
    at = window.start
    number = 0
    while number < len(words):
        place = places[number]
        if place is not None:
            start = min(max(at, place.span.start), window.end)
            at = min(max(start, place.span.end), window.end)
            found.append(_timed(words[number], start, at, not place.is_sure))
            number += 1
            continue
        until = next((n for n in range(number, len(words)) if places[n] is not None), len(words))
        following = places[until] if until < len(words) else None
        end = max(at, following.span.start) if following is not None else window.end
        if following is not None and number > 0:
            found += _divided(words[number:until], at, min(end, window.end))
        else:
            found += _squeezed(words[number:until], at, min(end, window.end))
        at = found[-1].end
        number = until
    return found


def rebuilt(segments: Sequence[Segment], words: Sequence[Word]) -> tuple[Segment, ...]:
    """The segments with these words in place of their own, one for one; a segment reaches as far as its words do."""
    rest = iter(words)
    found = []
    for segment in segments:
        own = tuple(next(rest) for _ in segment.words)
        ends = (own[0].start, own[-1].end) if own else (segment.start, segment.end)
        found.append(msgspec.structs.replace(segment, words=own, start=ends[0], end=ends[1]))
    return tuple(found)


def _divided(words: Sequence[Word], start: int, end: int) -> list[Word]:
    """The words over a stretch, each by its length in characters."""
    lengths = [max(1, len(word.text.strip())) for word in words]
    found, done, total = [], 0, sum(lengths)
    for word, size in zip(words, lengths, strict=True):
        first, last = (start + (end - start) * each // total for each in (done, done + size))
        found.append(_timed(word, first, last, True))
        done += size
    return found


def _squeezed(words: Sequence[Word], start: int, end: int) -> list[Word]:
    """The words with their own times, moved as little as it takes to lie in a stretch, in order."""
    found: list[Word] = []
    at = start
    for word in words:
        first = min(max(at, word.start), end)
        at = min(max(first, word.end), end)
        found.append(_timed(word, first, at, True))
    return found


def _timed(word: Word, start: int, end: int, guessed: bool) -> Word:
    return msgspec.structs.replace(word, start=start, end=end, guessed=guessed)
