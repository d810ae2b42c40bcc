"""Lanes with a process of their own: they work side by side, and live, stand still and die with their worker."""

import asyncio
import os
import signal
import sys
from itertools import pairwise

import psutil
import pytest

from engine.executors.crew import together
from engine.executors.subprocess import SubprocessExecutor
from engine.machine.stimuli import WorkerGone
from engine.messages import Batch, Begun, Decoded, Failed, Finished, Heartbeat, Lanes, Load, Loaded, Release, Run, Work
from engine.recipe import FailureKind, Recipe
from engine.sampler import Sampler
from engine.timeline import Span
from tests.engine.test_executor import Ears, is_gone, true

MB = 2**20


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
async def executor(tmp_path):
    (tmp_path / "logs").mkdir()
    executor = SubprocessExecutor(tmp_path / "logs", grace=10)
    yield executor
    for worker in executor.pids():
        executor.kill(worker)
    await executor.close()


@pytest.fixture
def start(executor, ears, tmp_path):
    """Start a worker with so many windows to work on."""

    def start(stage, windows, lanes=2, model="", batch=1):
        recipe = Recipe(model=model, parallel=lanes, batch=batch)
        executor.start(1, Load(stage=f"tests.engine.misbehaving:{stage}", recipe=recipe, lanes=lanes), ears)
        run(executor, tmp_path, windows, recipe)

    return start


def run(executor, folder, windows, recipe):
    spans = tuple(Span(n, n + 1) for n in range(windows))
    executor.send(1, Run(work=Work(job=1, media=str(folder), audio="", recipe=recipe, spans=spans)))


def processes(executor) -> list[psutil.Process]:
    """The worker, and those below it."""
    worker = psutil.Process(executor.pids()[1])
    return [worker, *worker.children(recursive=True)]


async def test_windows_are_worked_on_side_by_side_each_once(executor, ears, start):
    start("Apart", 9, lanes=3)
    said = [(await ears.until(Batch)).found[0].message.split(" by ") for _ in range(9)]
    assert sorted(int(window) for window, _ in said) == list(range(9))
    # No window is through before three processes have begun one.
    pids = {int(pid) for _, pid in said}
    assert len(pids) == 3
    assert pids == {each.pid for each in processes(executor)}


async def test_batches_are_whole_in_a_process_of_their_own(executor, ears, start):
    start("Apart", 8, batch=2)
    finished: list[tuple[Span, ...]] = []
    while sum(map(len, finished)) < 8:
        finished.append((await ears.until(Finished)).spans)
    assert sorted(span.start for spans in finished for span in spans) == list(range(8))
    assert [len(spans) for spans in finished].count(2) >= 2


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        (str(int(signal.SIGSEGV)), FailureKind.CRASH, "The worker crashed (SIGSEGV)."),
        (str(int(signal.SIGKILL)), FailureKind.OOM, "The worker was killed, as the system does when memory runs out."),
        ("exit", FailureKind.CRASH, "The worker ended by itself with status 9; its log tells more."),
        ("babble", FailureKind.CRASH, "The worker ended by itself with status 1; its log tells more."),
    ],
)
async def test_as_a_lanes_process_ends_so_does_the_worker(executor, ears, start, tmp_path, how, kind, reason):
    start("ApartFalls", 2, model=how)
    assert await ears.until(WorkerGone) == WorkerGone(1, kind, reason)
    pids = {int(begun.read_text()) for begun in tmp_path.glob("*.begun")}
    assert len(pids) == 2
    assert all(map(is_gone, pids))


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("raise", FailureKind.ERROR, "Nobody can say this."),
        ("oom", FailureKind.OOM, "Not enough memory: no room."),
    ],
)
async def test_what_a_lanes_process_raises_is_its_batchs_failure_alone(executor, ears, start, how, kind, reason):
    start("ApartFalls", 3, model=how)
    failed = await ears.until(Failed)
    assert (failed.kind, failed.reason, len(failed.spans)) == (kind, reason, 1)
    assert 1 in executor.pids()


async def test_a_lane_that_cannot_be_loaded_ends_the_worker_after_the_batches_under_way(executor, ears, start):
    start("ApartUnloadable", 0)
    await ears.until(Loaded)
    failed = await ears.until(Failed)
    assert failed == Failed(0, (), FailureKind.ERROR, "The second is one too many.")
    assert "status 0" in (await ears.until(WorkerGone)).reason


async def test_a_lane_killed_as_it_loads_is_a_lack_of_memory(executor, ears, start):
    start("ApartUnloadable", 0, model="kill")
    assert (await ears.until(WorkerGone)).kind == FailureKind.OOM


