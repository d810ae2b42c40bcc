"""Lines of styled text as plain data, so that panes can be painted, compared and tested without a screen."""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len

from tui import glyphs
from tui.text import crop

StyleName = Literal[
    "",
    "dim",
    "faint",
    "strong",
    "title",
    "good",
    "warn",
    "bad",
    "active",
    "key",
    "off",
    "marker",
    "selected",
    "bar",
    "graph",
    "limit",
    "stale",
    "chunk-pending",
    "chunk-running",
    "chunk-done",
    "chunk-retried",
    "chunk-degraded",
    "chunk-failed",
    "chunk-silence",
    "chunk-unheard",
]
"""The styles a run of text can have; the style sheet says how each looks."""


class Run(NamedTuple):
    """Text in one style."""

    text: str
    style: StyleName = ""


class Line(NamedTuple):
    """One line of a pane: its runs, and the style under all of them."""

    runs: tuple[Run, ...]
    base: StyleName = ""

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(run.text for run in self.runs)

    @property
    def width(self) -> int:
        """How many cells the line takes."""
        return sum(cell_len(run.text) for run in self.runs)


BLANK = Line(())


def line(*runs: Run | str | None, base: StyleName = "") -> Line:
    """A line of these runs, leaving out what is empty and joining neighbours of the same style."""
    joined: list[Run] = []
    for each in runs:
        run = Run(each) if isinstance(each, str) else each
        if run is None or not run.text:
            continue
        if joined and joined[-1].style == run.style:
            joined[-1] = Run(joined[-1].text + run.text, run.style)
        else:
            joined.append(run)
    return Line(tuple(joined), base)


def fitted(whole: Line, width: int) -> Line:
    """The line in at most so many cells; what was cut off is marked by an ellipsis."""
    if whole.width <= width:
        return whole
    runs: list[Run] = []
    room = width
    for run in whole.runs:
        cells = cell_len(run.text)
        if cells < room:
            runs.append(run)
            room -= cells
        else:
            text = crop(run.text + glyphs.ELLIPSIS, room)
            runs.append(Run(text, run.style))
            break
    return line(*runs, base=whole.base)


def greyed(whole: Line) -> Line:
    """The line as one that is out of date: all in grey but what tells where one is, and that it is so."""
    kept: tuple[StyleName, ...] = ("title", "marker", "key", "faint", "stale")
    return line(*(run if run.style in kept else Run(run.text, "dim") for run in whole.runs), base=whole.base)


def spread(left: Line, right: Line, width: int, fill: Run) -> Line:
    """Two lines at the two ends of so many cells, with the fill between; the left one gives way where it must."""
    right = fitted(right, width)
    left = fitted(left, max(0, width - right.width - 1)) if right.runs else fitted(left, width)
    gap = width - left.width - right.width
    return line(*left.runs, Run(fill.text * gap, fill.style), *right.runs)


def rule(title: Run, notes: Sequence[Iterable[Run]], width: int) -> Line:
    """A rule line with a title at its left end and notes at its right: ``─ Title ────── one  another ─``.

    The title stays whole as long as it can; of the notes, the last ones go first.
    """
    bar = Run(glyphs.RULE, "faint")
    left = line(bar, " ", title, " ")
    for number in range(len(notes), -1, -1):
        noted = [run for part in notes[:number] for run in (Run("  "), *part)][1:]
        right = line(" ", *noted, " ", bar) if noted else line(bar)
        if left.width + right.width < width:
            break
    return spread(left, right, width, bar)


def joined(parts: Iterable[Iterable[Run]], width: int, gap: str = "  ") -> list[Line]:
    """Parts set one after the other, with a gap between; a part that does not fit begins a new line."""
    lines: list[Line] = []
    current: list[Run] = []
    used = 0
    for part in parts:
        runs = tuple(part)
        cells = sum(cell_len(run.text) for run in runs)
        if current and used + len(gap) + cells > width:
            lines.append(line(*current))
            current, used = [], 0
        if current:
            current.append(Run(gap))
            used += len(gap)
        current.extend(runs)
        used += cells
    if current:
        lines.append(line(*current))
    return lines
