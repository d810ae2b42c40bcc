"""Arithmetic of spans, held against the same arithmetic on plain sets of milliseconds."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from engine.timeline import Span, covers, intersect, length, subtract, union

spans = st.builds(lambda start, size: Span(start, start + size), st.integers(0, 60), st.integers(0, 20))
some = st.lists(spans, max_size=12)


def points(*sets) -> set[int]:
    return {ms for each in sets for span in each for ms in range(span.start, span.end)}


@given(some, some)
def test_union_covers_what_either_covers(one, other):
    assert points(union(one, other)) == points(one, other)


@given(some)
def test_a_set_is_sorted_disjoint_and_merged(raw):
    merged = union(raw)
    assert all(a.end < b.start for a, b in itertools.pairwise(merged))
    assert all(span.start < span.end for span in merged)
    assert length(merged) == len(points(raw))
    assert union(merged) == merged


@given(some, some)
def test_subtract_and_intersect_are_those_of_sets(one, other):
    a, b = union(one), union(other)
    assert points(subtract(a, b)) == points(a) - points(b)
    assert points(intersect(a, b)) == points(a) & points(b)
    assert union(subtract(a, b)) == subtract(a, b)


@given(some, spans)
def test_covers_is_containment(raw, span):
    assert covers(union(raw), span) == (points([span]) <= points(raw))


@given(spans, spans)
def test_two_spans_overlap_when_they_share_a_millisecond(one, other):
    if one.length and other.length:
        assert one.overlaps(other) == bool(points([one]) & points([other]))
        assert one.contains(other) == (points([other]) <= points([one]))
