"""Asking for a file to queue, and for what is special about it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input, Static

from engine.commands import CommandError
from engine.languages import NAMES
from engine.recipe import EACH_WINDOW
from tui.paths import completion, typed_path
from tui.text import plain

Submit = Callable[[str, Mapping[str, str]], Awaitable[int | None]]
LANGUAGES = ("auto", EACH_WINDOW, *NAMES.values(), *NAMES)
"""What is suggested as a language: by name or by code."""


class PathSuggester(Suggester):
    """Completes a path from the folders as they are now."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The path completed, read off the disk in a thread, because a network folder may be slow."""
        return await asyncio.to_thread(completion, value)


class AddScreen(ModalScreen[int | None]):
    """Asks for a path, has it queued, and is dismissed with the job's number.

    What the engine has against it is shown under what was typed, which stays.

    Args:
        submit: queues an absolute path, with what is asked for in place of the settings by the names of the command
            line's options; raises CommandError.
    """

    CSS_PATH = "add.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="add-close", tooltip="add nothing"),
        Binding("tab", "complete", "Complete", id="add-complete", tooltip="take what is suggested, or go on"),
        Binding("down", "next", "Next", id="add-next", tooltip="the next line"),
        Binding("up", "previous", "Previous", id="add-previous", tooltip="the line before"),
    ]

    def __init__(self, submit: Submit) -> None:
        super().__init__()
        self._submit = submit
        self._input = Input(placeholder="~/talks/lecture-07.mp3", suggester=PathSuggester(), compact=True)
        self._special = {
            "language": Input(
                placeholder="as in the settings; a name, a code, or auto",
                suggester=SuggestFromList(LANGUAGES, case_sensitive=False),
                compact=True,
            ),
            "terms": Input(
                placeholder="as in the settings; a file, or words with commas between",
                suggester=PathSuggester(),
                compact=True,
            ),
        }
        self._error = Static("", classes="error", markup=False)

    def compose(self) -> ComposeResult:
        """A line for the path, one for each that may be special about it, and one for what is wrong."""
        with Vertical(classes="dialog"):
            yield Static("Add a file", classes="title")
            yield Static("The path of a film, a talk, any recording. You can drag the file here.", classes="text")
            yield self._input
            yield Static("")
            for name, field in self._special.items():
                with Horizontal(classes="field"):
                    yield Static(name.capitalize(), classes="label")
                    yield field
            yield self._error
            yield Static("enter adds   tab completes, or goes on   up and down move   esc closes", classes="keys")

    def on_mount(self) -> None:
        """Type at once."""
        self._input.focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if not self._input.value.strip():
            self._say("Type the path of a media file first.")
        else:
            asked = {name: field.value.strip() for name, field in self._special.items() if field.value.strip()}
            self.run_worker(self._add(typed_path(self._input.value), asked), group="add", exclusive=True)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._say("")

    async def _add(self, path: str, asked: Mapping[str, str]) -> None:
        try:
            job = await self._submit(path, asked)
        except CommandError as error:
            self._say(str(error))
        else:
            self.dismiss(job)

    def _say(self, text: str) -> None:
        self._error.update(plain(text))

    def action_complete(self) -> None:
        """Take over what is suggested; where nothing is, go on to the next line."""
        field = self.focused
        if not isinstance(field, Input):
            return
        before = (field.value, field.cursor_position)
        field.action_cursor_right() if field.cursor_at_end else field.action_end()
        if (field.value, field.cursor_position) == before:
            self.focus_next(Input)

    def action_next(self) -> None:
        """The next line."""
        self.focus_next(Input)

    def action_previous(self) -> None:
        """The line before."""
        self.focus_previous(Input)

    def action_close(self) -> None:
        """Add nothing."""
        self.dismiss(None)
