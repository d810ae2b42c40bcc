"""Jobs that an earlier sitting left unfinished: the screen offers to go on, and stands in nobody's way."""

import pytest

from engine import events as ev
from engine.commands import Cancel, Resume
from engine.states import Queued, Running, Stopped
from tests.tui import scenes
from tests.tui.stage import Stage, on_stage
from tui.screens.add import AddScreen
from tui.screens.question import QuestionScreen

ASKED = "3 jobs were left unfinished. Go on with them?"


def is_asked(stage: Stage) -> bool:
    return isinstance(stage.app.screen, QuestionScreen)


async def test_yes_resumes_each_in_the_order_of_the_queue():
    async with on_stage(scenes.left()) as stage:
        await stage.seen(ASKED)
        for name in ("board-meeting.m4a", "lecture-07.wav", "interview-b.mkv"):
            assert name in stage.text
        await stage.press("y")
        assert stage.engine.commands == [Resume(2), Resume(3), Resume(4)]


@pytest.mark.parametrize("key", ["n", "escape", "enter"])
async def test_not_now_leaves_them_and_space_resumes_one(key):
    async with on_stage(scenes.left()) as stage:
        await stage.seen(ASKED)
        await stage.press(key)
        assert stage.app.screen is stage.app._main
        assert stage.engine.commands == []
        assert "stopped" in next(row for row in stage.rows if "lecture-07.wav" in row)
        await stage.press("j", "j", "space")
        assert stage.engine.commands == [Resume(3)]


async def test_only_three_are_named():
    async with on_stage(scenes.left(5)) as stage:
        await stage.seen("5 jobs were left unfinished. Go on with them?")
        assert "and 2 more" in stage.text


async def test_one_is_one():
    async with on_stage(scenes.left(1)) as stage:
        await stage.seen("1 job was left unfinished. Go on with it?")


async def test_names_are_shown_not_obeyed():
    view = scenes.Scene().add(1, "/talks/[red]x\x1b[2J.mp3", state=Stopped(0)).view
    async with on_stage(view) as stage:
        await stage.seen("[red]x␛[2J.mp3")


class TestOtherKeys:
    """Somebody types before the question has been seen: it gives way, and the key does what it always does."""

    async def test_do_what_they_always_do(self):
        async with on_stage(scenes.left()) as stage:
            await stage.press("j", "x", "y")
            assert stage.engine.commands == [Cancel(2)]

    async def test_nothing_typed_is_lost(self):
        async with on_stage(scenes.left()) as stage:
            await stage.press("a", *"/new.mp3")
            assert isinstance(stage.app.screen, AddScreen)
            await stage.seen("/new.mp3")

    async def test_q_leaves(self):
        async with on_stage(scenes.left()) as stage:
            await stage.press("q")
            assert not stage.app.is_running

    async def test_that_choose_an_answer_do_not_count(self):
        async with on_stage(scenes.left()) as stage:
            await stage.press("right")
            assert is_asked(stage)
            await stage.press("enter")
            assert stage.engine.commands == [Resume(2), Resume(3), Resume(4)]


class TestAgain:
    async def test_it_is_not_asked_about_the_same(self):
        async with on_stage(scenes.left()) as stage:
            await stage.press("n")
            stage.engine.lose()
            stage.engine.come_back()
            await stage.seen("scribetui is back.")
            stage.app._tick()
            await stage.pilot.pause()
            assert not is_asked(stage)

    async def test_it_is_asked_about_new_ones_only(self):
        async with on_stage(scenes.left(1)) as stage:
            await stage.press("n")
            stage.engine.lose()
            new = ev.JobAdded(job=9, path="/talks/new.mp3", size=1, options=scenes.OPTIONS, state=Stopped(0))
            stage.engine.come_back(new)
            await stage.seen("1 job was left unfinished. Go on with it?")
            assert "new.mp3" in stage.text

    async def test_it_is_asked_about_one_that_went_on_in_between(self):
        async with on_stage(scenes.left(1)) as stage:
            await stage.press("y")
            stage.engine.say(ev.JobChanged(2, Queued()), ev.JobChanged(2, Running(scenes.NOW)))
            await stage.settled()
            stage.engine.lose()
            stage.engine.come_back(ev.JobChanged(2, Stopped(scenes.NOW)))
            await stage.until(lambda: is_asked(stage))

    async def test_it_waits_while_something_else_is_open(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("a", *"/new")
            stage.engine.lose()
            stage.engine.come_back(ev.JobChanged(2, Stopped(scenes.NOW)))
            await stage.seen("scribetui is back.")
            await stage.press(*".mp3")
            assert isinstance(stage.app.screen, AddScreen)
            await stage.seen("/new.mp3")
            await stage.press("escape")
            stage.app._tick()
            await stage.seen("1 job was left unfinished. Go on with it?")

    async def test_jobs_stopped_by_the_end_are_not_asked_about(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.say(ev.JobChanged(2, Stopped(scenes.NOW)))
            await stage.settled()
            stage.app._tick()
            await stage.pilot.pause()
            assert not is_asked(stage)


async def test_one_that_was_seen_to_meanwhile_is_left_alone():
    async with on_stage(scenes.left()) as stage:
        await stage.seen(ASKED)
        stage.engine.say(ev.JobChanged(3, Queued()))
        await stage.settled()
        await stage.press("y")
        assert stage.engine.commands == [Resume(2), Resume(4)]


async def test_a_refusal_is_told_once():
    async with on_stage(scenes.left()) as stage:
        stage.engine.refusal = "The host cannot be reached."
        await stage.press("y")
        await stage.seen("The host cannot be reached.")
        assert len(stage.app._notifications) == 1
        assert len(stage.engine.commands) == 3


async def test_the_header_counts_them():
    async with on_stage(scenes.left()) as stage:
        await stage.press("n")
        assert "● stopped" in stage.rows[0]
