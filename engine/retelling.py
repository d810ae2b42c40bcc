"""What the ledger tells of what has happened: the events, in their one order."""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from engine import events as ev
from engine.querying import Querying, decoder, or_none
from engine.view import QUIET, LogLine, is_logged

_to_event = decoder(ev.Event)
_PRESSURES: dict[str, ev.Pressure] = {"normal": "normal", "warning": "warning", "critical": "critical"}


class Retelling(Querying):
    """The queries for events."""

    def next_seq(self) -> int:
        """The number for the next event."""
        self._settle()
        last = "(SELECT coalesce(max(seq), 0) FROM {})".format
        row = self._row(f"SELECT max({last('event')}, {last('memory')})")
        return int(row[0]) + 1

    def workers(self, after: int = 0) -> Iterator[ev.Entry]:
        """What was told of sittings and of workers, of all jobs, in order."""
        self._settle()
        # The very words of the index ``event_worker``, or SQLite does not use it.
        kinds = "kind IN ('EngineStarted','WorkerStarted','WorkerReady','WorkerEnded')"
        yield from _told(
            self._rows(f"SELECT seq, at, job, kind, data FROM event WHERE {kinds} AND seq>? ORDER BY seq", (after,))
        )

    def samples(self, first: int, last: int) -> Iterator[ev.Entry]:
        """The memory samples whose numbers are at least the one and at most the other, in order."""
        self._settle()
        yield from _told(
            self._rows(
                "SELECT seq, at, NULL, '', NULL, tree, budget, available, device, swap, pressure"
                " FROM memory WHERE seq BETWEEN ? AND ? ORDER BY seq",
                (first, last),
            )
        )

    def entries(self, job: int | None = None, after: int = 0) -> Iterator[ev.Entry]:
        """The events in their order, memory samples among them; those of one job only, if asked."""
        self._settle()
        if job is not None:
            rows = self._rows(
                "SELECT seq, at, job, kind, data FROM event WHERE job=? AND seq>? ORDER BY seq", (job, after)
            )
            yield from _told(rows)
            return
        rows = self._rows(
            "SELECT seq, at, job, kind, data, 0, 0, 0, 0, 0, '' FROM event WHERE seq>?1"
            " UNION ALL SELECT seq, at, NULL, '', NULL, tree, budget, available, device, swap, pressure"
            " FROM memory WHERE seq>?1 ORDER BY seq",
            (after,),
        )
        yield from _told(rows)

    def log(self, count: int) -> tuple[LogLine, ...]:
        """The last events worth a line, in their order."""
        quiet = ", ".join(f"'{each.__name__}'" for each in QUIET)
        # The same as is_logged, so that the many that are no line need not be decoded.
        rows = self._rows(
            "SELECT seq, at, job, kind, data FROM (SELECT seq, at, job, kind, data FROM event"
            f" WHERE kind NOT IN ({quiet})"
            " AND NOT (kind='Written' AND instr(CAST(data AS TEXT), '\"partial\":true'))"
            ' AND NOT (kind=\'JobAdded\' AND NOT instr(CAST(data AS TEXT), \'"state":{"type":"Queued"}\'))'
            " ORDER BY seq DESC LIMIT ?) ORDER BY seq",
            (count,),
        )
        lines = [LogLine(entry.seq, entry.at, entry.event) for entry in _told(rows) if is_logged(entry.event)]
        if len(lines) < count:
            # The very first start is no line, as a view has it.
            lines = list(dropwhile(lambda line: isinstance(line.event, ev.EngineStarted), lines))
        return tuple(lines)


def _told(rows: Iterator[Any]) -> Iterator[ev.Entry]:
    """Each row as an event; what this version does not know of a job is told as a warning, the rest left out."""
    for seq, at, job, kind, data, *sample in rows:
        event = _sample(*sample) if data is None else or_none(_to_event, data)
        if event is None and job is not None:
            event = ev.Warning(job, f"This version of scribetui cannot read what happened here ({kind}).")
        if event is not None:
            yield ev.Entry(seq, at, event)


def _sample(tree: int, budget: int, available: int, device: int, swap: int, pressure: str) -> ev.MemorySampled:
    known = _PRESSURES.get(pressure, "normal")
    return ev.MemorySampled(tree=tree, budget=budget, available=available, device=device, swap=swap, pressure=known)
