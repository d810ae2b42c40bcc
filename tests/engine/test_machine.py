"""The machine in thousands of random histories, and in the few that tell its story."""

import msgspec
import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Failed, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.timeline import Span
from engine.view import fold_all
from tests.engine.stories import add, run_one, run_until, state
from tests.engine.world import WINDOW, World

HISTORIES = 10_000
BLOCKS = 20


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_histories_keep_every_invariant(block):
    """Commands, batches, deaths, memory samples, restarts and the clock, in any order: nothing lost, nothing twice."""
    size = HISTORIES // BLOCKS
    for seed in range(block * size, (block + 1) * size):
        world = World(seed)
        try:
            for _ in range(40):
                world.step()
            world.settle()
            world.check_end()
        except Exception as error:
            raise AssertionError(f"history {seed}") from error


def test_without_faults_no_window_is_begun_twice():
    """Pauses, parameter changes and moves alone never cost a window's work; only a cancellation or restart may."""
    for seed in range(500):
        world = World(seed, faults=False)
        for _ in range(60):
            world.step()
        cancelled = {entry.event.job for entry in world.entries if _is_cancelled(entry.event)}
        began = [*world.began.items(), *world.began_aligning.items()]
        twice = {job for (job, _), times in began if times > 1} - _listened(world)
        assert twice <= cancelled, f"history {seed}"


def _listened(world: World) -> set[int]:
    return {job for (job, span), times in world.began.items() if times > 1 and span.length != WINDOW - 500}


def _is_cancelled(event: ev.Event) -> bool:
    return isinstance(event, ev.JobChanged) and isinstance(event.state, Cancelled)


def test_the_view_is_the_same_from_the_start_and_from_any_later_sitting():
    """A sitting begins with telling everything anew, so a fold over all events ends where one over the last does.

    Only the log goes on from sitting to sitting.
    """
    for seed in range(300):
        world = World(seed)
        for _ in range(60):
            world.step()
        starts = [n for n, entry in enumerate(world.entries) if isinstance(entry.event, ev.EngineStarted)]
        whole = fold_all(world.entries)
        last = fold_all(world.entries[starts[-1] :])
        assert msgspec.structs.replace(whole, log=()) == msgspec.structs.replace(last, log=())
        assert whole.log[len(whole.log) - len(last.log) :] == last.log
        states = {job.id: Queued() if isinstance(job.state, Stopped) else job.state for job in whole.jobs}
        assert states == {number: book.state for number, book in world.books.items()}
        for job in whole.jobs:
            assert set(job.running) <= set(job.running)
            if isinstance(job.state, Running):
                assert job.covered_ms == sum(span.length for span in world.books[job.id].decoded)


# ---- stories


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def test_a_job_runs_from_queue_to_files(world):
    job = add(world)
    assert isinstance(state(world, job), Running)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert set(world.books[job].decoded) == set(world.books[job].windows)
    assert state(world, job).gaps == 0


def test_silence_is_done_with_nothing(world):
    job = add(world, windows=0)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert world.books[job].windows == []


def test_only_one_job_runs_and_the_model_stays_warm_for_the_next(world):
    first, second = add(world), add(world, "/media/other.wav")
    assert isinstance(state(world, second), Queued)
    run_until(world, lambda: isinstance(state(world, second), Done))
    starts = [e.event for e in world.entries if isinstance(e.event, ev.WorkerStarted)]
    assert [each.stage for each in starts].count("transcribe") == 1
    assert isinstance(state(world, first), Done)


