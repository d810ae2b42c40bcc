"""What a screen knows of the engine, without a screen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.api import Lost
from engine.events import Entry
from engine.states import Cancelled, Done, Failed, Paused, Queued, Running, Stopped
from engine.view import fold
from tests.tui.scenes import Scene
from tui.frame import Link
from tui.lines import Line, Run, greyed
from tui.notices import happened
from tui.sitting import Sitting

STATES = st.sampled_from(
    [
        Queued(),
        Running(1),
        Stopped(1),
        Paused(1),
        Paused(1, reason="why"),
        Done(1),
        Done(2),
        Failed(1, "no"),
        Cancelled(1),
    ]
)


def told(*states) -> Scene:
    scene = Scene()
    for n, state in enumerate(states, start=1):
        scene.add(n, f"/{n}.mp3", state=state)
    return scene


def begun(*states) -> Sitting:
    sitting = Sitting()
    sitting.begin(told(*states).view)
    return sitting


@given(st.lists(st.tuples(STATES, STATES), max_size=6))
def test_who_missed_the_news_is_told_of_the_same_jobs(pairs):
    """One sitting reads each event, the other only the view that comes of them."""
    one, other = (begun(*(state for state, _ in pairs)) for _ in range(2))
    view = one.view
    for number, (before, after) in enumerate(pairs, start=1):
        if before != after:
            entry = Entry(view.seq + 1, 5, ev.JobChanged(number, after))
            view = fold(view, entry)
            one.take_in(entry, 5)
    other.take_in(view, 5)
    assert [job.id for job in one.take_happened()] == [job.id for job in other.take_happened()]
    assert other.view == view
    assert not one.has_happened
    assert not other.has_happened


def test_what_was_added_and_ended_meanwhile_is_told():
    assert [job.id for job in happened(told(Done(1)).view, told(Done(1), Failed(2, "no"), Queued()).view)] == [2]


def test_what_ended_twice_is_told_twice():
    assert [job.id for job in happened(told(Done(1)).view, told(Done(9)).view)] == [1]


class TestLink:
    def test_the_first_moment_and_the_last_reason_count(self):
        sitting = begun(Running(1))
        sitting.take_in(Lost("one"), 10)
        sitting.take_in(Lost("two"), 20)
        assert sitting.link == Link(lost_at=10, why="two")
        sitting.take_in(sitting.view, 30)
        assert sitting.link == Link()

    def test_a_lost_engine_no_longer_stops(self):
        sitting = begun(Running(1))
        sitting.set_stopping(True)
        sitting.take_in(sitting.view, 5)
        assert sitting.link.is_stopping, "it only fell behind"
        sitting.take_in(Lost("gone"), 10)
        sitting.take_in(sitting.view, 20)
        assert not sitting.link.is_stopping


class TestUnfinished:
    def test_is_asked_about_once(self):
        sitting = begun(Stopped(1), Done(1), Stopped(1))
        assert [job.id for job in sitting.take_unfinished()] == [1, 3]
        assert sitting.take_unfinished() == []
        sitting.take_in(sitting.view, 5)
        assert sitting.take_unfinished() == []

    @pytest.mark.parametrize("is_lost", [True, False])
    def test_waits_for_an_engine_that_can_be_asked(self, is_lost):
        sitting = begun(Stopped(1))
        if is_lost:
            sitting.take_in(Lost("gone"), 1)
        else:
            sitting.set_stopping(True)
        assert sitting.take_unfinished() == []
        sitting.take_in(sitting.view, 2)
        sitting.set_stopping(False)
        assert [job.id for job in sitting.take_unfinished()] == [1]


def test_grey_keeps_what_tells_where_one_is():
    whole = Line(
        (Run("Jobs", "title"), Run(" 5", "bad"), Run(" x", "chunk-failed"), Run(" as of", "stale")), "selected"
    )
    grey = Line((Run("Jobs", "title"), Run(" 5 x", "dim"), Run(" as of", "stale")), "selected")
    assert greyed(whole) == grey
