"""The memory of the whole process tree over time, with the budget drawn as a line."""

from collections.abc import Iterable, Sequence

from engine.view import MemoryPoint, View
from tui import glyphs, graph
from tui.frame import WINDOWS, Frame
from tui.layout import Need, Space
from tui.lines import Line, Run, line
from tui.text import size
from tui.widgets.header import memory_style
from tui.widgets.pane import Pane

HEADROOM = 1.08
"""The graph reaches so much higher than the budget that its line does not touch the edge."""
SHORTEST = 300_000
"""The least time that ``all`` shows, in milliseconds."""


class Memory(Pane):
    """The memory graph, in one colour, because every other one costs bytes on the line."""

    def need(self, frame: Frame, space: Space) -> Need:
        """A rule and three rows; more where there is room."""
        return Need(3, max(5, space.height // 4))

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The rule line with the figures, and the graph."""
        view = frame.view
        yield self.rule("Memory", _figures(frame), width)
        rows, room = height - 1, width - 2
        if rows <= 0 or room <= 0:
            return
        if not view.memory:
            yield line(Run(" not measured yet", "dim"))
            return
        points, window = span_of(view, frame.as_of, WINDOWS[frame.memory_window])
        number = room if self.ascii_only else room * 2
        values = graph.buckets(points, frame.as_of, window, number)
        highest = max((value for value in values if value is not None), default=0)
        top = max(round(view.budget * HEADROOM), highest, 1)
        draw = graph.in_ascii if self.ascii_only else graph.braille
        limit = graph.limit_row(view.budget, rows, top) if view.budget else -1
        for n, drawn in enumerate(draw(values, rows, top)):
            yield line(" ", *(_with_limit(drawn, view.budget) if n == limit else [Run(drawn, "graph")]))


def span_of(view: View, now: int, window: int | None) -> tuple[Sequence[MemoryPoint], int]:
    """The points to draw and how far back they go: the samples, or the minutes' peaks for a longer time."""
    if window is not None:
        return view.memory, window
    first = view.history[0].at if view.history else now
    window = max(SHORTEST, now - first)
    return (view.memory, window) if view.memory[0].at <= first + 60_000 else (view.history, window)


def _with_limit(drawn: str, budget: int) -> list[Run]:
    """A row of the graph with the budget's line where the curve does not reach it."""
    label = f"{size(budget)} "
    head = 0
    while head < len(drawn) and drawn[head] in f" {graph.BLANK}":
        head += 1
    filled = glyphs.LIMIT * len(drawn) if head < len(label) + 2 else label + glyphs.LIMIT * (len(drawn) - len(label))
    runs: list[Run] = []
    for n, char in enumerate(drawn):
        is_free = char in f" {graph.BLANK}"
        runs.append(Run(filled[n] if is_free else char, "limit" if is_free else "graph"))
    return runs


def _figures(frame: Frame) -> list[list[Run]]:
    view = frame.view
    if not view.memory:
        return []
    tree = view.memory[-1].tree
    now = [Run("now ", "dim"), Run(size(tree), memory_style(tree, view.budget) or "strong")]
    limit = [[Run(f"limit {size(view.budget)}", "dim")]] if view.budget else []
    return [now, *limit, [Run(frame.memory_window, "dim")], [Run(f"peak {size(view.peak)}", "dim")]]
