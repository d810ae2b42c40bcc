"""What an earlier sitting left unfinished, in one that does not go on with it by itself."""

import pytest

from engine import commands as cmd
from engine import events as ev
from engine.machine import Machine
from engine.machine import stimuli as do
from engine.recipe import Recipe
from engine.states import Cancelled, Done, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.view import fold_all
from tests.engine.stories import add, run_until, state
from tests.engine.world import World

LEFT = [Queued(), Running(5), Writing(5), Pausing(5, reason="full"), Paused(5, reason="full"), Stopped(5)]
"""What goes on by itself."""


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def sit_down(world: World, *, go_on: bool) -> None:
    """A new sitting."""
    world.go_on = go_on
    world.start()


def shown(world: World, job: int):
    """A job's state as every screen shows it."""
    return fold_all(world.entries).job(job).state


def restored(state, *, go_on: bool) -> tuple[object, list[object]]:
    """As what a job comes up that the ledger has in a state, and what the ledger has of it afterwards."""
    record = do.JobRecord(id=1, source=do.Source("/a.wav", 1, 1), options=cmd.Options(), state=state)
    out = Machine(go_on=go_on).handle(do.Restored((record,), 0, 2, 1), 9)
    (told,) = (each.event.state for each in out if isinstance(each, do.Publish) and isinstance(each.event, ev.JobAdded))
    return told, [each.state for each in out if isinstance(each, do.SaveJob)]


@pytest.mark.parametrize("left", LEFT, ids=str)
def test_what_goes_on_by_itself_comes_up_stopped_and_still_waits_in_the_ledger(left):
    told, saved = restored(left, go_on=False)
    assert told == Stopped(9)
    assert saved == ([] if left == Queued() else [Queued()])


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (Paused(5), Paused(5)),
        (Paused(5, "parked"), Paused(5, "parked")),
        (Pausing(5), Paused(9)),
        (Pausing(5, "parked"), Paused(9, "parked")),
        (Done(5), Done(5)),
    ],
    ids=str,
)
@pytest.mark.parametrize("go_on", [True, False])
def test_what_the_user_paused_stays_paused_and_what_ended_has_ended(left, found, go_on):
    assert restored(left, go_on=go_on) == (found, [] if left == found else [found])


@pytest.mark.parametrize("left", [Stopped(5), Running(5)], ids=str)
def test_a_sitting_that_goes_on_begins_with_it(left):
    told, saved = restored(left, go_on=True)
    assert told == Queued()
    assert isinstance(saved[-1], Running)


def left_half_done(world: World, *, go_on: bool = False) -> int:
    """A job in a new sitting, of which the last one did a part."""
    job = add(world, windows=20)
    run_until(world, lambda: len(world.books[job].decoded) > 3)
    sit_down(world, go_on=go_on)
    return job


def test_a_stopped_job_does_nothing_and_nobody_waits_for_it(world):
    job = left_half_done(world)
    began = world.now
    assert world.machine.is_at_rest
    for _ in range(20):
        world.pass_time(1_000)
    assert not world.workers
    assert shown(world, job) == Stopped(began)


def test_a_later_sitting_goes_on_with_it(world):
    job = left_half_done(world)
    sit_down(world, go_on=False)
    sit_down(world, go_on=True)
    assert isinstance(shown(world, job), Running)
    run_until(world, lambda: isinstance(state(world, job), Done))


def test_it_goes_on_in_its_turn_once_it_is_resumed(world):
    job = left_half_done(world)
    other = add(world, "/media/other.wav")
    assert isinstance(state(world, other), Running)
    kept = set(world.books[job].decoded)
    world.began.clear()
    assert world.ask(cmd.Resume(job)) is None
    assert shown(world, job) == state(world, job) == Queued()
    run_until(world, lambda: isinstance(state(world, job), Done))
    assert not {span for number, span in world.began if number == job} & kept


def test_its_file_added_again_takes_it_up_with_the_new_options(world):
    job = left_half_done(world)
    assert add(world, windows=20, recipe=Recipe(batch=3, language="en"), formats=("txt",)) == job
    assert isinstance(state(world, job), Running)
    assert world.books[job].options.formats == ("txt",)
    assert world.told(ev.RecipeChanged)[-1].recipe.batch == 3


@pytest.mark.parametrize(("how", "rest"), [("pause", "warm"), ("freeze", "warm"), ("park", "parked")])
def test_a_pause_is_kept_by_later_sittings(world, how, rest):
    job = left_half_done(world)
    assert world.ask(cmd.Pause(job, how)) is None
    assert shown(world, job) == state(world, job) == Paused(world.now, rest)
    sit_down(world, go_on=True)
    assert isinstance(shown(world, job), Paused)


def test_what_else_can_be_done_with_it(world):
    job = left_half_done(world)
    other = add(world, "/media/other.wav")
    assert world.ask(cmd.Retry(job)) == f"Job {job} has not ended, so there is nothing to retry yet."
    assert world.ask(cmd.Remove(job)) == f"Job {job} has not ended; cancel it first."
    assert world.ask(cmd.Set(job=job, chunk_ms=60_000)) is None
    assert world.books[job].options.recipe.chunk_ms == 60_000
    assert world.ask(cmd.Move(job, 1)) is None
    assert [world.books[each].position for each in (other, job)] == [0, 1]
    assert isinstance(shown(world, job), Stopped), "none of this takes it up"
    assert state(world, job) == Queued(), "nor keeps a later sitting from it"
    assert world.ask(cmd.Cancel(job)) is None
    assert isinstance(state(world, job), Cancelled)


def test_a_job_stopped_for_want_of_room_waits_again_for_it_when_resumed(world):
    job = add(world, windows=20)
    world.feed(do.DiskRead(2**20))
    run_until(world, lambda: isinstance(state(world, job), Paused))
    sit_down(world, go_on=False)
    assert isinstance(shown(world, job), Stopped)
    world.feed(do.DiskRead(2**20))
    world.ask(cmd.Resume(job))
    assert isinstance(state(world, job), Paused)
    assert state(world, job).reason
    world.feed(do.DiskRead(2**40))
    run_until(world, lambda: isinstance(state(world, job), Done))
