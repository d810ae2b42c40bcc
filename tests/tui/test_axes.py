"""Axes of a plot over time: monotonic, readable, cut where nothing was going on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report import Sample
from engine.timeline import Span
from tests.engine.told import MIB, START
from tui.axes import HOUR, MINUTE, SECOND, SizeAxis, TimeAxis, runs, size_label, thinned

STRETCHES = st.tuples(st.integers(1, 10**8), st.integers(1, 10**7))
"""A rest and what follows it, in milliseconds."""


@st.composite
def busy(draw):
    at, spans = START, []
    for pause, length in draw(
        st.lists(st.tuples(st.integers(1, 10**8), st.integers(1, 10**7)), min_size=1, max_size=8)
    ):
        spans.append(Span(at + pause, at + pause + length))
        at += pause + length
    return spans


SAMPLES = st.lists(st.tuples(st.integers(1, 20_000), st.integers(0, 999)), max_size=300).map(
    lambda steps: [Sample(START + sum(later for later, _ in steps[: n + 1]), tree) for n, (_, tree) in enumerate(steps)]
)


class TestTime:
    @given(busy(), st.lists(st.integers(-(10**6), 10**9), min_size=2))
    def test_later_is_never_further_left(self, spans, times):
        axis = TimeAxis(spans, 10, 500)
        xs = [axis.x(START + at) for at in sorted(times)]
        assert xs == sorted(xs)
        assert all(10 - 1e-6 <= x <= 510 + 1e-6 for x in xs)

    @given(busy())
    def test_fills_its_width(self, spans):
        axis = TimeAxis(spans, 10, 500)
        assert axis.x(spans[0].start) == pytest.approx(10)
        assert axis.x(spans[-1].end) == pytest.approx(510)

    @given(busy())
    def test_ticks_never_run_into_each_other(self, spans):
        ticks = TimeAxis(spans, 10, 900).ticks()
        assert ticks
        assert all(later.at - sooner.at >= 50 for sooner, later in pairwise(ticks))

    def test_a_long_rest_is_cut_and_a_short_one_is_not(self):
        short = TimeAxis([Span(0, MINUTE), Span(MINUTE + 9 * SECOND, 2 * MINUTE)], 0, 100)
        assert len(short.sections) == 1
        long = TimeAxis([Span(0, MINUTE), Span(HOUR, HOUR + MINUTE)], 0, 122, cut=22)
        assert [(first, last) for _, first, last in long.sections] == [(0, 50), (72, 122)]
        assert 50 < long.x(HOUR // 2) < 72

    def test_ticks_are_at_whole_local_times(self):
        ticks = TimeAxis([Span(START, START + HOUR)], 0, 900).ticks()
        assert [tick.label for tick in ticks][:3] == ["14:10", "14:20", "14:30"]
        assert [tick.date for tick in ticks if tick.date] == ["2026-04-01"]

    def test_seconds_where_they_matter(self):
        assert TimeAxis([Span(START, START + 9_000)], 0, 400).ticks()[0].label == "14:03:00"

    def test_a_new_day_is_named(self):
        dates = [tick.date for tick in TimeAxis([Span(START, START + 24 * HOUR)], 0, 900).ticks() if tick.date]
        assert dates == ["2026-04-01", "2026-04-02"]


class TestSize:
    @given(st.integers(1, 2**42))
    def test_has_a_few_ticks_within_its_height(self, top):
        axis = SizeAxis(top, 300, 250)
        ticks = axis.ticks()
        assert 2 <= len(ticks) <= 7
        assert all(50 - 1e-6 <= tick.at <= 300 for tick in ticks)
        assert len({tick.label for tick in ticks}) == len(ticks)

    @pytest.mark.parametrize(
        ("size", "label"),
        [(0, "0"), (MIB, "1 MB"), (550 * MIB, "550 MB"), (1024 * MIB, "1 GB"), (1536 * MIB, "1.5 GB")],
    )
    def test_labels(self, size, label):
        assert size_label(size) == label


class TestSamples:
    @given(SAMPLES)
    def test_runs_hold_every_sample_once(self, samples):
        assert [each for run in runs(samples) for each in run] == samples

    @given(SAMPLES, st.integers(3, 50))
    def test_thinning_keeps_the_highest_and_the_ends(self, samples, most):
        kept = thinned(samples, most)
        assert len(kept) <= most
        assert kept == sorted(kept, key=lambda each: each.at)
        if samples:
            assert (kept[0], kept[-1]) == (samples[0], samples[-1])
            assert max(each.tree for each in kept) == max(each.tree for each in samples)
