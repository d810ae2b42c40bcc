"""The panes between header and key bar: which of them are shown, and where."""

from itertools import zip_longest

from textual.app import ComposeResult
from textual.containers import Container
from textual.reactive import reactive

from tui.frame import Frame
from tui.layout import Box, PaneName, Plan, Space, is_narrow, plan, width_of
from tui.widgets.divider import Divider
from tui.widgets.follow import FollowPane
from tui.widgets.jobs import Jobs
from tui.widgets.log import Log
from tui.widgets.memory import Memory
from tui.widgets.pane import Pane
from tui.widgets.spoken import Spoken
from tui.widgets.stages import Stages
from tui.widgets.timeline import Timeline


class Body(Container):
    """All panes, laid out anew when the terminal or what there is to show changes its size."""

    frame: reactive[Frame] = reactive(Frame(), always_update=True, init=False, repaint=False)
    ascii_only: reactive[bool] = reactive(False, repaint=False)

    def __init__(self) -> None:
        super().__init__()
        self.text = Spoken()
        self.log_pane = Log()
        self._panes: dict[PaneName, Pane] = {
            "jobs": Jobs(),
            "timeline": Timeline(),
            "stages": Stages(),
            "text": self.text,
            "memory": Memory(),
            "log": self.log_pane,
        }
        self._dividers = (Divider(), Divider())  # no layout has more rows of two panes apart from each other
        self._plan: Plan | None = None

    def compose(self) -> ComposeResult:
        """The panes and the line between the columns."""
        for pane in (*self._panes.values(), *self._dividers):
            pane.display = False  # until it has its place: nothing is painted twice
            yield pane.data_bind(Body.frame, Body.ascii_only)

    @property
    def lists(self) -> tuple[FollowPane, ...]:
        """The panes that follow their end."""
        return (self.text, self.log_pane)

    def watch_frame(self) -> None:
        """What there is to show may need another layout."""
        self.arrange_panes()

    def on_resize(self) -> None:
        """The terminal has another size."""
        self.arrange_panes()

    def arrange_panes(self) -> None:
        """Put every pane where it belongs."""
        width, height = self.size
        if not width or not height:
            return
        needs = {
            name: need
            for name, pane in self._panes.items()
            if (need := pane.need(self.frame, Space(width_of(name, width), height, is_narrow(width)))) is not None
        }
        new = plan(width, height, needs)
        if new == self._plan:
            return
        self._plan = new
        for name, pane in self._panes.items():
            _place(pane, new.boxes.get(name))
        for divider, piece in zip_longest(self._dividers, new.dividers):
            _place(divider, piece)
        lowest = max(new.boxes, key=lambda name: (new.boxes[name].y, -new.boxes[name].x))
        missing = f"no room for {' and '.join(TITLES[name] for name in new.hidden)}" if new.hidden else ""
        for name, pane in self._panes.items():
            pane.note = missing if name == lowest else ""


TITLES: dict[PaneName, str] = {
    "jobs": "jobs",
    "timeline": "timeline",
    "stages": "stages",
    "text": "text",
    "memory": "memory",
    "log": "events",
}
"""What the panes are called."""


def _place(pane: Pane, box: Box | None) -> None:
    pane.display = box is not None
    if box is not None:
        pane.styles.offset = (box.x, box.y)
        pane.styles.width, pane.styles.height = box.width, box.height
