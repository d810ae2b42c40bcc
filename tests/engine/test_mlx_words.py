"""Where words are placed by what the decoder looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.timeline import Span

pytest.importorskip("mlx.core", reason="MLX is not installed")
from engine.stages.asr.mlx_words import _placed, _Said, path


def cheapest(costs) -> float:
    """The cost of the cheapest path from corner to corner, by the book."""
    rows, columns = costs.shape
    sums = np.full((rows + 1, columns + 1), np.inf)
    sums[0, 0] = 0
    for row in range(rows):
        for column in range(columns):
            before = min(sums[row, column], sums[row, column + 1], sums[row + 1, column])
            sums[row + 1, column + 1] = costs[row, column] + before
    return float(sums[-1, -1])


def along(costs, starts) -> float:
    """The cost of the path that enters each row at such a column, and leaves it where the next is entered."""
    ends = [*starts[1:], costs.shape[1] - 1]
    total = 0.0
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        straight = float(np.sum(costs[row, start : end + 1]))
        # The next row may be entered from the column before as well as from above.
        slanted = float(np.sum(costs[row, start:end])) if end > start and row + 1 < len(starts) else np.inf
        total += min(straight, slanted)
    return total


@given(arrays(np.float32, st.tuples(st.integers(1, 7), st.integers(1, 9)), elements=st.floats(-4, 4, width=16)))
def test_the_path_through_tokens_and_time_is_the_cheapest_there_is(costs):
    starts = path(costs)
    assert starts[0] == 0
    assert list(starts) == sorted(starts)
    assert along(costs, starts) == pytest.approx(cheapest(costs), abs=1e-4)


def placed(*words):
    found = _placed([_Said(text, start, end, 0.5) for text, start, end in words], Span(1_000, 21_000))
    return [(word.text, word.start, word.end) for word in found]


def test_marks_stand_with_their_words():
    words = [(" (", 0, 100), ("so", 100, 300), (",", 300, 320), (" he", 400, 500), (" said", 500, 700), (".", 700, 720)]
    assert [text for text, _, _ in placed(*words)] == [" (so,", " he", " said."]


def test_what_lies_before_the_first_word_is_not_its():
    assert placed((" one", 0, 3_000), (" two", 3_000, 3_300), (" more", 3_300, 3_600)) == [
        (" one", 3_400, 4_000),
        (" two", 4_000, 4_300),
        (" more", 4_300, 4_600),
    ]


def test_a_pause_at_a_sentences_end_is_nobodys():
    words = [(" a", 0, 300), (" b", 300, 600), (".", 600, 3_000), (" c", 3_000, 3_300), (" d", 3_300, 3_600)]
    assert placed(*words)[1:3] == [(" b.", 1_300, 1_600), (" c", 4_000, 4_300)]


@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 30_000)), max_size=12))
def test_words_stay_in_their_window_and_in_order(times):
    words = placed(*((f" w{n}", start, end) for n, (start, end) in enumerate(times)))
    edges = [1_000, *(edge for _, start, end in words for edge in (start, end)), 21_000]
    assert edges == sorted(edges)
    assert len(words) == len(times)
