"""Every command of the contract against the real host on real recordings, with its exit status and its JSON.

The first tests share one home, in their order: what one leaves, the next one finds.
"""

import json
import re
import signal
from importlib.metadata import version

import pytest

from engine import events as ev
from engine.states import Done, Paused
from tests.e2e.program import FORMATS, Ended, Program, check_each_window_once, children, spans_of, to_entry, until
from tests.voices import Speech
from tests.wer import wer

ROW = {
    *("job", "path", "state", "error", "fraction", "duration", "heard", "transcribed", "gaps", "outputs"),
    *("speed", "eta", "language", "aligned", "fetching"),
}
"""What is told of a job."""
FILM, TALK = 1, 2


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, apart: Speech, sentence: Speech) -> Program:
    """A program over one home; ``film.wav`` is six minutes long, so that it is at work for many commands."""
    program = Program(tmp_path_factory.mktemp("contract"))
    program.settle(host_idle="120")
    apart.again().save(program.folder / "film.wav")
    sentence.save(program.folder / "talk.wav")
    yield program
    program.end()


@pytest.fixture
def media(program: Program, apart: Speech):
    """Three minutes of speech, longer than any command takes, in a home of its own, whose host stays for the test."""
    program.settle(host_idle="120")
    return apart.save(program.folder / "long.wav")


def is_batch_done(event: ev.Event) -> bool:
    return isinstance(event, ev.BatchDone)


def said(done: Ended, status: int = 0) -> list[str]:
    """What a command said on stdout, if it ended as it should."""
    assert done.status == status, done
    assert "Traceback" not in done.err
    return done.out.splitlines()


def told(done: Ended, status: int = 0) -> dict:
    """The JSON a command said, if it ended as it should."""
    (line,) = said(done, status)
    return json.loads(line)


# ---- where nothing runs


def test_nothing_to_do_starts_no_host(shared):
    assert told(shared("pause", "7", "--json"), 1) == {
        "done": [],
        "jobs": [],
        "errors": [{"job": 7, "error": "There is no job 7; 'scribetui status' lists those there are."}],
    }
    assert said(shared("stop")) == ["Nothing is at work."]
    assert shared.home.holder() is None


# ---- one home, one host, in this order


def test_detach_queues_and_leaves(shared):
    """The host is started, the job runs, the command is gone; a file that is not there is told, and exits with 1."""
    done = shared.hosted("film.wav", "--batch", "1", "--detach", "--json")
    (row,) = told(done)["jobs"]
    assert set(row) == ROW
    assert (row["job"], row["path"]) == (FILM, str(shared.folder / "film.wav"))
    refused = shared.hosted("nowhere.wav", "--detach", "--json")
    assert [each["path"] for each in told(refused, 1)["errors"]] == ["nowhere.wav"]
    assert said(shared.hosted("film.wav", "--batch", "1", "--detach")) == [f"film.wav is job {FILM}."]


def test_status_tells_speed_and_time_left(shared):
    row = until(lambda: (row := shared.job(FILM))["eta"] is not None and row, "the time left")
    assert row["state"] == "running"
    assert 0 < row["transcribed"] < 360
    assert row["speed"] > 0
    stands = shared.standing()
    assert set(stands) == {"engine", "host", "memory", "budget", "jobs"}
    assert (stands["engine"], stands["host"]) == (shared.host().pid, version("scribetui"))
    assert 0 < stands["memory"] < stands["budget"]
    header, line, summary = said(shared("status"))
    assert header.split() == ["job", "state", "done", "length", "file"]
    assert re.fullmatch(r" +1  running +\d+%  +6:\d\d  film\.wav  \(\d+\.\dx, \d:\d\d left\)", line)
    assert re.fullmatch(rf"1 job: 1 running; host \S+, process {shared.host().pid}, \S+ of \S+ in use\.", summary)
    # Where commands are slow, the film is not to come to its end before they have all been tried on it.
    said(shared("pause", FILM, "--freeze"))


