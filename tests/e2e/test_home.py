"""What a script can ask for beside the work: status, export, doctor, demo; and one home for one program."""

import json
import os
import re

import pytest

from engine import events as ev
from engine.demo import demo_text
from tests.e2e.program import FORMATS, until
from tests.wer import wer


@pytest.fixture
def media(program, sentence):
    """A recording of one sentence."""
    return sentence.save(program.folder / "talk.wav")


# ---- status and export


def test_status_and_export_while_the_job_runs_and_after(program, apart):
    """Beside the running program: how far it is, and the transcript as far as it has come, in every format."""
    speech = apart.again()  # longer at work than the commands take
    assert program("status").out == "The queue is empty.\n"
    assert json.loads(program("status", "--json").out) == {
        "engine": None,
        "host": None,
        "memory": None,
        "budget": None,
        "jobs": [],
    }
    media = speech.save(program.folder / "talk.wav")
    sitting = program.start(media, "--batch", "1")
    assert sitting.until(lambda event: isinstance(event, ev.BatchDone))
    assert sitting.until(lambda event: isinstance(event, ev.BatchDone))

    told = json.loads(program("status", "--json").out)
    assert told["engine"] == sitting.process.pid
    (job,) = told["jobs"]
    assert (job["job"], job["path"], job["state"]) == (1, str(media), "running")
    assert 0 < job["transcribed"] < speech.duration / 1000
    assert re.search(r"\n +1  running +\d+%  +\d:\d\d  talk\.wav( +\(.*left\))?\n", program("status").out)

    halfway = program.folder / "halfway"
    done = program("export", "1", "--format", ",".join(FORMATS), "--out", halfway)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [str(halfway / f"talk.{name}") for name in FORMATS]
    exported = json.loads((halfway / "talk.json").read_text())
    words = [word["word"] for word in exported["word_segments"]]
    assert words
    assert " --> " in (halfway / "talk.srt").read_text()
    assert (halfway / "talk.vtt").read_text().startswith("WEBVTT")

    assert sitting.read_rest() == 0
    final = [word["word"] for word in program.transcript("talk")["word_segments"]]
    assert len(words) < len(final)
    assert set(words) <= set(final)
    assert [row["state"] for row in program.status()] == ["done"]
    after = program.folder / "after"
    assert program("export", "1", "--format", ",".join(FORMATS), "--out", after).status == 0
    for name in FORMATS:
        assert (after / f"talk.{name}").read_bytes() == (program.out / f"talk.{name}").read_bytes()


def test_export_leaves_the_files_of_others_alone(program, media):
    """A file of that name that we did not write is not touched."""
    assert program.run(media).status == 0
    theirs = program.folder / "talk.srt"
    theirs.write_text("mine")
    done = program("export", "1", "--format", "srt")
    assert done.status == 0
    assert theirs.read_text() == "mine"
    assert done.out == f"{program.folder / 'talk.wav.srt'}\n"


@pytest.mark.parametrize("job", ["1", "7"])
def test_export_of_a_job_that_is_not_there_exits_with_1(program, job):
    done = program("export", job)
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith(f"There is no job {job}")


# ---- the home


def test_a_second_program_on_the_same_home_says_who_holds_it(program, media, apart):
    """One home, one program at work: the other one names it, changes nothing, and exits with 1."""
    sitting = program.start(apart.save(program.folder / "long.wav"))
    assert sitting.until(lambda event: isinstance(event, ev.WorkerStarted))
    second = program.run(media)
    assert second.status == 1
    assert f"Another scribetui (process {sitting.process.pid}) is at work in {program.home.path}" in second.err
    assert [row["path"] for row in program.status()] == [str(program.folder / "long.wav")]
    sitting.kill()
    until(program.is_gone, "the end of the workers")
    assert program.run(media).status == 0


