"""The command line as a contract: what scripts depend on."""

import json
import os
import re

import pytest

from engine import events as ev
from engine.demo import demo_text
from engine.states import Done
from tests.e2e.program import FORMATS, ROOT, spans_of, to_entry, until
from tests.voices import TEXT
from tests.wer import wer

THREE = "\n".join(TEXT.splitlines()[:2])


@pytest.fixture
def media(program, sentence):
    """A recording of one sentence."""
    return sentence.save(program.folder / "talk.wav")


# ---- what it says of itself


def test_help_lists_the_commands(program):
    done = program("--help")
    assert done.status == 0
    assert [name for name in ("run", "status", "export", "demo", "doctor") if f"\n  {name}  " not in done.out] == []
    assert "[PATH]..." in done.out
    assert not program.home.path.exists()


def test_help_of_run_lists_its_options(program):
    done = program("run", "--help")
    assert done.status == 0
    options = ("--out", "--formats", "--model", "--backend", "--language", "--track", "--chunk", "--batch", "--json")
    assert [option for option in options if f"{option} " not in done.out] == []


def test_version(program):
    done = program("--version")
    assert (done.status, done.err) == (0, "")
    assert re.fullmatch(r"scribetui \d+\.\d+\.\d+\n", done.out)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("run",), "Missing argument"),
        (("run", "--nope", "talk.wav"), "--nope"),
        (("run", "--chunk", "soon", "talk.wav"), "--chunk"),
        (("run", "--chunk", "5", "talk.wav"), "--chunk must be a whole number of seconds from 30 to 3600, not 5."),
        (("run", "--batch", "0", "talk.wav"), '--batch must be a whole number from 1 to 64, or "auto", not 0.'),
        (("run", "--formats", "doc", "talk.wav"), "--formats must be a list"),
        (("run", "--language", "xx", "talk.wav"), "--language must be"),
        (("run", "--model", "tiny.en", "--language", "de", "talk.wav"), "knows only English"),
        (("run", "--backend", "nope", "talk.wav"), "--backend must be"),
        (("export", "first"), "job"),
        (("export", "1", "--format", "doc"), "There is no format 'doc'"),
        (("status", "--nope"), "--nope"),
        (("talk.wav",), "use 'scribetui run' to work without one"),
        ((), "use 'scribetui run' to work without one"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "-",
)
def test_usage_errors_exit_with_2_and_say_what_is_wrong(program, media, args, told):
    done = program(*args)
    assert done.status == 2
    assert told in done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert program.outputs() == set()


def test_a_model_that_is_not_there_is_named_and_exits_with_1(program, media):
    done = program.run(media, "--model", "nonesuch")
    assert done.status == 1
    assert 'There is no model "nonesuch" (at hand: tiny.en)' in done.err


# ---- run


def test_run_tells_progress_on_stderr_and_nothing_on_stdout(program, media):
    done = program.run("talk.wav")
    assert (done.status, done.out) == (0, "")
    lines = done.err.splitlines()
    assert any(re.fullmatch(r"talk\.wav: 100 %  .*x", line) for line in lines)
    assert any(re.fullmatch(r"talk\.wav: done, 0:05 in \d:\d\d", line) for line in lines)
    assert [line.strip() for line in lines[-4:]] == [str(program.out / f"talk.{name}") for name in FORMATS]


def test_run_json_tells_every_event_as_a_line_on_stdout(program, media):
    done = program.run(media, "--json")
    assert done.status == 0
    entries = [to_entry(line) for line in done.out.splitlines()]
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert isinstance(entries[0].event, ev.EngineStarted)
    last = [entry.event.state for entry in entries if isinstance(entry.event, ev.JobChanged)][-1]
    assert isinstance(last, Done)
    assert all(json.loads(line)["event"]["type"] for line in done.out.splitlines())
    assert "talk.wav: done" in done.err


def test_options_of_run_are_effective(program, sentence):
    (program.folder / "in").mkdir()
    media = sentence.save(program.folder / "in" / "talk.wav")
    done = program("run", media, "--formats", "txt,json", "--chunk", "60", "--batch", "3", "--model", "tiny.en")
    assert done.status == 0
    assert {path.name for path in media.parent.iterdir()} == {"talk.wav", "talk.txt", "talk.json"}
    (recipe,) = json.loads((media.parent / "talk.json").read_text())["recipes"]
    assert (recipe["model"], recipe["batch"], recipe["language"]) == ("tiny.en", 3, "en")
    (attempt,) = program.attempts(1)
    assert json.loads(attempt["recipe"])["chunk_ms"] == 60_000


