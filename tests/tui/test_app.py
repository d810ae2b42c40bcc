"""The app: events in, the view out, and nothing in between that the user would notice."""

import asyncio

import msgspec
import pytest

from engine import events as ev
from engine.states import Done, Failed, Running
from engine.timeline import Span
from engine.view import View, fold
from tests.tui import scenes
from tests.tui.scenes import GIB
from tests.tui.stage import make_app, on_stage
from tui.widgets.pane import Pane


async def test_events_reach_the_screen():
    async with on_stage(scenes.empty()) as stage:
        assert "Nothing is queued." in stage.text
        stage.engine.say(*(entry for entry in _added(1, "/talks/a.mp3")))
        await stage.seen("a.mp3")
        stage.engine.say(ev.JobChanged(1, Running(stage.engine.now)))
        await stage.seen("● running")


def _added(job: int, path: str) -> list[ev.Event]:
    scene = scenes.begun().add(job, path)
    return [entry.event for entry in scene.view.log if isinstance(entry.event, ev.JobAdded)]


async def test_the_end_of_the_engine_ends_the_screen_and_says_why():
    app, engine = make_app(scenes.running(), goodbye=lambda: "scribetui was stopped.")
    async with app.run_test() as pilot:
        await pilot.pause()
        engine.end()
        for _ in range(100):
            await pilot.pause()
            if not app.is_running:
                break
    assert app.return_code == 0
    assert app.return_value == "scribetui was stopped."