async def test_all_stand_still_together_and_go_on(executor, ears, start):
    start("Apart", 10_000)
    await ears.until(Batch)
    executor.freeze(1)
    below = processes(executor)
    assert len(below) == 2
    await true(lambda: all(each.status() == psutil.STATUS_STOPPED for each in below))
    executor.thaw(1)
    await true(lambda: all(each.status() != psutil.STATUS_STOPPED for each in below))
    ears.forget()
    await ears.until(Batch)


@pytest.mark.parametrize("is_frozen", [False, True])
async def test_killed_none_is_left(executor, ears, start, is_frozen):
    start("Apart", 10_000)
    await ears.until(Batch)
    pids = [each.pid for each in processes(executor)]
    if is_frozen:
        executor.freeze(1)
    executor.kill(1)
    assert (await ears.until(WorkerGone)).reason == "The worker was ended."
    assert all(map(is_gone, pids))


async def test_let_go_each_finishes_its_batch_and_none_is_left(executor, ears, start):
    start("Apart", 10_000)
    await ears.until(Batch)
    pids = [each.pid for each in processes(executor)]
    executor.send(1, Release())
    assert "status 0" in (await ears.until(WorkerGone)).reason
    assert all(map(is_gone, pids))


async def test_let_go_it_does_not_wait_for_lanes_that_still_load(executor, ears, start):
    start("ApartLoads", 0)
    await ears.until(Loaded)
    executor.send(1, Release())
    assert "status 0" in (await ears.until(WorkerGone)).reason


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_a_worker_that_is_killed_takes_its_lanes_along(executor, ears, start):
    start("Apart", 10_000)
    await ears.until(Batch)
    worker, below = processes(executor)
    os.kill(worker.pid, signal.SIGKILL)
    assert (await ears.until(WorkerGone)).kind == FailureKind.OOM
    assert is_gone(below.pid)


async def test_with_fewer_lanes_fewer_hold_a_batch(executor, ears, start, tmp_path):
    start("Apart", 0, lanes=3)
    executor.send(1, Lanes(2))
    await ears.until(Loaded)
    run(executor, tmp_path, 60, Recipe(model="two", parallel=3, batch=1))
    holding, most, done = 0, 0, 0
    while done < 60:
        said = await ears.until((Begun, Finished))
        holding += 1 if isinstance(said, Begun) else -1
        done += isinstance(said, Finished)
        most = max(most, holding)
    assert most == 2


async def test_its_memory_is_counted_by_the_sampler_and_in_the_heartbeat(executor, ears, start):
    start("ApartGrows", 2)
    await ears.until(Batch)
    pid = executor.pids()[1]
    while (await ears.until(Heartbeat)).memory < 200 * MB:
        pass
    reading = await asyncio.to_thread(Sampler().read, {1: pid})
    assert reading.workers[1] > 200 * MB
    own = psutil.Process(pid).memory_full_info()
    assert own.uss < 150 * MB


async def transcribed(executor, ears, stage, audio, windows):
    """What a worker of two lanes writes over windows."""
    recipe = Recipe(model="tiny.en", language="en", batch=2, parallel=2)
    executor.start(1, Load(stage=stage, recipe=recipe, lanes=2), ears)
    executor.send(1, Run(work=Work(job=1, media="", audio=str(audio), recipe=recipe, spans=windows)))
    found: dict[Span, Decoded] = {}
    while len(found) < len(windows):
        said = await ears.until((Batch, Failed))
        assert isinstance(said, Batch), said
        found |= {each.span: each for each in said.found}
    executor.kill(1)
    await ears.until(WorkerGone)
    return [found[window] for window in windows]


async def test_a_real_backend_writes_the_same_with_processes_as_with_threads(executor, ears, heart, tmp_path):
    audio = tmp_path / "audio.pcm"
    audio.write_bytes(heart.samples.astype("<i2").tobytes())
    cuts = [(a.end + b.start) // 2 for a, b in pairwise(heart.spans)]
    windows = tuple(Span(a, b) for a, b in pairwise([0, *cuts]))[:4]
    shared = await transcribed(executor, ears, "engine.stages.asr.faster_whisper:FasterWhisper", audio, windows)
    apart = await transcribed(executor, ears, "tests.engine.apart:Apart", audio, windows)
    assert apart == shared
    assert all(found.segments for found in apart)


class Beats:
    def __init__(self, *figures):
        self.heartbeat = Heartbeat(*figures)


def test_heartbeats_are_added_up():
    assert together(Heartbeat(5, 3, 4, 1), [Beats(10, 0, 8), Beats(1, 1, 1, 2)]) == Heartbeat(16, 4, 13, 3)
