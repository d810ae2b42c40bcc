"""Pause, freeze and park, as stories of the machine."""

import msgspec
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine import stimuli as do
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Frozen, Paused, Pausing, Queued, Running
from tests.engine.stories import add, run_until, sample, state, transcriber
from tests.engine.world import WINDOW, World


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def in_mid_batch(world: World, job: int) -> int:
    """The transcriber, once it has done something and is at more."""
    run_until(
        world,
        lambda: world.books[job].decoded and transcriber(world) is not None and world.workers[transcriber(world)].lanes,
    )
    return transcriber(world)


def begun_twice(world: World) -> set:
    return {span for (_, span), times in world.began.items() if times > 1 and span.length == WINDOW - 500}


def test_freeze_stops_at_once_and_resume_goes_on_in_mid_batch(world):
    job, other = add(world, windows=20), add(world, "/media/other.wav")
    number = in_mid_batch(world, job)
    under_way = [list(spans) for _, spans in world.workers[number].lanes]
    assert world.ask(cmd.Pause(job, "freeze")) is None
    assert isinstance(state(world, job), Frozen)
    assert world.workers[number].frozen
    done = len(world.books[job].decoded)
    for _ in range(20):
        world.pass_time(1_000)
    assert len(world.books[job].decoded) == done
    assert isinstance(state(world, other), Queued), "a frozen machine does nothing else"
    world.ask(cmd.Resume(job))
    assert not world.workers[number].frozen
    assert [list(spans) for _, spans in world.workers[number].lanes] == under_way
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not begun_twice(world)


def test_park_ends_the_worker_after_its_batches_and_nothing_is_lost(world):
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "park"))
    assert isinstance(state(world, job), Pausing)
    run_until(world, lambda: isinstance(state(world, job), Paused))
    run_until(world, lambda: number not in world.workers)
    assert state(world, job).how == "parked"
    assert world.told(ev.WorkerEnded)[-1].reason == "parked: its memory is given back"
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not begun_twice(world)


def test_a_paused_job_keeps_its_model_until_it_is_parked_by_itself(world):
    world.policy = msgspec.structs.replace(world.policy, keep_warm_ms=5_000, park_after_ms=60_000)
    world.start()
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    for _ in range(50):
        world.pass_time(1_000)
    assert not world.workers[number].released, "paused is no idleness"
    for _ in range(15):
        world.pass_time(1_000)
    run_until(world, lambda: number not in world.workers)
    assert state(world, job).how == "parked"


def test_a_frozen_job_is_parked_by_itself_without_being_woken(world):
    world.policy = msgspec.structs.replace(world.policy, park_after_ms=60_000)
    world.start()
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    for _ in range(62):
        world.pass_time(1_000)
    assert world.workers[number].killed
    run_until(world, lambda: isinstance(state(world, job), Paused))
    assert state(world, job).how == "parked"
    assert not world.told(ev.AttemptFailed), "nobody is to blame"
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert state(world, job).gaps == 0


@pytest.mark.parametrize("how", ["pause", "park"])
def test_a_frozen_job_can_be_paused_or_parked_after_all(world, how):
    job = add(world, windows=20)
    in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    world.ask(cmd.Pause(job, how))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    assert state(world, job).how == ("parked" if how == "park" else "warm")
    assert not any(worker.frozen for worker in world.workers.values())
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not begun_twice(world)


def test_a_paused_job_can_be_parked(world):
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    world.ask(cmd.Pause(job, "park"))
    run_until(world, lambda: number not in world.workers)
    assert state(world, job).how == "parked"


def test_a_frozen_job_can_be_cancelled_and_the_queue_goes_on(world):
    job, other = add(world, windows=20), add(world, "/media/other.wav")
    in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    world.ask(cmd.Cancel(job))
    assert isinstance(state(world, job), Cancelled)
    run_until(world, lambda: isinstance(state(world, other), Done))


def test_a_frozen_worker_that_dies_costs_its_batch_and_nothing_else(world):
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    world.end(number, FailureKind.OOM)
    assert isinstance(state(world, job), Frozen)
    world.ask(cmd.Resume(job))
    assert isinstance(state(world, job), Running)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert state(world, job).gaps == 0


def test_after_a_restart_a_frozen_job_is_paused(world):
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    world.start()
    assert state(world, job) == Paused(world.now, "parked")
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_an_engine_that_closes_thaws_its_workers_so_that_they_can_finish(world):
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job, "freeze"))
    before = len(world.books[job].decoded)
    world.feed(do.Closing())
    assert not world.workers[number].frozen
    run_until(world, lambda: not world.workers)
    assert len(world.books[job].decoded) > before


@pytest.mark.parametrize("pressure", ["normal", "critical"])
def test_a_model_kept_warm_is_given_back_when_memory_is_short(world, pressure):
    """Over the budget, or because the system is at its end: nobody needs it just now."""
    job = add(world, windows=20)
    number = in_mid_batch(world, job)
    world.ask(cmd.Pause(job))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    sample(world, 2 * world.budget if pressure == "normal" else 1, pressure=pressure)
    run_until(world, lambda: number not in world.workers)
    assert state(world, job).how == "parked"
    assert world.told(ev.WorkerEnded)[-1].reason == "its memory was needed"


def loading(world: World, model: str) -> int:
    """The transcriber of a job that was just added with a model, as it downloads that."""
    add(world, windows=20, recipe=Recipe(language="en", model=model))
    run_until(world, lambda: transcriber(world) is not None)
    world.say(transcriber(world), msg.Fetching(model, 1, 1_000))
    return transcriber(world)


def test_a_model_that_loads_for_a_cancelled_job_is_not_waited_for(world):
    number = loading(world, "large-v3")
    world.ask(cmd.Cancel(1))
    assert world.workers[number].killed
    other = add(world, "/media/other.wav")
    run_until(world, lambda: isinstance(state(world, other), Done))
    assert not world.told(ev.AttemptFailed)
    assert ev.WorkerEnded(number, "no longer needed") in world.told(ev.WorkerEnded)


@pytest.mark.parametrize("command", [cmd.Cancel(1), cmd.Pause(1)])
def test_nor_is_one_that_the_next_job_has_no_use_for(world, command):
    number = loading(world, "large-v3")
    other = add(world, "/media/other.wav")
    world.ask(command)
    run_until(world, lambda: number not in world.workers or world.workers[number].killed)
    assert not world.workers[number].ready
    run_until(world, lambda: isinstance(state(world, other), Done))


def test_one_that_the_next_job_asks_for_too_is_loaded_for_that(world):
    number = loading(world, "large-v3")
    other = add(world, "/media/other.wav", recipe=Recipe(language="en", model="large-v3"))
    world.ask(cmd.Cancel(1))
    run_until(world, lambda: isinstance(state(world, other), Done))
    assert [each.worker for each in world.told(ev.WorkerStarted) if each.stage == "transcribe"] == [number]


def test_an_engine_that_closes_does_not_wait_for_a_model(world):
    number = loading(world, "large-v3")
    world.feed(do.Closing())
    assert world.workers[number].killed
    run_until(world, lambda: not world.workers)
    world.start()
    run_until(world, lambda: isinstance(state(world, 1), Done))
    assert not world.told(ev.AttemptFailed)