def test_a_mistake_in_the_settings_exits_with_2_and_names_the_line(program, media):
    (program.folder / "home").mkdir()
    program.home.settings.write_text("[chunks]\nchunk = 120\n\nbatsch = 4\n")
    for args in (("run", str(media)), ("status",), ("export", "1")):
        done = program(*args)
        assert done.status == 2
        assert done.err == (
            f'{program.home.settings}, line 4: there is no setting "chunks.batsch"; did you mean "chunks.batch"?\n'
        )
    stopped = program("stop")
    assert (stopped.status, stopped.out) == (0, "Nothing is at work.\n"), "it keeps nobody from ending what is at work"
    examined = program("doctor")
    assert examined.status == 1
    assert "fail  settings" in examined.out
    assert "line 4" in examined.out


def test_the_settings_are_effective(program, media):
    (program.folder / "home").mkdir()
    program.home.settings.write_text('[output]\nformats = ["vtt"]\nfolder = "~/transcripts"\n')
    program.environment["HOME"] = str(program.folder)
    assert program("run", media).status == 0
    assert [path.name for path in (program.folder / "transcripts").iterdir()] == ["talk.vtt"]


def test_a_home_that_cannot_be_written_is_one_sentence(mortal, media):
    mortal.home.path.mkdir(mode=0o555)
    done = mortal.run(media)
    assert done.status == 1
    assert done.err == (
        f"The state folder {mortal.home.path} cannot be used (Permission denied); "
        "set SCRIBETUI_HOME to a folder you can write to.\n"
    )
    examined = mortal("doctor")
    assert examined.status == 1
    assert "fail  state folder" in examined.out


READING = [("status",), ("status", "--json"), ("export", "1"), ("events", "1"), ("report", "1")]


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_ledger_that_is_none_is_one_sentence_to_who_only_looks(program, command):
    program.home.create()
    program.home.ledger.write_bytes(os.urandom(20_000))
    done = program(*command)
    assert done.status == 1
    assert done.err == (
        f"The ledger {program.home.ledger} cannot be opened: file is not a database; "
        "start scribetui to have it put aside and to save what can be read of it.\n"
    )


def test_a_ledger_that_is_none_is_put_aside_when_work_begins(program, media):
    """Said in one sentence, with where it is; the work is done, and the old file stays as it was."""
    program.home.create()
    rubbish = os.urandom(20_000)
    program.home.ledger.write_bytes(rubbish)
    done = program.run(media)
    assert done.status == 0
    (said,) = [line for line in done.err.splitlines() if line.startswith("The ledger")]
    (kept,) = (each for each in program.home.path.glob("ledger.damaged-*") if each.suffix == ".sqlite")
    assert said.startswith(f"The ledger was damaged and is kept as {kept}")
    assert kept.read_bytes() == rubbish
    assert program("status").status == 0


# ---- doctor and demo


def test_doctor_finds_all_well_and_changes_nothing(program):
    done = program("doctor")
    assert (done.status, done.err) == (0, "")
    names = ("python", "packages", "models", "device", "memory", "state folder", "host", "disk", "sqlite", "terminal")
    for name in names:
        assert re.search(rf"^(ok|warn) +{name} ", done.out, re.MULTILINE), name
    assert "tiny.en" in done.out
    assert not program.home.path.exists()


def test_doctor_json_is_the_same_for_scripts(program):
    done = program("doctor", "--json")
    assert (done.status, done.err) == (0, "")
    data = json.loads(done.out)
    assert data["ok"] is True
    assert {check["status"] for check in data["checks"]} <= {"ok", "warn"}
    assert all(set(check) == {"name", "status", "what", "cure"} for check in data["checks"])


def test_demo_speaks_and_transcribes_without_an_account_or_a_screen(program):
    """No recording, no network: a few minutes of speech, transcribed for real, and its beginning shown."""
    folder = program.folder / "demo"
    program.environment |= {
        "HF_HUB_OFFLINE": "1",
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = program("demo", "--no-screen", "--folder", folder)
    assert done.status == 0, done.err
    (recording,) = folder.glob("*.wav")
    written = recording.with_suffix(".txt").read_text()
    assert wer(demo_text(), written) <= 0.05
    assert done.out.strip().startswith(written.splitlines()[0])
    assert str(recording.with_suffix(".txt")) in done.out
    assert all(recording.with_suffix(f".{name}").exists() for name in FORMATS)
    assert not program.home.path.exists()
    assert list((folder / ".state" / "cache").iterdir()) == []
