"""Jobs that had ended before the engine started: their spans are in the ledger alone, and the screen invents none."""

import pytest

from engine import events as ev
from engine.states import Cancelled, Done
from tests.tui import scenes
from tests.tui.stage import on_stage

BRIEF = ev.Progress(duration=301_000, heard=301_000, heard_all=True, worked_ms=61_000, is_brief=True)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_done_job_is_not_said_to_be_silent(size):
    view = scenes.Scene().add(1, "/talks/opening.mp3", state=Done(0), progress=BRIEF).view
    async with on_stage(view, size=size) as stage:
        await stage.seen("5:01, from an earlier sitting; its story: scribetui report 1")
        assert "100%" in stage.text
        for untrue in ("no speech", "silence", "0:00 of 0:00"):
            assert untrue not in stage.text


async def test_how_far_a_cancelled_one_came_is_left_open():
    view = scenes.Scene().add(1, "/talks/opening.mp3", state=Cancelled(0), progress=BRIEF).view
    async with on_stage(view, size=(120, 40)) as stage:
        await stage.seen("from an earlier sitting")
        row = next(row for row in stage.rows if "cancelled" in row)
        assert "%" not in row
        assert not any("transcribe" in row and "100%" in row for row in stage.rows)


async def test_a_silent_one_is_still_said_to_be_silent():
    silent = ev.Progress(duration=301_000, heard=301_000, heard_all=True)
    view = scenes.Scene().add(1, "/talks/hall.mp3", state=Done(0), progress=silent).view
    async with on_stage(view) as stage:
        await stage.seen("no speech was found")
