"""What workers do wrong in mid-job, with the real engine, real workers and real audio."""

import contextlib
import itertools
import json
import os
import re
import signal
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from engine import events as ev
from engine.events import Entry
from engine.executors.logs import LOG_LIMIT, TAIL
from engine.memory import MB
from engine.recipe import FailureKind
from engine.sampler import Sampler
from engine.states import Done
from tests.e2e.scene import POLICY, Scene, Story, true

# ---- what the transcriber does


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "is_fatal", "is_lighter"),
    [
        ("raise", FailureKind.ERROR, "The stage raised ValueError: a fault that was ordered.", False, False),
        ("lack", FailureKind.OOM, "Not enough memory: a lack that was ordered.", False, True),
        ("kill", FailureKind.OOM, "The worker was killed, as the system does", True, True),
        ("garbage", FailureKind.ERROR, "The worker sent something that is no message", True, False),
    ],
)
async def test_a_fault_costs_a_try(scene: Scene, fair: Story, fault, kind, reason, is_fatal, is_lighter):
    """An exception, a lack of memory, a kill, and nonsense: each is told, and nothing is lost."""
    scene.orders.give(fault, 10_000)
    async with scene.at_work() as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    follows = "again in 0.1 s, lighter" if is_lighter else "alone again in 0.1 s, try 2 of 4"
    scene.check_told(kind, re.escape(reason), follows=follows)
    assert [each.startswith(reason) for each in scene.ends()] == [True] * is_fatal
    assert [(batch, parallel) for batch, parallel, _ in scene.changes()] == [(1, 2)] * is_lighter
    assert all(why.startswith(reason) for _, _, why in scene.changes())


async def test_a_crash_is_tried_again_as_it_was_and_the_next_one_lighter(scene: Scene, fair: Story):
    scene.orders.give("segv", 10_000)
    scene.orders.give("segv", 30_000)
    async with scene.at_work() as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert scene.ends() == ["The worker crashed (SIGSEGV)."] * 2
    assert len(scene.check_told(FailureKind.CRASH, r"The worker crashed \(SIGSEGV\).")) == 2
    assert scene.changes()[0] == (1, 2, "The worker crashed (SIGSEGV).")
    assert all(why.endswith(ev.CLEAN) for _, _, why in scene.changes()[1:])


async def test_a_window_that_fails_each_time_is_a_gap_and_nothing_else_is(scene: Scene, fair: Story):
    poisoned = fair.windows[3]
    scene.folder.joinpath(f"talk.wav.poison-{poisoned.start}").touch()
    async with scene.at_work(policy=msgspec.structs.replace(POLICY, retry_delay_ms=10)) as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at, gaps=poisoned.length)
    scene.check(fair, gaps=(poisoned,))
    told = scene.check_told(FailureKind.ERROR, "The stage raised RuntimeError: this window is poison.")
    assert sum(poisoned in each.spans for each in told) == 4
    assert told[-1].spans == (poisoned,)
    assert told[-1].follows == "left as a gap"
    gaps = json.loads((scene.out / "talk.json").read_text())["gaps"]
    assert [(round(each["start"] * 1000), round(each["end"] * 1000)) for each in gaps] == [
        (poisoned.start, poisoned.end)
    ]


async def test_a_worker_that_takes_too_much_memory_is_ended_at_the_budget(scene: Scene, fair: Story):
    """The hog grows by 32 MB at a time, page by page: the governor sees it grow, and ends it near the budget."""
    budget = Sampler().read({}).tree + 700 * MB
    scene.orders.give("hog", 10_000)
    async with scene.at_work(budget=budget) as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    reason = f"over the budget of {budget / MB:.0f} MB"
    scene.check_told(FailureKind.OOM, reason)
    assert [reason in each for each in scene.ends()] == [True]
    assert scene.changes()[0][:2] == (1, 2)
    assert max(each["peak"] for each in scene.attempts()) < 1.5 * budget


