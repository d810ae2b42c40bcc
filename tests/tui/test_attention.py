"""Calling the user: the bell, and a notice of the desktop while nobody looks."""

import pytest

from engine import events as ev
from engine.states import Cancelled, Done, Failed, Paused
from tests.tui import scenes
from tests.tui.stage import Stage, on_stage
from tui import notices
from tui.osc import notice

ITERM = {"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}
"""A terminal that shows notices."""
DONE = ev.JobChanged(2, Done(scenes.NOW))


def written(stage: Stage, monkeypatch) -> list[str]:
    """What goes to the terminal past the screen, from now on."""
    told = list[str]()
    monkeypatch.setattr(stage.app._driver, "write", told.append)
    return told


def _in_iterm(monkeypatch) -> None:
    for name, value in ITERM.items():
        monkeypatch.setenv(name, value)


def rung(stage: Stage, monkeypatch) -> list[bool]:
    bells = list[bool]()
    monkeypatch.setattr(stage.app, "bell", lambda: bells.append(True))
    return bells


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (Done(scenes.NOW), "board-meeting.m4a is done"),
        (Failed(scenes.NOW, "It is mute."), "It is mute."),
        (Paused(scenes.NOW, reason="The disk is full.\x1b"), "The disk is full.␛"),
    ],
)
async def test_the_bell_rings_once(state, told, monkeypatch):
    async with on_stage(scenes.running()) as stage:
        bells = rung(stage, monkeypatch)
        stage.engine.say(ev.JobChanged(2, state))
        await stage.seen(told)
        assert bells == [True]


@pytest.mark.parametrize("state", [Paused(scenes.NOW), Cancelled(scenes.NOW)])
async def test_nobody_is_called_for_what_they_did_themselves(state, monkeypatch):
    async with on_stage(scenes.running()) as stage:
        bells = rung(stage, monkeypatch)
        stage.engine.say(ev.JobChanged(2, state))
        await stage.settled()
        stage.app._apply()
        assert bells == []
        assert len(stage.app._notifications) == 0


async def test_the_bell_can_be_off(monkeypatch):
    async with on_stage(scenes.running(), bell=False) as stage:
        bells = rung(stage, monkeypatch)
        stage.engine.say(DONE)
        await stage.seen("board-meeting.m4a is done")
        assert bells == []


class TestDesktop:
    async def test_is_told_while_nobody_looks(self, monkeypatch):
        _in_iterm(monkeypatch)
        async with on_stage(scenes.running()) as stage:
            told = written(stage, monkeypatch)
            stage.app.app_focus = False
            stage.engine.say(ev.JobChanged(2, Failed(scenes.NOW, "It is \x07mute.")))
            await stage.seen("board-meeting.m4a failed")
            sequence = notice("board-meeting.m4a failed", r"It is \x07mute.", ITERM)
            assert sequence
            assert sequence in told

    @pytest.mark.parametrize(("has_focus", "wanted"), [(True, True), (False, False)])
    async def test_is_left_alone(self, has_focus, wanted, monkeypatch):
        """A terminal that never tells of its focus counts as one that has it."""
        _in_iterm(monkeypatch)
        async with on_stage(scenes.running(), desktop=wanted) as stage:
            told = written(stage, monkeypatch)
            if not has_focus:
                stage.app.app_focus = False
            stage.engine.say(DONE)
            await stage.seen("board-meeting.m4a is done")
            assert not any("\x1b]" in each for each in told)


def test_many_are_told_as_one():
    scene = scenes.Scene()
    for n, state in enumerate([Done(0), Done(0), Failed(0, "no"), Paused(0, reason="why"), Paused(0, reason="why")]):
        scene.add(n + 1, f"/{n}.mp3", state=state)
    (told,) = notices.notices(scene.view.jobs)
    assert told.text == "3 jobs ended, 1 of them failed, 2 jobs paused"
    assert told.severity == "error"
