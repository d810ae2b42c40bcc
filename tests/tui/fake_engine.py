"""An engine that a test plays: it says what the test wants said, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator

from engine.api import Lost, News
from engine.commands import Command, CommandError
from engine.events import Entry, Event
from engine.view import View, fold


class FakeEngine:
    """Implements ``engine.api.EngineAPI``."""

    def __init__(self, view: View | None = None, *, now: int = 0) -> None:
        self.view = view or View()
        self.now = now
        self.commands: list[Command] = []
        self.stops: list[bool] = []
        """Whether each stop that was asked for was to be at once."""
        self.refusal: str | None = None
        self.answer: int | None = None
        self._queue: asyncio.Queue[News | None] = asyncio.Queue()

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        return self.view, self._news()

    async def _news(self) -> AsyncIterator[News]:
        while (news := await self._queue.get()) is not None:
            yield news

    async def submit(self, command: Command) -> int | None:
        self.commands.append(command)
        if self.refusal is not None:
            raise CommandError(self.refusal)
        return self.answer

    async def stop(self, *, now: bool = False) -> None:
        self.stops.append(now)
        if self.refusal is not None:
            raise CommandError(self.refusal)

    def say(self, *events: Event, at: int | None = None) -> None:
        """Publish events; the engine's own view is folded, too."""
        for event in events:
            entry = Entry(self.view.seq + 1, self.now if at is None else at, event)
            self.view = fold(self.view, entry)
            self._queue.put_nowait(entry)

    def lose(self, reason: str = "The connection to the host is lost.") -> None:
        """The engine cannot be reached."""
        self._queue.put_nowait(Lost(reason))

    def come_back(self, *events: Event) -> None:
        """The engine is there again, or its reader had fallen behind; these events are part of the view by then."""
        for event in events:
            self.view = fold(self.view, Entry(self.view.seq + 1, self.now, event))
        self._queue.put_nowait(self.view)

    def end(self) -> None:
        """The event stream ends."""
        self._queue.put_nowait(None)
