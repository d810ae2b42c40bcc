"""The engine against stages that break their promises, an emptied cache, a changed clock and a slow disk."""

import asyncio
import contextlib
import threading
import time

import pytest

from engine import events as ev
from engine.commands import Cancel, Pause
from engine.engine import Engine
from engine.ledger import Ledger
from engine.recipe import FailureKind, Policy, Recipe
from engine.states import Done, Failed, Paused
from engine.writer import Writer
from tests.engine.conftest import POLICY, Bench


@pytest.mark.parametrize("stage", ["Eager", "Exits", "Forgetful"])
async def test_a_stage_that_breaks_its_promise_costs_a_window_not_the_job(bench, media, stage):
    """A lane that died unheard, or a window nobody answers for, would hold the job for ever."""
    async with bench() as b:
        recipe = Recipe(backend=f"tests.stages:{stage}", batch=1, parallel=2, language="en")
        job = await b.add(media(windows=5, poison="2"), recipe=recipe)
        state = await asyncio.wait_for(b.ended(job), 60)
        assert state.gaps == 10_000
        assert b.decoded(job) == [0, 1, 3, 4]


async def test_lanes_with_processes_of_their_own_lose_nothing_whatever_befalls_them(bench, media):
    """Deaths, a lack of memory, an exception and poison: the machine need not know where they happened."""
    recipe = Recipe(backend="tests.stages:Apart", batch=1, parallel=2, language="en")
    path = media(windows=9, segv="1", kill="3", oom="4", **{"raise": "5"}, poison="7")
    async with bench(policy=Policy(retries=3, retry_delay_ms=1, climb_after=99)) as b:
        job = await b.add(path, recipe=recipe)
        state = await asyncio.wait_for(b.ended(job), 60)
        assert state.gaps == 10_000
        assert b.decoded(job) == [0, 1, 2, 3, 4, 5, 6, 8]
    assert len(set(path.with_suffix(".media.pids").read_text().split())) > 2
    kinds = {each.kind for each in b.said(ev.AttemptFailed)}
    assert {FailureKind.ERROR} < kinds <= {FailureKind.CRASH, FailureKind.OOM, FailureKind.ERROR}


async def test_a_stage_that_exits_while_loading_fails_the_job(bench, media):
    async with bench() as b:
        job = await b.add(media(), recipe=Recipe(backend="tests.stages:ExitsLoading", language="en"))
        state = await asyncio.wait_for(b.ended(job), 60)
        assert isinstance(state, Failed)
        assert "no licence" in state.error


async def test_an_attempt_that_failed_is_recorded_so_whatever_else_it_gives_back(bench, media):
    """The lighter recipe that follows takes back what waits at the worker: that is not how the attempt ended."""
    async with bench() as b:
        recipe = Recipe(backend="tests.stages:Echo", batch=2, parallel=1, language="en")
        job = await b.add(media(windows=8, oom="1"), recipe=recipe)
        assert (await asyncio.wait_for(b.ended(job), 60)).gaps == 0
    with contextlib.closing(Ledger(b.home.ledger, read_only=True)) as ledger:
        attempts = ledger.attempts(job)
    (failed,) = [each for each in attempts if each["outcome"] not in ("done", "stopped")]
    assert (failed["outcome"], failed["reason"]) == ("oom", "Not enough memory: no room for the batch.")
    assert failed["start"] <= 10_000 < failed["end"]


async def test_a_model_that_loads_at_last_costs_only_time(bench, media, tmp_path):
    """An exception, a crash and a lack of memory while it loads: each is told, and answered as anywhere else."""
    ways = tmp_path / "model"
    ways.mkdir()
    for way in ("1.raise", "2.segv", "3.oom"):
        (ways / way).touch()
    recipe = Recipe(backend="tests.stages:LoadsAtLast", model=str(ways), batch=2, parallel=1, language="en")
    async with bench(policy=Policy(retries=3, retry_delay_ms=1, climb_after=99)) as b:
        job = await b.add(media(windows=5), recipe=recipe)
        assert (await asyncio.wait_for(b.ended(job), 60)).gaps == 0
        assert b.decoded(job) == [0, 1, 2, 3, 4]
    told = [(each.stage, each.kind, each.spans) for each in b.said(ev.AttemptFailed)]
    kinds = (FailureKind.ERROR, FailureKind.CRASH, FailureKind.OOM)
    assert told == [("transcribe", kind, ()) for kind in kinds]
    assert not b.said(ev.RecipeChanged)  # a smaller batch is no help in loading
    assert len(b.said(ev.WorkerReady)) == 2  # the listener's, and the fourth transcriber's