async def test_a_listener_that_takes_too_much_memory_is_ended_and_not_the_transcriber(scene, fair: Story):
    budget = Sampler().read({}).tree + 800 * MB
    scene.orders.give("hog", 20_000, stage="listen")
    async with scene.at_work(budget=budget) as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    reason = f"over the budget of {budget / MB:.0f} MB"
    scene.check_told(FailureKind.OOM, reason, stage="listen")
    assert [reason in each for each in scene.ends()] == [True]
    outcomes = {each["outcome"] for each in scene.attempts() if each["stage"] == "transcribe"}
    assert outcomes <= {"done", "stopped"}


async def test_floods_of_print_go_to_a_log_that_stays_small(scene: Scene, fair: Story):
    scene.orders.give("flood", 10_000)
    scene.orders.give("flood", 20_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
        # The logs are cut once a second, as long as there are workers.
        await true(lambda: sum(each.stat().st_size for each in scene.home.logs.iterdir()) <= 2 * (LOG_LIMIT + TAIL))
    scene.check(fair)
    assert not scene.told(ev.AttemptFailed)


async def test_children_that_are_left_behind_end_with_their_worker(scene: Scene, fair: Story):
    """One in the worker's group and one in a session of its own: left by one that crashes, and by one that ends."""
    families = [scene.orders.give("children", 0), scene.orders.give("children", 40_000)]
    scene.orders.give("segv", 10_000)
    async with scene.at_work() as hand:
        await hand.add()
        await hand.until(lambda event: isinstance(event, ev.WorkerEnded) and "SIGSEGV" in event.reason)
        assert living(families[0]) == []
        assert await hand.ended() == Done(hand.entries[-1].at)
        assert len(living(families[1])) == 2
    assert living(families[1]) == []
    scene.check(fair)
    scene.check_told(FailureKind.CRASH, "SIGSEGV")


def living(family: Path) -> list[int]:
    """Which of the processes that a worker has started still live."""
    found = []
    for pid in map(int, family.read_text().split()):
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


# ---- hangs


HUNG = r"^The worker (gave no sign of life|made no progress) for \d+ s"


def slowest(entries: list[Entry], kind: type = ev.BatchDone) -> int:
    """How long the slowest batch, or stretch of listening, took, in milliseconds."""
    if kind is ev.BatchDone:
        return max(entry.event.took_ms for entry in entries if isinstance(entry.event, kind))
    times = [entry.at for entry in entries if isinstance(entry.event, ev.WorkerReady | kind)]
    return max(later - sooner for sooner, later in itertools.pairwise(times))


async def test_a_worker_that_is_stopped_from_outside_is_found_soon(scene: Scene, fair: Story):
    """It shows no sign of life: that is found within three times the slowest batch and 10 s."""
    async with scene.at_work() as hand:
        await hand.add()
        await hand.until_committed(2)
        os.kill(hand.worker("transcribe"), signal.SIGSTOP)
        stopped_at = time.time_ns() // 1_000_000
        found = await hand.until(lambda event: isinstance(event, ev.AttemptFailed))
        assert found.at - stopped_at <= 3 * slowest(hand.entries) + 10_000
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    scene.check_told(FailureKind.HANG, HUNG)
    assert len(scene.ends()) == 1


async def test_work_without_progress_is_found_soon_though_the_worker_lives(scene: Scene, fair: Story):
    """A lane that spins, and at the same time a listener that is stopped: both are found as soon."""
    spin = scene.orders.give("spin", 20_000)
    stop = scene.orders.give("stop", 30_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    for stage, order, kind in (("transcribe", spin, ev.BatchDone), ("listen", stop, ev.SpeechHeard)):
        told = scene.check_told(FailureKind.HANG, HUNG, stage=stage)
        found = next(entry for entry in hand.entries if entry.event == told[0])
        before = [entry for entry in hand.entries if entry.seq < found.seq]
        hung_at = order.stat().st_ctime_ns // 1_000_000
        assert found.at - hung_at <= 3 * slowest(before, kind) + 10_000, stage
