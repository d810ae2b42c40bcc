"""Files that cannot be used, disks that are full, names that would take over a terminal: a sentence for each."""

import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events as ev
from engine.states import Paused
from tests.e2e.program import FORMATS, Ended, Program, check_each_window_once
from tests.media_files import Film, Sound, write_media

HOSTILE = {
    "spaces": "a talk  with spaces.wav",
    "unicode": "会議 — ünï 🎤.wav",
    "newline": "two\nlines.wav",
    "markup": "[red]not red[bold] [link=x].wav",
    "escapes": "\x1b[31mred\x1b[0m\x1b]0;owned\x07\x9b2J.wav",
    "turned": "\u202egpm.exe.wav",
    "option": "--out.wav",
    "colon": "http:0.wav",
}


@pytest.fixture
def good(program, sentence) -> Path:
    """A file that can be used."""
    return sentence.save(program.folder / "good.wav")


@pytest.fixture
def small_disk(program) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = program.folder / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    is_root = sys.platform == "linux" and os.geteuid() == 0
    if not is_root or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def complaints(done: Ended, about: str) -> list[str]:
    """The lines about something, with nothing in any line that a terminal would act upon."""
    for char in done.err.replace("\n", "") + done.out.replace("\n", ""):
        assert unicodedata.category(char) not in ("Cc", "Cf", "Zl", "Zp"), f"{char!r} in {done.err!r}"
    assert "Traceback" not in done.err
    return [line for line in done.err.splitlines() if about in line]


def check_refused(program: Program, done: Ended, **reasons: str) -> None:
    """Prove that there is one clear sentence about each file, and that the rest of the queue was done all the same."""
    assert done.status == 1, done.err
    for name, why in reasons.items():
        (line,) = complaints(done, name)
        assert why in line, line
        assert line.endswith(".")
        assert line.count(name) == 1
    assert program.outputs() == {f"good.{each}" for each in FORMATS}
    assert program.text("good").startswith("The morning train leaves the station")
    program.check_nothing_left()


def test_what_is_no_recording_gets_a_sentence_each_and_the_rest_is_done(program, good):
    """Missing, a folder, empty, a text, random bytes, a film with no sound: none of them stops the queue."""
    (program.folder / "films").mkdir()
    (program.folder / "empty.mp3").touch()
    (program.folder / "notes.mp3").write_text("These are the minutes of the meeting.\n" * 40)
    (program.folder / "noise.mp4").write_bytes(bytes((7 * n * n) % 251 for n in range(20_000)))
    write_media(program.folder / "mute.mp4", film=Film(2_000))
    reasons = {
        "nowhere.mp3": "there is no such file",
        "films": "is a folder; please name the files in it",
        "empty.mp3": "the file is empty",
        "notes.mp3": "is not an audio or video file",
        "noise.mp4": "is not an audio or video file, or too damaged",
        "mute.mp4": "has no audio track (it holds 1 video)",
    }
    done = program.run(*reasons, good)
    check_refused(program, done, **reasons)
    assert {Path(row["path"]).name: row["state"] for row in program.status()} == {
        "notes.mp3": "failed",
        "noise.mp4": "failed",
        "mute.mp4": "failed",
        "good.wav": "done",
    }


def test_an_unreadable_file_is_refused_and_the_rest_is_done(mortal, good):
    secret = Path(shutil.copy(good, mortal.folder / "secret.wav"))
    secret.chmod(0)
    done = mortal.run("secret.wav", good)
    check_refused(mortal, done, **{"secret.wav": "you have no permission to read it"})


