"""What jobs and stages are doing, in a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.recipe import FailureKind
from engine.states import Cancelled, Done, Failed, Frozen, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.timeline import Span
from tests.engine.test_view import STORIES, told
from tests.tui import scenes
from tests.tui.scenes import NOW, Scene
from tui.status import job_status, stages
from tui.widgets.header import queue_summary
from tui.widgets.jobs import notes


def words(view, job=1) -> str:
    return job_status(view.job(job), view).word


def doing(view, job=1) -> list[str]:
    return [stage.status.word for stage in stages(view.job(job), view, NOW)]


def running() -> Scene:
    return Scene().add(1, "/a.mp3").tell(ev.JobChanged(1, Running(0)))


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Queued(), "queued"),
        (Stopped(0), "stopped"),
        (Pausing(0), "pausing"),
        (Paused(0), "paused"),
        (Paused(0, "parked"), "parked"),
        (Frozen(0), "frozen"),
        (Writing(0), "write"),
        (Done(0), "done"),
        (Done(0, gaps=5), "done, gaps"),
        (Failed(0, "no"), "failed"),
        (Cancelled(0), "cancelled"),
    ],
)
def test_a_job_in_a_word(state, word):
    assert words(Scene().add(1, "/a.mp3", state=state).view) == word


class TestRunning:
    def test_it_listens_first(self):
        scene = running()
        assert (words(scene.view), doing(scene.view)) == ("listen", ["running", "waiting", "waiting"])

    def test_then_the_model_loads(self):
        scene = running().tell(ev.WorkerStarted(job=1, worker=2, stage="transcribe", model="m")).hear(1, 60_000)
        assert (words(scene.view), doing(scene.view)) == ("loading", ["running", "loading", "waiting"])

    def test_then_both_work(self):
        scene = running().run(1, 120_000).hear(1, 60_000).decoding(1, 1)
        assert (words(scene.view), doing(scene.view)) == ("transcribe", ["running", "running", "waiting"])

    def test_then_all_is_heard(self):
        scene = running().run(1, 120_000).hear(1, 120_000, last=True).decoding(1, 1)
        assert (words(scene.view), doing(scene.view)) == ("transcribe", ["done", "running", "waiting"])

    def test_then_it_writes(self):
        scene = running().run(1, 60_000).hear(1, 60_000, last=True).chunk(1, 9).tell(ev.JobChanged(1, Writing(0)))
        assert (words(scene.view), doing(scene.view)) == ("write", ["done", "done", "running"])


class TestEnded:
    def test_done(self):
        assert doing(scenes.done()) == ["done", "done", "done"]
        assert [stage.took for stage in stages(scenes.done().jobs[0], scenes.done(), NOW)] == [2_300, 95_000, 300]

    def test_paused(self):
        assert doing(scenes.paused()) == ["done", "paused", "waiting"]

    def test_frozen_in_the_very_first_batch(self):
        scene = running().run(1, 60_000).hear(1, 60_000, last=True).decoding(1, 1).tell(ev.JobChanged(1, Frozen(0)))
        assert (words(scene.view), doing(scene.view)) == ("frozen", ["done", "frozen", "waiting"])

    def test_stopped_in_the_last_sitting(self):
        half = ev.Progress(heard=60_000, windows=(Span(0, 28_000), Span(28_000, 60_000)), covered=(Span(0, 28_000),))
        view = Scene().add(1, "/a.mp3", state=Stopped(0), progress=half).view
        assert (words(view), doing(view)) == ("stopped", ["stopped", "stopped", "waiting"])
        assert doing(Scene().add(1, "/a.mp3", state=Stopped(0)).view) == ["waiting", "waiting", "waiting"]

    def test_the_stage_that_failed_is_named(self):
        assert doing(scenes.failed()) == ["failed", "not done", "not done"]
        scene = running().run(1, 60_000).hear(1, 60_000, last=True)
        assert doing(scene.tell(ev.JobChanged(1, Failed(0, "no"))).view) == ["done", "failed", "not done"]
        scene = running().run(1, 60_000).hear(1, 60_000, last=True).chunk(1, 9)
        assert doing(scene.tell(ev.JobChanged(1, Failed(0, "full disk"))).view) == ["done", "done", "failed"]

    def test_gaps(self):
        scene = running().run(1, 60_000).hear(1, 60_000, last=True)
        lost = scene.windows(1)[0]
        scene.fail(1, FailureKind.ERROR, "x", follows="y").tell(ev.GapLeft(1, lost, "x")).chunk(1, 9)
        scene.tell(ev.JobChanged(1, Done(0, gaps=lost.length)))
        assert doing(scene.view) == ["done", "gaps", "done"]

    def test_silence_needs_no_transcribing(self):
        scene = running().run(1, 60_000).tell(ev.SpeechHeard(job=1, until=60_000, windows=(), last=True))
        assert doing(scene.tell(ev.JobChanged(1, Done(0))).view) == ["done", "done", "done"]


@given(STORIES, st.integers(0, 10**10))
def test_whatever_happened_there_is_a_word_for_it(story, now):
    view = told(*(event for _, event in story))
    for job in view.jobs:
        assert job_status(job, view).word
        for stage in stages(job, view, now):
            assert stage.status.word
            assert stage.fraction is None or 0.0 <= stage.fraction <= 1.0
            assert stage.took is None or stage.took >= 0


def test_the_list_says_why_a_job_rests_by_itself():
    why = "\x1bThe disk is full."
    view = Scene().add(1, "/a.mp3", state=Paused(NOW, reason=why)).add(2, "/b.mp3", state=Frozen(NOW)).view
    told = ["".join(run.text for run in notes(job, view)) for job in view.jobs]
    assert told == ["␛The disk is full.  since 14:03", "since 14:03"]
    assert queue_summary(view)[0].text.endswith("paused")
