"""What has happened: kept in the ledger, folded into the view, and told to whoever listens, in one order."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence

from engine.events import Entry, Notice
from engine.ledger import Ledger, LedgerFull
from engine.machine import stimuli as do
from engine.view import View, fold

_log = logging.getLogger(__name__)

FLUSH = 5.0
"""Seconds that an event may wait for a transaction."""


class Clock:
    """Unix milliseconds that never go back, whoever sets the clock: a delay would last as much longer."""

    def __init__(self) -> None:
        self._latest = 0
        self._ahead = 0

    def now(self) -> int:
        """The time."""
        wall = time.time_ns() // 1_000_000
        self._ahead = max(self._ahead, self._latest - wall)
        self._latest = wall + self._ahead
        return self._latest


class Chronicle:
    """The one order of all events.

    Args:
        ledger: where they are kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seq = ledger.next_seq()
        self._streams: set[asyncio.Queue[Entry | None]] = set()
        self._flushed = time.monotonic()
        self._is_ended = False
        self.view = View()
        """The view after the last event."""

    def keep(self, instructions: Sequence[do.Instruction], now: int) -> None:
        """Save what is to be saved, in one transaction, and then tell the events among these instructions.

        Raises:
            LedgerFull: there is no room; nothing was saved or told, and the same can be kept later.
            LedgerError: the ledger cannot be written.
        """
        events = [each.event for each in instructions if isinstance(each, do.Publish)]
        entries = [Entry(self._seq + number, now, event) for number, event in enumerate(events)]
        saving = [each for each in instructions if Ledger.is_saving(each)]
        if saving:
            with self._ledger.transaction():
                for instruction in saving:
                    self._ledger.save(instruction)
                for entry in entries:
                    self._ledger.record(entry)
            self._flushed = time.monotonic()
        else:
            for entry in entries:
                self._ledger.record(entry)
            self._flush()
        self._tell(entries)

    def notice(self, message: str, now: int) -> None:
        """Tell the user something that concerns no one job; it is kept with whatever is kept next."""
        entry = Entry(self._seq, now, Notice(message))
        self._ledger.record(entry)
        self._tell([entry])

    def _flush(self) -> None:
        """Mere events wait for a transaction, but not for ever."""
        if time.monotonic() - self._flushed < FLUSH:
            return
        self._flushed = time.monotonic()
        try:
            self._ledger.flush()
        except LedgerFull as error:
            _log.warning("%s", error)  # they go on waiting; what must be durable will tell the user

    def _tell(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._seq = entry.seq + 1
            self.view = fold(self.view, entry)
            for stream in self._streams:
                stream.put_nowait(entry)

    def subscribe(self) -> tuple[View, AsyncIterator[Entry]]:
        """The view as it is now, and every event after it, until the end."""
        stream: asyncio.Queue[Entry | None] = asyncio.Queue()
        self._streams.add(stream)
        if self._is_ended:
            stream.put_nowait(None)
        return self.view, self._read(stream)

    async def _read(self, stream: asyncio.Queue[Entry | None]) -> AsyncIterator[Entry]:
        try:
            while (entry := await stream.get()) is not None:
                yield entry
        finally:
            self._streams.discard(stream)

    def end(self) -> None:
        """Nothing more will happen."""
        self._is_ended = True
        for stream in self._streams:
            stream.put_nowait(None)
