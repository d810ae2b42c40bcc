"""What follows failures, as stories of the machine; most of them found by somebody who tried to break it."""

import msgspec
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine import stimuli as do
from engine.memory import MB
from engine.recipe import FailureKind, Policy, Recipe
from engine.states import ENDED, Done, Failed, Paused, Writing
from engine.timeline import Span
from tests.engine.stories import add, listener, recipes_told, run_one, run_until, sample, state, transcriber
from tests.engine.world import WINDOW, World


@pytest.fixture
def world():
    """A world with no memory budget, where only what the test says happens."""
    return World(1, faults=False, budget=0)


def policy(world: World, **fields) -> None:
    world.policy = Policy(retry_delay_ms=1, **fields)
    world.start()


def in_mid_batch(world: World) -> int:
    run_until(world, lambda: transcriber(world) is not None and world.workers[transcriber(world)].lanes)
    return transcriber(world)


@pytest.mark.parametrize("retries", [0, 3])
def test_however_long_the_ladder_a_lack_of_memory_goes_down_to_its_end_before_it_gives_up(world, retries):
    policy(world, retries=retries)
    job = add(world, windows=60, recipe=Recipe(batch=64, parallel=2))
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        lanes = world.workers[number].lanes if number is not None else []
        if lanes and (lanes[0][0].recipe.batch, lanes[0][0].recipe.parallel) != (1, 1):
            world.end(number, FailureKind.OOM)
        else:
            run_one(world)
    assert state(world, job).gaps == 0
    assert (recipes_told(world)[-1].recipe.batch, recipes_told(world)[-1].recipe.parallel) == (1, 1)


def test_with_no_memory_for_anything_the_job_fails_and_says_what_to_do(world):
    policy(world, retries=1)
    job = add(world, windows=60, recipe=Recipe(batch=4, parallel=2))
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        if number is not None and world.workers[number].lanes:
            world.end(number, FailureKind.OOM)
        else:
            run_one(world)
    assert isinstance(state(world, job), Failed)
    assert "Allow it more (memory.budget in the settings)" in state(world, job).error


def test_a_model_too_large_to_load_gives_way_to_one_that_is_not(world):
    """A smaller batch is no help to weights that do not fit: those rungs are left out."""
    policy(world, retries=1, models={"faster-whisper": ("large-v3", "medium", "small", "tiny")})
    job = add(world, windows=10, recipe=Recipe(model="large-v3", compute_type="float16", batch=8, parallel=1))
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        worker = world.workers.get(number)
        if worker is not None and not worker.ready and worker.load.recipe.model != "small":
            world.say(number, msg.Failed(0, (), FailureKind.OOM, "No room for the weights."))
            world.end(number, FailureKind.CRASH)
        else:
            run_one(world)
    assert isinstance(state(world, job), Done)
    assert [each.recipe.model for each in recipes_told(world)] == ["large-v3", "medium", "small"]


def test_a_machine_that_has_become_slow_is_learned_from(world):
    """All alive, at work, and ten times slower than ever: some batches are ended, and then they are left alone."""
    policy(world, retries=3)
    recipe = Recipe(batch=1, parallel=1)
    world.seen = (do.Seen(recipe=recipe, peak=0, slowest_ms=2_000),)
    world.start()
    job = add(world, windows=12, recipe=recipe)
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        worker = world.workers.get(number)
        if worker is not None and worker.lanes and not worker.killed and listener(world) is None:
            for _ in range(30):
                world.pass_time(1_000)
        run_one(world)
    assert isinstance(state(world, job), Done)
    assert state(world, job).gaps == 0
    assert len(world.told(ev.AttemptFailed)) <= 3


