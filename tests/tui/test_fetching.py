"""How a download is told: one line that is written over on a terminal, a few lines elsewhere."""

import io
import re

import pytest

from tui import fetching
from tui.fetching import Meter


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_line_for_every_tenth_part_where_there_is_no_terminal():
    out = io.StringIO()
    meter = Meter("small", out)
    for done in range(0, 101, 3):
        meter.show(done * 10**6, 100 * 10**6)
    meter.show(10**8, 10**8)
    meter.end()
    told = [re.match(r"small: (\d+)% of 100 MB", line)[1] for line in out.getvalue().splitlines()]
    assert told == ["0", "12", "21", "30", "42", "51", "60", "72", "81", "90", "100"]


def test_one_line_on_a_terminal_with_the_time_left(clock):
    out = Screen()
    meter = Meter("small\x1b[31m", out)
    meter.show(0, 10**9)
    clock[0] += 10
    meter.show(10**8, 10**9)
    meter.end()
    meter.end()
    assert out.getvalue().count("\n") == 1
    assert out.getvalue().endswith(": 10% of 1,000 MB, 1:30 left\n")
    assert "\x1b" not in out.getvalue()


def test_what_was_there_before_does_not_make_it_look_fast(clock):
    out = Screen()
    meter = Meter("small", out)
    meter.show(9 * 10**8, 10**9)
    clock[0] += 10
    meter.show(9 * 10**8 + 10**7, 10**9)
    assert out.getvalue().endswith("1:30 left")


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ('print(\'{"done": 1, "total": 2}\'); print(\'{"path": "/x"}\')', 0, "small: 50% of 0 MB\n"),
        ('import sys; print(\'{"error": "It is closed."}\'); sys.exit(1)', 1, "It is closed.\n"),
        ("import os; os._exit(3)", 1, 'The download of the model "small" ended by itself; try again'),
    ],
)
def test_what_the_child_says_is_passed_on(monkeypatch, capsys, code, status, says):
    run = fetching.subprocess.Popen
    monkeypatch.setattr(fetching.subprocess, "Popen", lambda command, **how: run([command[0], "-c", code], **how))
    assert fetching.fetch("small", "faster-whisper") == status
    assert says in capsys.readouterr().err