def test_pause_lets_the_batches_under_way_finish_and_resume_goes_on(world):
    job = add(world, windows=20)
    run_until(world, lambda: world.books[job].decoded)
    world.ask(cmd.Pause(job))
    assert isinstance(state(world, job), Pausing)
    run_until(world, lambda: isinstance(state(world, job), Paused))
    at_pause = len(world.books[job].decoded)
    for _ in range(30):
        world.pass_time(1_000)
    assert len(world.books[job].decoded) == at_pause < len(world.books[job].windows)
    world.ask(cmd.Resume(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert all(times == 1 for (_, span), times in world.began.items() if span.length == WINDOW - 500)


def test_new_parameters_are_in_force_after_the_batches_under_way(world):
    job = add(world, windows=20, recipe=Recipe(batch=1, parallel=1, chunk_ms=300_000))
    run_until(world, lambda: world.books[job].decoded)
    world.ask(cmd.Set(job=job, chunk_ms=30_000, batch=2))
    run_until(world, lambda: isinstance(state(world, job), Done))
    chunks = [e.event for e in world.entries if isinstance(e.event, ev.ChunkStarted)]
    assert chunks[0].recipe.batch == 1
    assert {chunk.recipe.batch for chunk in chunks[1:]} == {2}
    assert all(chunk.span.length <= 30_000 for chunk in chunks[1:])


def test_an_impossible_parameter_is_refused_in_a_sentence(world):
    job = add(world)
    assert world.ask(cmd.Set(job=job, batch=0)) == "A batch can be 1 to 64 windows, not 0."
    assert "30 to 3600 seconds" in world.ask(cmd.Set(job=job, chunk_ms=1_000))
    assert world.ask(cmd.Pause(77)) == "There is no job 77."


def test_a_window_that_always_fails_becomes_a_gap_and_the_rest_is_done(world):
    job = add(world, windows=12, recipe=Recipe(batch=2, parallel=1))
    poison = None
    while not isinstance(state(world, job), Done):
        worker = next((w for w in world.workers.values() if not w.listens and w.lanes), None)
        if worker is not None:
            work, spans = worker.lanes[0]
            poison = poison or spans[-1]
            if poison in spans:
                number = next(n for n, w in world.workers.items() if w is worker)
                worker.lanes.pop(0)
                world.say(number, msg.Failed(work.job, tuple(spans), FailureKind.ERROR, "poison"))
                continue
        run_one(world)
    book = world.books[job]
    assert book.gaps == (poison,)
    assert set(book.decoded) == set(book.windows) - {poison}
    assert book.state.gaps == poison.length
    world.ask(cmd.Retry(job))
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert world.books[job].gaps == ()
    assert state(world, job).gaps == 0


def test_a_worker_that_always_dies_ends_the_job_with_its_reason(world):
    job = add(world)
    for _ in range(200):
        if isinstance(state(world, job), Failed):
            break
        number = next((n for n, w in world.workers.items() if not w.listens and w.lanes), None)
        if number is not None:
            world.end(number, FailureKind.CRASH)
        else:
            run_one(world)
    assert isinstance(state(world, job), Failed | Done)
    if isinstance(state(world, job), Failed):
        assert "it died" in state(world, job).error


def test_unusable_media_fails_at_once_and_the_queue_goes_on(world):
    first, second = add(world), add(world, "/media/good.wav")
    number = next(n for n, w in world.workers.items() if w.listens)
    world.say(number, msg.Failed(first, (), FailureKind.UNUSABLE, "It is a text file."))
    assert state(world, first) == Failed(world.now, "It is a text file.")
    run_until(world, lambda: isinstance(state(world, second), Done))


def test_the_same_file_again_goes_on_where_it_was(world):
    job = add(world, windows=20)
    run_until(world, lambda: len(world.books[job].decoded) > 3)
    world.ask(cmd.Cancel(job))
    kept = set(world.books[job].decoded)
    assert add(world, windows=20) == job
    run_until(world, lambda: isinstance(state(world, job), Done))
    again = {span for (_, span), times in world.began.items() if times > 1 and span.length == WINDOW - 500}
    assert not again & kept


def test_a_restart_takes_up_what_the_ledger_has(world):
    job = add(world, windows=20)
    run_until(world, lambda: len(world.books[job].decoded) > 3)
    kept = set(world.books[job].decoded)
    world.start()
    world.began.clear()
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not {span for _, span in world.began} & kept


def test_an_idle_worker_gives_its_memory_back(world):
    job = add(world)
    run_until(world, lambda: isinstance(state(world, job), Done))
    run_until(world, lambda: not world.workers)
    ended = [e.event for e in world.entries if isinstance(e.event, ev.WorkerEnded)]
    assert ended[-1].reason == "no longer needed"


def test_the_order_of_the_queue_outlives_removals_and_restarts(world):
    for number in range(6):
        add(world, f"/media/{number}.wav")
    for number in range(1, 6):
        world.ask(cmd.Pause(number))
    for number in (2, 3):
        world.ask(cmd.Cancel(number))
        assert world.ask(cmd.Remove(number)) is None
    last = add(world, "/media/last.wav")
    order = [number for number, _ in sorted(world.books.items(), key=lambda each: each[1].position)]
    world.start()
    told = [entry.event.job for entry in world.entries if isinstance(entry.event, ev.JobAdded)]
    assert told[-len(order) :] == order == [1, 4, 5, 6, last]


def test_partial_files_that_cannot_be_written_are_complained_of_once(world):
    job = add(world, windows=20)
    for _ in range(3):
        run_until(world, lambda: world.writes)
        world.write(fails=True)
    warnings = [entry.event for entry in world.entries if isinstance(entry.event, ev.Warning)]
    assert warnings == [ev.Warning(job, "no space")]


def test_a_model_that_fails_to_load_does_not_matter_to_a_silent_file(world):
    job = add(world, windows=0)
    loading = next(number for number, worker in world.workers.items() if not worker.listens)
    listening = next(number for number, worker in world.workers.items() if worker.listens)
    heard = msg.Heard(span=Span(0, 5), last=True)
    world.say(listening, msg.Batch(job, (heard,)))
    assert isinstance(state(world, job), Writing)
    world.say(loading, msg.Failed(0, (), FailureKind.UNUSABLE, "The weights are damaged."))
    assert isinstance(state(world, job), Writing)
    world.write()
    assert isinstance(state(world, job), Done)


def test_adding_a_file_again_that_is_about_to_pause_lets_it_go_on(world):
    job = add(world, windows=20)
    run_until(world, lambda: world.books[job].decoded and any(w.lanes for w in world.workers.values()))
    world.ask(cmd.Pause(job))
    assert isinstance(state(world, job), Pausing)
    assert add(world, windows=20) == job
    run_until(world, lambda: isinstance(state(world, job), Done))
