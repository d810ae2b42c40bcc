"""The memory governor and the disk, as stories of the machine."""

import msgspec
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine import stimuli as do
from engine.memory import MB
from engine.recipe import FailureKind, Recipe
from engine.states import Done, Failed, Paused, Running
from tests.engine.stories import add, chunks, listener, recipes_told, run_until, sample, state, transcriber
from tests.engine.world import POLICY, WINDOW, World

BUDGET = 600 * MB


@pytest.fixture
def world():
    """A world where only what the test says happens, with a small budget."""
    return World(1, faults=False, budget=BUDGET)


def test_a_recipe_that_will_not_fit_is_made_lighter_before_it_runs(world):
    job = add(world, windows=20, recipe=Recipe(batch=16, parallel=2))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert {(each.recipe.batch, each.recipe.parallel) for each in chunks(world)} == {(4, 2)}
    (told,) = recipes_told(world)
    assert "batch 16 × 2 would take about" in told.reason
    assert "the budget of 600 MB leaves" in told.reason


def test_what_the_user_asks_for_in_mid_job_has_to_fit_too(world):
    job = add(world, windows=20, recipe=Recipe(batch=2, parallel=2))
    run_until(world, lambda: world.books[job].decoded)
    world.ask(cmd.Set(job=job, batch=32))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert max(each.recipe.batch for each in chunks(world)) <= 8
    assert world.books[job].options.recipe.batch == 32  # what was wanted is not forgotten


def test_above_the_soft_limit_the_next_batch_runs_lighter_and_nothing_is_lost(world):
    job = add(world, windows=20, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: len(world.books[job].decoded) > 2)
    sample(world, 0.9 * BUDGET)
    assert recipes_told(world)[-1].recipe.batch == 2
    assert "90% of the budget" in recipes_told(world)[-1].reason
    sample(world, 0.9 * BUDGET)
    assert len(recipes_told(world)) == 1, "the first easing has had no time to show"
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert all(times == 1 for (_, span), times in world.began.items() if span.length == WINDOW - 500)
    assert {each.outcome for each in world.saved_attempts if each.outcome} <= {"done", "stopped"}


def test_if_that_does_not_help_it_goes_on_down(world):
    job = add(world, windows=40, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: world.books[job].decoded)
    for _ in range(40):
        sample(world, 0.9 * BUDGET)
        run_until(world, lambda: True)
        world.step_workers(3)
        if isinstance(state(world, job), Done):
            break
    told = [(each.recipe.batch, each.recipe.parallel) for each in recipes_told(world)]
    assert told[:3] == [(2, 2), (1, 2), (1, 1)]


def test_above_the_hard_limit_the_worker_is_ended_and_the_chunk_tried_lighter(world):
    job = add(world, windows=20, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    sample(world, 1.1 * BUDGET)
    assert world.workers[transcriber(world)].killed
    run_until(world, lambda: isinstance(state(world, job), Done))
    failed = next(each for each in world.told(ev.AttemptFailed))
    assert failed.kind is FailureKind.OOM
    assert "over the budget of 600 MB" in failed.reason
    assert state(world, job).gaps == 0
    assert recipes_told(world)[0].recipe.batch == 2


def test_a_listener_that_leaks_is_ended_and_the_transcriber_spared(world):
    job = add(world, windows=20, recipe=Recipe(batch=2, parallel=2))
    run_until(world, lambda: listener(world) and transcriber(world) and world.workers[transcriber(world)].lanes)
    leaky, innocent = listener(world), transcriber(world)
    workers = {leaky: 420 * MB, innocent: 200 * MB}
    world.feed(do.MemoryRead(tree=660 * MB, available=2**33, workers=workers))
    assert world.workers[leaky].killed
    assert not world.workers[innocent].killed
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert [(each.stage, each.kind) for each in world.told(ev.AttemptFailed)] == [("listen", FailureKind.OOM)]
    assert not recipes_told(world)


def test_a_sample_from_before_a_worker_was_ended_ends_no_other(world):
    """Samples take a moment, in which the one that held too much may have gone."""
    job = add(world, windows=20, recipe=Recipe(batch=2, parallel=2))
    run_until(world, lambda: listener(world) and transcriber(world) and world.workers[transcriber(world)].lanes)
    leaky, innocent = listener(world), transcriber(world)
    stale = do.MemoryRead(tree=660 * MB, available=2**33, workers={leaky: 420 * MB, innocent: 200 * MB})
    world.feed(stale)
    world.end(leaky, FailureKind.OOM)
    world.feed(stale)
    assert not world.workers[innocent].killed
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert [each.stage for each in world.told(ev.AttemptFailed)] == ["listen"]


def test_a_kill_with_no_smaller_load_at_hand_is_tried_again_before_the_job_is_given_up(world):
    """The system may have killed it for what others took: that the model fits is known, or not yet."""
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    for _ in range(POLICY.retries):
        run_until(world, lambda: transcriber(world) is not None)
        world.end(transcriber(world), FailureKind.OOM)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert state(world, job).gaps == 0
    told = world.told(ev.AttemptFailed)
    assert [(each.stage, each.kind, each.spans) for each in told] == [
        ("transcribe", FailureKind.OOM, ())
    ] * POLICY.retries


def test_kills_without_end_fail_the_job_and_say_what_to_do(world):
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    for _ in range(POLICY.retries + 1):
        run_until(world, lambda: transcriber(world) is not None)
        world.end(transcriber(world), FailureKind.OOM)
    assert isinstance(state(world, job), Failed)
    assert "memory.budget" in state(world, job).error


def test_a_sudden_growth_that_a_worker_tells_of_is_acted_upon_before_the_next_sample(world):
    job = add(world, windows=20, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    sample(world, 0.5 * BUDGET)
    number = transcriber(world)
    world.say(number, msg.Heartbeat(0, 0, int(0.9 * BUDGET) + 80 * MB))
    assert world.workers[number].killed
    assert isinstance(state(world, job), Running)


def test_a_growth_that_has_passed_counts_for_what_the_recipe_takes(world):
    """What the device held for a moment, between two looks at the process."""
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1))
    run_until(world, lambda: transcriber(world) is not None and world.books[job].decoded)
    number = transcriber(world)
    world.say(number, msg.Heartbeat(0, 50 * MB, 200 * MB, device_peak=130 * MB))
    attempts = world.machine._core.jobs[job].attempts.values()
    assert {each.peak for each in attempts if each.began is not None} == {280 * MB}
    assert not world.workers[number].killed


