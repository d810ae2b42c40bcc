"""Leaving the screen, and ending the work: two things."""

import pytest

from engine import events as ev
from engine.states import Done, Paused
from engine.view import View
from tests.tui import scenes
from tests.tui.stage import on_stage
from tui.questions import parting, stop_question
from tui.screens.add import AddScreen
from tui.screens.question import QuestionScreen

GO_ON = "4 jobs go on in the background; scribetui attaches again."


class TestDetach:
    @pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
    async def test_leaves_at_once_and_says_that_the_jobs_go_on(self, key):
        async with on_stage(scenes.running()) as stage:
            await stage.press(key)
            assert not stage.app.is_running
        assert stage.app.return_value == GO_ON
        assert stage.engine.commands == []
        assert stage.engine.stops == []

    async def test_has_nothing_to_say_when_nothing_goes_on(self):
        async with on_stage(scenes.done()) as stage:
            await stage.press("q")
            assert not stage.app.is_running
        assert not stage.app.return_value

    @pytest.mark.parametrize("keys", [["a"], ["x"], ["Q"], ["question_mark"]])
    async def test_ctrl_c_leaves_from_anywhere(self, keys):
        async with on_stage(scenes.running()) as stage:
            await stage.press(*keys, "ctrl+c")
            assert not stage.app.is_running
        assert stage.app.return_value == GO_ON

    async def test_works_while_the_engine_is_lost(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.lose()
            await stage.seen("host lost")
            await stage.press("q")
            assert not stage.app.is_running
        assert "could not be reached" in stage.app.return_value

    def test_counts_what_goes_on_by_itself(self):
        def said(view: View) -> str:
            return parting(view, is_lost=False, is_stopping=False)

        assert said(scenes.running()) == GO_ON
        assert said(scenes.paused()).startswith("1 job goes on")
        resting = scenes.Scene().add(1, "/a.mp3", state=Paused(0, reason="The disk is full."))
        assert said(resting.view).startswith("1 job goes on")
        assert said(resting.add(2, "/b.mp3", state=Paused(0)).view).startswith("1 job goes on")
        assert said(scenes.Scene().add(1, "/a.mp3", state=Paused(0)).view) == ""
        assert said(scenes.left()) == ""
        assert said(View()) == ""
        assert "stops once" in parting(scenes.running(), is_lost=False, is_stopping=True)


class TestStop:
    @pytest.mark.parametrize(("key", "stops"), [("y", [False]), ("a", [True])])
    async def test_asks_how_and_shows_the_work_until_the_engine_has_ended(self, key, stops):
        async with on_stage(scenes.running()) as stage:
            await stage.press("Q")
            await stage.seen("Stop scribetui, and the work with it?")
            assert "1 job is at work, 3 more wait" in stage.text
            await stage.press(key)
            assert stage.engine.stops == stops
            await stage.seen("● stopping after the batches under way")
            stage.engine.say(ev.JobChanged(2, Done(scenes.NOW)))
            await stage.seen("board-meeting.m4a is done")
            assert stage.app.is_running
            stage.engine.end()
            await stage.until(lambda: not stage.app.is_running)

    @pytest.mark.parametrize("key", ["n", "escape", "q", "enter"])
    async def test_every_other_answer_stays(self, key):
        async with on_stage(scenes.running()) as stage:
            await stage.press("Q", key)
            assert stage.app.screen is stage.app._main
            assert stage.app.is_running
            assert stage.engine.stops == []

    @pytest.mark.parametrize(
        ("keys", "stops"),
        [
            (["right"], [False]),
            (["right", "right"], [True]),
            (["left"], [True]),
            (["right", "left"], []),
            (["tab", "tab"], [True]),
            (["shift+tab"], [True]),
            (["l", "h"], []),
        ],
    )
    async def test_the_buttons_can_be_reached(self, keys, stops):
        async with on_stage(scenes.running()) as stage:
            await stage.press("Q", *keys, "enter")
            assert stage.engine.stops == stops

    async def test_asks_in_other_words_when_nothing_is_at_work(self):
        async with on_stage(scenes.paused()) as stage:
            now = stage.engine.now
            stage.engine.say(ev.JobChanged(2, Done(now)))
            await stage.settled()
            await stage.press("Q")
            await stage.seen("Nothing is at work; 1 unfinished job can go on at the")
            assert "At once" not in stage.text
            await stage.press("y")
            assert stage.engine.stops == [False]

    async def test_asked_again_it_can_be_at_once(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("Q", "y")
            await stage.press("Q")
            await stage.seen("Stop at once?")
            await stage.press("a")
            assert stage.engine.stops == [False, True]

    async def test_a_refusal_is_told_and_work_goes_on_being_shown(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.refusal = "The host cannot be [b]reached[/b]."
            await stage.press("Q", "y")
            await stage.seen("The host cannot be [b]reached[/b].")
            await stage.seen("● running")

    async def test_leaving_meanwhile_says_so(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("Q", "y", "q")
        assert stage.app.return_value == "scribetui stops once the batches under way are done."

    async def test_is_not_asked_from_within_a_question(self):
        async with on_stage(scenes.running()) as stage:
            await stage.press("x", "Q")
            assert isinstance(stage.app.screen, QuestionScreen)
            await stage.press("escape", "a", "Q")
            assert isinstance(stage.app.screen, AddScreen)

    async def test_can_be_had_from_the_palette(self):
        async with on_stage(scenes.running()) as stage:
            offered = {command.title: command.help for command in stage.app.get_system_commands(stage.app.screen)}
            assert offered["Stop"] == "end the work, too: after this batch, or at once"
            assert offered["Detach"] == "leave; the jobs go on in the background"

    def test_the_first_answer_does_no_harm(self):
        for view in (scenes.running(), scenes.paused(), scenes.empty(), scenes.left()):
            for is_stopping in (False, True):
                assert stop_question(view, is_stopping=is_stopping).answers[0].name == "stay"
