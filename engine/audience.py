"""Who listens to the engine: each with a bounded queue, so that one who is slow or gone costs nobody anything."""

import asyncio
from collections.abc import Callable

import msgspec

from engine.events import Entry, MemorySampled, ModelFetched, SpeechHeard
from engine.view import View, is_logged

LIMIT = 1_000
"""Entries that may wait; whoever falls further behind is told the view as a whole instead."""
CROWDED = LIMIT // 10
"""Entries that wait from which on progress is merged: a listener that keeps up is told all of it."""


class Listener:
    """What one listener has still to be told.

    Args:
        view: gives the view as it is, for a listener that fell behind.
        limit: entries that may wait.
        crowded: entries that wait from which on progress is merged.
    """

    def __init__(self, view: Callable[[], View], limit: int = LIMIT, crowded: int = CROWDED) -> None:
        self._view = view
        self._limit = limit
        self._crowded = crowded
        self._waiting: dict[int, Entry] = {}
        """By their numbers, in order."""
        self._sample: int | None = None
        """The number of the newest memory sample that waits."""
        self._is_behind = False
        self._has_ended = False
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many entries wait."""
        return len(self._waiting)

    def tell(self, entry: Entry) -> None:
        """Have it told an event, or remember that it has to be told everything anew."""
        if self._is_behind:
            return
        if len(self._waiting) >= self._crowded:
            entry = self._merged(entry)
        self._waiting[entry.seq] = entry
        if isinstance(entry.event, MemorySampled):
            self._sample = entry.seq
        if len(self._waiting) > self._limit:
            self.fall_behind()
        self._changed.set()

    def _merged(self, entry: Entry) -> Entry:
        """The entry with the progress in it that waits and is outdone by it; that waits no more."""
        event = entry.event
        if isinstance(event, MemorySampled) and self._sample is not None:
            self._waiting.pop(self._sample, None)
        elif isinstance(event, ModelFetched):
            last = self._waiting[next(reversed(self._waiting))]
            if isinstance(last.event, ModelFetched) and last.event.worker == event.worker and not is_logged(last.event):
                del self._waiting[last.seq]
        elif isinstance(event, SpeechHeard):
            last = self._waiting[next(reversed(self._waiting))]
            if isinstance(last.event, SpeechHeard) and last.event.job == event.job:
                del self._waiting[last.seq]
                both = msgspec.structs.replace(event, windows=(*last.event.windows, *event.windows))
                return Entry(entry.seq, entry.at, both)
        return entry

    def fall_behind(self) -> None:
        """Forget what waits: the whole view is told next."""
        self._waiting.clear()
        self._sample = None
        self._is_behind = True
        self._changed.set()

    def end(self) -> None:
        """Nothing more will happen."""
        self._has_ended = True
        self._changed.set()

    async def take(self) -> tuple[Entry | View, ...]:
        """All that there is to tell, once there is something; nothing, at the end only."""
        while not (self._waiting or self._is_behind or self._has_ended):
            self._changed.clear()
            await self._changed.wait()
        return self.take_at_once()

    def take_at_once(self) -> tuple[Entry | View, ...]:
        """All that there is to tell now."""
        if self._is_behind:
            self._is_behind = False
            return (self._view(),)
        taken = tuple(self._waiting.values())
        self._waiting.clear()
        self._sample = None
        return taken
