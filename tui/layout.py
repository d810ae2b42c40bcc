"""Where the panes go: rows of one or two panes that share a height, for any size of terminal; pure arithmetic."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

PaneName = Literal["jobs", "timeline", "stages", "text", "memory", "log"]

NORMAL, WIDE = 100, 160
"""Widths from which the panes stand in two columns, and from which even the first row does."""

_NARROW_ROWS: tuple[tuple[PaneName, ...], ...] = (
    ("jobs",),
    ("timeline",),
    ("stages",),
    ("text",),
    ("memory",),
    ("log",),
)
_NORMAL_ROWS: tuple[tuple[PaneName, ...], ...] = (("jobs",), ("timeline", "stages"), ("text", "memory"), ("log",))
_WIDE_ROWS: tuple[tuple[PaneName, ...], ...] = (("jobs", "memory"), ("timeline", "stages"), ("text", "log"))

_DROPPED_FIRST: tuple[PaneName, ...] = ("memory", "log", "text", "stages")
"""In a window that is too low these panes go, in this order; the queue and the timeline never do."""


class Need(NamedTuple):
    """How few lines a pane can do with, and how many it could use."""

    least: int
    most: int


class Space(NamedTuple):
    """What a pane may reckon with: its own width, and the height of all panes together."""

    width: int
    height: int
    is_narrow: bool = False
    """Whether all panes stand in one column."""


class Box(NamedTuple):
    """A rectangle in cells."""

    x: int
    y: int
    width: int
    height: int


class Plan(NamedTuple):
    """Where each pane goes, which ones had to go, and where the line between the columns runs, in pieces if need be."""

    boxes: dict[PaneName, Box]
    hidden: tuple[PaneName, ...]
    dividers: tuple[Box, ...]


def is_narrow(width: int) -> bool:
    """Whether so many cells leave room for one column only."""
    return width < NORMAL


def columns(width: int) -> tuple[int, int]:
    """The widths of the left and the right column, with one cell for the line between them."""
    left = width * 3 // 5
    return left, width - left - 1


def width_of(pane: PaneName, width: int) -> int:
    """How wide a pane will be in a window of so many cells, when no other is hidden."""
    for row in _rows(width):
        if pane in row and len(row) == 2:
            return columns(width)[row.index(pane)]
    return width


def _rows(width: int) -> tuple[tuple[PaneName, ...], ...]:
    if is_narrow(width):
        return _NARROW_ROWS
    return _WIDE_ROWS if width >= WIDE else _NORMAL_ROWS


def plan(width: int, height: int, needs: Mapping[PaneName, Need]) -> Plan:
    """Place the panes that have a need in so many cells and lines."""
    shown = set(needs)
    dropped: list[PaneName] = []
    for name in _DROPPED_FIRST:
        if _least(width, shown, needs) <= height:
            break
        if name in shown:
            shown.discard(name)
            dropped.append(name)
    for name in reversed(dropped):  # one that shares a row may have gone for nothing
        if _least(width, {*shown, name}, needs) <= height:
            shown.add(name)
    rows = _shown_rows(width, shown)
    heights = _heights(rows, height, needs)
    boxes: dict[PaneName, Box] = {}
    doubles: list[Box] = []
    y = 0
    for row, lines in zip(rows, heights, strict=True):
        if len(row) == 2:
            left, right = columns(width)
            boxes[row[0]] = Box(0, y, left, lines)
            boxes[row[1]] = Box(left + 1, y, right, lines)
            doubles.append(Box(left, y, 1, lines))
        else:
            boxes[row[0]] = Box(0, y, width, lines)
        y += lines
    hidden = tuple(name for name in _DROPPED_FIRST if name in needs and name not in shown)
    return Plan(boxes, hidden, _joined(doubles))


def _shown_rows(width: int, shown: Iterable[PaneName]) -> list[tuple[PaneName, ...]]:
    names = set(shown)
    rows = (tuple(name for name in row if name in names) for row in _rows(width))
    return [row for row in rows if row]


def _least(width: int, shown: Iterable[PaneName], needs: Mapping[PaneName, Need]) -> int:
    return sum(max(needs[name].least for name in row) for row in _shown_rows(width, shown))


def _heights(rows: list[tuple[PaneName, ...]], height: int, needs: Mapping[PaneName, Need]) -> list[int]:
    """Share out the lines: what each row must have, then one in turn to each that can use it, the rest to the last."""
    lines: list[int] = []
    spare = height
    for row in rows:
        lines.append(min(spare, max(needs[name].least for name in row)))
        spare -= lines[-1]
    most = [max(needs[name].most for name in row) for row in rows]
    while spare and (growing := [n for n, can in enumerate(most) if lines[n] < can]):
        for n in growing[:spare]:
            lines[n] += 1
        spare -= len(growing[:spare])
    if lines:
        lines[-1] += spare
    return lines


def _joined(boxes: list[Box]) -> tuple[Box, ...]:
    """The boxes, which lie below each other, with those that touch made one."""
    pieces: list[Box] = []
    for box in boxes:
        above = pieces[-1] if pieces else None
        if above is not None and above.y + above.height == box.y:
            pieces[-1] = above._replace(height=above.height + box.height)
        else:
            pieces.append(box)
    return tuple(pieces)
