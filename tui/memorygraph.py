"""A job's memory over time in lines of text: the curve, its limit, the clock, and what happened."""

from engine.report import MarkKind, Report
from engine.timeline import Span
from tui import glyphs
from tui.axes import TimeAxis, runs, scale_top
from tui.graph import BLANK, braille, in_ascii, limit_row
from tui.lines import Line, Run, StyleName, line
from tui.text import pad, size

ROWS = 8
LABEL = 7
"""Cells for the sizes at the left."""
SIGNS: dict[MarkKind, tuple[str, StyleName, str]] = {
    "failure": (glyphs.FAILED, "bad", "failure"),
    "lighter": (glyphs.MARKS["lighter"], "warn", "lighter"),
    "heavier": (glyphs.MARKS["heavier"], "good", "heavier"),
    "set": (glyphs.MARKS["set"], "", "set by hand"),
    "pause": (glyphs.MARKS["paused"], "", "pause"),
    "worker": (glyphs.ALIVE, "active", "worker started"),
}
"""Sign, style and word for what can happen, the most important first."""


def memory_graph(report: Report, width: int, *, ascii_only: bool = False) -> list[Line]:
    """The graph in so many cells; empty where nothing was measured."""
    memory = report.memory
    cells = width - LABEL - 1
    if not memory.samples or cells < 8:
        return []
    per_cell = 1 if ascii_only else 2
    parts = runs(memory.samples)
    spans = [Span(part[0].at, max(part[-1].at, part[0].at + 1_000)) for part in parts]
    axis = TimeAxis(spans, 0, cells * per_cell, cut=2 * per_cell)
    values: list[int | None] = [None] * (cells * per_cell)
    for part, span in zip(parts, spans, strict=True):
        ends = [*(int(axis.x(each.at)) for each in part[1:]), int(axis.x(span.end))]
        for sample, end in zip(part, ends, strict=True):
            for n in range(int(axis.x(sample.at)), min(max(end, int(axis.x(sample.at)) + 1), len(values))):
                values[n] = max(values[n] or 0, sample.tree)
    top = scale_top(memory)
    limit = limit_row(memory.budget, ROWS, top) if 0 < memory.budget <= top else -1
    lines = []
    for n, drawn in enumerate((in_ascii if ascii_only else braille)(values, ROWS, top)):
        named = size(memory.budget) if n == limit else size(top) if n == 0 and limit != 0 else ""
        label = Run(f"{named:>{LABEL - 1}} ", "limit" if n == limit else "dim")
        lines.append(line(label, Run(glyphs.DIVIDER, "faint"), *_drawn(drawn, is_limit=n == limit)))
    return [*lines, *_clock(axis, cells, per_cell), *_marks(report, axis, cells, per_cell)]


def _drawn(drawn: str, *, is_limit: bool) -> list[Run]:
    if not is_limit:
        return [Run(drawn, "graph")]
    free = f" {BLANK}"
    return [Run(glyphs.LIMIT, "limit") if cell in free else Run(cell, "graph") for cell in drawn]


def _clock(axis: TimeAxis, cells: int, per_cell: int) -> list[Line]:
    row = ""
    for tick in axis.ticks(apart=12 * per_cell):
        at = int(tick.at / per_cell)
        if at >= len(row) and at + len(tick.label) <= cells:
            row = pad(row, at) + tick.label + " "
    return [line(Run(" " * (LABEL + 1) + row, "dim"))]


def _marks(report: Report, axis: TimeAxis, cells: int, per_cell: int) -> list[Line]:
    """A row of signs below the clock, the most important where several fall together, and what they mean."""
    at: dict[int, MarkKind] = {}
    order = list(SIGNS)
    for mark in report.marks:
        cell = min(cells - 1, int(axis.x(mark.at) / per_cell))
        if cell not in at or order.index(mark.kind) < order.index(at[cell]):
            at[cell] = mark.kind
    if not at:
        return []
    row = [Run(SIGNS[at[n]][0], SIGNS[at[n]][1]) if n in at else Run(" ") for n in range(max(at) + 1)]
    legend = [
        run
        for kind in order
        if kind in at.values()
        for run in (Run(f"{SIGNS[kind][0]} ", SIGNS[kind][1]), Run(f"{SIGNS[kind][2]}  ", "dim"))
    ]
    gap = " " * (LABEL + 1)
    return [line(gap, *row), line(gap, *legend)]
