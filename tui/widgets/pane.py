"""The base of all panes: painted as lines of plain data, sent to the terminal only where a line has changed."""

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, get_args

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.frame import Frame
from tui.glyphs import to_ascii
from tui.layout import Need, Space
from tui.lines import BLANK, Line, Run, StyleName, fitted, greyed, rule

STYLES: tuple[StyleName, ...] = get_args(StyleName)


class Pane(Widget):
    """A widget that paints itself from the current frame.

    A subclass says what its lines are; this class finds those that differ from what is on the screen, and repaints
    only them. So a frame that changes nothing costs nothing.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"pane--{name}" for name in STYLES if name}
    SHOWS_VIEW: ClassVar[bool] = True
    """Whether all the pane shows is out of date once the engine is lost."""

    frame: reactive[Frame] = reactive(Frame(), repaint=False, always_update=True, init=False)
    """What to paint; bound to the screen's."""
    note: reactive[str] = reactive("", repaint=False)
    """Something to say at the end of the rule line, such as what there is no room for."""
    ascii_only: reactive[bool] = reactive(False, repaint=False)
    """Whether to draw in ASCII."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._strips: dict[Line, Strip] = {}
        self._painted_width = -1

    def need(self, frame: Frame, space: Space) -> Need | None:
        """How many lines the pane needs in a window of that space.height; None where it has nothing to show."""
        return Need(1, 1)

    @abstractmethod
    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The pane's lines, the rule line first."""

    @property
    def lines(self) -> list[Line]:
        """The lines as they are on the screen."""
        return self._lines

    def rule(self, title: str, notes: Iterable[Iterable[Run]], width: int) -> Line:
        """The pane's rule line; where there is too little room, the last of the notes go first."""
        own = ((Run(self.note, "warn"),),) if self.note else ()
        return rule(Run(title, "title"), (*own, *notes), width)

    def repaint(self) -> None:
        """Paint again, and refresh the lines that have changed."""
        width, height = self.size
        if not width or not height or not self.display:
            return
        lines = [fitted(each, width) for each in self.paint(self.frame, width, height)][:height]
        if self.SHOWS_VIEW and self.frame.link.is_lost:
            lines = [greyed(each) for each in lines]
        lines += [BLANK] * (height - len(lines))
        old, self._lines = self._lines, lines
        if len(old) != height or self._painted_width != width:
            self._painted_width = width
            self._strips.clear()
            self.refresh()
            return
        changed = [Region(0, y, width, 1) for y in range(height) if lines[y] != old[y]]
        if changed:
            self._strips = {each: strip for each, strip in self._strips.items() if each in set(lines)}
            self.refresh(*changed)

    def watch_frame(self) -> None:
        """A new frame has come."""
        self.repaint()

    def watch_note(self) -> None:
        """The rule line has something else to say."""
        self.repaint()

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self.repaint()

    def on_show(self) -> None:
        """The pane has come back, and much may have happened since."""
        self.repaint()

    def notify_style_update(self) -> None:
        """Forget everything that was drawn in the old colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """One line of the screen, as Textual asks for it."""
        whole = self._lines[y] if y < len(self._lines) else BLANK
        strip = self._strips.get(whole)
        if strip is None:
            strip = self._strips[whole] = self._strip(whole)
        return strip

    def _strip(self, whole: Line) -> Strip:
        base = self.rich_style + self._style(whole.base)
        segments = [
            Segment(to_ascii(run.text) if self.ascii_only else run.text, base + self._style(run.style))
            for run in whole.runs
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _style(self, name: StyleName) -> Style:
        return self.get_component_rich_style(f"pane--{name}", partial=True) if name else Style.null()
