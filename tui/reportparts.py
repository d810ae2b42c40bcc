"""The parts of a report's lines: words at the left, facts at the right."""

from tui.lines import Line, Run, line
from tui.text import pad

LABEL = 14
"""Cells for the words at the left."""


def label(text: str) -> Run:
    """The words at the left of a line."""
    return Run(pad(text, LABEL), "dim")


def row(left: str, text: str) -> Line:
    """A line of words and facts."""
    return line(label(left), text)
