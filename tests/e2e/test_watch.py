"""``scribetui watch`` over the real host and real recordings: what is taken, when, and that nothing is done twice."""

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from engine import events as ev
from tests.e2e.program import PATIENCE, Program, spans_of, until
from tests.voices import Speech
from tests.wer import wer

SETTINGS = "[host]\nidle = 1\n[watch]\n"
PULSE = 0.1
"""Seconds between two pieces of a file that is being copied."""


def settle(program: Program, **watch: object) -> None:
    """Write the user's settings."""
    watch = {"settle": 0.5, "every": 0.2} | watch
    program.home.path.mkdir(mode=0o700, exist_ok=True)
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in watch.items()]
    program.home.settings.write_text(SETTINGS + "".join(lines))


class Watching:
    """The command at work, with ``--json``."""

    def __init__(self, program: Program, *args: str | Path) -> None:
        self._errors = program.folder / "stderr"
        with self._errors.open("wb") as errors:
            command = ("watch", *args, "--out", program.out, "--json")
            self.process = program.popen(*command, stdout=subprocess.PIPE, stderr=errors)

    def next(self, kind: str) -> dict:
        """What it says next, which has to be of that kind."""
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), f"it has ended: {self.err}"
        told = json.loads(line)
        assert told["type"] == kind, told
        return told

    def end(self, number: int = signal.SIGINT) -> int:
        """Interrupt it; its exit status, with nothing left unsaid."""
        self.process.send_signal(number)
        assert self.process.stdout.read() == b""
        return self.process.wait(PATIENCE)

    @property
    def err(self) -> str:
        return self._errors.read_text()


@pytest.fixture
def folder(program) -> Path:
    """The folder that is watched."""
    settle(program)
    folder = program.folder / "in"
    folder.mkdir()
    return folder


def move_in(speech: Speech, path: Path) -> Path:
    """Put a recording there, whole from the start."""
    return speech.save(path.with_name(f".{path.name}")).rename(path)


def states(program: Program) -> list[str]:
    return [row["state"] for row in program.status()]


def test_a_recording_is_found_queued_and_done(program, folder, sentence):
    watching = Watching(program, folder)
    path = move_in(sentence, folder / "deep.wav")
    assert watching.next("Found") == {"type": "Found", "path": str(path), "job": 1}
    ended = watching.next("Ended")
    assert (ended["job"], ended["state"], ended["gaps"], ended["error"]) == (1, "done", 0.0, None)
    assert {Path(output).name for output in ended["outputs"]} == program.outputs()
    assert wer(sentence.text, program.text("deep")) <= 0.02
    assert watching.end() == 130


def test_a_file_that_is_being_copied_is_taken_when_it_stands_still(program, folder, sentence, brief):
    """One that was put there later, but whole, comes first; and of the other one nothing is missing."""
    settle(program, settle=2)
    watching = Watching(program, folder)
    whole = brief.save(program.folder / "whole.wav").read_bytes()
    slow, ready = folder / "slow.wav", threading.Event()
    begun = threading.Event()

    def copy() -> None:
        piece, at = len(whole) // 1000, len(whole) // 2
        with slow.open("wb", buffering=0) as file:
            file.write(whole[:at])
            begun.set()
            while not ready.wait(PULSE):
                file.write(whole[at : at + piece])
                at += piece
            file.write(whole[at:])

    copying = threading.Thread(target=copy)
    copying.start()
    try:
        assert begun.wait(PATIENCE)
        move_in(sentence, folder / "whole.wav")
        assert Path(watching.next("Found")["path"]).name == "whole.wav"
        assert watching.next("Ended")["state"] == "done"
    finally:
        ready.set()
        copying.join()
    assert watching.next("Found")["path"] == str(slow)
    assert watching.next("Ended")["state"] == "done"
    assert wer(brief.text, program.text("slow")) <= 0.02
    assert watching.end() == 130


def test_what_was_done_is_known_by_its_content_whatever_its_name(program, folder, sentence):
    """A copy, a new name, a second start, and even once it is off the list."""
    path = move_in(sentence, folder / "talk.wav")
    watching = Watching(program, folder)
    watching.next("Found")
    assert watching.next("Ended")["state"] == "done"

    shutil.copy(path, program.folder / "copy.wav")
    (program.folder / "copy.wav").rename(folder / "copy.wav")
    told = watching.next("PassedOver")
    assert (told["path"], told["is_known"]) == (str(folder / "copy.wav"), True)
    assert str(path) in told["reason"]

    (folder / "copy.wav").unlink()
    path.rename(folder / "renamed.wav")
    assert watching.next("PassedOver")["path"] == str(folder / "renamed.wav")

    assert program("remove", "1").status == 0
    (folder / "renamed.wav").rename(folder / "again.wav")
    assert watching.next("PassedOver")["is_known"]
    assert watching.end() == 130

    second = program("watch", folder, "--once", "--json")
    assert second.status == 0
    assert [json.loads(line)["type"] for line in second.out.splitlines()] == ["PassedOver"]
    assert program.status() == []
    assert not spans_of(program.events(), ev.BatchStarted), "it was done again, after the job that did it was removed"


