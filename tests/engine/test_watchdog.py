"""The watchdog, as stories of the machine."""

import msgspec
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine import stimuli as do
from engine.recipe import FailureKind, Recipe
from engine.states import Done, Frozen
from tests.engine.stories import add, listener, run_until, state, transcriber
from tests.engine.world import World


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def at_work(world: World) -> int:
    """The transcriber, once it has done some batches and is at another."""
    run_until(
        world,
        lambda: (
            len(world.told(ev.BatchDone)) > 2
            and transcriber(world) is not None
            and world.workers[transcriber(world)].lanes
        ),
    )
    return transcriber(world)


def slowest(world: World) -> int:
    """How long the slowest batch took, from its beginning to its end."""
    return max(pace.slowest_ms for pace in world.machine._core.paces.values())


def found_after(world: World, number: int) -> int:
    """How long it takes until the worker is killed, looked at once a second."""
    begun = world.now
    while not world.workers[number].killed:
        world.pass_time(1_000)
        assert world.now - begun < 7_200_000, "it was never found"
    return world.now - begun


@pytest.mark.parametrize("says_nothing", [True, False])
def test_a_hung_worker_is_found_within_three_times_the_slowest_batch_and_ten_seconds(world, says_nothing):
    """Stopped altogether, or alive and at no progress."""
    job = add(world, windows=40, recipe=Recipe(batch=1, parallel=2))
    number = at_work(world)
    world.workers[number].hung = says_nothing
    assert found_after(world, number) <= 3 * slowest(world) + 10_000
    run_until(world, lambda: isinstance(state(world, job), Done))
    failed = world.told(ev.AttemptFailed)[0]
    assert failed.kind is FailureKind.HANG
    assert state(world, job).gaps == 0


def test_a_worker_that_is_slow_but_steady_is_left_alone(world):
    """Each batch takes a little longer than the one before."""
    job = add(world, windows=40, recipe=Recipe(batch=1, parallel=1))
    run_until(world, lambda: listener(world) is None and world.workers[transcriber(world)].ready)
    took = 1_000
    while not isinstance(state(world, job), Done):
        worker = world.workers.get(transcriber(world) or 0)
        if worker is not None and worker.lanes:
            for _ in range(took // 1_000):
                world.pass_time(1_000)
            took = round(took * 1.3)
        run_until(world, lambda: True)
        world.step_workers(1)
        while world.writes:
            world.write()
    assert not world.told(ev.AttemptFailed)


def test_with_nothing_known_only_the_limit_of_the_settings_counts(world):
    world.policy = msgspec.structs.replace(world.policy, transcribe_limit_ms=60_000)
    world.start()
    add(world, windows=40, recipe=Recipe(batch=1, parallel=1))
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    assert 59_000 <= found_after(world, transcriber(world)) <= 62_000


def test_what_earlier_sittings_took_is_known(world):
    recipe = Recipe(batch=1, parallel=1, language="en")
    world.seen = (do.Seen(recipe=recipe, peak=1, slowest_ms=2_000),)
    world.start()
    add(world, windows=40, recipe=recipe)
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    assert found_after(world, transcriber(world)) <= 3 * 2_000 + 10_000


def test_a_batch_in_which_the_language_is_voted_on_may_take_longer(world):
    recipe = Recipe(batch=1, parallel=1)
    world.seen = (do.Seen(recipe=recipe, peak=0, slowest_ms=10_000),)
    world.start()
    job = add(world, windows=20, recipe=recipe)
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    for _ in range(80):
        world.pass_time(1_000)
    assert not world.workers[transcriber(world)].killed
    world.finish(transcriber(world), world.workers[transcriber(world)], faults=False)
    assert world.books[job].language == "de"


def test_a_window_that_was_ended_for_its_slowness_gets_longer_the_next_time(world):
    job = add(world, windows=10, recipe=Recipe(batch=1, parallel=1))
    number = at_work(world)
    slow = world.workers[number].lanes[0][1][0]
    allowed = []
    for _ in range(2):
        allowed.append(found_after(world, number))
        run_until(
            world,
            lambda: (
                transcriber(world) is not None
                and not world.workers[transcriber(world)].killed
                and any(slow in spans for _, spans in world.workers[transcriber(world)].lanes)
            ),
        )
        number = transcriber(world)
    assert allowed[1] > 1.5 * allowed[0]
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert state(world, job).gaps == 0


def test_frozen_time_counts_for_nothing(world):
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    number = at_work(world)
    world.ask(cmd.Pause(job, "freeze"))
    assert isinstance(state(world, job), Frozen)
    world.policy = world.policy
    for _ in range(400):
        world.pass_time(1_000)
    assert not world.workers[number].killed
    world.ask(cmd.Resume(job))
    world.pass_time(1_000)
    assert not world.workers[number].killed
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not world.told(ev.AttemptFailed)


def test_when_the_whole_machine_slept_nobody_is_to_blame(world):
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    number = at_work(world)
    world.now += 8 * 3_600_000
    world.feed(do.Ticked())
    world.pass_time(1_000)
    assert not world.workers[number].killed
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not world.told(ev.AttemptFailed)


def test_a_listener_that_hangs_is_ended_and_listening_goes_on(world):
    job = add(world, windows=20)
    run_until(world, lambda: len(world.told(ev.SpeechHeard)) >= 2)
    number = listener(world)
    world.workers[number].hung = True
    assert found_after(world, number) <= 3 * slowest(world) + 10_000
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert state(world, job).gaps == 0


def test_a_worker_that_does_not_answer_is_ended(world):
    """Alive, but its main thread hangs: it never gives back what it was asked for."""
    job = add(world, windows=40, recipe=Recipe(batch=1, parallel=1))
    number = at_work(world)
    world.ask(cmd.Pause(job))
    worker = world.workers[number]
    while worker.lanes:
        _, spans = worker.lanes.pop(0)
        world.say(number, msg.Batch(job, tuple(msg.Decoded(span=span) for span in spans)))
        world.say(number, msg.Finished(job, tuple(spans)))
    begun = world.now
    while not worker.killed:
        world.pass_time(1_000)
        assert world.now - begun < 120_000
    assert worker.drops, "it was asked"