def test_run_waits_for_its_own_file_and_tells_only_of_that(shared):
    """Another job is before it, frozen, and is paused meanwhile, so that it comes to its turn."""
    sitting = shared.start("talk.wav", foreground=False)
    assert sitting.until(lambda event: isinstance(event, ev.JobAdded))
    until(lambda: "talk.wav: waiting for 1 job before it" in sitting.err, "the word that another one is first")
    done = shared("pause", FILM, "--json")
    (row,) = told(done)["jobs"]
    assert row["state"] in ("pausing", "paused")
    assert sitting.read_rest() == 0
    assert {getattr(entry.event, "job", TALK) for entry in sitting.entries} == {TALK}
    assert isinstance(sitting.said(ev.JobChanged)[-1].state, Done)
    assert "talk.wav: done" in sitting.err
    assert "film.wav" not in sitting.err
    assert {f"talk.{name}" for name in FORMATS} <= shared.outputs()
    assert shared.job(FILM)["state"] == "paused"


def test_run_without_json_says_nothing_on_stdout(shared):
    done = shared.hosted("talk.wav")
    assert said(done) == []
    assert re.search(r"^talk\.wav: done, 0:05 in \d:\d\d$", done.err, re.MULTILINE)
    assert "\x1b" not in done.err


def test_pause_freeze_park_and_resume(shared):
    """Each says what happens, and it does."""
    assert said(shared("pause", FILM)) == ["Job 1 (film.wav) is paused already."]
    assert said(shared("resume", FILM)) == ["Job 1 (film.wav) goes on."]
    shared.until_job(FILM, "running")
    assert said(shared("resume", FILM)) == ["Job 1 (film.wav) is at work already."]
    until(lambda: shared.job(FILM)["eta"] is not None, "some text")
    assert said(shared("pause", FILM, "--freeze")) == ["Job 1 (film.wav) is frozen; its memory stays in use."]
    assert shared.job(FILM)["state"] == "frozen"
    assert shared.workers()
    assert said(shared("resume", FILM)) == ["Job 1 (film.wav) goes on."]
    shared.until_job(FILM, "running")
    (line,) = said(shared("pause", FILM, "--park"))
    assert line == "Job 1 (film.wav) pauses after its batches under way, and then gives its memory back."
    shared.until_job(FILM, "paused")
    until(lambda: not shared.workers(), "the end of the workers")
    assert said(shared("pause", FILM, "--park")) == ["Job 1 (film.wav) is paused already."]


def test_set_changes_chunk_and_batch(shared):
    assert said(shared("set", FILM, "chunk=1m", "batch=2")) == [
        "Job 1 (film.wav) runs with chunks of 1m and batches of 2."
    ]
    (row,) = told(shared("set", FILM, "batch=1", "--json"))["jobs"]
    assert row["job"] == FILM
    changed = [entry.event.recipe for entry in shared.events(FILM) if isinstance(entry.event, ev.RecipeChanged)]
    assert (changed[-1].chunk_ms, changed[-1].batch) == (60_000, 1)


def test_move_changes_the_order(shared):
    for place, order, line in (
        ("last", [TALK, FILM], "Job 1 (film.wav) is number 2 of 2 in the queue."),
        ("up", [FILM, TALK], "Job 1 (film.wav) is number 1 of 2 in the queue."),
        ("down", [TALK, FILM], "Job 1 (film.wav) is number 2 of 2 in the queue."),
        ("first", [FILM, TALK], "Job 1 (film.wav) is number 1 of 2 in the queue."),
        ("2", [TALK, FILM], "Job 1 (film.wav) is number 2 of 2 in the queue."),
        ("99", [TALK, FILM], "Job 1 (film.wav) is number 2 of 2 in the queue."),
    ):
        assert said(shared("move", FILM, place)) == [line]
        assert [row["job"] for row in shared.status()] == order
    assert [row["job"] for row in told(shared("move", FILM, "1", "--json"))["jobs"]] == [FILM]


def test_several_jobs_at_once_some_of_which_refuse(shared):
    """What can be done is done; what cannot is told, and the status is 1."""
    done = shared("resume", FILM, TALK, "9", "--json")
    answer = told(done, 1)
    assert [(row["job"], row["state"]) for row in answer["jobs"]] == [(FILM, "running"), (TALK, "done")]
    assert [(each["job"], each["error"]) for each in answer["errors"]] == [
        (TALK, "Job 2 has ended; retry it instead."),
        (9, "There is no job 9; 'scribetui status' lists those there are."),
    ]
    assert done.err.splitlines() == [each["error"] for each in answer["errors"]]