def test_a_recording_that_is_too_short_is_passed_over(program, folder, sentence, brief):
    settle(program, min_duration=20)
    move_in(sentence, folder / "1-short.wav")
    watching = Watching(program, folder)
    watching.next("Found")
    ended = watching.next("Ended")
    assert (ended["path"], ended["state"]) == (str(folder / "1-short.wav"), "cancelled")
    assert program.outputs() == set()
    move_in(brief, folder / "2-long.wav")
    watching.next("Found")
    assert watching.next("Ended")["state"] == "done"
    assert watching.end() == 130
    assert {entry.event.job for entry in program.events() if isinstance(entry.event, ev.BatchStarted)} == {2}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_when_it_is_interrupted_the_jobs_go_on(program, folder, brief, number):
    move_in(brief, folder / "talk.wav")
    watching = Watching(program, folder)
    watching.next("Found")
    assert watching.end(number) == 130
    assert "jobs that are not finished go on in the background" in watching.err
    until(lambda: states(program) == ["done"], "the end of the job")
    assert wer(brief.text, program.text("talk")) <= 0.02


def test_once_ends_when_all_is_queued_and_tells_it_in_words(program, folder, sentence, brief):
    (folder / "below").mkdir()
    for name, speech in (("a.wav", sentence), ("below/b.WAV", brief)):
        move_in(speech, folder / name)
    (folder / "notes.txt").write_text("no recording")
    done = program("watch", "in", "--once", "--formats", "txt", "--out", "out")
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == [
        f"{folder / name}: found, and queued as job {n}." for n, name in ((1, "a.wav"), (2, "below/b.WAV"))
    ]
    until(lambda: states(program) == ["done", "done"], "the end of the jobs")
    assert program.outputs() == {"a.txt", "b.txt"}


def test_a_host_that_dies_is_replaced_and_nothing_is_lost(program, folder, sentence, short):
    """The job it was at goes on where it was; what appears later is found."""
    move_in(short, folder / "1.wav")
    watching = Watching(program, folder)
    watching.next("Found")
    until(lambda: program.covered(1), "the first batch")
    before = len(program.covered(1))
    os.kill(program.home.holder(), signal.SIGKILL)
    ended = watching.next("Ended")
    assert (ended["job"], ended["state"]) == (1, "done")
    assert "The connection to the host is lost" in watching.err
    move_in(sentence, folder / "2.wav")
    assert watching.next("Found")["job"] == 2
    assert watching.next("Ended")["state"] == "done"
    assert watching.end() == 130
    counts = spans_of(program.events(), ev.BatchDone, 1)
    assert set(counts.values()) == {1}
    assert len(counts) == len(short.spans) >= before


def test_a_folder_that_goes_is_waited_for(program, folder, sentence):
    watching = Watching(program, folder)
    move_in(sentence, folder / "1.wav")
    watching.next("Found")
    watching.next("Ended")
    folder.rename(program.folder / "away")
    assert watching.next("FolderLost")["folder"] == str(folder)
    move_in(sentence, program.folder / "away" / "2.wav")
    (program.folder / "away").rename(folder)
    watching.next("FolderBack")
    assert watching.next("PassedOver")["path"] == str(folder / "2.wav")
    assert watching.end() == 130


def test_the_end_of_the_host_ends_the_watching(program, folder, sentence):
    watching = Watching(program, folder)
    move_in(sentence, folder / "talk.wav")
    watching.next("Found")
    watching.next("Ended")
    assert program("stop").status == 0
    assert watching.process.wait(PATIENCE) == 130
    assert "Watching has ended." in watching.err
    until(program.is_gone, "the end of all processes")


def test_the_folders_of_the_settings_are_watched_by_the_host_itself(program, folder, sentence, brief):
    """Whoever is quicker, the host or a command that watches the same: each recording is one job."""
    settle(program, folders=[str(folder)])
    move_in(sentence, folder / "a.wav")
    done = program("watch", "--once", "--out", program.out)
    assert done.status == 0
    until(lambda: states(program) == ["done"], "the end of the job")
    move_in(brief, folder / "b.wav")
    until(lambda: states(program) == ["done", "done"], "the end of the job that the host has found")
    assert program("stop").status == 0


@pytest.mark.parametrize(
    ("args", "status", "told"),
    [
        ((), 2, 'No folder to watch: name one, or set "folders"'),
        (("in", "--nope"), 2, "--nope"),
        (("in", "--language", "xx"), 2, "--language must be"),
        (("in", "nowhere"), 1, "nowhere: there is no such folder."),
        (("stderr.txt",), 1, "stderr.txt: is not a folder; name the folder it is in"),
        (("in", "--model", "nonesuch"), 1, 'There is no model "nonesuch"'),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "-",
)
def test_mistakes_are_told_before_anything_begins(program, folder, args, status, told):
    (program.folder / "stderr.txt").touch()
    done = program("watch", *args)
    assert (done.status, done.out) == (status, "")
    assert told in done.err
    assert "Traceback" not in done.err
    assert not program.home.ledger.exists()


def test_a_reader_that_goes_away_does_not_end_it(program, folder, sentence):
    """`watch --json | head -1`: it goes on."""
    watching = Watching(program, folder)
    move_in(sentence, folder / "1.wav")
    watching.next("Found")
    watching.process.stdout.close()
    until(lambda: states(program) == ["done"], "the end of the job")
    (folder / "1.wav").rename(program.folder / "talk.wav")
    with (program.folder / "talk.wav").open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\x01\x01")  # another recording, as far as anybody can tell
    (program.folder / "talk.wav").rename(folder / "2.wav")
    until(lambda: states(program) == ["done", "done"], "the end of the other job")
    watching.process.send_signal(signal.SIGINT)
    assert watching.process.wait(PATIENCE) == 130
