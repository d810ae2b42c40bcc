"""Lines of styled text printed as they are: in colour where the terminal wants it, in ASCII where it must be."""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from tui import glyphs
from tui.environment import is_utf8
from tui.lines import Line, StyleName

_STYLES: dict[StyleName, str] = {
    "dim": "dim",
    "faint": "dim",
    "strong": "bold",
    "title": "bold",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
    "active": "cyan",
    "graph": "blue",
    "limit": "yellow",
}
"""The terminal's own colours, which its owner has made readable; a style that is not here needs none."""


class Printer:
    """Stdout, for lines."""

    def __init__(self) -> None:
        reconfigure = getattr(sys.stdout, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
        self._console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
        self.ascii_only = not is_utf8()

    @property
    def width(self) -> int:
        """How many cells a line may take; a plain file gets lines of 100."""
        return self._console.width if self._console.is_terminal else 100

    def print(self, lines: Iterable[Line]) -> None:
        """Print each on a line of its own, at once."""
        text = Text("\n").join(self._painted(line) for line in lines)
        if text or text.spans:
            self._console.print(text)
            sys.stdout.flush()

    def _painted(self, line: Line) -> Text:
        painted = Text(style=_STYLES.get(line.base, ""))
        for run in line.runs:
            painted.append(glyphs.to_ascii(run.text) if self.ascii_only else run.text, _STYLES.get(run.style, ""))
        painted.rstrip()
        return painted