def test_the_story_is_followed_and_exported_while_it_runs(shared):
    """``events``, ``report`` and ``export`` beside the host, and ``events --follow`` to the job's end."""
    lines = said(shared("events", FILM, "--json"))
    assert {getattr(to_entry(line).event, "job", FILM) for line in lines} == {FILM}
    assert told(shared("report", FILM, "--json"))["job"] == FILM
    halfway = shared.folder / "halfway"
    assert said(shared("export", FILM, "--format", "txt,json", "--out", halfway)) == [
        str(halfway / "film.txt"),
        str(halfway / "film.json"),
    ]
    assert json.loads((halfway / "film.json").read_text())["segments"]
    followed = said(shared("events", FILM, "--follow", "--json"))
    assert isinstance(to_entry(followed[-1]).event.state, Done)
    assert shared.job(FILM)["state"] == "done"


def test_what_was_paused_frozen_and_followed_is_whole(shared, apart):
    assert wer(apart.again().text, shared.text("film")) <= 0.02
    counts = spans_of(shared.events(FILM), ev.BatchDone)
    assert set(counts.values()) == {1}
    assert set(counts) == set(shared.windows(FILM))


def test_cancel_retry_and_remove(shared):
    """Only what has ended can be tried again or be taken off the list."""
    assert told(shared("cancel", TALK, "--json"), 1)["errors"][0]["error"] == "Job 2 has already ended."
    assert said(shared("retry", TALK)) == ["Job 2 (talk.wav) is queued again; only what is missing is done."]
    shared.until_job(TALK, "done")
    media = shared.folder / "film.wav"
    third = media.rename(shared.folder / "third.wav")
    assert said(shared.hosted(third, "--batch", "1", "--detach")) == ["third.wav is job 3."]
    done = shared("remove", "3")
    assert said(done, 1) == []
    assert done.err == "Job 3 has not ended; cancel it first.\n"
    assert said(shared("cancel", "3")) == ["Job 3 (third.wav) is cancelled; 'scribetui retry 3' queues it again."]
    assert shared.job(3)["state"] == "cancelled"
    assert told(shared("remove", "3", FILM, "--json")) == {"done": [3, FILM], "jobs": [], "errors": []}
    assert [row["job"] for row in shared.status()] == [TALK]


def test_doctor_knows_the_host(shared):
    checks = {check["name"]: check for check in json.loads(shared("doctor", "--json").out)["checks"]}
    assert checks["host"]["status"] == "ok"
    assert f"process {shared.host().pid}, version {version('scribetui')}, since" in checks["host"]["what"]


def test_host_tells_its_process_and_stop_ends_it(shared):
    pid = shared.host().pid
    assert said(shared("host")) == [str(pid)]
    assert told(shared("stop", "--json")) == {"stopped": pid, "jobs": []}
    shared.check_nothing_left()
    (restarted,) = said(shared("host"))
    assert int(restarted) == shared.host().pid != pid
    assert said(shared("stop", "--now")) == ["Stopped."]
    shared.check_nothing_left()


# ---- what ends, and what goes on


def test_stop_leaves_what_resume_goes_on_with(program, media):
    """The batches under way are waited for; nothing is decoded twice; a host is started to go on."""
    assert said(program.hosted(media, "--batch", "1", "--detach")) == ["long.wav is job 1."]
    until(lambda: program.covered(1), "the first batch")
    done = program("stop")
    assert said(done) == ["Stopped; 1 job is unfinished: 'scribetui resume --all' goes on from there."]
    assert done.err == "Waiting for the batches under way of job 1 (long.wav).\n"
    until(program.is_gone, "the end of all processes")
    (row,) = program.status()
    assert row["state"] == "stopped"
    assert 0 < row["fraction"] < 1
    assert program.standing()["engine"] is None
    (row,) = told(program("resume", "--all", "--json"))["jobs"]
    assert row["state"] in ("queued", "running")
    program.until_job(1, "done")
    check_each_window_once(program, 1)


def test_an_interruption_parks_the_job_and_the_next_run_goes_on(program, media, apart):
    """ctrl+C: 130, the memory is given back, the host stays; run again, and nothing is decoded twice."""
    sitting = program.start(media, "--batch", "1", foreground=False)
    assert sitting.until(is_batch_done)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.read_rest() == 130
    assert "Stopping after the batches under way; interrupt again to leave at once." in sitting.err
    assert re.search(r"long\.wav: stopped at \d+%; run it again to go on from there", sitting.err)
    assert "by someone else" not in sitting.err
    (last, *_) = [event.state for event in reversed(sitting.said(ev.JobChanged))]
    assert isinstance(last, Paused)
    assert last.how == "parked"
    until(lambda: not program.workers(), "the end of the workers")
    assert program.host().is_running()
    assert program.hosted(media, "--batch", "1").status == 0
    assert wer(apart.text, program.text("long")) <= 0.02
    check_each_window_once(program, 1)


