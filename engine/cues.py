"""Words to subtitles: where a cue and a line end, by dynamic programming, and when a cue is shown.

The rules are those of Netflix's timed text guides: two lines of 42 characters (fewer for wide scripts), 5/6 s to 7 s,
at least two frames between two cues, and gaps under half a second closed.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import msgspec

from engine.language import break_cost, cells, line_cells, reading_speed
from engine.sentences import PAUSE_MS, Sentence
from engine.timeline import Span
from engine.words import Token, join

MIN_MS = 833
"""20 frames at 24 a second."""
MAX_MS = 7_000
GAP_MS = 83
"""Two frames at 24 a second."""
CLOSE_MS = 500
"""Gaps shorter than this are closed to ``GAP_MS``."""
LINGER_MS = 500
"""How long a cue may stay after its last word so that one can read it (12 frames)."""

# Weights of the cost, tuned by reading real subtitles; only their proportions matter.
_PER_CUE = 3.0
_SPEED = 12.0
"""For being read twice as fast as one can."""
_SHORT = 5.0
"""For a cue of no length at all, less the nearer it comes to ``MIN_MS``."""
_SMALL = 4.0
"""For a cue of no text at all, less the nearer it comes to a full line."""
_INNER_END = 1.5
"""For a sentence that ends within the cue."""
_TAIL = 4.0
"""For a cue that ends within a sentence and began with an earlier one."""
_INNER_PAUSE = 4.0
"""For each second of a pause within the cue, from 0.2 s on."""
_LINE_BREAK = 0.7
"""How much a bad place for a line's end counts beside one for a cue's end."""
_BALANCE = 3.0
"""For two lines that differ by a whole line's length."""


class Cue(msgspec.Struct, frozen=True, gc=False):
    """One subtitle: one or two lines, shown from ``start`` to ``end`` (milliseconds)."""

    start: int
    end: int
    lines: tuple[str, ...]


class _Draft(msgspec.Struct, frozen=True, gc=False):
    """A cue before it is known how long it may stay."""

    start: int
    end: int
    need: int
    """How long it takes to read, in milliseconds."""
    lines: tuple[str, ...]


def cues(text: Sequence[Sentence], last_gap: Span | None = None, duration: int | None = None) -> list[Cue]:
    """Subtitles for all sentences, and one for each place where something was given up.

    Cues are in order and never overlap; all of their times lie between 0 and the duration, if it is known.
    """
    return list(_timed(list(_drafts(text, last_gap)), duration))


def gap_text(gap: Span) -> str:
    """How every format but JSON marks speech that was given up."""
    return f"[no transcript {_clock(gap.start)} to {_clock(gap.end)}]"


def _clock(ms: int) -> str:
    seconds = ms // 1000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _drafts(text: Sequence[Sentence], last_gap: Span | None) -> Iterator[_Draft]:
    region: list[Token] = []
    for before, sentence in zip([None, *text], text, strict=False):
        if before is not None and _divided(before, sentence):
            yield from _Region(region, sentence.start).drafts()
            region = []
        if sentence.gap is not None:
            yield _gap_draft(sentence.gap, sentence.words[0].language)
        region.extend(sentence.words)
    if region:
        yield from _Region(region, None).drafts()
    if last_gap is not None:
        yield _gap_draft(last_gap, region[-1].language if region else "en")


def _divided(before: Sentence, after: Sentence) -> bool:
    """Whether no cue may reach from one sentence into the next: so that later windows do not change earlier cues."""
    return (
        after.gap is not None
        or after.start - before.end > PAUSE_MS
        or before.crosses
        or after.crosses
        or before.words[-1].segment != after.words[0].segment
        or before.words[-1].language != after.words[0].language
    )


def _gap_draft(gap: Span, language: str) -> _Draft:
    line = gap_text(gap)
    lines = (line,) if len(line) <= line_cells(language) else ("[no transcript", line.removeprefix("[no transcript "))
    return _Draft(gap.start, max(gap.start, gap.end), 0, lines)


