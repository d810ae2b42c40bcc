"""The view: a pure fold over whatever the engine says."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine import events as ev
from engine.commands import Options
from engine.events import Entry
from engine.messages import Correction
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Failed, Frozen, JobState, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.timeline import Span, length, union
from engine.view import (
    HISTORY_KEPT,
    LINES_KEPT,
    LOG_KEPT,
    MEMORY_KEPT,
    Fetch,
    Mark,
    MemoryPoint,
    View,
    fold,
    fold_all,
)

SPANS = st.builds(lambda start, more: Span(start, start + more), st.integers(0, 10**6), st.integers(0, 60_000))
MANY = st.lists(SPANS, max_size=4).map(tuple)
JOBS = st.integers(1, 3)
NAMES = st.sampled_from(["listen", "transcribe", "align", "write"])
RESTS = st.sampled_from(["warm", "parked"])
TEXTS = st.sampled_from(["asked for", "something else"])
STATES = st.one_of(
    *(st.builds(kind, st.integers(0, 10**9)) for kind in (Stopped, Running, Frozen, Writing, Done, Cancelled)),
    *(st.builds(kind, st.integers(0, 10**9), RESTS, TEXTS | st.just("")) for kind in (Pausing, Paused)),
    st.builds(Failed, st.integers(0, 10**9), st.text(max_size=5)),
    st.just(Queued()),
)
RECIPES = st.builds(
    Recipe,
    batch=st.integers(1, 8),
    parallel=st.integers(1, 4),
    model=st.sampled_from(["a", "b"]),
    align=st.sampled_from(["", "auto"]),
)
LINES = st.lists(st.builds(ev.Line, st.integers(0, 9), st.integers(0, 9), st.text(max_size=5)), max_size=3).map(tuple)
PROGRESS = st.builds(
    ev.Progress,
    duration=st.none() | st.integers(0, 10**6),
    heard=st.integers(0, 10**6),
    heard_all=st.booleans(),
    windows=MANY,
    covered=MANY,
    gaps=MANY,
    aligned=MANY,
    language=st.none() | st.just("de"),
    worked_ms=st.integers(0, 10**6),
)
EVENTS = {
    ev.EngineStarted: st.builds(ev.EngineStarted, st.integers(0, 2**40)),
    ev.JobAdded: st.builds(
        ev.JobAdded,
        job=JOBS,
        path=st.just("/a.mp3"),
        size=st.integers(0, 2**40),
        options=st.builds(Options, recipe=RECIPES),
        state=STATES,
        progress=PROGRESS,
    ),
    ev.JobRemoved: st.builds(ev.JobRemoved, JOBS),
    ev.JobProbed: st.builds(
        ev.JobProbed,
        job=JOBS,
        tracks=st.just(()),
        chosen=st.integers(0, 3),
        container=st.just("mp3"),
        duration=st.none() | st.integers(0, 10**7),
    ),
    ev.JobChanged: st.builds(ev.JobChanged, JOBS, STATES),
    ev.QueueOrdered: st.builds(ev.QueueOrdered, st.permutations([1, 2, 3]).map(tuple)),
    ev.WorkerStarted: st.builds(ev.WorkerStarted, job=JOBS, worker=JOBS, stage=NAMES, model=st.just("tiny")),
    ev.WorkerReady: st.builds(ev.WorkerReady, JOBS, st.integers(0, 9)),
    ev.WorkerEnded: st.builds(ev.WorkerEnded, JOBS, TEXTS),
    ev.ModelFetched: st.builds(
        ev.ModelFetched, job=JOBS, worker=JOBS, model=TEXTS, done=st.integers(0, 9), total=st.integers(0, 9)
    ),
    ev.LanguageFound: st.builds(ev.LanguageFound, job=JOBS, language=st.just("de"), votes=st.just((("de", 0.5),))),
    ev.WordsAligned: st.builds(ev.WordsAligned, job=JOBS, spans=MANY, took_ms=st.integers(0, 9), reason=TEXTS),
    ev.TermsCorrected: st.builds(
        ev.TermsCorrected, job=JOBS, corrections=st.just((Correction(at=5, was="comfy", now="ComfyUI"),))
    ),
    ev.SpeechHeard: st.builds(ev.SpeechHeard, job=JOBS, until=st.integers(0, 10**6), windows=MANY, last=st.booleans()),
    ev.ChunkStarted: st.builds(
        ev.ChunkStarted, job=JOBS, attempt=JOBS, span=SPANS, windows=st.integers(1, 9), recipe=RECIPES
    ),
    ev.BatchStarted: st.builds(ev.BatchStarted, job=JOBS, spans=MANY),
    ev.BatchDone: st.builds(ev.BatchDone, job=JOBS, spans=MANY, lines=LINES, took_ms=st.integers(0, 9)),
    ev.ChunkDone: st.builds(ev.ChunkDone, job=JOBS, attempt=JOBS, span=SPANS, took_ms=st.integers(0, 9)),
    ev.ChunkStopped: st.builds(ev.ChunkStopped, job=JOBS, attempt=JOBS, span=SPANS, reason=TEXTS),
    ev.AttemptFailed: st.builds(
        ev.AttemptFailed,
        job=JOBS,
        stage=NAMES,
        spans=MANY,
        kind=st.sampled_from(FailureKind),
        reason=TEXTS,
        follows=TEXTS,
    ),
    ev.RecipeChanged: st.builds(ev.RecipeChanged, job=JOBS, recipe=RECIPES, at=st.integers(0, 10**6), reason=TEXTS),
    ev.GapLeft: st.builds(ev.GapLeft, JOBS, SPANS, TEXTS),
    ev.TextDoubted: st.builds(ev.TextDoubted, JOBS, SPANS, TEXTS),
    ev.SpeechAudited: st.builds(ev.SpeechAudited, job=JOBS, recovered=MANY, unheard=MANY),
    ev.Notice: st.builds(ev.Notice, TEXTS),
    ev.Warning: st.builds(ev.Warning, JOBS, TEXTS),
    ev.Written: st.builds(ev.Written, job=JOBS, partial=st.booleans(), paths=st.just(("/a.srt",))),
    ev.MemorySampled: st.builds(
        ev.MemorySampled,
        tree=st.integers(0, 2**40),
        budget=st.integers(0, 2**40),
        available=st.integers(0, 2**40),
        device=st.integers(0, 2**40),
        swap=st.integers(0, 2**40),
        pressure=st.sampled_from(get_args(ev.Pressure)),
    ),
}
"""A strategy for every kind of event."""
STORIES = st.lists(st.tuples(st.integers(0, 5_000), st.one_of(*EVENTS.values())), max_size=40)


def told(*events: ev.Event, view: View | None = None, at: int = 0) -> View:
    view = view or View()
    return fold_all((Entry(view.seq + n, at, event) for n, event in enumerate(events, start=1)), view)


def added(job: int = 1, **fields) -> ev.JobAdded:
    given_fields = {"path": "/talks/a.mp3", "size": 5, "options": Options(), "state": Queued()} | fields
    return ev.JobAdded(job=job, **given_fields)


def test_every_kind_of_event_is_tried():
    assert set(EVENTS) == set(get_args(ev.Event))


@settings(max_examples=300)
@given(STORIES)
def test_no_story_breaks_it(story):
    """Whatever is told, of jobs known or unknown, in whatever order, the view can be shown."""
    view, at = View(), 0
    for seq, (later, event) in enumerate(story, start=1):
        at += later
        view = fold(view, Entry(seq, at, event))
        assert view.seq == seq
        for job in view.jobs:
            assert 0.0 <= job.fraction <= 1.0
            assert job.covered == union(job.covered)
            assert job.worked(at) >= 0
            assert (job.eta(at) or 0) >= 0
    numbers = [job.id for job in view.jobs]
    assert len(numbers) == len(set(numbers))


@given(st.one_of(*(strategy for kind, strategy in EVENTS.items() if kind not in (ev.EngineStarted, ev.JobAdded))))
def test_events_about_unknown_jobs_change_no_job(event):
    assert fold(View(), Entry(1, 0, event)).jobs == ()


@given(STORIES)
def test_a_view_survives_the_wire(story):
    view = told(*(event for _, event in story))
    assert msgspec.json.decode(msgspec.json.encode(view), type=View) == view


class TestJobs:
    def test_a_job_that_comes_again_takes_its_place_in_the_order(self):
        view = told(added(1), added(2), added(1), ev.QueueOrdered((2, 1)))
        assert [job.id for job in view.jobs] == [2, 1]

    def test_a_removed_job_is_gone(self):
        assert told(added(1), ev.JobRemoved(1)).job(1) is None

    def test_text_is_kept_in_the_order_it_came_and_no_more_than_needed(self):
        lines = tuple(ev.Line(n, n + 1, str(n)) for n in range(LINES_KEPT + 5))
        done = [ev.BatchDone(job=1, spans=(Span(line.start, line.end),), lines=(line,), took_ms=1) for line in lines]
        job = told(added(1), *done).job(1)
        assert job.lines == lines[5:]
        assert job.last_words == str(LINES_KEPT + 4)
        assert length(job.covered) == LINES_KEPT + 5

    def test_time_counts_only_while_it_runs(self):
        view = told(added(1), ev.JobChanged(1, Running(1_000)), at=1_000)
        view = told(ev.JobChanged(1, Paused(5_000)), view=view, at=5_000)
        view = told(ev.JobChanged(1, Running(9_000)), view=view, at=9_000)
        assert view.job(1).worked(10_000) == 5_000

    def test_speed_and_time_left_are_those_of_this_sitting(self):
        progress = ev.Progress(
            duration=100_000,
            heard=100_000,
            heard_all=True,
            windows=(Span(0, 50_000), Span(50_000, 70_000), Span(70_000, 100_000)),
            covered=(Span(0, 50_000),),
            worked_ms=1_000_000,
        )
        view = told(added(1, progress=progress), ev.JobChanged(1, Running(0)))
        view = told(ev.BatchDone(job=1, spans=(Span(50_000, 70_000),), lines=(), took_ms=4_000), view=view, at=4_000)
        job = view.job(1)
        assert job.speed(4_000) == 5.0
        assert job.eta(4_000) == 6_000
        assert job.fraction == pytest.approx(0.7)


class TestMarks:
    def changed(self, reason: str, batch: int, view: View) -> View:
        recipe = Recipe(batch=batch)
        return told(ev.RecipeChanged(job=1, recipe=recipe, at=7, reason=reason), view=view)

    def test_tell_what_the_user_asked_for_from_what_had_to_be(self):
        view = told(added(1, options=Options(recipe=Recipe(batch=4))))
        view = self.changed("asked for", 8, view)
        view = self.changed("no memory", 2, view)
        view = self.changed("three clean chunks", 4, view)
        assert view.job(1).marks == (Mark(7, "set"), Mark(7, "lighter"), Mark(7, "heavier"))

    def test_a_pause_and_what_follows_are_marked_where_it_happened(self):
        view = told(
            added(1),
            ev.JobChanged(1, Running(0)),
            ev.BatchDone(job=1, spans=(Span(0, 500),), lines=(), took_ms=1),
            ev.JobChanged(1, Pausing(0)),
            ev.JobChanged(1, Paused(0)),
            ev.JobChanged(1, Running(0)),
        )
        assert view.job(1).marks == (Mark(500, "paused"), Mark(500, "resumed"))

    def test_a_step_down_that_halves_nothing_is_lighter_all_the_same(self):
        wanted = Recipe(batch=1, parallel=1, compute_type="float32", model="large")
        view = told(added(1, options=Options(recipe=wanted)))
        for changes in ({"compute_type": "int8"}, {"compute_type": "int8", "model": "small"}):
            view = told(ev.RecipeChanged(job=1, recipe=replace(wanted, **changes), at=7, reason="no memory"), view=view)
            assert view.job(1).is_lighter
        view = told(ev.RecipeChanged(job=1, recipe=wanted, at=8, reason="three clean chunks"), view=view)
        assert view.job(1).marks == (Mark(7, "lighter"), Mark(7, "lighter"), Mark(8, "heavier"))
        assert not view.job(1).is_lighter

    def test_what_the_user_asks_for_is_no_lighter_than_wanted(self):
        view = told(added(1, options=Options(recipe=Recipe(batch=8))))
        view = self.changed("no memory", 4, view)
        view = self.changed("asked for", 2, view)
        assert not view.job(1).is_lighter
        assert self.changed("no memory", 1, view).job(1).is_lighter

    def test_who_asks_for_one_thing_still_wants_the_others(self):
        view = told(added(1, options=Options(recipe=Recipe(batch=8, model="large"))))
        for reason, batch in (("no memory", 8), ("asked for", 4)):
            recipe = Recipe(batch=batch, model="small")
            view = told(ev.RecipeChanged(job=1, recipe=recipe, at=7, reason=reason), view=view)
        assert view.job(1).options.recipe == Recipe(batch=4, model="large")
        assert view.job(1).is_lighter

    def test_a_frozen_job_keeps_the_batch_it_is_in(self):
        view = told(
            added(1),
            ev.JobChanged(1, Running(0)),
            ev.BatchDone(job=1, spans=(Span(0, 500),), lines=(), took_ms=1),
            ev.BatchStarted(job=1, spans=(Span(500, 900),)),
            ev.JobChanged(1, Frozen(0)),
        )
        assert view.job(1).running == (Span(500, 900),)
        view = told(ev.JobChanged(1, Running(0)), view=view)
        assert view.job(1).running == (Span(500, 900),)
        assert view.job(1).marks == (Mark(500, "paused"), Mark(500, "resumed"))

    def test_what_a_lighter_recipe_decoded_is_degraded(self):
        view = self.changed("no memory", 1, told(added(1)))
        view = told(ev.BatchDone(job=1, spans=(Span(0, 500),), lines=(), took_ms=1), view=view)
        assert view.job(1).degraded == (Span(0, 500),)


class TestStages:
    """How long the stages of a job have run."""

    def story(self) -> View:
        view = told(added(1), ev.JobChanged(1, Running(1_000)), at=1_000)
        view = told(ev.SpeechHeard(job=1, until=500, windows=(Span(0, 500),)), view=view, at=3_000)
        view = told(ev.BatchStarted(job=1, spans=(Span(0, 500),)), view=view, at=4_000)
        return told(ev.SpeechHeard(job=1, until=900, windows=(Span(500, 900),), last=True), view=view, at=6_000)

    def test_listening_ends_with_the_last_that_was_heard(self):
        assert self.story().job(1).listened_ms == 5_000

    def test_transcribing_begins_with_the_first_batch(self):
        view = told(ev.BatchStarted(job=1, spans=(Span(500, 900),)), view=self.story(), at=8_000)
        assert view.job(1).transcribing_from == 3_000

    def test_writing_lasts_until_the_job_is_done(self):
        view = told(ev.JobChanged(1, Writing(9_000)), view=self.story(), at=9_000)
        assert view.job(1).wrote_ms is None
        assert told(ev.JobChanged(1, Done(9_300)), view=view, at=9_300).job(1).wrote_ms == 300

    def test_nothing_is_known_of_earlier_sittings(self):
        job = told(added(1, progress=ev.Progress(heard=5, heard_all=True, worked_ms=9))).job(1)
        assert (job.listened_ms, job.transcribing_from, job.wrote_ms) == (None, None, None)


class TestAligning:
    """How far the words' times are, and what that means for the whole."""

    ALIGNED = Options(recipe=Recipe(align="auto"))
    HEARD = ev.Progress(
        duration=100_000, heard=100_000, heard_all=True, windows=(Span(0, 40_000), Span(50_000, 90_000))
    )

    def transcribed(self) -> View:
        view = told(added(1, options=self.ALIGNED, progress=self.HEARD), ev.JobChanged(1, Running(0)))
        return told(ev.BatchDone(job=1, spans=self.HEARD.windows, lines=(), took_ms=1), view=view, at=8_000)

    def test_what_is_transcribed_is_not_yet_done(self):
        job = self.transcribed().job(1)
        assert job.fraction == pytest.approx(0.8)
        assert job.eta(8_000) == 0
        assert told(ev.JobChanged(1, Writing(0)), view=self.transcribed()).job(1).fraction == 1.0

    def test_the_time_left_is_known_once_some_words_are_aligned(self):
        started = ev.WorkerStarted(job=1, worker=3, stage="align", model="auto")
        view = told(started, view=self.transcribed(), at=10_000)
        assert view.job(1).aligning_from == 10_000
        assert view.job(1).eta(11_000) is None
        assert view.job(1).speed(90_000) == 8.0, "it is the transcription's"
        view = told(ev.WordsAligned(job=1, spans=(Span(0, 40_000),), took_ms=9), view=view, at=14_000)
        assert view.job(1).aligned == (Span(0, 40_000),)
        assert view.job(1).fraction == pytest.approx(0.9)
        assert view.job(1).eta(14_000) == 4_000
        assert told(started, view=view, at=20_000).job(1).aligning_from == 10_000

    def test_failures_of_aligning_mark_no_window_as_retried(self):
        failed = ev.AttemptFailed(
            job=1, stage="align", spans=(Span(0, 40_000),), kind=FailureKind.OOM, reason="a", follows="b"
        )
        assert told(failed, view=self.transcribed()).job(1).retried == ()

    def test_another_model_begins_anew(self):
        progress = replace(self.HEARD, covered=self.HEARD.windows, aligned=self.HEARD.windows, language="de")
        view = told(added(1, options=self.ALIGNED, progress=progress))
        assert (view.job(1).aligned, view.job(1).language) == (self.HEARD.windows, "de")
        change = ev.RecipeChanged(job=1, recipe=Recipe(align="large"), at=0, reason=ev.ASKED)
        assert told(change, view=view).job(1).aligned == ()


