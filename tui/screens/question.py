"""A question with two or three answers, over whatever is open."""

from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


class Answer(NamedTuple):
    """An answer: what it is called in here, what its button says, and its key."""

    name: str
    label: str
    key: str


class Question(NamedTuple):
    """What to ask; the texts have to be safe for a terminal."""

    title: str
    text: str
    answers: tuple[Answer, ...]
    """The first one does no harm: it has the focus, and it is what escape says."""
    gives_way: bool = False
    """Whether any other key says the first answer, and then does what it would have done without the question."""


class QuestionScreen(ModalScreen[str]):
    """Asks, and is dismissed with the name of the answer."""

    CSS_PATH = "question.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "harmless", "Close", id="question-close", tooltip="leave everything as it is"),
        Binding("left,h,up", "app.focus_previous", "Button before", id="question-before", show=False),
        Binding("right,l,down", "app.focus_next", "Next button", id="question-next", show=False),
    ]

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question
        self._buttons = {Button(f"{each.label} ({each.key})", compact=True): each for each in question.answers}

    def compose(self) -> ComposeResult:
        """The question and its buttons."""
        with Vertical(classes="dialog"):
            yield Static(self._question.title, classes="title", markup=False)
            yield Static(self._question.text, classes="text", markup=False)
            with Horizontal(classes="buttons"):
                yield from self._buttons

    def on_mount(self) -> None:
        """A key pressed by mistake does no harm."""
        next(iter(self._buttons)).focus()

    def on_key(self, event: events.Key) -> None:
        """The answers by their keys; any other key, where the question gives way to it."""
        answer = next((each for each in self._question.answers if each.key == event.key), None)
        if answer is not None:
            event.stop()
            self.dismiss(answer.name)
        elif self._question.gives_way and event.key not in self.active_bindings:
            event.stop()
            self.action_harmless()
            self.app.simulate_key(event.key)
        elif event.key == "q":
            event.stop()
            self.action_harmless()

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        self.dismiss(self._buttons[message.button].name)

    def action_harmless(self) -> None:
        """Leave everything as it is."""
        self.dismiss(self._question.answers[0].name)
