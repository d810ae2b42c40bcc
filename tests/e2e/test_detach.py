"""Detaching and coming back, in real terminals: whatever ends a screen, the work goes on, and the next one shows it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine import events as ev
from engine.home import HomeBusy
from engine.states import Stopped
from tests.e2e.kills import check_story
from tests.e2e.program import SCRIBETUI, Program, check_each_window_once, spans_of, until
from tests.e2e.terminal import Terminal, terminal, tmux_is_missing
from tests.voices import Speech
from tests.wer import wer

WHY_NOT = tmux_is_missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no terminal to test in: {WHY_NOT}")
SIZE = (120, 100)
"""Room for every pane, and for the whole text: a fast machine may be through before the next screen is there."""
FIRST_WORDS = "train leaves the station"
"""Of the first window."""
LEFT = "1 job was left unfinished. Go on with it?"


@pytest.fixture
def screen() -> Iterator[Terminal]:
    """A terminal with room for every pane."""
    with terminal(*SIZE) as made:
        yield made


@pytest.fixture
def other() -> Iterator[Terminal]:
    """Another one."""
    with terminal(*SIZE) as made:
        yield made


def show(screen: Terminal, program: Program, *args: str | Path) -> None:
    """``scribetui ARGS`` in the terminal."""
    env = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], "HOME": str(program.folder)}
    screen.run([str(SCRIBETUI), *map(str, args)], env | {"SCRIBETUI_HOME": program.env["SCRIBETUI_HOME"]})


@contextlib.contextmanager
def in_the_way_of_a_host(program: Program) -> Iterator[None]:
    """No host can start over this home for so long."""
    with contextlib.ExitStack() as held:

        def is_ours() -> bool:
            try:
                held.enter_context(program.home.lock())
            except HomeBusy:
                return False
            return True

        until(is_ours, "the end of the host")
        yield


def begin(screen: Terminal, program: Program, speech: Speech) -> psutil.Process:
    """Start a job with the screen, and wait for its first text; the host."""
    media = speech.save(program.folder / "talk.wav")
    show(screen, program, media, "--out", program.out, "--batch", "1")
    screen.wait_for("● running", "talk.wav", FIRST_WORDS)
    return program.host()


def check_whole_state_is_shown(screen: Terminal, program: Program) -> None:
    """Prove that the screen shows text and events from before it was opened, and how far the job is."""
    shown = screen.wait_for("talk.wav", FIRST_WORDS)
    assert "no text yet" not in shown
    assert "nothing has happened yet" not in shown
    assert " 0:00 " in shown
    assert "█" in shown, "no progress on the timeline"


def end(screen: Terminal, program: Program, speech: Speech) -> None:
    """Wait for the end of the job, leave, stop the host, and check what came of it all."""
    screen.wait_for("● idle")
    screen.wait_for_row("talk.wav", "done", "100%")
    screen.press("q")
    screen.wait_for_end()
    assert program("stop").status == 0
    assert set(program.covered(1)) == set(program.windows(1))
    assert wer(speech.text, program.text("talk")) <= 0.02
    program.check_nothing_left()


@pytest.mark.parametrize("how", ["SIGHUP", "SIGKILL"])
def test_a_job_outlives_its_screen_however_that_ends(screen, program, apart, how):
    """The terminal is closed, or the screen is killed: the same host commits on, and the next screen shows it all."""
    host = begin(screen, program, apart)
    (tui,) = (each for each in program.processes() if each.terminal() is not None)
    assert tui.pid != host.pid
    if how == "SIGHUP":
        screen.close()
    else:
        tui.kill()
    until(lambda: tui not in program.processes(), "the end of the screen")
    committed = len(program.covered(1))
    until(lambda: len(program.covered(1)) > committed + 1, "work with no screen")
    assert program.host() == host

    show(screen, program)
    check_whole_state_is_shown(screen, program)
    assert program.host() == host
    end(screen, program, apart)
    check_each_window_once(program, 1)
    assert sum(isinstance(entry.event, ev.EngineStarted) for entry in program.events()) == 1


def test_q_leaves_the_job_alone_and_says_so(screen, program, apart):
    """The word at leaving is the last on the terminal; whoever comes back finds the job where it is."""
    host = begin(screen, program, apart)
    screen.press("q")
    screen.wait_for_end()
    assert "1 job goes on in the background; scribetui attaches again." in screen.everything
    assert program.host() == host

    show(screen, program)
    check_whole_state_is_shown(screen, program)
    end(screen, program, apart)
    check_each_window_once(program, 1)


def test_two_screens_show_the_same(screen, other, program, apart):
    """A pause in one shows in the other, and its resume in the first; closing one does not concern the other."""
    begin(screen, program, apart)
    show(other, program)
    check_whole_state_is_shown(other, program)
    screen.press("Space")
    for each in (screen, other):
        each.wait_for("● paused", "space Resume")
        each.wait_for_row("▌", "talk.wav", "paused")
    at_rest = program.covered(1)
    other.press("Space")
    for each in (screen, other):
        each.wait_for("● running", "space Pause")
    other.close()
    until(lambda: len(program.covered(1)) > len(at_rest), "work")
    screen.press("q")
    screen.wait_for_end()
    assert program("stop").status == 0
    assert set(spans_of(program.events(), ev.BatchDone).values()) == {1}


def test_a_killed_host_is_told_replaced_and_its_job_gone_on_with(screen, program, apart):
    """kill -9 under a screen: it says so, gets a new host, and asks about the job; nothing committed is lost."""
    host = begin(screen, program, apart)
    before = set(program.covered(1))
    host.kill()
    with in_the_way_of_a_host(program):
        screen.wait_for("host lost, trying again", "The connection to the host is lost.")
        assert before <= set(program.covered(1))
    screen.wait_for("scribetui is back.", LEFT)
    assert program.host() != host
    screen.press("y")
    screen.wait_for("● running")
    end(screen, program, apart)
    check_story(program, 1)


def test_stop_after_this_batch_leaves_a_job_that_the_next_screen_offers(screen, program, apart):
    """Q and y: the batches under way are done, the host is gone; the next start asks, and yes goes on from there."""
    begin(screen, program, apart)
    screen.press("Q")
    screen.wait_for("Stop scribetui, and the work with it?")
    screen.press("y")
    screen.wait_for_end()
    assert "scribetui was stopped." in screen.everything
    until(program.is_gone, "the end of the host and its workers")
    begun, done = (spans_of(program.events(), kind) for kind in (ev.BatchStarted, ev.BatchDone))
    assert begun == done, "a batch was broken off"
    assert 0 < len(done) < len(apart.spans)

    show(screen, program)
    screen.wait_for(LEFT, "talk.wav")
    assert isinstance(program.events()[-1].event.state, Stopped)
    screen.press("n")
    screen.wait_until_gone(LEFT)
    screen.wait_for("● stopped", "space Resume")
    screen.press("q")
    screen.wait_for_end()
    assert program("stop").status == 0

    show(screen, program)
    screen.wait_for(LEFT)
    screen.press("y")
    screen.wait_until_gone(LEFT)
    end(screen, program, apart)
    check_each_window_once(program, 1)