class TestNotices:
    async def test_tell_what_is_done(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.say(ev.JobChanged(2, Done(stage.engine.now)))
            await stage.seen("board-meeting.m4a is done")

    async def test_tell_what_failed_and_why(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.say(ev.JobChanged(2, Failed(stage.engine.now, "The disk is [b]full[/b]\x1b[2J.")))
            await stage.seen("board-meeting.m4a failed")
            assert "The disk is [b]full[/b]␛[2J." in stage.text.replace("\n", "")

    async def test_tell_of_gaps(self):
        async with on_stage(scenes.running()) as stage:
            stage.engine.say(ev.JobChanged(2, Done(stage.engine.now, gaps=27_000)))
            await stage.seen("0:27 could not be transcribed.")

    async def test_do_not_pile_up(self):
        async with on_stage(scenes.many(20)) as stage:
            now = stage.engine.now
            stage.engine.say(*(ev.JobChanged(job, Failed(now, "no")) for job in range(1, 15)))
            await stage.seen("14 jobs ended, 14 of them failed")
            assert len(stage.app._notifications) == 1

    async def test_say_nothing_of_what_ended_before(self):
        async with on_stage(scenes.done()) as stage:
            assert len(stage.app._notifications) == 0

    async def test_show_what_the_start_had_to_say(self):
        async with on_stage(scenes.empty(), notes=["/x.mp3 does not exist.\x1b"], theme="nope") as stage:
            await stage.seen("/x.mp3 does not exist.␛")
            await stage.seen("There is no theme nope")


class TestFlood:
    async def test_ten_thousand_events_are_shown_and_keys_still_work(self):
        async with on_stage(scenes.running()) as stage:
            now = stage.engine.now
            for n in range(10_000):
                stage.engine.say(ev.Warning(2, f"warning number {n}"), at=now + n)
            await stage.press("j")
            assert stage.selected == 3
            await stage.seen("warning number 9999")
            assert len(stage.app._main.frame.view.log) == 500

    async def test_the_loop_breathes_while_events_pour_in(self):
        """Other tasks have their turn long before the last of the events is read."""
        async with on_stage(scenes.running()) as stage:
            for n in range(10_000):
                stage.engine.say(ev.MemorySampled(tree=n, budget=GIB, available=GIB))
            seen = []
            for _ in range(5):
                await asyncio.sleep(0)
                seen.append(stage.app._sitting.view.seq)
            assert seen[-1] < stage.engine.view.seq
            await stage.until(lambda: stage.app._sitting.view.seq == stage.engine.view.seq)

    async def test_five_hundred_jobs(self):
        async with on_stage(scenes.many(500), size=(120, 40)) as stage:
            assert "1 of 500, 1–" in stage.text
            await stage.press(*["j"] * 30)
            assert "31 of 500" in stage.text
            assert "▌" in next(row for row in stage.rows if "talk-0031.mp3" in row)


class TestStillness:
    """No frame that changes nothing."""

    async def test_the_same_words_are_not_painted_again(self, monkeypatch):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            await stage.until(lambda: stage.app._shown is not None)
            painted = []
            monkeypatch.setattr(Pane, "refresh", lambda pane, *regions, **_: painted.append((pane, regions)))
            view = msgspec.structs.replace(stage.engine.view, seq=stage.engine.view.seq + 1)
            stage.app._main.show(view, stage.engine.now)
            assert painted == []

    async def test_one_second_repaints_only_the_figures_that_count_it(self, monkeypatch):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            painted = []
            monkeypatch.setattr(Pane, "refresh", lambda pane, *regions, **_: painted.append((pane, regions)))
            stage.app._main.show(stage.engine.view, stage.engine.now + 1_000)
            names = {type(pane).__name__ for pane, _ in painted}
            assert names <= {"Jobs", "Stages"}
            assert all(len(regions) <= 2 for _, regions in painted)

    async def test_a_batch_repaints_its_line_of_the_strip(self, monkeypatch):
        async with on_stage(scenes.running(), size=(120, 40)) as stage:
            painted = []
            monkeypatch.setattr(Pane, "refresh", lambda pane, *regions, **_: painted.append((pane, regions)))
            span = stage.engine.view.job(2).running[0]
            done = ev.BatchDone(job=2, spans=(span,), lines=(), took_ms=5)
            stage.app._main.show(fold(stage.engine.view, ev.Entry(9_999, 0, done)), stage.engine.now)
            rows = {type(pane).__name__: len(regions) for pane, regions in painted}
            assert rows["Timeline"] <= 4
            assert "Log" not in rows
            assert "Memory" not in rows

    async def test_nothing_is_shown_twice_while_nothing_happens(self):
        async with on_stage(scenes.running()) as stage:
            shown = []
            show = stage.app._main.show
            stage.app._main.show = lambda *arguments: shown.append(arguments) or show(*arguments)
            for _ in range(5):
                stage.app._tick()
            assert shown == []
            stage.engine.now += 1_000
            stage.app._tick()
            assert len(shown) == 1

    async def test_a_terminal_nobody_looks_at_is_shown_less_often(self):
        async with on_stage(scenes.running()) as stage:
            shown = []
            stage.app._main.show = lambda *arguments: shown.append(arguments)
            stage.app.app_focus = False
            for _ in range(10):
                stage.engine.now += 1_000
                stage.app._tick()
            assert len(shown) == 2

    async def test_bursts_are_shown_at_most_four_times_a_second(self):
        async with on_stage(scenes.running()) as stage:
            await stage.until(lambda: stage.app._soon is None)
            shown = []
            stage.app._main.show = lambda *arguments: shown.append(arguments)
            loop = asyncio.get_running_loop()
            began = loop.time()
            while loop.time() - began < 1.0:
                stage.engine.say(ev.Warning(2, "again"))
                await asyncio.sleep(0.01)
            assert 2 <= len(shown) <= 6


@pytest.mark.parametrize(
    "size", [(1, 1), (10, 3), (20, 5), (60, 16), (80, 24), (99, 20), (100, 20), (161, 30), (300, 100)]
)
@pytest.mark.parametrize("scene", [scenes.empty, scenes.running, scenes.troubled, scenes.hostile])
async def test_any_size_of_terminal(scene, size):
    async with on_stage(scene(), size=size) as stage:
        await stage.pilot.resize_terminal(size[0] + 7, size[1] + 3)
        await stage.pilot.resize_terminal(*size)
        assert len(stage.rows) == size[1]


async def test_a_job_of_which_nothing_is_known():
    view = scenes.begun().add(1, "/talks/a.mp3").view
    async with on_stage(view) as stage:
        await stage.seen("not opened yet")
        assert "no text yet" in stage.text


async def test_a_whole_life():
    """A job from the first event to the last, shown after each."""
    async with on_stage(View(), size=(120, 40)) as stage:
        scene = scenes.begun().add(1, "/talks/a.mp3").run(1, 120_000).hear(1, 120_000, last=True).decoding(1, 1)
        assert scene.view.jobs
        story = [ev.EngineStarted(GIB), *_added(1, "/talks/a.mp3"), ev.JobChanged(1, Running(0))]
        story += [
            ev.JobProbed(job=1, tracks=(), chosen=0, container="mp3", duration=60_000),
            ev.SpeechHeard(job=1, until=60_000, windows=(Span(0, 28_000), Span(28_000, 60_000)), last=True),
            ev.BatchStarted(job=1, spans=(Span(0, 28_000),)),
            ev.BatchDone(job=1, spans=(Span(0, 28_000),), lines=(ev.Line(0, 28_000, "Hello."),), took_ms=5),
            ev.BatchDone(job=1, spans=(Span(28_000, 60_000),), lines=(), took_ms=5),
            ev.JobChanged(1, Done(0)),
            ev.JobRemoved(1),
        ]
        for event in story:
            stage.engine.say(event)
            await stage.settled()
        await stage.seen("Nothing is queued.")
