"""Asking for a file to queue."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import Input, Static

from engine.commands import CommandError
from tui.paths import completion, typed_path
from tui.text import plain

Submit = Callable[[str], Awaitable[int | None]]


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
        submit: queues an absolute path; raises CommandError.
    """

    CSS_PATH = "add.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close", id="add-close", tooltip="add nothing"),
        Binding("tab", "complete", "Complete", id="add-complete", tooltip="take the path that is suggested"),
    ]

    def __init__(self, submit: Submit) -> None:
        super().__init__()
        self._submit = submit
        self._input = Input(placeholder="~/talks/lecture-07.mp3", suggester=PathSuggester(), compact=True)
        self._error = Static("", classes="error", markup=False)

    def compose(self) -> ComposeResult:
        """A line to type in, and a line for what is wrong with it."""
        with Vertical(classes="dialog"):
            yield Static("Add a file", classes="title")
            yield Static("The path of a film, a talk, any recording. You can drag the file here.", classes="text")
            yield self._input
            yield self._error
            yield Static("enter adds   tab completes   esc closes", classes="keys")

    def on_mount(self) -> None:
        """Type at once."""
        self._input.focus()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if not self._input.value.strip():
            self._say("Type the path of a media file first.")
        else:
            self.run_worker(self._add(typed_path(self._input.value)), group="add", exclusive=True)

    @on(Input.Changed)
    def _changed(self) -> None:
        self._say("")

    async def _add(self, path: str) -> None:
        try:
            job = await self._submit(path)
        except CommandError as error:
            self._say(str(error))
        else:
            self.dismiss(job)

    def _say(self, text: str) -> None:
        self._error.update(plain(text))

    def action_complete(self) -> None:
        """Take over what is suggested."""
        self._input.action_cursor_right() if self._input.cursor_at_end else self._input.action_end()

    def action_close(self) -> None:
        """Add nothing."""
        self.dismiss(None)
