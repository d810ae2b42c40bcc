"""Pure: the two axes of a plot over time, and the points that are worth drawing on it."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from engine.report import Memory, Sample
from engine.timeline import Span

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12, 24)),
)
"""Distances between two ticks that are easy to read, in milliseconds."""
MIB = 2**20
HOLE = 5 * SECOND
"""A time without samples, of which there is one a second, from which on a curve is interrupted."""
MOST_RUNS = 200
"""So many interruptions are drawn at most."""
MOST_POINTS = 1_000
"""About so many samples are drawn at most."""


class Tick(NamedTuple):
    """A place on an axis, and what is written there."""

    at: float
    label: str
    date: str = ""
    """For a tick of time: its day, where that is another than the last tick's."""


def runs(samples: Sequence[Sample]) -> list[Sequence[Sample]]:
    """The samples in stretches within which they follow each other without a hole."""
    if not samples:
        return []
    hole = max(HOLE, (samples[-1].at - samples[0].at) // MOST_RUNS)
    cuts = [n for n in range(1, len(samples)) if samples[n].at - samples[n - 1].at > hole]
    return [samples[first:last] for first, last in zip([0, *cuts], [*cuts, len(samples)], strict=True)]


def thinned(samples: Sequence[Sample], most: int) -> list[Sample]:
    """At most about so many of the samples, among them the highest of every stretch and the very first and last."""
    if len(samples) <= max(2, most):
        return list(samples)
    number = max(1, most - 2)
    inner = samples[1:-1]
    bounds = [len(inner) * n // number for n in range(number + 1)]
    parts = (inner[first:last] for first, last in pairwise(bounds))
    return [samples[0], *(max(part, key=lambda each: each.tree) for part in parts if part), samples[-1]]


class TimeAxis:
    """Clock time from left to right; where nothing was going on for long, it is cut short.

    Args:
        spans: when something was going on, in Unix milliseconds, in order; not empty.
        left: where the axis begins.
        width: how long it is.
        cut: how much room a stretch that is cut short gets.
    """

    def __init__(self, spans: Sequence[Span], left: float, width: float, cut: float = 22) -> None:
        self.left, self.width = left, width
        busy = sum(span.length for span in spans)
        longest = max(10 * SECOND, busy // 4)
        sections = [spans[0]]
        for span in spans[1:]:
            if span.start - sections[-1].end > longest:
                sections.append(span)
            else:
                sections[-1] = Span(sections[-1].start, max(span.end, sections[-1].end))
        cut = min(cut, width / 2 / len(sections))
        total = sum(each.length for each in sections) or 1
        scale = (width - cut * (len(sections) - 1)) / total
        self.sections: list[tuple[Span, float, float]] = []
        """Each stretch that is drawn to scale, with its two ends on the axis."""
        x = left
        for each in sections:
            self.sections.append((each, x, x + each.length * scale))
            x += each.length * scale + cut
        self._scale = scale

    def x(self, at: int) -> float:
        """Where a time lies, brought to the nearest end if it is outside."""
        end, right = self.sections[0][0].start, self.left
        for span, first, last in self.sections:
            if at < span.start:
                return right + (first - right) * max(0, at - end) / max(1, span.start - end)
            if at <= span.end:
                return first + (at - span.start) * self._scale
            end, right = span.end, last
        return right

    def ticks(self, apart: float = 78) -> list[Tick]:
        """Times that are easy to read, at least so far apart."""
        step = next((each for each in STEPS if each * self._scale >= apart), STEPS[-1])
        pattern = "%H:%M" if step >= MINUTE else "%H:%M:%S"
        found: list[Tick] = []
        day = ""
        for span, _, _ in self.sections:
            offset = _utc_offset(span.start)
            first = -(-(span.start + offset) // step) * step - offset
            times = list(range(first, span.end + 1, step)) or [span.start]
            for at in times:
                x = self.x(at)
                if found and x - found[-1].at < apart * 0.75:
                    continue
                moment = datetime.fromtimestamp(at / 1000)
                today = moment.strftime("%Y-%m-%d")
                found.append(Tick(x, moment.strftime(pattern), "" if today == day else today))
                day = today
        return found


def _utc_offset(at: int) -> int:
    offset = datetime.fromtimestamp(at / 1000).astimezone().utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)


def scale_top(memory: Memory) -> int:
    """The scale's end: above the budget, but where the curve would be lost far below that, above the curve."""
    highest = max(max(sample.tree, sample.device) for sample in memory.samples)
    if 0 < memory.budget <= highest * 3:
        return round(max(highest, memory.budget) * 1.1)
    return round(highest * 1.25)


class SizeAxis:
    """Bytes from below upwards.

    Args:
        top: the largest number of bytes that has to be seen.
        bottom: where nothing lies.
        height: how far up the axis goes.
    """

    def __init__(self, top: int, bottom: float, height: float, most_ticks: int = 6) -> None:
        step = MIB
        while step * most_ticks < top:
            step *= 2
        self._bottom, self._height = bottom, height
        self.top = max(step, top)
        self._step = step

    def y(self, size: float) -> float:
        """Where so many bytes lie, brought to the nearest end if it is outside."""
        return self._bottom - self._height * min(1.0, max(0.0, size / self.top))

    def ticks(self) -> list[Tick]:
        """Sizes that are easy to read."""
        return [Tick(self.y(size), size_label(size)) for size in range(0, self.top + 1, self._step)]


def size_label(size: float) -> str:
    """A number of bytes in powers of 1024: ``0``, ``550 MB``, ``1.5 GB``."""
    if size <= 0:
        return "0"
    value = size / MIB
    return f"{value:.0f} MB" if value < 1023.5 else f"{value / 1024:.1f}".removesuffix(".0") + " GB"
