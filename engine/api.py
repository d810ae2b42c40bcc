"""The whole contract between a front end and the engine: one snapshot, a stream of events, and commands."""

from collections.abc import AsyncIterator
from typing import Protocol

from engine.commands import Command
from engine.events import Entry
from engine.view import View


class EngineAPI(Protocol):
    """What a screen may do with an engine, wherever it runs."""

    def subscribe(self) -> tuple[View, AsyncIterator[Entry]]:
        """The view as it is now, and every event after it; the iterator ends when the engine does."""
        ...

    async def submit(self, command: Command) -> int | None:
        """Ask for something; the number of the job it concerns.

        Raises:
            CommandError: it cannot be done; the message is one sentence for the user.
        """
        ...