def test_pressure_that_passes_is_forgotten(world):
    """Another program was to blame: when it is gone, the job climbs back to what it ran with."""
    job = add(world, windows=400, recipe=Recipe(batch=4, parallel=2, chunk_ms=30_000), chunking="always")
    run_until(world, lambda: len(world.books[job].decoded) > 5)
    for _ in range(12):
        sample(world, 100 * MB, pressure="warning")
        world.pass_time(1_000)
        world.step_workers(4)
    assert recipes_told(world)
    sample(world, 100 * MB)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert (recipes_told(world)[-1].recipe.batch, recipes_told(world)[-1].recipe.parallel) == (4, 2)


def test_a_hang_right_after_the_machine_slept_is_found_as_soon_as_any(world):
    recipe = Recipe(batch=1, parallel=1)
    world.seen = (do.Seen(recipe=recipe, peak=0, slowest_ms=2_000),)
    world.start()
    add(world, windows=10, recipe=recipe)
    number = in_mid_batch(world)
    world.now += 8 * 3_600_000
    world.say(number, msg.Heartbeat(0))
    world.workers[number].hung = True
    woke = world.now
    while not world.workers[number].killed:
        world.pass_time(1_000)
        assert world.now - woke < 20_000


def test_a_job_that_was_frozen_is_paused_after_a_stop_and_a_start(world):
    job = add(world, windows=20)
    in_mid_batch(world)
    world.ask(cmd.Pause(job, "freeze"))
    world.feed(do.Closing())
    run_until(world, lambda: not world.workers)
    world.start()
    assert state(world, job).how == "parked"
    assert isinstance(state(world, job), Paused)


def test_a_worker_that_says_things_twice_or_of_windows_it_never_got_does_no_harm(world):
    job = add(world, windows=6)
    number = in_mid_batch(world)
    work, spans = world.workers[number].lanes[0]
    decoded = world.decode(work, spans[0])
    world.say(number, msg.Begun(job, (Span(5, 6),)))
    world.say(number, msg.Batch(job, (decoded, decoded)))
    assert list(world.books[job].decoded) == [spans[0]]
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_parking_while_a_model_loads_is_no_hang(world):
    job = add(world, windows=20, recipe=Recipe(model="large-v3"))
    number = transcriber(world)
    world.ask(cmd.Pause(job, "park"))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    run_until(world, lambda: number not in world.workers)
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not world.told(ev.AttemptFailed)


def test_frozen_time_is_no_part_of_what_a_batch_took(world):
    job = add(world, windows=6, recipe=Recipe(batch=1, parallel=1))
    number = in_mid_batch(world)
    world.ask(cmd.Pause(job, "freeze"))
    world.pass_time(300_000)
    world.ask(cmd.Resume(job))
    work, spans = world.workers[number].lanes.pop(0)
    world.now += 500
    world.say(number, msg.Batch(job, (world.decode(work, spans[0]),), 301_000))
    world.say(number, msg.Finished(job, tuple(spans)))
    assert world.told(ev.BatchDone)[-1].took_ms <= 1_000
    assert max(pace.slowest_ms for pace in world.machine._core.paces.values()) < 10_000


