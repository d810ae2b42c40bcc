"""The engine out of reach: the screen says so, keeps what it knew, and takes it up again."""

import pytest

from engine import events as ev
from engine.states import Done, Failed, Stopped
from tests.tui import scenes
from tests.tui.stage import Stage, on_stage
from tui.screens.add import AddScreen
from tui.widgets.header import Header
from tui.widgets.jobs import Jobs
from tui.widgets.keybar import KeyBar
from tui.widgets.pane import Pane

ASKING = ("Pause", "Freeze", "Park", "Cancel", "Chunk", "Batch", "Add", "Order", "Stop")
SAID = "host lost, trying again"


def enabled(stage: Stage) -> dict[str, bool]:
    return {hint.word: hint.is_enabled for hint in stage.app._main.query_one(KeyBar).hints}


async def test_the_header_says_so_and_the_last_picture_stays_in_grey():
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        stage.engine.lose("The connection to the host is lost.\x1b")
        await stage.seen(SAID)
        assert "as of 14:03  The connection to the host is lost.␛" in stage.text
        assert "board-meeting.m4a" in stage.text
        styles = {run.style for pane in stage.app._main.query(Pane) if pane.display and pane.SHOWS_VIEW
                  for line in pane.lines for run in line.runs}  # fmt: skip
        assert styles <= {"title", "marker", "key", "faint", "stale", "dim"}


async def test_the_clock_goes_on_and_the_figures_do_not():
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        before = stage.app._main.query_one(Jobs).lines[2:]
        stage.engine.lose()
        await stage.seen(SAID)
        stage.engine.now += 600_000
        stage.app._tick()
        await stage.seen("14:13")
        assert "as of 14:03" in stage.text
        after = stage.app._main.query_one(Jobs).lines[2:]
        assert [line.text for line in after] == [line.text for line in before]


async def test_what_asks_the_engine_is_grey_and_does_nothing():
    async with on_stage(scenes.running(), size=(200, 40)) as stage:
        assert all(enabled(stage)[word] for word in ASKING)
        stage.engine.lose()
        await stage.seen(SAID)
        await stage.until(lambda: not enabled(stage)["Pause"])
        assert not any(enabled(stage)[word] for word in ASKING)
        assert all(enabled(stage)[word] for word in ("Copy", "Time", "Help", "Detach"))
        await stage.press("space", "P", "S", "x", "r", "plus", "right_square_bracket", "J", "d", "a", "Q")
        assert stage.engine.commands == []
        assert stage.app.screen is stage.app._main


async def test_a_view_ends_it_and_one_quiet_notice_says_so():
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        rung = []
        stage.app.bell = lambda: rung.append(True)
        stage.engine.lose()
        stage.engine.lose("The host does not answer.")
        await stage.seen("The host does not answer.")
        stage.engine.come_back()
        await stage.seen("scribetui is back.")
        assert SAID not in stage.text
        assert "as of" not in stage.text
        assert enabled(stage)["Pause"]
        assert len(stage.app._notifications) == 1
        assert rung == []


async def test_a_reader_that_fell_behind_catches_up_in_silence():
    async with on_stage(scenes.running()) as stage:
        stage.engine.come_back(ev.Warning(2, "a warning"))
        await stage.settled()
        assert len(stage.app._notifications) == 0


async def test_what_ended_meanwhile_is_told_all_the_same():
    async with on_stage(scenes.running()) as stage:
        stage.engine.lose()
        await stage.seen(SAID)
        stage.engine.come_back(ev.JobChanged(2, Done(scenes.NOW)), ev.JobChanged(3, Failed(scenes.NOW, "It is mute.")))
        await stage.seen("board-meeting.m4a is done")
        await stage.seen("It is mute.")
        assert len(stage.app._notifications) == 3


async def test_what_a_crash_left_unfinished_is_asked_about():
    async with on_stage(scenes.running()) as stage:
        stage.engine.lose()
        await stage.seen(SAID)
        stage.engine.come_back(ev.JobChanged(2, Stopped(scenes.NOW)))
        await stage.seen("1 job was left unfinished. Go on with it?")


async def test_who_waits_long_is_called():
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        stage.engine.lose("The host does not start.")
        await stage.seen(SAID)
        stage.app._tell_lost()
        await stage.seen("scribetui's host is lost")


async def test_nothing_flickers(monkeypatch):
    """While it is lost a second paints nothing again, and neither does another try that fails."""
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        stage.engine.lose()
        await stage.seen(SAID)
        await stage.until(lambda: stage.app._soon is None)
        painted = []
        monkeypatch.setattr(Pane, "refresh", lambda pane, *regions, **_: painted.append(type(pane)))
        stage.engine.now += 1_000
        stage.app._tick()
        stage.engine.lose()
        await stage.until(lambda: stage.engine._queue.empty() and stage.app._soon is None)
        assert painted == []
        stage.engine.now += 60_000
        stage.app._tick()
        assert painted == [Header]


async def test_a_command_under_way_fails_in_its_own_words():
    async with on_stage(scenes.running()) as stage:
        await stage.press("a", *"/x.mp3")
        stage.engine.lose()
        stage.engine.refusal = "The host cannot be reached at present; try again in a moment."
        await stage.press("enter")
        assert isinstance(stage.app.screen, AddScreen)
        await stage.seen("The host cannot be reached at present")


@pytest.mark.parametrize("size", [(60, 16), (40, 10)])
async def test_there_is_room_for_it(size):
    async with on_stage(scenes.running(), size=size) as stage:
        stage.engine.lose()
        await stage.seen("○ host lost")


async def test_an_empty_queue_can_be_out_of_date_too():
    async with on_stage(scenes.empty()) as stage:
        stage.engine.lose()
        await stage.seen("as of 14:03")
