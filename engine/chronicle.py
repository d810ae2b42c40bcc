"""What has happened: kept in the ledger, folded into the view, and told to whoever listens, in one order."""

import logging
import time
from collections.abc import AsyncIterator, Sequence

from engine.api import News
from engine.audience import Listener
from engine.events import Entry, Notice
from engine.ledger import Ledger, LedgerFull
from engine.machine import stimuli as do
from engine.view import LOG_KEPT, View, fold

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
        self._listeners: set[Listener] = set()
        self._flushed = time.monotonic()
        self._is_ended = False
        self.view = View(log=ledger.log(LOG_KEPT))
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
            for listener in self._listeners:
                listener.tell(entry)

    def join(self) -> Listener:
        """Someone who is told every event from now on, until ``leave``."""
        listener = Listener(lambda: self.view)
        self._listeners.add(listener)
        if self._is_ended:
            listener.end()
        return listener

    def leave(self, listener: Listener) -> None:
        """That one is told nothing more."""
        self._listeners.discard(listener)

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        """The view as it is now, and all news after it, until the end."""
        return self.view, self._read(self.join())

    async def _read(self, listener: Listener) -> AsyncIterator[News]:
        try:
            while news := await listener.take():
                for each in news:
                    yield each
        finally:
            self.leave(listener)

    def end(self) -> None:
        """Nothing more will happen."""
        self._is_ended = True
        for listener in self._listeners:
            listener.end()
