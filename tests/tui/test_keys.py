"""Every key, and what it asks of the engine."""

import pytest

from engine import events as ev
from engine.commands import Move, Pause, Remove, Resume, Retry, Set
from engine.states import Done, Failed, Frozen, Paused, Running
from tests.tui import scenes
from tests.tui.stage import on_stage
from tui.widgets.keybar import KeyBar

RUNS = 2
"""The job that runs in the scene of that name."""


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("space", Pause(RUNS)),
        ("P", Pause(RUNS, "freeze")),
        ("S", Pause(RUNS, "park")),
        ("plus", Set(job=RUNS, chunk_ms=600_000)),
        ("equals_sign", Set(job=RUNS, chunk_ms=600_000)),
        ("minus", Set(job=RUNS, chunk_ms=150_000)),
        ("right_square_bracket", Set(job=RUNS, batch=8)),
        ("left_square_bracket", Set(job=RUNS, batch=2)),
        ("J", Move(RUNS, 1)),
        ("K", Move(RUNS, -1)),
    ],
)
async def test_keys_for_a_job_at_work(key, command):
    async with on_stage(scenes.running()) as stage:
        await stage.press(key)
        assert stage.engine.commands == [command]


@pytest.mark.parametrize("key", ["r", "d"])
async def test_keys_that_do_nothing_for_a_job_at_work(key):
    async with on_stage(scenes.running()) as stage:
        await stage.press(key)
        assert stage.engine.commands == []


async def test_space_resumes_what_is_paused():
    async with on_stage(scenes.paused()) as stage:
        assert "space Resume" in stage.rows[-1]
        await stage.press("space")
        assert stage.engine.commands == [Resume(1)]


async def test_space_resumes_what_is_frozen_and_it_can_be_parked():
    async with on_stage(scenes.running()) as stage:
        stage.engine.say(ev.JobChanged(2, Frozen(stage.engine.now)))
        await stage.seen("space Resume")
        await stage.press("P", "S", "space")
        assert stage.engine.commands == [Pause(2, "park"), Resume(2)]


async def test_what_is_parked_is_not_parked_again():
    async with on_stage(scenes.running()) as stage:
        stage.engine.say(ev.JobChanged(2, Paused(stage.engine.now, "parked")))
        await stage.seen("space Resume")
        await stage.press("S")
        assert stage.engine.commands == []


async def test_keys_for_an_ended_job():
    async with on_stage(scenes.failed()) as stage:
        await stage.press("r", "d", "plus", "space", "x")
        assert stage.engine.commands == [Retry(1), Remove(1)]


async def test_moving_the_selection():
    async with on_stage(scenes.running()) as stage:
        assert stage.selected == RUNS
        for key, job in (("j", 3), ("down", 4), ("j", 5), ("j", 5), ("k", 4), ("up", 3)):
            await stage.press(key)
            assert stage.selected == job, key
        await stage.press("space")
        assert stage.engine.commands == [Pause(3)]


async def test_the_selection_goes_with_the_job_that_runs_until_it_is_moved():
    async with on_stage(scenes.running()) as stage:
        now = stage.engine.now
        stage.engine.say(ev.JobChanged(2, Done(now)), ev.JobChanged(3, Running(now)))
        await stage.until(lambda: stage.selected == 3)
        await stage.press("k")
        stage.engine.say(ev.JobChanged(3, Done(now)), ev.JobChanged(4, Running(now)))
        await stage.settled()
        assert stage.selected == 2
        await stage.press("f")
        assert stage.selected == 4


async def test_the_selection_stays_with_a_job_that_something_was_done_to():
    """After a pause the next job runs; the key that resumes must not meet that one."""
    async with on_stage(scenes.running()) as stage:
        now = stage.engine.now
        await stage.press("space")
        stage.engine.say(ev.JobChanged(2, Paused(now)), ev.JobChanged(3, Running(now)))
        await stage.settled()
        await stage.press("space")
        assert stage.engine.commands == [Pause(2), Resume(2)]


async def test_a_refusal_is_shown_in_its_own_words():
    async with on_stage(scenes.running()) as stage:
        stage.engine.refusal = "Job 2 is [red]busy[/red]\x1b[31m."
        await stage.press("space")
        await stage.seen("Job 2 is [red]busy[/red]␛[31m.")


