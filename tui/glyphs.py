"""The signs the screen is drawn with, each one cell wide, and what stands for them where only ASCII can be shown."""

from enum import StrEnum


class Cell(StrEnum):
    """What a cell of the chunk strip stands for, from the least to the most important; the value names its colour."""

    SILENCE = "silence"
    DONE = "done"
    UNHEARD = "unheard"
    PENDING = "pending"
    RETRIED = "retried"
    DEGRADED = "degraded"
    RUNNING = "running"
    FAILED = "failed"


CELLS = {
    Cell.SILENCE: "─",
    Cell.DONE: "█",
    Cell.UNHEARD: "░",
    Cell.PENDING: "·",
    Cell.RETRIED: "▓",
    Cell.DEGRADED: "▄",
    Cell.RUNNING: "▸",
    Cell.FAILED: "X",
}

MARKS = {"lighter": "↓", "heavier": "↑", "set": "◆", "resumed": "↻", "paused": "‖"}
"""Signs for what happened at a place of the timeline, by the kinds of ``engine.view.Mark``."""

SELECTED = "▌"
RUNNING = "▸"
PAUSED = "‖"
OK = "✓"
FAILED = "X"
WAITING = "·"
GIVEN_UP = "–"
WARNING = "!"
ALIVE = "●"
LOST = "○"

RULE = "─"
DIVIDER = "│"
BAR = "━"
BAR_REST = "─"
LIMIT = "┄"
ELLIPSIS = "…"
NONE = "–"

_TO_ASCII = str.maketrans(
    {
        **dict(zip(CELLS.values(), "-#_.+=>X", strict=True)),
        **dict(zip(MARKS.values(), 'v^*@"', strict=True)),
        **dict(zip((SELECTED, OK, ALIVE, LOST, DIVIDER, BAR, LIMIT, ELLIPSIS, NONE), "*vo?|=-~-", strict=True)),
        **dict(zip("→×␊␍␉␛", ">x????", strict=True)),
    }
)


def to_ascii(text: str) -> str:
    """The same text with our signs in ASCII, cell by cell; what came from outside keeps its letters."""
    return text.translate(_TO_ASCII)
