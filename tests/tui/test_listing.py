"""The list of jobs: the same from a view that lives and from the ledger alone."""

import json
from contextlib import closing

import pytest

from engine.commands import Options
from engine.home import Home
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard, Probed, Track
from engine.recipe import Recipe
from engine.states import (
    Cancelled,
    Done,
    Failed,
    Frozen,
    JobState,
    Paused,
    Pausing,
    Queued,
    Running,
    Writing,
)
from engine.timeline import Span
from engine.view import View
from tests.tui.scenes import GIB, NOW, Scene
from tui import listing
from tui.listing import Standing

TRACK = Track(index=0, codec="aac", rate=48_000, channels=2)


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def save(home: Home, *states: JobState) -> None:
    """A job of each state: forty seconds long, heard, three windows of which one is done and one given up."""
    with closing(Ledger(home.ledger)) as ledger, ledger.transaction():
        for job, state in enumerate(states, start=1):
            windows = (Span(0, 10_000), Span(10_000, 20_000), Span(20_000, 30_000))
            ledger.save(
                do.SaveJob(
                    id=job,
                    source=do.Source(f"/media/{job}.mkv", 1, 1),
                    options=Options(),
                    state=state,
                    position=job - 1,
                    outputs=(f"/media/{job}.srt",) if isinstance(state, Done) else (),
                    worked_ms=1_000,
                )
            )
            ledger.save(
                do.SaveProbed(job, Probed(tracks=(TRACK,), chosen=0, container="mov", duration=40_000, offset=0))
            )
            ledger.save(
                do.SaveHeard(job, Heard(span=Span(0, 40_000), speech=(), windows=windows, checkpoint="", last=True))
            )
            ledger.save(do.SaveAttempt(id=job, job=job, span=windows[0], windows=1, recipe=Recipe(), began=1))
            ledger.save(do.SaveDecoded(job, ((job, Decoded(span=windows[0], segments=())),)))
            ledger.save(do.SaveGaps(job, windows[1:2]))


@pytest.mark.parametrize(
    ("state", "alone", "at_work"),
    [
        (Queued(), "stopped", "queued"),
        (Running(1), "stopped", "running"),
        (Writing(1), "stopped", "writing"),
        (Frozen(1), "stopped", "frozen"),
        (Pausing(1), "paused", "pausing"),
        (Pausing(1, reason="The disk is full."), "stopped", "pausing"),
        (Paused(1, "parked"), "paused", "paused"),
        (Paused(1, reason="The disk is full."), "stopped", "paused"),
        (Done(1, gaps=10_000), "done", "done"),
        (Failed(1, "It is broken."), "failed", "failed"),
        (Cancelled(1), "cancelled", "cancelled"),
    ],
    ids=lambda each: type(each).__name__ if not isinstance(each, str) else each,
)
def test_what_the_ledger_means_depends_on_whether_anybody_is_at_work(home, state, alone, at_work):
    save(home, state)
    row = json.loads(listing.as_json(listing.standing(home)))["jobs"][0]
    assert row["state"] == alone
    assert (row["transcribed"], row["gaps"]) == (10.0, [[10.0, 20.0]])
    assert (row["duration"], row["heard"]) == (40.0, 40.0)
    assert (row["speed"], row["eta"]) == (None, None)
    assert row["error"] == ("It is broken." if alone == "failed" else None)
    with home.lock():  # as a run in the foreground holds it
        stands = listing.standing(home)
    (row,) = listing.rows(stands.view.jobs, NOW)
    assert row["state"] == at_work
    assert stands.engine is not None
    assert stands.host is None


def test_every_state_has_a_word():
    assert set(listing.WORDS) == set(JobState.__args__)


def test_no_ledger_is_an_empty_queue(tmp_path):
    stands = listing.standing(Home(tmp_path / "nowhere"))
    assert stands == Standing(View())
    assert listing.as_text(stands) == "The queue is empty.\n"
    assert not (tmp_path / "nowhere").exists()


def test_a_job_at_work_tells_its_speed_and_what_is_left():
    scene = Scene().add(1, "/media/council meeting.mp4").run(1, 600_000).hear(1, 600_000, last=True)
    scene.chunk(1, 5)
    stands = Standing(scene.view, 4711, "1.2.3")
    (row,) = json.loads(listing.as_json(stands, scene.now))["jobs"]
    job = scene.view.jobs[0]
    assert row["speed"] == round(job.speed(scene.now), 2)
    assert row["eta"] == job.eta(scene.now) / 1000
    assert row["fraction"] == round(job.fraction, 4)
    line = listing.as_text(stands, scene.now).splitlines()[1]
    assert "running" in line
    assert line.endswith("left)")


def test_the_summary_counts_and_names_who_is_at_work():
    scene = Scene().add(1, "/a.mkv").add(2, "/b.mkv", state=Done(1)).add(3, "/c.mkv", state=Done(1)).memory(1, high=2.0)
    assert (
        listing.as_text(Standing(scene.view, 7, "1.2.3"))
        .splitlines()[-1]
        .startswith("3 jobs: 1 queued, 2 done; host 1.2.3, process 7, 2.0G of ")
    )
    assert listing.as_text(Standing(scene.view, 7)).endswith("; process 7 is at work.\n")
    assert listing.as_text(Standing(scene.view, 0)).endswith("; another process is at work.\n")
    assert listing.as_text(Standing(scene.view)).endswith("; nothing is at work.\n")
    data = json.loads(listing.as_json(Standing(scene.view, 7, "1.2.3")))
    assert (data["engine"], data["host"], data["memory"]) == (7, "1.2.3", 2 * GIB)
    assert json.loads(listing.as_json(Standing(scene.view)))["memory"] is None


def test_names_and_reasons_from_outside_are_harmless():
    scene = Scene().add(1, "/media/\x1b[31mred\n.mkv", state=Failed(1, "no\x07sound"))
    text = listing.as_text(Standing(scene.view))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert len(text.splitlines()) == 3


def test_ended_jobs_are_filled_from_the_ledger_whoever_tells_of_them(home):
    """The host does not load their windows; the same is told as by the ledger alone."""
    save(home, Done(1, gaps=10_000), Failed(1, "It is broken."))
    view = listing.from_ledger(home)
    assert all(not job.windows for job in view.jobs)
    filled = listing._with_ended(home, view)
    assert listing.rows(filled.jobs, NOW) == listing.rows(listing.standing(home).view.jobs, NOW)
    assert [job.covered_ms for job in filled.jobs] == [10_000, 10_000]