async def test_t_changes_how_far_back_the_memory_goes():
    async with on_stage(scenes.running()) as stage:
        for window in ("30m", "all", "5m"):
            await stage.press("t")
            assert stage.app._main.frame.memory_window == window
            assert f"  {window}  peak" in stage.text


async def test_y_copies_the_paths_of_the_files():
    async with on_stage(scenes.done()) as stage:
        await stage.press("y")
        assert stage.app.clipboard == "\n".join(scenes.files("/talks/lecture-07"))
        await stage.seen("Copied 4 paths")


async def test_y_copies_the_text_while_there_are_no_files():
    async with on_stage(scenes.paused()) as stage:
        await stage.press("y")
        assert stage.app.clipboard.splitlines()[-1] == scenes.TEXT[1]
        await stage.seen("Copied the last 19 lines of text")


async def test_what_cannot_be_done_is_grey():
    async with on_stage(scenes.running(), size=(160, 40)) as stage:
        hints = {hint.word: hint.is_enabled for hint in stage.app.screen.query_one(KeyBar).hints}
        assert hints == {
            "Pause": True,
            "Freeze": True,
            "Park": True,
            "Cancel": True,
            "Retry": False,
            "Chunk": True,
            "Batch": True,
            "Add": True,
            "Copy": True,
            "Time": True,
            "Follow": False,
            "Order": True,
            "Remove": False,
            "Stop": True,
            "Help": True,
            "Detach": True,
        }
        now = stage.engine.now
        stage.engine.say(ev.JobChanged(2, Failed(now, "It broke.")))
        await stage.until(lambda: stage.app.screen.query_one(KeyBar).hints[4].is_enabled)
        hints = {hint.word: hint.is_enabled for hint in stage.app.screen.query_one(KeyBar).hints}
        assert [word for word, is_enabled in hints.items() if not is_enabled] == [
            "Pause",
            "Freeze",
            "Park",
            "Cancel",
            "Chunk",
            "Batch",
            "Follow",
        ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 160])
async def test_the_key_bar_never_drops_help_and_the_way_out(width):
    async with on_stage(scenes.running(), size=(width, 24)) as stage:
        bar = stage.rows[-1]
        assert "? Help  q Detach" in bar
        assert "…" not in bar


async def test_the_key_bar_can_be_clicked():
    async with on_stage(scenes.running()) as stage:
        bar = stage.rows[-1]
        await stage.pilot.click(KeyBar, offset=(bar.index("-+"), 0))
        await stage.pilot.click(KeyBar, offset=(bar.index("[]") + 1, 0))
        await stage.pilot.click(KeyBar, offset=(bar.index("Pause"), 0))
        await stage.until(lambda: len(stage.engine.commands) == 3)
        assert stage.engine.commands == [Set(job=2, chunk_ms=150_000), Set(job=2, batch=8), Pause(2)]


async def test_a_job_can_be_clicked():
    async with on_stage(scenes.running(), size=(120, 40)) as stage:
        row = next(n for n, text in enumerate(stage.rows) if "interview-b.mkv" in text)
        await stage.pilot.click(offset=(10, row))
        await stage.until(lambda: stage.selected == 4)


async def test_other_keys_from_the_settings():
    async with on_stage(scenes.running(), keys={"pause": "p,space", "detach": "f10", "pawse": "z"}) as stage:
        await stage.seen("No action is called pawse")
        await stage.press("p")
        assert stage.engine.commands == [Pause(2)]
        await stage.press("q")
        assert stage.app.is_running
        assert stage.app.screen is stage.app._main


async def test_the_palette_offers_what_the_keys_can_do():
    async with on_stage(scenes.running()) as stage:
        offered = {command.title: command.help for command in stage.app.get_system_commands(stage.app.screen)}
        assert offered["Pause"] == "stop after this batch, at no loss"
        assert {"Longer", "Add", "Help", "Theme"} <= set(offered)
        assert not {"Retry", "Resume", "Remove"} & set(offered)
        await stage.press("ctrl+p")
        await stage.seen("queue a film or a talk")
        await stage.press(*"pause", "enter")
        await stage.until(lambda: stage.engine.commands == [Pause(2)])
