"""A filled curve in braille (or ASCII) with a line for the limit, pure of any screen."""

from collections.abc import Sequence

from engine.view import MemoryPoint

BLANK = "\u2800"
_LEFT = (0x00, 0x40, 0x44, 0x46, 0x47)
_RIGHT = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
"""Braille dots of a column filled from below up to 0..4 dots (Unicode, block U+2800)."""


def buckets(points: Sequence[MemoryPoint], now: int, window: int, number: int, least: int = 2_000) -> list[int | None]:
    """The highest value in each of so many equal stretches of time up to now; None where nothing was measured.

    The stretches begin at whole multiples of their length and the one under way is left out, so that a curve only
    moves when a stretch is full, and never changes in place.

    Args:
        points: in the order of time.
        now: Unix milliseconds.
        window: how far back the stretches should reach, in milliseconds.
        number: how many stretches.
        least: the shortest stretch, in milliseconds: no shorter than two samples are apart.
    """
    length = max(least, -(-window // max(1, number)))
    first = now // length - number
    found: list[int | None] = [None] * number
    for point in reversed(points):
        n = point.at // length - first
        if n < 0:
            break
        if n < number:
            found[n] = max(found[n] or 0, point.tree)
    return found


def heights(values: Sequence[int | None], steps: int, top: int) -> list[int]:
    """Each value as a number of steps out of so many, with at least one for what is there at all."""
    return [
        0 if value is None or value <= 0 else max(1, min(steps, round(value * steps / max(1, top)))) for value in values
    ]


def braille(values: Sequence[int | None], rows: int, top: int) -> list[str]:
    """The curve in rows of braille, the highest first: two values a cell, four dots a row; ``top`` fills all rows."""
    dots = heights(values, rows * 4, top)
    if len(dots) % 2:
        dots.append(0)
    lines = []
    for row in reversed(range(rows)):
        under = row * 4
        level = [max(0, min(4, height - under)) for height in dots]
        lines.append("".join(chr(0x2800 + _LEFT[level[n]] + _RIGHT[level[n + 1]]) for n in range(0, len(level), 2)))
    return lines


def in_ascii(values: Sequence[int | None], rows: int, top: int) -> list[str]:
    """The same in ASCII; one value a cell, two steps a row."""
    steps = heights(values, rows * 2, top)
    return ["".join(" .#"[max(0, min(2, step - row * 2))] for step in steps) for row in reversed(range(rows))]


def limit_row(limit: int, rows: int, top: int) -> int:
    """The row, counted from the highest, in which a value's line is drawn."""
    return rows - 1 - max(0, min(rows - 1, (limit * rows - 1) // max(1, top)))
