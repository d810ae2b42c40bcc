"""An engine that a test plays: it says what the test wants said, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator

from engine.commands import Command, CommandError
from engine.events import Entry, Event
from engine.view import View, fold


class FakeEngine:
    """Implements ``engine.api.EngineAPI``."""

    def __init__(self, view: View | None = None, *, now: int = 0) -> None:
        self.view = view or View()
        self.now = now
        self.commands: list[Command] = []
        self.refusal: str | None = None
        self.answer: int | None = None
        self._queue: asyncio.Queue[Entry | None] = asyncio.Queue()

    def subscribe(self) -> tuple[View, AsyncIterator[Entry]]:
        return self.view, self._entries()

    async def _entries(self) -> AsyncIterator[Entry]:
        while (entry := await self._queue.get()) is not None:
            yield entry

    async def submit(self, command: Command) -> int | None:
        self.commands.append(command)
        if self.refusal is not None:
            raise CommandError(self.refusal)
        return self.answer

    def say(self, *events: Event, at: int | None = None) -> None:
        """Publish events; the engine's own view is folded, too."""
        for event in events:
            entry = Entry(self.view.seq + 1, self.now if at is None else at, event)
            self.view = fold(self.view, entry)
            self._queue.put_nowait(entry)

    def end(self) -> None:
        """The event stream ends."""
        self._queue.put_nowait(None)
