"""Spans of a job's timeline and the arithmetic of sets of them.

All times are integer milliseconds. A *set of spans* is a tuple that is sorted, disjoint and merged (no two spans
touch), so two sets that cover the same time are equal.
"""

from collections.abc import Iterable

import msgspec


class Span(msgspec.Struct, frozen=True, order=True, array_like=True, gc=False):
    """The stretch ``[start, end)`` of a timeline, in milliseconds."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How long the span is, in milliseconds."""
        return self.end - self.start

    def overlaps(self, other: "Span") -> bool:
        """Whether the two spans have any time in common."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Span") -> bool:
        """Whether the other span lies wholly within this one."""
        return self.start <= other.start and other.end <= self.end


Spans = tuple[Span, ...]


def union(*sets: Iterable[Span]) -> Spans:
    """Merge any spans, in any order, into one set."""
    merged: list[Span] = []
    for span in sorted(span for spans in sets for span in spans if span.end > span.start):
        if merged and span.start <= merged[-1].end:
            if span.end > merged[-1].end:
                merged[-1] = Span(merged[-1].start, span.end)
        else:
            merged.append(span)
    return tuple(merged)


def subtract(spans: Spans, holes: Spans) -> Spans:
    """The time of one set that the other does not cover; both must be sets."""
    rest: list[Span] = []
    first = 0
    for span in spans:
        start = span.start
        while first < len(holes) and holes[first].end <= start:
            first += 1
        for hole in holes[first:]:
            if hole.start >= span.end:
                break
            if hole.start > start:
                rest.append(Span(start, hole.start))
            start = max(start, hole.end)
        if start < span.end:
            rest.append(Span(start, span.end))
    return tuple(rest)


def intersect(spans: Spans, others: Spans) -> Spans:
    """The time that both sets cover."""
    return subtract(spans, subtract(spans, others))


def length(spans: Iterable[Span]) -> int:
    """The time a set covers, in milliseconds."""
    return sum(span.end - span.start for span in spans)


def covers(spans: Spans, span: Span) -> bool:
    """Whether the set covers the whole span."""
    return span.end <= span.start or any(each.contains(span) for each in spans)