class _Region:
    """A run of words divided into cues for itself."""

    def __init__(self, words: Sequence[Token], following: int | None) -> None:
        self.language = words[0].language
        self.limit = line_cells(self.language)
        self.units = list(_units(words, self.limit))
        self.speed = reading_speed(self.language)
        self.texts = [join(unit) for unit in self.units]
        self.widths = [cells(text) for text in self.texts]
        self.spaces = [unit[0].space for unit in self.units]
        self.starts = [unit[0].start for unit in self.units]
        self.ends = [unit[-1].end for unit in self.units]
        self.following = [*self.starts[1:], following if following is not None else self.ends[-1] + MAX_MS]
        pauses = [max(0, start - end) for start, end in zip(self.starts[1:], self.ends[:-1], strict=True)]
        self.breaks = [
            break_cost(before, after, pause, self.language)
            for (before, after), pause in zip(pairwise(self.texts), pauses, strict=True)
        ]
        # Sums over the first n units, so that those of any run are one subtraction.
        self.width_sums = [0, *accumulate(w + s for w, s in zip(self.widths, self.spaces, strict=True))]
        self.end_sums = [0, *accumulate(cost == 0 for cost in self.breaks)]
        self.pause_sums = [0.0, *accumulate(_INNER_PAUSE * max(0, pause - 200) / 1000 for pause in pauses)]

    def drafts(self) -> Iterator[_Draft]:
        """The cheapest division into cues."""
        count = len(self.units)
        best = [0.0, *[float("inf")] * count]
        begins = [0] * (count + 1)
        splits: list[int | None] = [None] * (count + 1)
        earliest = 0
        for last in range(count):
            while earliest < last and not self._fits(earliest, last):
                earliest += 1
            for first in range(earliest, last + 1):
                if best[first] + _PER_CUE >= best[last + 1]:
                    continue
                width = self._width(first, last)
                cost = best[first] + self._cost(first, last, width)
                if cost >= best[last + 1]:
                    continue
                line_cost, split = self._split(first, last, width)
                if cost + line_cost < best[last + 1]:
                    best[last + 1], begins[last + 1], splits[last + 1] = cost + line_cost, first, split
        runs = []
        end = count
        while end:
            runs.append((begins[end], end, splits[end]))
            end = begins[end]
        for first, end, split in reversed(runs):
            yield self._draft(first, end, split)

    def _fits(self, first: int, last: int) -> bool:
        return self._width(first, last) <= 2 * self.limit + 1 and self.ends[last] - self.starts[first] <= MAX_MS

    def _width(self, first: int, last: int) -> int:
        return self.width_sums[last + 1] - self.width_sums[first] - self.spaces[first]

    def _cost(self, first: int, last: int, width: int) -> float:
        """What a cue of these units costs, but for its line break."""
        cost = _PER_CUE + self.pause_sums[last] - self.pause_sums[first]
        inner_ends = self.end_sums[last] - self.end_sums[first]
        cost += _INNER_END * inner_ends
        if last < len(self.breaks) and self.breaks[last]:
            cost += self.breaks[last] + (_TAIL if inner_ends else 0.0)
        start = self.starts[first]
        need = width * 1000 // self.speed
        wanted = max(self.ends[last] - start, MIN_MS, min(need, self.ends[last] - start + LINGER_MS))
        shown = max(1, min(wanted, MAX_MS, self.following[last] - GAP_MS - start))
        if need > shown:
            cost += _SPEED * (need / shown - 1)
        if shown < MIN_MS:
            cost += _SHORT * (1 - shown / MIN_MS)
        if width < self.limit:
            cost += _SMALL * (1 - width / self.limit) ** 2
        return cost

    def _split(self, first: int, last: int, width: int) -> tuple[float, int | None]:
        """The cheapest place for a second line to begin (None for one line), and its cost: infinite if none will do."""
        if width <= self.limit or first == last:
            return 0.0, None
        best, split = float("inf"), None
        # The first place from which the rest fits into the second line; a space goes with the line's end.
        begin = bisect_left(self.width_sums, self.width_sums[last + 1] - self.limit - 1, first + 1, last + 1)
        sums, spaces = self.width_sums, self.spaces
        for second in range(begin, last + 1):
            above = sums[second] - sums[first] - spaces[first]
            below = sums[last + 1] - sums[second] - spaces[second]
            if above > self.limit:
                break
            cost = _LINE_BREAK * self.breaks[second - 1] + _BALANCE * abs(above - below) / self.limit
            if cost < best and below <= self.limit:
                best, split = cost, second
        return best, split

    def _draft(self, first: int, end: int, split: int | None) -> _Draft:
        parts = [(first, end)] if split is None else [(first, split), (split, end)]
        lines = tuple(join([word for unit in self.units[a:b] for word in unit]) for a, b in parts)
        need = self._width(first, end - 1) * 1000 // self.speed
        return _Draft(self.starts[first], self.ends[end - 1], need, lines)


def _units(words: Sequence[Token], limit: int) -> Iterator[list[Token]]:
    """Words with those that no line may divide from them; but never more than a line of them."""
    unit: list[Token] = []
    width = 0
    for word in words:
        wide = cells(word.text)
        if unit and (not word.glued or width + wide > limit):
            yield unit
            unit, width = [], 0
        unit.append(word)
        width += wide
    if unit:
        yield unit


def _timed(drafts: Sequence[_Draft], duration: int | None) -> Iterator[Cue]:
    """Give each cue the time to be read, as far as the next one leaves it."""
    latest = duration if duration is not None else max((draft.end for draft in drafts), default=0) + MAX_MS
    starts: list[int] = []
    for draft in drafts:
        earliest = starts[-1] + 1 if starts else 0
        starts.append(min(max(draft.start, earliest), latest))
    for n, (draft, start) in enumerate(zip(drafts, starts, strict=True)):
        following = starts[n + 1] if n + 1 < len(starts) else None
        wanted = max(draft.end, start + MIN_MS, min(start + draft.need, draft.end + LINGER_MS))
        if following is not None and following - wanted < CLOSE_MS:
            # Two frames are left free; of less than four, half.
            wanted = max(following - GAP_MS, (start + following + 1) // 2)
        yield Cue(start, max(start, min(wanted, start + MAX_MS, latest)), draft.lines)
