"""Recordings shorter than was asked for: nothing is spent on them; what a header says does not count."""

import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.messages import Track
from engine.recipe import FailureKind
from engine.states import Cancelled, Done, Running
from engine.timeline import Span
from tests.engine.stories import add, listener, run_until, state, transcriber
from tests.engine.world import WINDOW, World


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def loads(world: World) -> list[ev.WorkerStarted]:
    """The models that were loaded."""
    return [each for each in world.told(ev.WorkerStarted) if each.stage == "transcribe"]


def probe(world: World, job: int, duration: int) -> None:
    """The file's header says how long it is."""
    track = Track(index=0, codec="mp3", rate=8_000, channels=1)
    probed = msg.Probed(container="mp3", tracks=(track,), chosen=0, duration=duration, offset=0)
    world.say(listener(world), msg.Batch(job, (probed,)))


def test_a_short_recording_is_cancelled_with_both_lengths_before_a_model_is_loaded(world):
    job = add(world, windows=7, min_duration_ms=90_500)
    run_until(world, lambda: isinstance(state(world, job), Cancelled))
    assert world.told(ev.Warning) == [
        ev.Warning(
            job,
            "The recording is 70 s long and only those of at least 90.5 s were asked for, "
            "so it is not transcribed; retry it to have it done all the same.",
        )
    ]
    assert not loads(world)
    assert not world.attempts
    run_until(world, lambda: not world.workers)


def test_a_header_that_promises_more_is_not_believed(world):
    job = add(world, windows=2, min_duration_ms=60_000)
    probe(world, job, 200_000)
    run_until(world, lambda: isinstance(state(world, job), Cancelled))
    assert not loads(world)


def test_a_header_that_promises_less_is_not_believed_either(world):
    job = add(world, windows=12, min_duration_ms=60_000)
    probe(world, job, 40_000)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert len(world.books[job].decoded) == len(world.books[job].windows)


def test_a_model_is_loaded_as_soon_as_enough_was_heard(world):
    job = add(world, windows=20, min_duration_ms=5 * WINDOW)
    run_until(world, lambda: world.books[job].heard > 0)
    assert world.books[job].heard < 5 * WINDOW
    assert not loads(world)
    run_until(world, lambda: loads(world))
    assert 5 * WINDOW <= world.books[job].heard < 20 * WINDOW
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_just_long_enough_is_long_enough(world):
    job = add(world, windows=7, min_duration_ms=7 * WINDOW)
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_a_warm_model_of_another_job_gets_nothing_of_it(world):
    first = add(world, windows=3)
    short = add(world, "/media/short.wav", windows=2, min_duration_ms=60_000)
    last = add(world, "/media/last.wav", windows=3)
    run_until(world, lambda: isinstance(state(world, last), Done))
    assert isinstance(state(world, first), Done)
    assert isinstance(state(world, short), Cancelled)
    assert {each.job for each in world.told(ev.ChunkStarted)} == {first, last}
    assert len(loads(world)) == 1


def test_retried_it_is_done_all_the_same(world):
    job = add(world, windows=3, min_duration_ms=60_000)
    run_until(world, lambda: isinstance(state(world, job), Cancelled))
    assert world.ask(cmd.Retry(job)) is None
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert world.books[job].options.min_duration_ms == 0


def test_a_retry_of_what_nobody_knows_to_be_short_keeps_the_minimum(world):
    job = add(world, windows=3, min_duration_ms=60_000)
    world.ask(cmd.Cancel(job))
    world.ask(cmd.Retry(job))
    run_until(world, lambda: isinstance(state(world, job), Cancelled))
    assert world.told(ev.Warning)


def test_a_restart_finds_out_as_well(world):
    job = add(world, windows=5, min_duration_ms=60_000)
    run_until(world, lambda: world.books[job].heard > 0)
    world.start()
    run_until(world, lambda: isinstance(state(world, job), Cancelled))
    assert not loads(world)


def test_of_a_file_that_cannot_be_heard_to_its_end_nobody_knows_how_long_it_was(world):
    """What was heard of it is done, and the rest is a gap, as for any other."""
    job = add(world, windows=20, min_duration_ms=100_000)
    run_until(world, lambda: world.books[job].heard > 0)
    heard = world.books[job].heard
    number = listener(world)
    world.workers[number].lanes.clear()
    world.say(number, msg.Failed(job, (Span(heard, heard + 1),), FailureKind.UNUSABLE, "The disk was unplugged."))
    assert isinstance(state(world, job), Running)
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert transcriber(world) is not None
    assert state(world, job).gaps
    assert not world.told(ev.Warning)


async def test_for_a_short_recording_no_model_is_ever_loaded(bench, media):
    path, long = media("short.media", windows=3), media("long.media", windows=6)
    async with bench() as b:
        short = await b.add(path, min_duration_ms=40_000)
        assert isinstance(await b.ended(short), Cancelled)
        assert [each.stage for each in b.said(ev.WorkerStarted)] == ["listen"]
        assert "30 s long and only those of at least 40 s" in b.view.job(short).warnings[0]
        job = await b.add(long, min_duration_ms=40_000)
        assert isinstance(await b.ended(job), Done)
    assert {each.name for each in path.parent.glob("short*")} == {"short.media"}