def test_a_truncated_mp3_is_transcribed_as_far_as_it_goes_with_a_warning(program, heart):
    """Half of a download: a warning that says where it breaks off, and the words up to there."""
    whole = write_media(program.folder / "whole.mp3", Sound(heart.floats[: 16_000 * 40]))
    data = whole.read_bytes()
    (program.folder / "half.mp3").write_bytes(data[: len(data) // 2])
    done = program.run("half.mp3")
    assert done.status == 0
    (line,) = complaints(done, "is cut off at")
    assert "half.mp3: is cut off at 0:" in line
    assert "of 0:40; what could be decoded is transcribed." in line
    assert program.text("half").startswith("The morning train leaves the station")
    data = program.transcript("half")
    assert 15 < data["word_segments"][-1]["end"] < 25
    assert program.outputs() == {f"half.{each}" for each in FORMATS}
    program.check_nothing_left()


def test_hostile_names_are_done_and_shown_harmlessly(program, sentence):
    """Spaces, unicode, newlines, markup, escape sequences, leading dashes: all transcribed, under their own names."""
    for name in HOSTILE.values():
        sentence.save(program.folder / name)
    done = program("run", "--foreground", "--out", program.out, "--", *HOSTILE.values())
    assert complaints(done, "Error") == []
    assert done.status == 0, done.err
    assert program.outputs() == {f"{Path(name).stem}.{each}" for name in HOSTILE.values() for each in FORMATS}
    assert done.err.count(": done, 0:05 in ") == len(HOSTILE)
    listed = program("status")
    assert complaints(listed, "") == []
    assert len(listed.out.splitlines()) == len(HOSTILE) + 2  # with its head and its summary
    assert [Path(row["path"]).name for row in program.status()] == list(HOSTILE.values())
    exported = program("export", "5", "--out", program.folder / "exported")
    assert complaints(exported, "") == []
    program.check_nothing_left()


def test_hostile_names_that_cannot_be_used_are_refused_harmlessly(program, good):
    """The same names on files with no sound in them, and on no files at all."""
    bad = [f"{n}{name}" for n, name in enumerate(HOSTILE.values())]
    for name in bad[::2]:
        (program.folder / name).write_text("no sound")
    done = program("run", "--foreground", "--out", program.out, "--", *bad, good)
    assert done.status == 1
    told = [line for line in complaints(done, "") if line.endswith(".")]
    assert len(told) == len(bad), done.err
    assert program.outputs() == {f"good.{each}" for each in FORMATS}
    program.check_nothing_left()


def test_a_name_that_is_no_text_is_refused_and_the_rest_is_done(program, good):
    name = os.fsdecode(b"bad-\xff\xfe.wav")
    try:
        Path(shutil.copy(good, program.folder / name))
    except OSError:
        pytest.skip("this file system takes only names that are text")
    done = program.run(name, good)
    check_refused(program, done, **{"the name is not valid UTF-8": "please rename the file"})


def test_an_output_folder_that_may_not_be_written_is_refused_before_the_work(mortal, good):
    """No permission: said once and at once; with permission it is done."""
    another = Path(shutil.copy(good, mortal.folder / "another.wav"))
    mortal.out.mkdir(mode=0o555)
    done = mortal.run(good, another)
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line == f"{mortal.out}: you have no permission to write transcripts there; name a folder with --out."
    assert mortal.status() == []
    mortal.check_nothing_left()
    mortal.out.chmod(0o755)
    assert mortal.run(good).status == 0
    assert mortal.outputs() == {f"good.{each}" for each in FORMATS}


def test_an_output_folder_that_becomes_unwritable_loses_nothing(mortal, short):
    """The permission goes in mid-job: a sentence, and once it is back `run` has only the files to write."""
    media = short.save(mortal.folder / "talk.wav")
    mortal.out.mkdir()
    sitting = mortal.start(media)
    assert sitting.until(lambda event: isinstance(event, ev.BatchDone))
    for left in mortal.out.iterdir():
        left.unlink(missing_ok=True)
    mortal.out.chmod(0o555)
    assert sitting.read_rest() == 1
    assert "there is no permission to write in its folder; grant it, or choose another output folder." in sitting.err
    mortal.out.chmod(0o755)
    assert mortal.run(media).status == 0
    assert mortal.outputs() == {f"talk.{each}" for each in FORMATS}
    check_each_window_once(mortal, 1)
    mortal.check_nothing_left()


def waits_for_room(event: ev.Event) -> bool:
    """Whether a job came to rest since a disk is full."""
    return isinstance(event, ev.JobChanged) and isinstance(event.state, Paused) and bool(event.state.reason)


def test_a_full_disk_under_the_transcripts_leaves_nothing_behind_and_loses_nothing(program, good, small_disk):
    """The disk fills up: a sentence, no half file; with room again it goes on by itself, and has only to write."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(2**20))
    sitting = program.start(good, out=small_disk)
    assert sitting.until(waits_for_room)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]
    ballast.unlink()
    assert sitting.read_rest() == 0
    assert f"Cannot write {small_disk / 'good.srt'}" in sitting.err
    assert "the disk is full; free some space, or choose another output folder; it goes on by itself" in sitting.err
    assert {path.name for path in small_disk.iterdir()} == {f"good.{each}" for each in FORMATS}
    assert len(program.attempts(1)) == 1


def test_a_full_disk_under_the_state_folder_makes_the_job_wait(program, good, small_disk):
    """Too little room for the decoded audio: the job waits with a sentence, and stays resumable."""
    program.environment["SCRIBETUI_HOME"] = str(small_disk / "home")
    (small_disk / "home").mkdir()
    sitting = program.start(good)
    assert sitting.until(waits_for_room)
    sitting.process.send_signal(signal.SIGINT)
    assert sitting.read_rest() == 130
    assert "the disk" in sitting.err
    assert "it goes on by itself" in sitting.err


def test_a_state_folder_with_no_room_for_the_ledger_ends_with_one_sentence(program, good, small_disk):
    """Nothing can be recorded: said once, whatever was queued."""
    program.environment["SCRIBETUI_HOME"] = str(small_disk / "home")
    (small_disk / "ballast").write_bytes(bytes(2**20 - 100 * 1_024))
    done = program.run(good, good, good)
    assert done.status == 1
    (line,) = complaints(done, "ledger.sqlite")
    assert "cannot be" in line
    assert "full" in line
    listed = program("status")
    assert complaints(listed, "Traceback") == []
