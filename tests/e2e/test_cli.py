"""The command line as a contract: what scripts depend on."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine import events as ev
from engine.states import Done
from tests.e2e.program import FORMATS, PATIENCE, ROOT, spans_of, to_entry
from tests.voices import TEXT

THREE = "\n".join(TEXT.splitlines()[:2])


@pytest.fixture
def media(program, sentence):
    """A recording of one sentence."""
    return sentence.save(program.folder / "talk.wav")


# ---- what it says of itself


def test_help_lists_the_commands(program):
    done = program("--help")
    assert done.status == 0
    commands = ("run", "status", "pause", "resume", "cancel", "retry", "set", "move", "remove")
    commands += ("events", "export", "report", "stop", "doctor", "demo")
    places = [done.out.find(f"\n  {name}  ") for name in commands]
    assert -1 not in places
    assert places == sorted(places)
    assert "[PATH]..." in done.out
    assert not program.home.path.exists()


def test_help_of_run_lists_its_options(program):
    done = program("run", "--help")
    assert done.status == 0
    options = ("--out", "--formats", "--model", "--backend", "--language", "--track", "--chunk", "--batch", "--json")
    options += ("--task", "--terms", "--correct / --no-correct", "--vad", "--align")
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
        (("run", "--vad", "ears", "talk.wav"), '--vad must be "silero" or "pyannote", not "ears"'),
        (("run", "--task", "sing", "talk.wav"), '--task must be "transcribe" or "translate", not "sing"'),
        (("run", "--language", "tlh", "talk.wav"), '--language must be "auto", "auto-per-chunk" or a code'),
        (("run", "--backend", "pen", "talk.wav"), '--backend must be "auto", "faster-whisper", "mlx", "whisperx"'),
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("args", [("status",), ("status", "--json"), ("settings",)], ids=" ".join)
def test_output_that_cannot_be_written_is_told(program, args):
    with open("/dev/full", "wb") as full:
        process = program.popen(*args, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (1, b"The output cannot be written (No space left on device).\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder that one is in cannot be deleted")
@pytest.mark.parametrize("args", [("run", "talk.wav"), ("demo",)], ids=" ".join)
def test_a_folder_that_was_deleted_under_the_user_is_told(program, args):
    """As by a shell: the folder is left to the program by its own starter."""
    folder = program.folder / "gone"
    folder.mkdir()
    deleted = replace(program, command=("sh", "-c", 'rmdir "$PWD" && exec "$0" "$@"'))
    done = deleted(*args, cwd=folder)
    assert done.status == 1
    assert done.err.lower().endswith("the folder you are in was deleted; go to another one.\n")
    assert done.err.count("\n") == 1


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
