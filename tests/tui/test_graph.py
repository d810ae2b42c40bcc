"""The memory curve: in its place, to scale, and still while nothing new is known."""

from hypothesis import given
from hypothesis import strategies as st

from engine.view import MemoryPoint
from tui import graph

VALUES = st.lists(st.none() | st.integers(0, 2_000), max_size=60)


def points(*pairs):
    return [MemoryPoint(at, tree) for at, tree in pairs]


def test_each_stretch_keeps_its_peak():
    found = graph.buckets(points((0, 5), (900, 9), (1_100, 2), (4_500, 7)), 6_000, 6_000, 6, least=1_000)
    assert found == [9, 2, None, None, 7, None]


def test_the_stretch_under_way_is_left_out():
    assert graph.buckets(points((5_000, 5), (6_500, 9)), 6_900, 2_000, 2, least=1_000) == [None, 5]


def test_the_curve_stands_still_within_a_stretch():
    samples = points(*((n * 1_000, n) for n in range(100)))
    first = graph.buckets(samples, 90_000, 60_000, 30)
    assert graph.buckets(samples, 91_999, 60_000, 30) == first
    assert graph.buckets(samples, 92_000, 60_000, 30) == [*first[1:], 91]


@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**9)), max_size=50).map(sorted),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 100),
)
def test_no_more_stretches_than_asked_for(pairs, now, window, number):
    found = graph.buckets(points(*pairs), now, window, number)
    assert len(found) == number
    assert {value for value in found if value is not None} <= {tree for _, tree in pairs}


@given(VALUES, st.integers(1, 12), st.integers(1, 3_000))
def test_braille_is_a_filled_curve(values, rows, top):
    drawn = graph.braille(values, rows, top)
    assert len(drawn) == rows
    assert {len(row) for row in drawn} == {(len(values) + 1) // 2}
    dots = sum(bin(ord(char) - 0x2800).count("1") for row in drawn for char in row)
    assert dots == sum(graph.heights(values, rows * 4, top))


@given(VALUES, st.integers(1, 12), st.integers(1, 3_000))
def test_ascii_is_as_high(values, rows, top):
    drawn = graph.in_ascii(values, rows, top)
    assert len(drawn) == rows
    assert all(row.isascii() and len(row) == len(values) for row in drawn)
    steps = sum({" ": 0, ".": 1, "#": 2}[char] for row in drawn for char in row)
    assert steps == sum(graph.heights(values, rows * 2, top))


def test_what_is_there_at_all_is_seen():
    assert graph.heights([None, 0, 1, 500, 1_000, 9_999], 8, 1_000) == [0, 0, 1, 4, 8, 8]


def test_braille_draws_from_below():
    assert graph.braille([1, 2, 3, 4, 5, 8], 2, 8) == ["⠀⠀⣸", "⣠⣾⣿"]


@given(st.integers(1, 10**6), st.integers(1, 20), st.integers(1, 10**6))
def test_the_limit_lies_in_a_row(limit, rows, top):
    assert 0 <= graph.limit_row(limit, rows, top) < rows


def test_the_limit_lies_at_its_height():
    assert [graph.limit_row(limit, 4, 100) for limit in (100, 76, 75, 50, 25, 1)] == [0, 0, 1, 2, 3, 3]