async def test_a_model_that_never_loads_fails_the_job_with_the_reason(bench, media, tmp_path):
    ways = tmp_path / "model"
    ways.mkdir()
    for number in range(5):
        (ways / f"{number}.raise").touch()
    recipe = Recipe(backend="tests.stages:LoadsAtLast", model=str(ways), batch=1, parallel=1, language="en")
    async with bench() as b:
        state = await asyncio.wait_for(b.ended(await b.add(media(), recipe=recipe)), 60)
        assert isinstance(state, Failed)
        assert "the weights cannot be read at present" in state.error
        assert len(b.said(ev.AttemptFailed)) == POLICY.retries + 1


async def test_listening_that_never_comes_to_the_end_leaves_the_rest_as_a_gap(home, media):
    engine = Engine(home, policy=POLICY, stages={"listen": "tests.stages:Deaf"})
    b = Bench(engine, home)
    async with engine:
        job = await b.add(media(windows=3))
        state = await asyncio.wait_for(b.ended(job), 60)
    assert isinstance(state, Done)
    assert state.gaps == 10_000
    assert b.decoded(job) == [0, 1]
    assert "ended before the audio did" in b.said(ev.GapLeft)[-1].reason


async def test_a_cache_emptied_in_mid_job_costs_nothing(bench, media):
    path = media(windows=12, hold="6")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path, recipe=Recipe(backend="tests.stages:Reads", batch=1, parallel=1, language="en"))
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 60_000)
        (b.home.cache / f"{job}.pcm").unlink()
        hold.unlink()
        assert (await asyncio.wait_for(b.ended(job), 60)).gaps == 0
        assert b.decoded(job) == list(range(12))
        assert {each.kind for each in b.said(ev.AttemptFailed)} == {FailureKind.AUDIO}


async def test_a_clock_set_back_delays_no_retry(bench, media, monkeypatch):
    real, shift = time.time_ns, 0
    monkeypatch.setattr("engine.chronicle.time.time_ns", lambda: real() - shift)
    async with bench(policy=Policy(retries=2, retry_delay_ms=300)) as b:
        job = await b.add(media(windows=4, **{"raise": "2"}))
        await b.until(lambda e: isinstance(e, ev.AttemptFailed))
        shift = 3600 * 10**9
        assert isinstance(await asyncio.wait_for(b.ended(job), 60), Done)
        times = [entry.at for entry in b.entries]
        assert times == sorted(times)


async def test_memory_that_cannot_be_read_does_not_stop_the_clock(bench, media, monkeypatch):
    def broken(*_):
        raise OSError("too many open files")

    monkeypatch.setattr("engine.engine.TICK", 0.01)
    monkeypatch.setattr("engine.sampler.Sampler.read", broken)
    async with bench(policy=Policy(keep_warm_ms=0)) as b:
        await b.ended(await b.add(media()))
        await asyncio.wait_for(b.until(lambda e: isinstance(e, ev.WorkerEnded) and not b.view.workers), 60)


async def test_fewer_formats_leave_no_partial_files_of_the_others(bench, media):
    path = media(windows=12, hold="6")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.Written) and e.partial)
        await b.engine.submit(Pause(job))
        hold.unlink()
        await b.until(lambda e: isinstance(e, ev.JobChanged) and isinstance(e.state, Paused))
        await b.add(path, formats=("srt",))
        await b.ended(job)
        await b.engine.wait()
    assert {p.name for p in path.parent.glob("talk.*.*")} == {"talk.media.begun"}
    assert path.with_suffix(".srt").exists()


async def test_cleaning_up_behind_a_slow_writing_spares_audio_made_anew(bench, media, monkeypatch):
    path = media(windows=12, hold="6")
    hold = path.with_suffix(".hold")
    hold.touch()
    gate = threading.Event()
    render = Writer._render
    async with bench() as b:
        recipe = Recipe(backend="tests.stages:Reads", batch=1, parallel=1, language="en")
        job = await b.add(path, recipe=recipe)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 60_000)
        await b.engine._writer.settle()
        monkeypatch.setattr(Writer, "_render", lambda *args: gate.wait(60) and render(*args))
        b.engine._writer.write(job, partial=True)
        await b.engine.submit(Cancel(job))
        assert not (b.home.cache / f"{job}.pcm").exists()
        await b.add(path, recipe=recipe)
        await b.until(lambda e: isinstance(e, ev.WorkerStarted) and e.stage == "listen")
        await b.until(lambda e: isinstance(e, ev.WorkerEnded))
        gate.set()
        await b.engine._writer.settle()
        assert (b.home.cache / f"{job}.pcm").exists()
        hold.unlink()
        assert (await b.ended(job)).gaps == 0
        assert not b.said(ev.AttemptFailed)