def test_a_closed_terminal_does_not_end_the_work(program, media):
    """SIGHUP, and another time kill -9: whoever waited is gone, the job is done all the same."""
    sitting = program.start(media, "--batch", "1", foreground=False)
    assert sitting.until(is_batch_done)
    sitting.process.send_signal(signal.SIGHUP)
    assert sitting.read_rest() == 130
    assert program.job(1)["state"] == "running"
    second = program.start(media, foreground=False)
    assert second.until(is_batch_done)
    second.kill()
    program.until_job(1, "done")
    check_each_window_once(program, 1)


def test_a_lost_host_is_replaced_and_the_run_goes_on(program, media, apart):
    """kill -9 of the host and of all below it: said once, and the job is done by another one."""
    sitting = program.start(media, "--batch", "1", foreground=False)
    assert sitting.until(is_batch_done)
    host = program.host()
    for process in (host, *children(host.pid)):
        process.kill()
    assert sitting.read_rest() == 0, sitting.err
    assert sitting.err.count("is lost") == 1
    assert program.host().pid != host.pid
    assert wer(apart.text, program.text("long")) <= 0.02
    counts = spans_of(program.events(), ev.BatchDone)
    assert set(counts.values()) == {1}
    assert set(counts) == set(program.windows(1))


def test_somebody_else_may_pause_cancel_or_stop_what_is_waited_for(program, media):
    """Paused: said, and waited for. Cancelled: exit status 1. Stopped: 130, and why."""
    sitting = program.start(media, "--batch", "1", foreground=False)
    assert sitting.until(is_batch_done)
    assert program("pause", "1").status == 0
    until(lambda: "long.wav: paused by someone else; 'scribetui resume 1' lets it go on" in sitting.err, "a word of it")
    assert program("cancel", "1").status == 0
    assert sitting.read_rest() == 1
    assert "long.wav: cancelled" in sitting.err

    again = program.start(media, foreground=False)
    assert again.until(lambda event: isinstance(event, ev.BatchStarted))
    assert program("stop", "--now").status == 0
    assert again.read_rest() == 130
    assert "scribetui was stopped." in again.err
    assert program("cancel", "1").status == 0


def test_stop_ends_a_run_in_the_foreground_too(program, media):
    """Nobody listens there, so it is asked by a signal, and ends in good order."""
    sitting = program.start(media, "--batch", "1")
    assert sitting.until(is_batch_done)
    assert program.standing()["engine"] == sitting.process.pid
    assert program.standing()["host"] is None
    done = program("stop")
    assert said(done) == ["Stopped; 1 job is unfinished: 'scribetui resume --all' goes on from there."]
    assert done.err == f"Waiting for process {sitting.process.pid} to finish the batches under way.\n"
    assert sitting.read_rest() == 130
    begun, finished = (spans_of(program.events(), kind) for kind in (ev.BatchStarted, ev.BatchDone))
    assert begun == finished


def test_a_host_that_does_not_answer_is_told_by_a_signal(program, media):
    """Stopped in its tracks it hears nothing; once it runs again, it ends."""
    assert program("host").status == 0
    host = program.host()
    host.suspend()
    try:
        with (program.folder / "stderr").open("wb") as errors:
            stopping = program.popen("stop", stderr=errors)
        waiting = f"Waiting for process {host.pid}"
        until(lambda: waiting in (program.folder / "stderr").read_text(), "the signal")
        assert program.home.holder() == host.pid
    finally:
        host.resume()
    assert stopping.wait(60) == 0
    program.check_nothing_left()


def test_a_host_in_the_foreground_stays_until_it_is_told(program, media):
    """As a service manager runs it: no idle time, an end in good order on SIGTERM."""
    service = program.popen("host", "--foreground")
    until(lambda: program.standing()["host"], "the host")
    assert program.host().pid == service.pid
    assert said(program.hosted(media, "--batch", "1", "--detach")) == ["long.wav is job 1."]
    until(lambda: program.covered(1), "the first batch")
    service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0
    assert [row["state"] for row in program.status()] == ["stopped"]

    service = program.popen("host", "--foreground", "--go-on")
    program.until_job(1, "done")
    assert program("stop").status == 0
    assert service.wait(60) == 0
    check_each_window_once(program, 1)