def test_a_window_whose_audio_is_always_too_short_is_the_only_gap(world):
    job = add(world, windows=60, recipe=Recipe(batch=8, parallel=2))
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        lanes = world.workers[number].lanes if number is not None else []
        bad = [lane for lane in lanes if any(span.start // WINDOW == 30 for span in lane[1])]
        if bad:
            lanes.remove(bad[0])
            world.say(number, msg.Failed(job, tuple(bad[0][1]), FailureKind.AUDIO, "It ends before."))
        else:
            run_one(world)
    assert [gap.start // WINDOW for gap in world.books[job].gaps] == [30]


def test_what_can_no_longer_be_listened_to_is_a_gap_and_what_was_heard_is_done(world):
    job = add(world, windows=20)
    run_until(world, lambda: len(world.told(ev.SpeechHeard)) == 2)
    heard = world.books[job].heard
    number = listener(world)
    world.workers[number].lanes.clear()
    world.say(number, msg.Failed(job, (Span(heard, heard),), FailureKind.UNUSABLE, "talk.wav: is gone."))
    world.end(number, FailureKind.CRASH)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert set(world.books[job].decoded) == set(world.books[job].windows)
    assert [gap.start for gap in world.books[job].gaps] == [heard]
    assert state(world, job).gaps > 0
    world.ask(cmd.Retry(job))
    run_until(world, lambda: isinstance(state(world, job), Done) and world.books[job].done)
    assert state(world, job).gaps == 0


def test_what_a_listener_still_hears_while_the_files_are_written_is_left_alone(world):
    job = add(world, windows=6)
    run_until(world, lambda: isinstance(state(world, job), Writing))
    before = list(world.books[job].windows)
    world.start()  # its audio is not there after a restart, so that it is listened to again
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert world.books[job].windows == before


def test_delays_grow_and_vary(world):
    world.policy = msgspec.structs.replace(world.policy, retries=6, retry_delay_ms=1_000)
    world.start()
    job = add(world, windows=1, recipe=Recipe(batch=1, parallel=1))
    delays, failed_at = [], None
    while len(delays) < 5:
        number = transcriber(world)
        worker = world.workers.get(number)
        if worker is not None and worker.lanes:
            if failed_at is not None:
                delays.append(world.now - failed_at)
            _, spans = worker.lanes.pop(0)
            failed_at = world.now
            world.say(number, msg.Failed(job, tuple(spans), FailureKind.ERROR, "It went wrong."))
        else:
            run_one(world)
    assert delays == sorted(delays)
    assert delays[-1] > 8 * delays[0] * 0.5


def test_a_lighter_rung_inherits_the_patience_of_its_model(world):
    """A window that always hangs does not cost an hour when it comes to a rung that nothing is known of."""
    policy(world, retries=3)
    job = add(world, windows=12, recipe=Recipe(batch=1, parallel=2))
    waited, since = [], None
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        worker = world.workers.get(number)
        lanes = worker.lanes if worker is not None and not worker.killed else []
        if lanes and any(span.start // WINDOW == 10 for _, spans in lanes for span in spans):
            since = since or world.now
            world.pass_time(1_000)
            if worker.killed:
                waited.append(world.now - since)
                since = None
        else:
            run_one(world)
    assert len(waited) == 4
    assert max(waited) < 300_000
    assert [gap.start // WINDOW for gap in world.books[job].gaps] == [10]


def test_a_last_rung_that_cannot_be_loaded_is_its_windows_own_matter(world):
    policy(world, retries=3)
    job = add(world, windows=12, recipe=Recipe(batch=1, parallel=1, device="cuda", compute_type="float16"))
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        worker = world.workers.get(number)
        if worker is not None and not worker.ready and worker.load.recipe.device == "cpu":
            world.say(number, msg.Failed(0, (), FailureKind.ERROR, "It cannot be loaded."))
            world.end(number, FailureKind.CRASH)
        elif (
            worker is not None
            and worker.lanes
            and any(span.start // WINDOW == 10 for _, spans in worker.lanes for span in spans)
        ):
            world.end(number, FailureKind.OOM)
        else:
            run_one(world)
    assert isinstance(state(world, job), Done)
    assert [gap.start // WINDOW for gap in world.books[job].gaps] == [10]


def test_a_disk_that_is_full_before_a_job_begins_is_told(world):
    world.feed(do.DiskRead(MB))
    job = add(world)
    assert "only 1 MB left" in state(world, job).reason
    world.feed(do.DiskRead(2**40))
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_one_lack_of_memory_costs_one_rung_and_no_window_is_singled_out(world):
    policy(world, retries=3)
    job = add(world, windows=200, recipe=Recipe(batch=8, parallel=2))
    in_mid_batch(world)
    world.end(transcriber(world), FailureKind.OOM)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert all(each.windows > 1 for each in world.told(ev.ChunkStarted)[:-1])
    assert [each.recipe.batch for each in recipes_told(world)][:1] == [4]


@pytest.mark.parametrize("kind", [FailureKind.ERROR, FailureKind.CRASH])
def test_with_no_retries_a_gap_is_still_only_one_window_long(world, kind):
    policy(world, retries=0)
    job = add(world, windows=40, recipe=Recipe(batch=8, parallel=1))
    run_until(world, lambda: world.books[job].decoded)
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        lanes = world.workers[number].lanes if number is not None else []
        if lanes and any(span.start // WINDOW == 30 for span in lanes[0][1]):
            if kind is FailureKind.CRASH:
                world.end(number, kind)
            else:
                _, spans = lanes.pop(0)
                world.say(number, msg.Failed(job, tuple(spans), kind, "It went wrong."))
        else:
            run_one(world)
    assert [gap.start // WINDOW for gap in world.books[job].gaps] == [30]


def test_a_cancelled_job_that_hangs_does_not_keep_the_others_waiting(world):
    """Nothing is known of its batches yet, so that nobody would end it for an hour."""
    job, other = add(world, windows=20), add(world, "/media/other.wav")
    number = in_mid_batch(world)
    world.workers[number].hung = True
    world.ask(cmd.Cancel(job))
    begun = world.now
    run_until(world, lambda: number not in world.workers)
    assert world.now - begun < 60_000
    run_until(world, lambda: isinstance(state(world, other), Done))


def test_workers_killed_while_they_load_change_nothing_at_first(world):
    policy(world, retries=3, models={"faster-whisper": ("small", "tiny")})
    job = add(world, windows=10, recipe=Recipe(model="small", parallel=1))
    world.end(transcriber(world), FailureKind.OOM)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not [each for each in recipes_told(world) if each.recipe.model != "small"]


def test_an_implausible_text_is_kept_when_its_window_can_be_tried_no_more(world):
    """The further tries crash: a doubtful text is better than a gap."""
    policy(world, retries=1)
    job = add(world, windows=12, recipe=Recipe(batch=1, parallel=1))
    run_until(world, lambda: world.books[job].decoded)
    while not isinstance(state(world, job), ENDED):
        number = transcriber(world)
        lanes = world.workers[number].lanes if number is not None else []
        bad = [lane for lane in lanes if lane[1][0].start // WINDOW == 10]
        if bad and bad[0][0].recipe.temperature:
            world.end(number, FailureKind.CRASH)
        elif bad:
            lanes.remove(bad[0])
            doubtful = msgspec.structs.replace(world.decode(*(bad[0][0], bad[0][1][0])), doubt="it repeats itself")
            world.say(number, msg.Batch(job, (doubtful,)))
            world.say(number, msg.Finished(job, tuple(bad[0][1])))
        else:
            run_one(world)
    assert state(world, job).gaps == 0
    assert [each.span.start // WINDOW for each in world.told(ev.TextDoubted)] == [10]


def test_a_listener_that_hangs_after_its_job_was_cancelled_does_not_keep_the_others_waiting(world):
    job, other = add(world, windows=20), add(world, "/media/other.wav")
    run_until(world, lambda: world.workers[listener(world)].lanes)
    number = listener(world)
    world.workers[number].ready = True
    world.workers[number].hung = True
    begun = world.now
    world.ask(cmd.Cancel(job))
    run_until(world, lambda: number not in world.workers)
    assert world.now - begun < 90_000
    run_until(world, lambda: isinstance(state(world, other), Done))


def test_the_failure_of_a_whole_stage_is_an_attempt_in_the_ledger(world):
    job = add(world, windows=6)
    number = listener(world)
    run_until(world, lambda: world.workers[number].lanes)
    world.end(number, FailureKind.CRASH)
    run_until(world, lambda: isinstance(state(world, job), Done))
    (failed,) = [each for each in world.saved_attempts if each.outcome == "crash"]
    assert (failed.stage, failed.windows, failed.reason) == ("listen", 0, "it died")
