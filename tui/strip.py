"""The chunk strip: a job's timeline as rows of cells drawn to scale, pure of any screen."""

from collections.abc import Iterable
from itertools import groupby

import msgspec

from engine.timeline import Span, Spans, intersect, subtract, union
from engine.view import JobView, Mark
from tui import glyphs
from tui.glyphs import CELLS, Cell
from tui.lines import Line, Run, StyleName, line
from tui.text import clock

MAX_CELLS = 80
"""Most cells in a row: longer rows cost more bytes than they tell."""
CELL_MS = 15_000
"""The length one cell would best stand for: half of the longest window."""
UNDECIDED_MS = 30_000
"""Up to so much of what was heard last may still become part of a window."""

STYLES: dict[Cell, StyleName] = {
    Cell.SILENCE: "chunk-silence",
    Cell.DONE: "chunk-done",
    Cell.UNHEARD: "chunk-unheard",
    Cell.PENDING: "chunk-pending",
    Cell.RETRIED: "chunk-retried",
    Cell.DEGRADED: "chunk-degraded",
    Cell.RUNNING: "chunk-running",
    Cell.FAILED: "chunk-failed",
}
ORDER = tuple(Cell)


class Scale(msgspec.Struct, frozen=True):
    """How a timeline of so many milliseconds is laid out: rows of columns of cells."""

    total: int
    rows: int
    columns: int

    @property
    def cells(self) -> int:
        """Cells in all rows."""
        return self.rows * self.columns

    def start(self, cell: int) -> int:
        """Where a cell begins, in milliseconds."""
        return cell * self.total // self.cells

    def first(self, ms: int) -> int:
        """The cell in which a place lies."""
        return min(self.cells - 1, max(0, ms * self.cells // self.total))

    def last(self, ms: int) -> int:
        """The last cell of something that ends there."""
        return min(self.cells - 1, max(0, -(-ms * self.cells // self.total) - 1))


def total(job: JobView) -> int:
    """The length of the job's timeline as far as it is known, in milliseconds."""
    return max(job.duration or 0, job.heard)


def scale(job: JobView, width: int, most_rows: int) -> Scale | None:
    """How the job's timeline fits into so many cells, labels included, and rows; None while its length is not known."""
    length = total(job)
    columns = min(MAX_CELLS, width - label_width(length) - 1)
    if length <= 0 or columns < 8:
        return None
    rows = -(-length // (columns * CELL_MS))
    return Scale(length, max(1, min(rows, most_rows)), columns)


def label_width(length: int) -> int:
    """Cells for the time at the beginning of a row."""
    return len(clock(length))


def cells(job: JobView, scaled: Scale) -> list[Cell]:
    """What each cell stands for: the most important of all that happens in its stretch of the timeline."""
    found = [0] * scaled.cells
    for kind, spans in _layers(job):
        rank = ORDER.index(kind)
        for span in spans:
            for n in range(scaled.first(span.start), scaled.last(span.end) + 1):
                found[n] = max(found[n], rank)
    return [ORDER[rank] for rank in found]


def _layers(job: JobView) -> Iterable[tuple[Cell, Spans]]:
    """The stretches of every kind but silence, which is what remains."""
    open_spans = subtract(subtract(subtract(job.speech, job.covered), job.gaps), job.running)
    yield Cell.DONE, job.covered
    yield Cell.UNHEARD, unheard(job)
    yield Cell.PENDING, open_spans
    yield Cell.RETRIED, intersect(job.retried, job.covered)
    yield Cell.DEGRADED, intersect(job.degraded, job.covered)
    yield Cell.RUNNING, job.running
    yield Cell.FAILED, job.gaps


def unheard(job: JobView) -> Spans:
    """The time that has not been listened to, or that may still become part of a window."""
    if job.heard_all:
        return ()
    decided = job.windows[-1].end if job.windows else 0
    start = max(decided, job.heard - UNDECIDED_MS)
    return (Span(start, total(job)),) if total(job) > start else ()


def lengths(job: JobView) -> dict[Cell, int]:
    """Milliseconds of every kind; each moment counts once, as the most important of its kinds."""
    taken: Spans = ()
    result = dict.fromkeys(Cell, 0)
    for kind, spans in reversed(list(_layers(job))):
        mine = subtract(spans, taken)
        result[kind] = sum(span.length for span in mine)
        taken = union(taken, mine)
    result[Cell.SILENCE] = sum(span.length for span in subtract((Span(0, total(job)),), taken))
    return result


def strip_lines(job: JobView, width: int, most_lines: int) -> list[Line]:
    """The strip with its labels and marks in at most so many lines; empty while the length is not known."""
    for most_rows in range(most_lines, 0, -1):
        scaled = scale(job, width, most_rows)
        if scaled is None:
            return []
        drawn = _drawn(job, scaled, with_marks=True)
        if len(drawn) <= most_lines:
            return drawn
    scaled = scale(job, width, 1)
    return _drawn(job, scaled, with_marks=False) if scaled and most_lines > 0 else []


def _drawn(job: JobView, scaled: Scale, *, with_marks: bool) -> list[Line]:
    found = cells(job, scaled)
    label = label_width(scaled.total)
    lines = []
    for row in range(scaled.rows):
        first = row * scaled.columns
        runs = [
            Run(CELLS[kind] * len(list(group)), STYLES[kind])
            for kind, group in groupby(found[first : first + scaled.columns])
        ]
        lines.append(line(Run(f"{clock(scaled.start(first)):>{label}} ", "dim"), *runs))
        marks = marks_line(job.marks, scaled, row) if with_marks else None
        if marks:
            lines.append(line(" " * (label + 1), marks))
    return lines


def marks_line(marks: Iterable[Mark], scaled: Scale, row: int) -> Run | None:
    """The marks under a row, each with its word where there is room for it; None where there are none."""
    first = row * scaled.columns
    at: dict[int, str] = {}
    for mark in marks:
        column = scaled.first(mark.at) - first
        if 0 <= column < scaled.columns:
            at[column] = mark.kind
    if not at:
        return None
    text = ""
    columns = sorted(at)
    for n, column in enumerate(columns):
        room = (columns[n + 1] if n + 1 < len(columns) else scaled.columns) - column
        sign = glyphs.MARKS.get(at[column], glyphs.MARKS["set"])
        worded = f"{sign} {at[column]}"
        text = text.ljust(column) + (worded if len(worded) < room else sign)
    return Run(text, "dim")