def test_what_took_too_much_is_not_climbed_to_again(world):
    job = add(world, windows=60, recipe=Recipe(batch=4, parallel=2, chunk_ms=30_000), chunking="always")
    run_until(world, lambda: world.books[job].decoded)
    sample(world, 0.9 * BUDGET)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert [each.recipe.batch for each in recipes_told(world)] == [2]


def test_after_three_clean_chunks_one_rung_is_climbed_again(world):
    job = add(world, windows=60, recipe=Recipe(batch=4, parallel=2, chunk_ms=30_000), chunking="always")
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    for _ in range(2):
        run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
        world.end(transcriber(world), FailureKind.CRASH)
    lighter = recipes_told(world)[-1]
    assert (lighter.recipe.batch, lighter.recipe.parallel) == (2, 2)
    run_until(world, lambda: isinstance(state(world, job), Done))
    climbed = recipes_told(world)[-1]
    assert climbed.recipe.batch == 4
    assert climbed.reason == "3 clean chunks in a row"


def test_short_of_memory_as_a_whole_the_job_eases_off(world):
    job = add(world, windows=20, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: world.books[job].decoded)
    sample(world, 0.5 * BUDGET, pressure="warning")
    assert not recipes_told(world), "a moment's pressure is none"
    world.pass_time(4_900)
    sample(world, 0.5 * BUDGET, pressure="warning")
    world.pass_time(1_000)
    sample(world, 0.5 * BUDGET, pressure="warning")
    assert "short of memory" in recipes_told(world)[-1].reason


def test_swap_that_grows_while_the_job_runs_is_a_sign_too(world):
    job = add(world, windows=20, recipe=Recipe(batch=4, parallel=2))
    run_until(world, lambda: world.books[job].decoded)
    sample(world, 0.5 * BUDGET, swap=2**30)
    sample(world, 0.5 * BUDGET, swap=2**30 + 513 * MB)
    assert "513 MB" in recipes_told(world)[-1].reason


def test_what_was_seen_earlier_decides_what_fits(world):
    recipe = Recipe(batch=4, parallel=2)
    world.seen = (do.Seen(recipe=recipe, peak=500 * MB, slowest_ms=900),)
    world.start()
    job = add(world, windows=20, recipe=recipe)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert {each.recipe.batch for each in chunks(world)} == {2}


def test_a_full_disk_pauses_the_job_and_it_goes_on_by_itself(world):
    job = add(world, windows=20)
    run_until(world, lambda: world.books[job].decoded)
    world.feed(do.DiskRead(10 * MB))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    assert "only 10 MB left" in state(world, job).reason
    done = len(world.books[job].decoded)
    other = add(world, "/media/other.wav")
    world.pass_time(60_000)
    assert len(world.books[job].decoded) == done
    assert not isinstance(state(world, other), Running)
    assert not world.machine.is_at_rest, "it only waits"
    world.feed(do.DiskRead(70 * MB))
    assert isinstance(state(world, job), Paused), "a little room is soon used up again"
    world.feed(do.DiskRead(200 * MB))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert all(times == 1 for (_, span), times in world.began.items() if span.length == WINDOW - 500)


def test_final_files_wait_for_room_as_well(world):
    job = add(world)
    run_until(world, lambda: any(not each.partial for each in world.writes))
    world.writes = [each for each in world.writes if not each.partial]
    world.writes.clear()
    world.feed(do.WriteFailed(job, False, "Cannot write talk.srt: the disk is full.", True))
    assert state(world, job).reason == "Cannot write talk.srt: the disk is full."
    for _ in range(4):
        world.pass_time(10_000)
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_workers_are_replaced_after_some_chunks(world):
    world.policy = msgspec.structs.replace(world.policy, recycle_chunks=4)
    world.start()
    job = add(world, windows=60, recipe=Recipe(batch=1, parallel=1, chunk_ms=30_000), chunking="always")
    run_until(world, lambda: isinstance(state(world, job), Done))
    ended = [each.reason for each in world.told(ev.WorkerEnded) if "fresh" in each.reason]
    assert len(ended) >= 3
    assert ended[0] == "replaced by a fresh one after 4 chunks"
    assert all(times == 1 for (_, span), times in world.began.items() if span.length == WINDOW - 500)


def test_a_worker_that_leaks_is_replaced(world):
    job = add(world, windows=60, recipe=Recipe(batch=1, parallel=1, chunk_ms=30_000), chunking="always")
    run_until(world, lambda: len(world.told(ev.ChunkDone)) >= 4)
    number = transcriber(world)
    world.say(number, msg.Heartbeat(0, 0, 455 * MB))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert any("since it grew from" in each.reason for each in world.told(ev.WorkerEnded))
