"""The sentences of the commands that steer jobs, and what each asks for."""

import pytest

from engine.commands import Cancel, Move, Pause, Remove, Resume, Retry, Set
from engine.states import Done, Frozen, JobState, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.view import View
from tests.tui.scenes import Scene
from tui import control


def queue(*states: JobState) -> View:
    """A job of each state."""
    scene = Scene()
    for job, state in enumerate(states, start=1):
        scene.add(job, f"/media/film {job}.mkv", state=state)
    return scene.view


def wished(wish: control.Wish, state: JobState, *others: JobState) -> control.Order:
    view = queue(state, *others)
    return wish(view.jobs[0], view)


@pytest.mark.parametrize(
    ("how", "state", "told"),
    [
        ("pause", Running(1), "pauses after its batches under way."),
        ("pause", Queued(), "is paused."),
        ("pause", Stopped(1), "is paused."),
        ("pause", Paused(1), "is paused already."),
        ("pause", Paused(1, "parked"), "is paused already."),
        ("pause", Paused(1, reason="The disk is full."), "is paused."),
        ("pause", Frozen(1), "pauses after its batches under way."),
        ("park", Running(1), "pauses after its batches under way, and then gives its memory back."),
        ("park", Frozen(1), "pauses after its batches under way, and then gives its memory back."),
        ("park", Paused(1), "is paused, and its memory is given back."),
        ("park", Paused(1, "parked"), "is paused already."),
        ("freeze", Running(1), "is frozen; its memory stays in use."),
        ("freeze", Pausing(1), "is frozen; its memory stays in use."),
        ("freeze", Frozen(1), "is frozen already."),
        ("freeze", Queued(), "is paused."),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str) else each,
)
def test_what_a_pause_says(how: str, state: JobState, told: str):
    order = wished(control.pausing(how), state)
    assert order.command == Pause(1, how)
    assert order.told == f"Job 1 (film 1.mkv) {told}"


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ((Paused(1),), "goes on."),
        ((Stopped(1),), "goes on."),
        ((Paused(1), Running(1)), "goes on in its turn."),
        ((Frozen(1),), "goes on."),
        ((Queued(), Running(1)), "waits for its turn already."),
        ((Running(1),), "is at work already."),
        ((Writing(1),), "is at work already."),
    ],
)
def test_what_a_resume_says(states: tuple[JobState, ...], told: str):
    order = wished(control.resuming, *states)
    assert (order.command, order.told) == (Resume(1), f"Job 1 (film 1.mkv) {told}")


@pytest.mark.parametrize(
    ("wish", "state", "command", "told"),
    [
        (control.cancelling, Running(1), Cancel(1), "is cancelled; 'scribetui retry 1' queues it again."),
        (control.retrying, Done(1), Retry(1), "is queued again; only what is missing is done."),
        (control.retrying, Done(1, gaps=5), Retry(1), "is queued again; its gaps are done."),
        (control.removing, Done(1), Remove(1), "is off the list; the files it wrote stay."),
    ],
)
def test_what_else_is_said(wish: control.Wish, state: JobState, command, told: str):
    assert wished(wish, state) == control.Order(command, f"Job 1 (film 1.mkv) {told}")


@pytest.mark.parametrize(
    ("typed", "chunk_ms", "batch", "told"),
    [
        (["chunk=120"], 120_000, None, "chunks of 2m"),
        (["chunk=90s"], 90_000, None, "chunks of 1m30s"),
        (["chunk=2m"], 120_000, None, "chunks of 2m"),
        (["chunk=1m30s"], 90_000, None, "chunks of 1m30s"),
        (["chunk=1h"], 3_600_000, None, "chunks of 60m"),
        (["batch=4"], None, 4, "batches of 4"),
        (["chunk=30", "batch=1"], 30_000, 1, "chunks of 30s and batches of 1"),
        (["batch=1", "batch=2"], None, 2, "batches of 2"),
    ],
)
def test_parameters_as_they_are_typed(typed: list[str], chunk_ms: int | None, batch: int | None, told: str):
    order = wished(control.setting(typed), Paused(1))
    assert order.command == Set(job=1, chunk_ms=chunk_ms, batch=batch)
    assert order.told == f"Job 1 (film 1.mkv) runs with {told}."
    assert wished(control.setting(typed), Running(1)).told.endswith(f"{told} from the next batch on.")


@pytest.mark.parametrize(
    ("job", "place", "by", "number"),
    [
        (2, "first", -1, 1),
        (2, "last", 1, 3),
        (2, "up", -1, 1),
        (1, "up", 0, 1),
        (2, "down", 1, 3),
        (3, "down", 0, 3),
        (1, "3", 2, 3),
        (3, "1", -2, 1),
        (1, "99", 2, 3),
    ],
)
def test_places_as_they_are_typed(job: int, place: str, by: int, number: int):
    view = queue(Done(1), Queued(), Queued())
    order = control.moving(place)(view.jobs[job - 1], view)
    assert order.command == Move(job, by)
    assert order.told == f"Job {job} (film {job}.mkv) is number {number} of 3 in the queue."


def test_a_name_from_outside_is_harmless():
    view = Scene().add(1, "/media/\x1b[31mred\n.mkv").view
    assert control.cancelling(view.jobs[0], view).told.startswith("Job 1 (␛[31mred␊.mkv) is cancelled")
