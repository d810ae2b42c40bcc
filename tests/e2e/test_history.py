"""``scribetui events`` and ``scribetui report``, as the user runs them, beside a program at work and afterwards."""

import json
import signal
import subprocess
from contextlib import closing
from xml.etree import ElementTree as Xml

import msgspec
import pytest

from engine import events as ev
from engine.ledger import Ledger
from engine.states import Done
from tests.e2e.program import PATIENCE, SCRIBETUI, to_entry, until
from tests.engine.told import HOSTILE, Told, eventful, save


@pytest.fixture
def kept(program):
    """A home with one eventful job of a hostile name in its ledger."""
    program.home.create()
    with closing(Ledger(program.home.ledger)) as ledger:
        save(ledger, eventful(HOSTILE), HOSTILE)
    return program


@pytest.mark.parametrize("command", ["events", "report"])
def test_help_names_the_options(program, command):
    done = program(command, "--help")
    assert done.status == 0
    options = {"events": ("--json", "--follow", "--level"), "report": ("--json", "--svg")}[command]
    assert [option for option in options if option not in done.out] == []


@pytest.mark.parametrize("command", ["events", "report"])
def test_without_the_job_there_is_one_sentence(program, kept, command):
    done = program(command, "7")
    assert (done.status, done.out) == (1, "")
    assert done.err == "There is no job 7; 'scribetui status' lists those there are.\n"


@pytest.mark.parametrize("command", ["events", "report"])
def test_without_any_job_there_is_one_sentence(program, command):
    done = program(command, "1")
    assert (done.status, done.out) == (1, "")
    assert done.err == "There is no job 1 yet; 'scribetui run FILE' makes the first.\n"
    assert not program.home.path.exists()


@pytest.mark.parametrize("args", [("events", "one"), ("events", "1", "--level", "loud"), ("report", "1", "--svg")])
def test_usage_errors_exit_with_2(kept, args):
    done = kept(*args)
    assert (done.status, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_the_story_of_a_real_job(program, sentence):
    ran = program.run(sentence.save(program.folder / "talk.wav"), "--json")
    assert ran.status == 0, ran.err
    done = program("events", "1", "--json", "--level", "quiet")
    assert (done.status, done.err) == (0, "")
    told = [to_entry(line) for line in done.out.splitlines()]
    own = [entry for entry in ran.entries if getattr(entry.event, "job", None) == 1]
    assert [entry for entry in told if getattr(entry.event, "job", None) == 1] == own
    loads = [entry.event for entry in told if isinstance(entry.event, ev.WorkerReady)]
    assert len(loads) == 2, "of the listener and of the transcriber"
    lines = program("events", "1").out.splitlines()
    assert lines[-1][20:] == " ✓ done"
    assert any(" ready after " in line for line in lines)


def test_the_report_of_a_real_job(program, sentence):
    assert program.run(sentence.save(program.folder / "talk.wav")).status == 0
    done = program("report", "1", "--svg", "memory.svg")
    assert (done.status, done.err) == (0, "")
    labels = {line.split("  ")[0] for line in done.out.splitlines()}
    assert {"job 1", "file", "sound", "length", "state", "listen", "transcribe", "write", "failures"} <= labels
    assert "\x1b" not in done.out
    root = Xml.parse(program.folder / "memory.svg").getroot()
    assert root[0].text == "Memory over time: talk.wav"
    data = json.loads(program("report", "1", "--json").out)
    assert [each["outcome"] for each in data["attempts"]] == ["done"]
    assert data["stages"][1]["took"] > 0
    assert data["workers"][0]["loaded_in"] > 0


def test_hostile_names_reach_neither_the_terminal_nor_the_picture(kept):
    for args in (("events", "1", "--level", "quiet"), ("report", "1"), ("report", "1", "--svg", "-")):
        done = kept(*args)
        assert done.status == 0, done.err
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out
    assert "<b>&\"'␛[31m" in "".join(Xml.fromstring(done.out).itertext())


def test_follow_ends_with_the_job_and_tells_it_all(program, sentence):
    """It is started beside the program at work, and ends by itself."""
    media = sentence.save(program.folder / "talk.wav")
    sitting = program.start(media)
    sitting.until(lambda event: isinstance(event, ev.WorkerReady))
    done = _until_known(program)
    assert sitting.read_rest() == 0
    told = [to_entry(line).event for line in done.out.splitlines()]
    assert done.status == 0, done.err
    assert isinstance(told[0], ev.JobAdded)
    assert isinstance(told[-1], ev.JobChanged)
    assert isinstance(told[-1].state, Done)


def _until_known(program):
    """The ledger may not know the job for the first moments."""

    def follow():
        done = program("events", "1", "--follow", "--json", "--level", "quiet")
        return done if done.status == 0 else None

    return until(follow, "the job's story")


def test_follow_is_ended_by_an_interruption(program):
    program.home.create()
    with closing(Ledger(program.home.ledger)) as ledger:
        save(ledger, Told().sit_down().add().run())
    following = subprocess.Popen(
        [str(SCRIBETUI), "events", "1", "--follow"],
        env=program.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert b"waiting for job 1 to go on" in following.stderr.readline()
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE) == 130
        assert b"running" in following.stdout.read()
        assert following.stderr.read() == b""
    finally:
        following.kill()
        following.wait()
        following.stdout.close()
        following.stderr.close()


def test_a_reader_that_goes_away_is_no_error(kept):
    done = subprocess.run(
        ["/bin/sh", "-c", f"{SCRIBETUI} events 1 --level quiet | head -n 1"],
        env=kept.env,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


def test_a_job_of_ten_hours_is_told(program):
    program.home.create()
    told = Told().sit_down().add().run().start(1, "transcribe")
    for _ in range(900):
        told.begin(0).sample(400, 40).done(0, took=0)
    with closing(Ledger(program.home.ledger)) as ledger:
        save(ledger, told.turn(Done(told.at)))
    for args in (("report", "1"), ("report", "1", "--svg", "-"), ("report", "1", "--json"), ("events", "1")):
        done = program(*args)
        assert (done.status, done.err) == (0, "")
        assert done.out


def test_json_of_events_is_read_as_it_was_written(kept):
    done = kept("events", "1", "--json")
    assert done.status == 0
    assert all(msgspec.json.decode(line, type=ev.Entry) for line in done.out.splitlines())
