"""What the ledger lets go of, and what it never does."""

import msgspec
import pytest

from engine import events as ev
from engine.commands import Options
from engine.engine import Engine
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard
from engine.recipe import FailureKind, Recipe
from engine.repair import open_ledger
from engine.retention import KEPT_MS, STEP
from engine.states import Done, Paused, Queued
from engine.timeline import Span
from engine.view import fold_all

NOW = 2_000_000_000_000
OLD = NOW - KEPT_MS - 1
STORY = (
    ev.Warning(1, "cut short"),
    ev.JobChanged(1, Queued()),
    ev.AttemptFailed(job=1, stage="transcribe", spans=(), kind=FailureKind.OOM, reason="r", follows="f"),
    ev.GapLeft(1, Span(0, 1), "why"),
    ev.RecipeChanged(job=1, recipe=Recipe(), at=0, reason="r"),
    ev.WorkerReady(1, 2),
)
QUIET = (
    ev.SpeechHeard(job=1, until=1, windows=()),
    ev.BatchStarted(job=1, spans=()),
    ev.BatchDone(job=1, spans=(), lines=(ev.Line(0, 1, "words"),), took_ms=1),
    ev.ChunkStarted(job=1, attempt=1, span=Span(0, 1), windows=1, recipe=Recipe()),
    ev.ChunkDone(job=1, attempt=1, span=Span(0, 1), took_ms=1),
    ev.QueueOrdered((1,)),
    ev.MemorySampled(tree=1, budget=2, available=3),
)


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


def add(ledger, job, state):
    saved = do.SaveJob(
        id=job, source=do.Source("/a", 1, 1), options=Options(), state=state, position=job, outputs=(), worked_ms=0
    )
    with ledger.transaction():
        ledger.save(saved)


def added(job):
    return ev.JobAdded(job=job, path="/a", size=1, options=Options(), state=Queued())


def tell(ledger, at, *events):
    first = ledger.next_seq()
    for seq, event in enumerate(events, first):
        ledger.record(ev.Entry(seq, at, event))
    ledger.flush()


def told(ledger):
    return [entry.event for entry in ledger.entries()]


@pytest.mark.parametrize("event", QUIET, ids=lambda event: type(event).__name__)
def test_small_things_of_ended_jobs_go_in_time(ledger, event):
    add(ledger, 1, Done(1))
    tell(ledger, OLD, added(1), event)
    tell(ledger, NOW, event)
    ledger.prune(NOW)
    assert told(ledger) == [added(1), event]


@pytest.mark.parametrize("event", QUIET[:-2], ids=lambda event: type(event).__name__)
def test_they_stay_as_long_as_the_job_is_not_ended(ledger, event):
    add(ledger, 1, Paused(1))
    tell(ledger, OLD, added(1), event)
    ledger.prune(NOW)
    assert told(ledger) == [added(1), event]


@pytest.mark.parametrize("event", STORY, ids=lambda event: type(event).__name__)
def test_the_story_stays_as_long_as_the_job(ledger, event):
    add(ledger, 1, Done(1))
    tell(ledger, OLD, added(1), event)
    ledger.prune(NOW)
    assert told(ledger) == [added(1), event]


def test_what_a_job_found_is_never_pruned(ledger):
    add(ledger, 1, Done(1))
    attempt = do.SaveAttempt(id=1, job=1, span=Span(0, 9), windows=1, recipe=Recipe(), began=1)
    with ledger.transaction():
        ledger.save(do.SaveHeard(1, Heard(span=Span(0, 9), speech=(Span(0, 9),), windows=(Span(0, 9),), last=True)))
        ledger.save(attempt)
        ledger.save(do.SaveDecoded(1, ((1, Decoded(span=Span(0, 9))),)))
    before = (ledger.progress(1), ledger.decoded(1), ledger.attempts(1))
    ledger.prune(NOW)
    assert (ledger.progress(1), ledger.decoded(1), ledger.attempts(1)) == before


def test_jobs_told_anew_by_every_sitting_are_kept_once_and_for_the_last(ledger):
    for job in (1, 2):
        add(ledger, job, Done(1))
    for _ in range(5):
        tell(ledger, NOW, ev.EngineStarted(5), added(1), added(2), ev.Warning(1, "w"))
    view = fold_all(ledger.entries())
    ledger.prune(NOW)
    assert [event.job for event in told(ledger) if isinstance(event, ev.JobAdded)] == [1, 2, 1, 2]
    assert len([event for event in told(ledger) if isinstance(event, ev.Warning)]) == 5
    # Only the log loses lines: that the jobs were told.
    left = fold_all(ledger.entries())
    assert msgspec.structs.replace(left, log=()) == msgspec.structs.replace(view, log=())
    assert set(left.log) <= set(view.log)


def test_what_was_before_the_oldest_job_goes_but_numbers_go_on(ledger):
    add(ledger, 2, Done(1))
    tell(ledger, OLD, ev.EngineStarted(5), added(1), ev.WorkerReady(1, 2), ev.JobRemoved(1), added(2))
    ledger.prune(NOW)
    assert told(ledger) == [added(2)]
    with ledger.transaction():
        ledger.save(do.ForgetJob(2))
        ledger.record(ev.Entry(6, NOW, ev.JobRemoved(2)))
    ledger.prune(NOW)
    assert told(ledger) == [ev.JobRemoved(2)]
    assert ledger.next_seq() == 7
    ledger.prune(NOW)
    assert ledger.next_seq() == 7


def test_one_pruning_is_bounded(ledger):
    add(ledger, 1, Done(1))
    tell(ledger, OLD, added(1))
    for each in (QUIET[0], QUIET[-1]):
        with ledger.transaction():
            first = 2 if each is QUIET[0] else STEP + 12
            for seq in range(first, first + STEP + 10):
                ledger.record(ev.Entry(seq, OLD, each))
    ledger.prune(NOW)
    assert len(told(ledger)) == 1 + 10 + 10
    ledger.prune(NOW)
    assert len(told(ledger)) == 1


def test_the_file_gives_back_what_is_not_needed(ledger):
    add(ledger, 1, Done(1))
    tell(ledger, OLD, added(1), *[ev.Warning(2, "words " * 2_000)] * 200)
    pages = ledger._db.execute("PRAGMA page_count").fetchone()[0]
    with ledger.transaction():
        ledger.save(do.ForgetJob(2))
    ledger.prune(NOW)
    assert ledger._db.execute("PRAGMA page_count").fetchone()[0] < pages / 4


def test_opening_prunes(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    add(ledger, 1, Done(1))
    tell(ledger, 5, added(1), QUIET[0])
    ledger.close()
    ledger, _ = open_ledger(tmp_path / "ledger.sqlite")
    assert told(ledger) == [added(1)]
    ledger.close()


async def test_an_idle_engine_that_is_started_again_and_again_does_not_grow(home):
    ledger = Ledger(home.ledger)
    for job in range(1, 51):
        add(ledger, job, Done(1))
    ledger.close()
    counts = []
    for _ in range(4):
        open_ledger(home.ledger)[0].close()
        async with Engine(home):
            pass
        ledger = Ledger(home.ledger)
        counts.append(len([event for event in told(ledger) if isinstance(event, ev.JobAdded)]))
        ledger.close()
    assert counts == [50, 100, 150, 150], "the first time, the last sitting and this one"
