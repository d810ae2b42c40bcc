"""The screen in a real terminal, as a user at 80x24 meets it over SSH."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import events as ev
from tests.e2e.program import FORMATS, SCRIBETUI, Program, check_each_window_once, spans_of, until
from tests.e2e.terminal import Terminal, terminal, tmux_is_missing
from tests.wer import wer

WHY_NOT = tmux_is_missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no terminal to test in: {WHY_NOT}")
NO_TEXT = "no text yet"


@pytest.fixture
def screen() -> Iterator[Terminal]:
    """A terminal of 80x24."""
    with terminal(80, 24) as made:
        yield made


def show(screen: Terminal, program: Program, *args: str | Path) -> None:
    """``scribetui ARGS`` in the terminal."""
    env = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(program.folder)}
    screen.run([str(SCRIBETUI), *map(str, args)], env | {"SCRIBETUI_HOME": program.env["SCRIBETUI_HOME"]})


def stop(screen: Terminal, program: Program) -> None:
    """End the work from the screen, and with it the screen."""
    screen.press("Q")
    screen.wait_for("Stop scribetui", "Stay (n)")
    screen.press("y")
    screen.wait_for_end()
    assert "scribetui was stopped." in screen.everything
    until(program.is_gone, "the end of all processes")


def test_a_job_is_watched_paused_changed_and_finished(screen, program, apart):
    """Open with a file, see it run, pause, change chunk and batch, add another, cancel that, go on, get help, stop."""
    media = apart.save(program.folder / "talk.wav")
    apart.save(program.folder / "second.wav")
    show(screen, program, media, "--out", program.out, "--batch", "2")

    screen.wait_for("● running", "talk.wav", "tiny.en", "chunks of 5m, batch 2 ×")
    screen.wait_until_gone(NO_TEXT)
    screen.press("Space")
    screen.wait_for("● paused", "space Resume")
    screen.wait_for_row("talk.wav", "‖", "paused")
    at_rest = program.covered(1)
    assert 0 < len(at_rest) < len(apart.spans)

    for key, told in (
        ("-", "chunks of 2m30s, batch 2 ×"),
        ("-", "chunks of 1m15s, batch 2 ×"),
        ("+", "chunks of 2m30s, batch 2 ×"),
        ("]", "chunks of 2m30s, batch 4 ×"),
        ("[", "chunks of 2m30s, batch 2 ×"),
    ):
        screen.press(key)
        screen.wait_for(told)
    assert program.covered(1) == at_rest, "it did not rest"

    screen.press("a")
    screen.wait_for("Add a file")
    screen.type("~/nowhere.wav")
    screen.press("Enter")
    screen.wait_for("there is no such file")
    screen.press("C-u")
    screen.wait_until_gone("there is no such file")
    screen.type("~/sec")
    screen.wait_for("~/second.wav")
    screen.press("Tab", "Enter")
    screen.wait_until_gone("Add a file")
    screen.wait_for("2 of 2", "● running", "second.wav")
    screen.press("x")
    screen.wait_for("(y)")
    screen.press("y")
    screen.wait_for_row("second.wav", "cancelled")
    screen.wait_for("● paused")

    screen.press("Up")
    screen.wait_for("1 of 2", "space Resume")
    screen.press("Space")
    screen.wait_for("● running")
    screen.press("?")
    screen.wait_for("Keys and signs", "stop after this batch")
    screen.press("Escape")
    screen.wait_until_gone("Keys and signs")
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    stop(screen, program)
    program.check_nothing_left()

    check_each_window_once(program, 1)
    assert program.outputs() == {f"talk.{name}" for name in FORMATS}
    assert wer(apart.text, program.text("talk")) <= 0.02

    show(screen, program)
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    screen.wait_for_row("second.wav", "cancelled")
    screen.press("q")
    screen.wait_for_end()


def test_the_job_goes_on_when_the_screen_is_left(screen, program, apart):
    """q leaves at once and says so; the next screen shows the whole state and history, and has not disturbed it."""
    media = apart.save(program.folder / "talk.wav")
    show(screen, program, media, "--out", program.out, "--batch", "1")
    screen.wait_for("● running", "talk.wav")
    screen.wait_until_gone(NO_TEXT)
    screen.press("q")
    screen.wait_for_end()
    assert "1 job goes on in the background; scribetui attaches again." in screen.everything
    host = program.host()

    show(screen, program)
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    assert program.host() == host
    stop(screen, program)
    program.check_nothing_left()
    check_each_window_once(program, 1)
    assert wer(apart.text, program.text("talk")) <= 0.02


@pytest.mark.parametrize("how", ["the terminal is closed", "the screen is killed", "the screen is asked to end"])
def test_the_job_goes_on_when(how, screen, program, apart):
    """However the screen ends, the host lives, and another screen attaches to it."""
    media = apart.save(program.folder / "talk.wav")
    show(screen, program, media, "--out", program.out, "--batch", "1")
    screen.wait_for("● running", "talk.wav")
    host = program.host()
    if how == "the terminal is closed":
        screen.close()
    else:
        os.kill(screen.pid, signal.SIGKILL if how == "the screen is killed" else signal.SIGTERM)
        screen.wait_for_end()

    show(screen, program)
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    assert program.host() == host
    check_each_window_once(program, 1)
    stop(screen, program)
    program.check_nothing_left()


def test_what_was_stopped_in_mid_job_goes_on_when_asked(screen, program, apart):
    """Q after this batch; the next start asks; not now leaves it stopped, and yes at the start after goes on."""
    media = apart.save(program.folder / "talk.wav")
    show(screen, program, media, "--out", program.out, "--batch", "1")
    screen.wait_for("● running", "talk.wav")
    until(lambda: program.covered(1), "the first batch")
    stop(screen, program)
    stopped = program.covered(1)
    assert 0 < len(stopped) < len(apart.spans)

    show(screen, program)
    screen.wait_for("1 job was left unfinished. Go on with it?", "talk.wav")
    screen.press("n")
    screen.wait_for_row("talk.wav", "stopped")
    assert program.covered(1) == stopped
    stop(screen, program)

    show(screen, program)
    screen.wait_for("1 job was left unfinished. Go on with it?")
    screen.press("y")
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    stop(screen, program)
    program.check_nothing_left()
    check_each_window_once(program, 1)
    assert wer(apart.text, program.text("talk")) <= 0.02


def test_a_host_that_is_lost_is_replaced(screen, program, apart):
    """The host is killed in mid-job: the screen finds another by itself, and offers to go on with nothing done lost."""
    media = apart.save(program.folder / "talk.wav")
    show(screen, program, media, "--out", program.out, "--batch", "1")
    screen.wait_for("● running", "talk.wav")
    until(lambda: program.covered(1), "the first batch")
    lost = program.host()
    lost.kill()
    screen.wait_for("1 job was left unfinished. Go on with it?")
    assert program.host() != lost
    committed = set(program.covered(1))
    last = program.events()[-1].seq
    assert committed
    screen.press("y")
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    again = [entry for entry in program.events() if entry.seq > last]
    assert not committed & set(spans_of(again, ev.BatchStarted))
    assert set(program.covered(1)) == set(program.windows(1))
    stop(screen, program)
    program.check_nothing_left()


def test_hostile_names_and_odd_sizes_leave_the_screen_whole(screen, program):
    """Escape sequences, markup and newlines in a name are shown, not obeyed; the screen follows the terminal's size."""
    names = ["\x1b[31m[red]two\nlines\x1b]0;owned\x07.mp3", "\u202egpm.exe [bold].mp3", "会議の録音.mp3"]
    for name in names:
        (program.folder / name).write_text("no sound")
    show(screen, program, *(program.folder / name for name in names))
    screen.wait_for("● idle  3 ended")
    for shown in ("␛[31m[red]two␊lin", "\\u202egpm.exe [bo", "会議の録音.mp3"):
        screen.wait_for_row(shown, "failed")
    assert "owned" not in screen.title
    for columns, lines in ((120, 40), (60, 16), (80, 24)):
        screen.resize(columns, lines)
        seen = screen.wait_for("scribetui", "q Detach")
        assert max(len(line) for line in seen.splitlines()) <= columns
    stop(screen, program)
    program.check_nothing_left()


def test_what_cannot_be_queued_is_told_on_the_screen(screen, program):
    """A missing file on the command line: the screen opens all the same and says so."""
    show(screen, program, "/nowhere.mp3")
    screen.wait_for("/nowhere.mp3: there", "such file.", "Nothing is queued.")
    screen.press("q")
    screen.wait_for_end()


def test_a_home_in_use_is_told_without_a_screen(screen, program, apart):
    """Another program is at work there: one sentence, and the prompt is back."""
    sitting = program.start(apart.save(program.folder / "long.wav"))
    assert sitting.until(lambda event: isinstance(event, ev.WorkerStarted))
    show(screen, program)
    screen.wait_for_end()
    assert f"Another scribetui (process {sitting.process.pid}) is at work in {program.home.path}" in screen.everything
    sitting.kill()
