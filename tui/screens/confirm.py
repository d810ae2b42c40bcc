"""A question before something that cannot simply be undone."""

from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Question(NamedTuple):
    """What to ask; the texts have to be safe for a terminal."""

    title: str
    text: str
    yes: str
    no: str


class ConfirmScreen(ModalScreen[bool]):
    """Asks, and is dismissed with the answer. The harmless one has the focus."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", id="confirm-yes", tooltip="do it"),
        Binding("n,escape,q", "answer(False)", "No", id="confirm-no", tooltip="leave everything as it is"),
        Binding("left,right,h,l", "app.focus_next", "Other button", id="confirm-other", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._no = Button(f"{question.no} (n)", compact=True)
        self._yes = Button(f"{question.yes} (y)", compact=True)

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical(classes="dialog"):
            yield Static(self._question.title, classes="title", markup=False)
            yield Static(self._question.text, classes="text", markup=False)
            with Horizontal(classes="buttons"):
                yield self._no
                yield self._yes

    def on_mount(self) -> None:
        """A key pressed by mistake does no harm."""
        self._no.focus()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        self.dismiss(message.button is self._yes)

    def action_answer(self, is_sure: bool) -> None:
        """The answer by key."""
        self.dismiss(is_sure)
