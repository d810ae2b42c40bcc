"""A list that keeps to its end while new lines come, until the user scrolls back."""

from abc import abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.frame import Frame
from tui.lines import Line, Run
from tui.widgets.pane import Pane


class Row(NamedTuple):
    """A line of the list before it is formatted; the key stays the same as long as the line exists."""

    key: Hashable
    content: Any


class FollowPane(Pane, can_focus=True):
    """A pane over a growing list, with the rule line above it.

    It follows while its end is in sight. Scrolling up stops that, and the place is kept whatever is added;
    scrolling to the end, or ``follow``, starts it again. The rule line says which.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "earlier(1)", "Earlier", show=False, id="list.earlier", tooltip="one line back"),
        Binding("down,j", "later(1)", "Later", show=False, id="list.later", tooltip="one line on"),
        Binding("home,g", "first", "First", show=False, id="list.first", tooltip="to the oldest line kept"),
        Binding("end,G", "last", "Last", show=False, id="list.last", tooltip="to the newest line, and follow"),
    ]

    class FollowChanged(Message):
        """The pane began or ceased to follow."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._is_following = True
        self._top: Hashable = None
        self._rows: Sequence[Row] = ()

    @abstractmethod
    def title(self, frame: Frame) -> str:
        """The word in the rule line."""

    @abstractmethod
    def rows(self, frame: Frame, width: int) -> Sequence[Row]:
        """All lines of the list, the oldest first, unformatted."""

    @abstractmethod
    def format(self, row: Row, frame: Frame, width: int) -> Line:
        """One line of the list; only those in sight are asked for."""

    def empty(self, frame: Frame) -> str:
        """What to say while the list is empty."""
        return ""

    @property
    def is_following(self) -> bool:
        """Whether the newest line stays in sight."""
        return self._is_following

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The rule line, and the stretch of the list that is in sight."""
        self._rows = self.rows(frame, width)
        room = max(0, height - 1)
        top = self._top_index(room)
        shown = self._rows[top : top + room]
        yield self.rule(self.title(frame), self._follow_note(len(self._rows) - top - len(shown)), width)
        if not self._rows and room:
            yield Line((Run(f" {self.empty(frame)}", "dim"),))
        for row in shown:
            yield self.format(row, frame, width)

    def follow(self) -> None:
        """Go to the end and stay there."""
        self._move_to(len(self._rows))

    def action_earlier(self, lines: int) -> None:
        """Scroll back."""
        self._move_to(self._top_index(self._room) - lines)

    def action_later(self, lines: int) -> None:
        """Scroll on."""
        self._move_to(self._top_index(self._room) + lines)

    def action_first(self) -> None:
        """Scroll to the oldest line."""
        self._move_to(0)

    def action_last(self) -> None:
        """Scroll to the newest line, and follow."""
        self.follow()

    def page(self, by: int) -> None:
        """Scroll by so many pages, a line less than what is in sight."""
        self._move_to(self._top_index(self._room) + by * max(1, self._room - 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls back."""
        event.stop()
        self.action_earlier(3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls on."""
        event.stop()
        self.action_later(3)

    @property
    def _room(self) -> int:
        return max(0, self.size.height - 1)

    def _top_index(self, room: int) -> int:
        """The first line in sight."""
        end = max(0, len(self._rows) - room)
        if self._is_following:
            return end
        return min(end, next((n for n, row in enumerate(self._rows) if row.key == self._top), 0))

    def _move_to(self, top: int) -> None:
        end = max(0, len(self._rows) - self._room)
        top = max(0, min(end, top))
        was, self._is_following = self._is_following, top >= end
        self._top = self._rows[top].key if top < len(self._rows) else None
        self.repaint()
        if was != self._is_following:
            self.post_message(self.FollowChanged())

    def _follow_note(self, newer: int) -> list[list[Run]]:
        if self._is_following:
            return [[Run("follow on", "dim")]] if self._rows else []
        return [[Run(f"{newer} newer, " if newer else "", "active"), Run("f", "key"), Run(" follows", "dim")]]
