"""The whole contract between a front end and the engine: one snapshot, a stream of news, and commands."""

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec

from engine.commands import Command
from engine.events import Entry
from engine.view import View, fold


class Lost(msgspec.Struct, frozen=True):
    """The engine cannot be reached, and why, in one sentence; it is looked for, and a view follows once it is back."""

    reason: str


News = Entry | View | Lost
"""What a subscriber is told: events; after it fell behind, or the engine was lost, the view as a whole."""


def follow(view: View, news: News) -> View:
    """The view after some news."""
    match news:
        case Entry():
            return fold(view, news)
        case View():
            return news
        case Lost():
            return view


class EngineAPI(Protocol):
    """What a front end may do with an engine, wherever it runs."""

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        """The view as it is now, and all news after it; the iterator ends when the engine does."""
        ...

    async def submit(self, command: Command) -> int | None:
        """Ask for something; the number of the job it concerns.

        Raises:
            CommandError: it cannot be done; the message is one sentence for the user.
        """
        ...

    async def stop(self, *, now: bool = False) -> None:
        """Have the engine end: after the batches under way, or at once; unfinished jobs can be resumed later.

        Raises:
            CommandError: it cannot be reached.
        """
        ...