class TestFindings:
    """What a vote, a download and the terms tell."""

    def test_the_language_and_the_corrections_are_the_jobs(self):
        correction = Correction(at=5, was="comfy eye", now="ComfyUI")
        votes = (("de", 0.8), ("en", 0.2))
        view = told(
            added(1),
            ev.LanguageFound(job=1, language="de", votes=votes),
            ev.TermsCorrected(job=1, corrections=(correction,)),
            ev.TermsCorrected(job=1, corrections=(correction,)),
        )
        job = view.job(1)
        assert (job.language, job.votes, job.corrections) == ("de", votes, (correction, correction))

    @pytest.mark.parametrize("end", [ev.WorkerReady(4, 10), ev.WorkerEnded(4, "dead")])
    def test_a_download_is_shown_until_the_worker_is_ready_or_gone(self, end):
        steps = [ev.ModelFetched(job=1, worker=4, model="small", done=n * 50, total=100) for n in range(3)]
        view = told(added(1), *steps[:2])
        assert view.job(1).fetching == Fetch(4, "small", 50, 100)
        assert told(ev.WorkerReady(5, 1), view=view).job(1).fetching
        assert told(end, view=view).job(1).fetching is None
        lines = [each.event for each in told(added(1), *steps).log]
        assert lines[1:] == [steps[0], steps[2]], "only its beginning and its end are lines"