def test_a_file_that_is_done_is_not_done_again(program, media):
    """The second run writes the files anew, with the words that are in the ledger."""
    assert program.run(media).status == 0
    (program.out / "talk.srt").unlink()
    done = program.run(media)
    assert done.status == 0
    assert program.outputs() == {f"talk.{name}" for name in FORMATS}
    assert set(spans_of(program.events(), ev.BatchStarted).values()) == {1}
    assert [row["job"] for row in program.status()] == [1]


def test_a_file_named_twice_is_one_job(program, media):
    done = program.run(media, media)
    assert done.status == 0
    assert len(program.status()) == 1
    assert done.err.count(": done, ") == 1


def test_done_with_gaps_exits_with_3_and_the_next_run_tries_only_the_gap(program, studio):
    """A recogniser from elsewhere fails one window for good: the rest is there, the files mark the gap."""
    (program.folder / "home").mkdir()
    program.home.settings.write_text("[failures]\nretries = 1\nretry_delay = 0\n")
    program.environment["PYTHONPATH"] = str(ROOT)
    media = studio.speak("heart", THREE, (3_200, 3_600)).save(program.folder / "talk.wav")
    stone = program.folder / "stone"
    stone.touch()
    stumbling = ("--backend", "tests.e2e.stumbling:Stumbling", "--batch", "2")
    done = program.run(media, *stumbling)
    assert done.status == 3
    assert "The recogniser stumbled over a stone" in done.err
    assert re.search(r"talk\.wav: done, 0:\d\d in 0:\d\d, with gaps of 0:0\d in all", done.err)
    (gap,) = program.transcript("talk")["gaps"]
    assert program.text("talk").count("heard.") == 3
    (row,) = program.status()
    assert (row["state"], row["gaps"]) == ("done", [[gap["start"], gap["end"]]])

    stone.unlink()
    again = program.run(media, *stumbling)
    assert again.status == 0
    assert program.transcript("talk")["gaps"] == []
    assert program.text("talk").count("heard.") == 4
    assert set(spans_of(program.events(), ev.BatchDone).values()) == {1}


def test_failed_beats_gaps_beats_done(program, media):
    """One file that is not there makes the status 1, though the other is done."""
    done = program.run(media, "nowhere.wav")
    assert done.status == 1
    assert program.outputs() == {f"talk.{name}" for name in FORMATS}


# ---- status and export


def test_status_and_export_while_the_job_runs_and_after(program, short):
    """Beside the running program: how far it is, and the transcript as far as it has come, in every format."""
    assert program("status").out == "The queue is empty.\n"
    assert json.loads(program("status", "--json").out) == {"engine": None, "jobs": []}
    media = short.save(program.folder / "talk.wav")
    sitting = program.start(media, "--batch", "1")
    assert sitting.until(lambda event: isinstance(event, ev.BatchDone))
    assert sitting.until(lambda event: isinstance(event, ev.BatchDone))

    told = json.loads(program("status", "--json").out)
    assert told["engine"] == sitting.process.pid
    (job,) = told["jobs"]
    assert (job["job"], job["path"], job["state"]) == (1, str(media), "running")
    assert 0 < job["transcribed"] < short.duration / 1000
    assert re.search(r"\n +1  running +\d+%  +\d:\d\d  talk\.wav\n", program("status").out)

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


@pytest.mark.parametrize("command", [("status",), ("status", "--json"), ("export", "1"), ("run", "talk.wav")])
def test_a_ledger_that_is_none_is_one_sentence(program, media, command):
    program.home.create()
    program.home.ledger.write_bytes(os.urandom(20_000))
    done = program(*command)
    assert done.status == 1
    assert done.err == (
        f"The ledger {program.home.ledger} cannot be opened: file is not a database; "
        "move it away to begin with an empty queue.\n"
    )


# ---- doctor and demo


def test_doctor_finds_all_well_and_changes_nothing(program):
    done = program("doctor")
    assert (done.status, done.err) == (0, "")
    for name in ("python", "packages", "models", "device", "memory", "state folder", "disk", "sqlite", "terminal"):
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
