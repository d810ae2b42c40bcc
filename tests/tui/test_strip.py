"""The chunk strip: every cell shows the worst of its stretch, to scale."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.commands import Options
from engine.recipe import Recipe
from engine.states import Running
from engine.timeline import Span, intersect, union
from engine.view import JobView, Mark
from tests.tui import scenes
from tui import strip
from tui.glyphs import Cell


def job(**fields) -> JobView:
    return JobView(id=1, path="/a.mp3", size=1, options=Options(), recipe=Recipe(), state=Running(0), **fields)


@st.composite
def jobs(draw) -> JobView:
    """Jobs in any state a real one can be in, on a short timeline."""
    length = draw(st.integers(1, 400))
    cuts = sorted(draw(st.sets(st.integers(0, length), min_size=2, max_size=14)))
    windows = tuple(Span(a, b) for a, b in pairwise(cuts) if draw(st.booleans()))
    heard_all = draw(st.booleans())
    heard = length if heard_all else draw(st.integers(windows[-1].end if windows else 0, length))

    def some():
        return tuple(window for window in windows if draw(st.booleans()))

    covered = some()
    left = tuple(window for window in windows if window not in covered)
    running = tuple(window for window in left if draw(st.booleans()))
    gaps = tuple(window for window in left if window not in running and draw(st.booleans()))
    return job(
        duration=length,
        heard=heard,
        heard_all=heard_all,
        windows=windows,
        speech=union(windows),
        covered=union(covered),
        gaps=union(gaps),
        running=union(running),
        retried=union(some()),
        degraded=union(some()),
    )


def kinds_at(view: JobView, ms: int) -> set[Cell]:
    """What a moment is, said as plainly as possible."""

    def lies_in(spans):
        return any(span.start <= ms < span.end for span in spans)

    covered = lies_in(view.covered)
    found = {Cell.SILENCE}
    if lies_in(strip.unheard(view)):
        found.add(Cell.UNHEARD)
    if covered:
        found.add(Cell.DONE)
        found |= {Cell.RETRIED} if lies_in(view.retried) else set()
        found |= {Cell.DEGRADED} if lies_in(view.degraded) else set()
    elif lies_in(view.running):
        found.add(Cell.RUNNING)
    elif lies_in(view.gaps):
        found.add(Cell.FAILED)
    elif lies_in(view.speech):
        found.add(Cell.PENDING)
    return found


@settings(max_examples=200)
@given(jobs(), st.integers(1, 3), st.integers(1, 40))
def test_a_cell_shows_the_worst_of_its_moments(view, rows, columns):
    scaled = strip.Scale(strip.total(view), rows, columns)
    number = scaled.cells
    worst = [Cell.SILENCE] * number
    for n in range(number):
        # the moments that a cell touches, at its two ends as well
        first, last = scaled.total * n // number, -(-scaled.total * (n + 1) // number)
        found = set().union(*(kinds_at(view, ms) for ms in range(first, max(first + 1, last))))
        worst[n] = max(found, key=strip.ORDER.index)
    assert strip.cells(view, scaled) == worst


@given(jobs())
def test_every_moment_is_counted_once(view):
    lengths = strip.lengths(view)
    assert sum(lengths.values()) == strip.total(view)
    for kind in Cell:
        moments = sum(max(kinds_at(view, ms), key=strip.ORDER.index) is kind for ms in range(strip.total(view)))
        assert lengths[kind] == moments, kind


@given(jobs(), st.integers(10, 200), st.integers(1, 12))
def test_the_strip_fits(view, width, most):
    lines = strip.strip_lines(view, width, most)
    assert len(lines) <= most
    assert all(each.width <= min(width, 1 + strip.label_width(strip.total(view)) + strip.MAX_CELLS) for each in lines)


def test_the_order_of_importance():
    assert strip.ORDER == (
        Cell.SILENCE,
        Cell.DONE,
        Cell.UNHEARD,
        Cell.PENDING,
        Cell.RETRIED,
        Cell.DEGRADED,
        Cell.RUNNING,
        Cell.FAILED,
    )


def test_what_is_not_heard_is_not_pending():
    view = job(duration=200_000, heard=100_000, windows=(Span(0, 100_000),), speech=(Span(0, 100_000),))
    drawn = strip.strip_lines(view, 25, 1)[0].text
    assert drawn == "0:00 ··········░░░░░░░░░░"


def test_speech_that_has_no_window_yet_is_not_called_silence():
    view = job(duration=60_000, heard=40_000, windows=(Span(0, 20_000),), speech=(Span(0, 20_000),))
    assert strip.lengths(view)[Cell.SILENCE] == 0
    assert strip.lengths(view)[Cell.UNHEARD] == 40_000


def test_an_hour_gets_more_rows_than_ten_minutes():
    short = job(duration=600_000, heard=600_000, heard_all=True)
    long = msgspec.structs.replace(short, duration=3_600_000, heard=3_600_000)
    assert len(strip.strip_lines(short, 80, 8)) == 1
    rows = strip.strip_lines(long, 80, 8)
    assert [row.text.split()[0] for row in rows] == ["0:00", "15:00", "30:00", "45:00"]


def test_without_a_length_there_is_no_strip():
    assert strip.strip_lines(job(), 80, 4) == []
    assert strip.lengths(job()) == dict.fromkeys(Cell, 0)


class TestMarks:
    SCALE = strip.Scale(80_000, 2, 40)

    def test_stand_under_their_place_with_their_word(self):
        marks = (Mark(5_000, "lighter"), Mark(30_000, "resumed"), Mark(50_000, "set"))
        assert strip.marks_line(marks, self.SCALE, 0).text == "     ↓ lighter                ↻ resumed"
        assert strip.marks_line(marks, self.SCALE, 1).text == "          ◆ set"

    def test_keep_only_the_sign_where_there_is_no_room(self):
        marks = (Mark(5_000, "lighter"), Mark(9_000, "heavier"), Mark(39_000, "paused"))
        assert strip.marks_line(marks, self.SCALE, 0).text == "     ↓   ↑ heavier" + " " * 21 + "‖"

    def test_a_later_mark_at_the_same_place_wins(self):
        assert strip.marks_line((Mark(0, "paused"), Mark(10, "resumed")), self.SCALE, 0).text == "↻ resumed"

    def test_none_is_none(self):
        assert strip.marks_line((), self.SCALE, 0) is None

    @given(st.lists(st.builds(Mark, st.integers(0, 90_000), st.sampled_from(["set", "paused", "unknown"])), max_size=9))
    def test_never_leave_the_row(self, marks):
        for row in (0, 1):
            drawn = strip.marks_line(marks, self.SCALE, row)
            assert drawn is None or len(drawn.text) <= 40


@pytest.mark.parametrize("scene", [scenes.running, scenes.troubled, scenes.paused, scenes.done])
def test_a_real_job_has_no_time_in_two_kinds(scene):
    view = next(each for each in scene().jobs if each.duration)
    assert intersect(view.covered, view.running) == ()
    assert sum(strip.lengths(view).values()) == strip.total(view)