class TestMemory:
    def sampled(self, *samples: tuple[int, int]) -> View:
        return fold_all(
            Entry(seq, at, ev.MemorySampled(tree=tree, budget=100, available=7))
            for seq, (at, tree) in enumerate(samples, start=1)
        )

    def test_the_peak_of_every_minute_is_kept(self):
        view = self.sampled((0, 5), (59_999, 9), (60_000, 3), (61_000, 2), (200_000, 4))
        assert view.history == (MemoryPoint(0, 9), MemoryPoint(60_000, 3), MemoryPoint(180_000, 4))
        assert (view.peak, view.budget, view.available) == (9, 100, 7)

    def test_neither_samples_nor_minutes_pile_up(self):
        view = self.sampled(*((n * 60_000, n) for n in range(HISTORY_KEPT + 10)))
        assert len(view.memory) == MEMORY_KEPT
        assert len(view.history) == HISTORY_KEPT
        assert view.history[-1].tree == HISTORY_KEPT + 9


class TestLog:
    def test_keeps_the_last_events(self):
        view = told(added(1), *(ev.Warning(1, str(n)) for n in range(LOG_KEPT + 1)))
        assert len(view.log) == LOG_KEPT
        assert view.log[-1].event == ev.Warning(1, str(LOG_KEPT))

    @pytest.mark.parametrize(
        "event",
        [
            ev.MemorySampled(tree=1, budget=1, available=1),
            ev.SpeechHeard(job=1, until=1, windows=()),
            ev.ChunkStarted(job=1, attempt=1, span=Span(0, 1), windows=1, recipe=Recipe()),
            ev.BatchStarted(job=1, spans=()),
            ev.BatchDone(job=1, spans=(), lines=(), took_ms=1),
            ev.QueueOrdered((1,)),
            ev.WordsAligned(job=1, spans=(), took_ms=1),
            ev.ModelFetched(job=1, worker=1, model="tiny", done=5, total=9),
            ev.Written(job=1, partial=True, paths=()),
        ],
    )
    def test_leaves_out_what_comes_all_the_time(self, event):
        assert told(event).log == ()


@pytest.mark.parametrize("state", [Done(5), Failed(5, "no"), Cancelled(5), Paused(5), Queued(), Stopped(5)])
def test_nothing_runs_in_a_job_at_rest(state: JobState):
    view = told(added(1), ev.JobChanged(1, Running(0)), ev.BatchStarted(job=1, spans=(Span(0, 5),)))
    assert view.job(1).running
    assert not told(ev.JobChanged(1, state), view=view).job(1).running
