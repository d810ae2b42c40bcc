"""Pure: whether words and speech agree: words where nobody speaks, speech without words, and words found later.

The alignment gives every moment of a window to some word. So the times of the words around silence, or around speech
that was left out, are stretched into it, and those of a word beside a stretched one may be off by half a second.
"""

from collections.abc import Sequence

import msgspec

from engine.timeline import Span, Spans, intersect, length, subtract, union
from engine.transcript import Segment, Word

STRAY_MS = 1_000
"""A word this far from all speech is no word. In 18 minutes of real speech the farthest was 0.56 s off, beside speech
that had been left out; so a stretched or shifted word stays, and what goes lies in the middle of a long pause."""
REACH_MS = 1_000
"""A word speaks for at most so much time from its start on; the rest is the alignment's stretching."""
SHIFT_MS = 200
"""How far a word's time may be off on either side."""
UNHEARD_MS = 1_000
"""Speech without words from this length on is looked at again. Where no word was missing there were at most 0.4 s
(in 18 minutes); where the recogniser had left something out, 1.6 s or more."""
JOINED_MS = 3_000
"""Speech without words on both sides of a silence up to this, with no word between, is looked at together."""
PAD_MS = 300
"""Sound kept on either side of speech that is looked at again, as far as it belongs to no other word."""


def without_strays(words: Sequence[Word], speech: Spans) -> tuple[Word, ...]:
    """The words that do not lie wholly outside speech, by more than ``STRAY_MS``; all where no speech is known."""
    if not speech:
        return tuple(words)
    near = union(Span(span.start - STRAY_MS, span.end + STRAY_MS) for span in speech)
    # A word may be of no length at all.
    return tuple(word for word in words if any(span.start < word.end + 1 and word.start < span.end for span in near))


def unheard(words: Sequence[Word], speech: Spans) -> Spans:
    """Speech without words that is long enough to matter.

    Args:
        words: In order.
        speech: A set of spans.
    """
    said = union(_said(word) for word in words)
    found: list[list[Span]] = []
    for span in subtract(speech, said):
        last = found[-1][-1] if found else None
        if last is None or span.start - last.end > JOINED_MS or intersect((Span(last.end, span.start),), said):
            found.append([span])
        else:
            found[-1].append(span)
    return tuple(Span(spans[0].start, spans[-1].end) for spans in found if length(spans) >= UNHEARD_MS)


def look(missed: Span, words: Sequence[Word], window: Span) -> Span:
    """What to decode for speech without words: with a little sound around it, but without the words around it."""
    before = [min(word.end, word.start + REACH_MS) for word in words if word.start < missed.start]
    after = [word.start for word in words if word.start >= missed.end]
    start = max([window.start, missed.start - PAD_MS, *before])
    return Span(start, min([window.end, missed.end + PAD_MS, *after]))


def is_new(look: Span, window: Span) -> bool:
    """Whether a look hears less than the window did; else it would only find the same again."""
    return look.length < window.length * 9 // 10


def merged(segments: Sequence[Segment], found: Segment) -> tuple[Segment, ...]:
    """The segments with another one in its place; a segment around it is divided.

    A word at the edge that its neighbour has already is not taken twice.
    """
    words = [word for segment in segments for word in segment.words]
    before = [word for word in words if _is_before(word, found.start)]
    after = words[len(before) :]
    kept = list(found.words)
    if kept and before and _same(before[-1], kept[0]):
        kept = kept[1:]
    if kept and after and _same(kept[-1], after[0]):
        kept = kept[:-1]
    if not kept:
        return tuple(segments)
    parts = [part for segment in segments for part in _divided(segment, found.start)]
    parts.append(of_words(found, kept))
    return tuple(sorted(parts, key=lambda part: part.start))


def of_words(segment: Segment, words: Sequence[Word]) -> Segment:
    """The segment with only these of its words, in order; its text is empty where none are left."""
    if len(words) == len(segment.words):
        return segment
    text = "".join(word.text for word in words).strip()
    start, end = (words[0].start, words[-1].end) if words else (segment.start, segment.end)
    return msgspec.structs.replace(segment, start=start, end=end, text=text, words=tuple(words))


def _said(word: Word) -> Span:
    return Span(word.start - SHIFT_MS, min(word.end, word.start + REACH_MS) + SHIFT_MS)


def _is_before(word: Word, at: int) -> bool:
    return word.start < at or word.end <= at


def _same(word: Word, other: Word) -> bool:
    return _bare(word) == _bare(other)


def _bare(word: Word) -> str:
    return "".join(filter(str.isalnum, word.text.casefold()))


def _divided(segment: Segment, at: int) -> list[Segment]:
    """The segment up to a time and from there on; a word that is stretched over that time ends there."""
    before = [word for word in segment.words if _is_before(word, at)]
    if not before:
        return [segment]
    after = segment.words[len(before) :]
    parts = [of_words(segment, part) for part in (before, after) if part]
    if before[-1].end > at:
        last = msgspec.structs.replace(before[-1], end=at)
        parts[0] = msgspec.structs.replace(parts[0], end=at, words=(*before[:-1], last))
    return parts
