"""The line between the two columns."""

from collections.abc import Iterable

from tui import glyphs
from tui.frame import Frame
from tui.lines import Line, Run
from tui.widgets.pane import Pane


class Divider(Pane):
    """A line from top to bottom."""

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The same sign in every line."""
        return [Line((Run(glyphs.DIVIDER, "faint"),))] * height
