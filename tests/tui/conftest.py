"""Screens that look the same every time: the clock, the time zone, the cursor and the animations stand still."""

import time
from pathlib import Path

import pytest
import pytest_textual_snapshot as pts
from textual import constants
from textual.widgets import Input

from tests.tui.scenes import NOW

ROOT = Path(__file__).parents[2]
OUTSIDE = (
    "NO_COLOR",
    "SSH_CONNECTION",
    "TMUX",
    "STY",
    "TERM_PROGRAM",
    "LC_TERMINAL",
    "TEXTUAL_THEME",
    "TEXTUAL_COLOR_SYSTEM",
)
"""Variables of the terminal the tests are started from."""


class TopLevelSVG(pts.SVGImageExtension):
    """Keeps the pictures in the project's top folder, where the README shows them, too."""

    @classmethod
    def dirname(cls, *, test_location):
        return str(ROOT / "snapshots" / Path(test_location.filepath).stem)


@pytest.fixture(autouse=True)
def _still(monkeypatch):
    for name in OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pts, "SVGImageExtension", TopLevelSVG)
    monkeypatch.setattr(constants, "TEXTUAL_ANIMATIONS", "none")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def now() -> int:
    return NOW
