"""What a screen needs to know: an immutable picture, and the pure fold that keeps it up to date."""

from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.jobview import LINES_KEPT, Fetch, JobView, Mark, added, changed, fetched
from engine.states import Queued

__all__ = [
    "HISTORY_KEPT",
    "LINES_KEPT",
    "LOG_KEPT",
    "MEMORY_KEPT",
    "QUIET",
    "Fetch",
    "JobView",
    "LogLine",
    "Mark",
    "MemoryPoint",
    "View",
    "WorkerView",
    "fold",
    "fold_all",
    "is_logged",
]

LOG_KEPT = 500
MEMORY_KEPT = 1_800
"""Samples, so half an hour at one a second."""
HISTORY_KEPT = 2_880
"""Minutes, so two days."""


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """A worker as a screen shows it; ``ready`` once its model is loaded."""

    id: int
    job: int
    stage: ev.StageName
    model: str
    since: int
    ready: bool = False


class MemoryPoint(msgspec.Struct, frozen=True):
    """The process tree's memory at a time (Unix milliseconds), in bytes."""

    at: int
    tree: int


class LogLine(msgspec.Struct, frozen=True):
    """An event worth a line in the log."""

    seq: int
    at: int
    event: ev.Event


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a screen needs to know."""

    seq: int = 0
    jobs: tuple[JobView, ...] = ()
    """In the order of the queue."""
    workers: tuple[WorkerView, ...] = ()
    memory: tuple[MemoryPoint, ...] = ()
    """The last samples, in the order of time."""
    history: tuple[MemoryPoint, ...] = ()
    """The peak of every minute, each at the beginning of its minute."""
    budget: int = 0
    available: int = 0
    pressure: ev.Pressure = "normal"
    peak: int = 0
    log: tuple[LogLine, ...] = ()

    def job(self, job: int) -> JobView | None:
        """The job of that number, if it is on the list."""
        return next((each for each in self.jobs if each.id == job), None)


QUIET = (
    ev.MemorySampled,
    ev.SpeechHeard,
    ev.ChunkStarted,
    ev.BatchStarted,
    ev.BatchDone,
    ev.WordsAligned,
    ev.QueueOrdered,
)
"""Events too frequent or too small to be a line of the log."""


def is_logged(event: ev.Event) -> bool:
    """Whether an event is a line of the log; jobs that are only told anew, and progress, are none."""
    match event:
        case ev.ModelFetched(done=done, total=total):
            return done == 0 or done >= total > 0
        case ev.Written(partial=is_partial):
            return not is_partial
        case ev.JobAdded(state=state):
            return isinstance(state, Queued)
        case _:
            return not isinstance(event, QUIET)


def fold(view: View, entry: ev.Entry) -> View:
    """The view after one more event."""
    event = entry.event
    log = (*view.log, LogLine(entry.seq, entry.at, event))[-LOG_KEPT:] if is_logged(event) else view.log
    if isinstance(event, ev.EngineStarted):
        # As a line it tells one sitting from the next.
        return View(seq=entry.seq, budget=event.budget, log=log if view.log else ())
    changes: dict[str, object] = {"seq": entry.seq, "log": log}
    match event:
        case ev.JobAdded():
            changes["jobs"] = (*(job for job in view.jobs if job.id != event.job), added(event))
        case ev.JobRemoved(job):
            changes["jobs"] = tuple(each for each in view.jobs if each.id != job)
        case ev.QueueOrdered(order):
            place = {job: n for n, job in enumerate(order)}
            changes["jobs"] = tuple(sorted(view.jobs, key=lambda job: place.get(job.id, len(place))))
        case ev.WorkerStarted():
            worker = WorkerView(id=event.worker, job=event.job, stage=event.stage, model=event.model, since=entry.at)
            changes["workers"] = (*view.workers, worker)
            if event.stage == "align":
                changes["jobs"] = tuple(
                    changed(job, entry.at, event) if job.id == event.job else job for job in view.jobs
                )
        case ev.WorkerReady(worker_id):
            changes["workers"] = tuple(
                msgspec.structs.replace(each, ready=True) if each.id == worker_id else each for each in view.workers
            )
            changes["jobs"] = tuple(fetched(job, worker_id) for job in view.jobs)
        case ev.WorkerEnded(worker_id):
            changes["workers"] = tuple(each for each in view.workers if each.id != worker_id)
            changes["jobs"] = tuple(fetched(job, worker_id) for job in view.jobs)
        case ev.MemorySampled():
            point = MemoryPoint(entry.at, event.tree)
            changes |= {
                "memory": (*view.memory, point)[-MEMORY_KEPT:],
                "history": _with_minute(view.history, point)[-HISTORY_KEPT:],
                "budget": event.budget,
                "available": event.available,
                "pressure": event.pressure,
                "peak": max(view.peak, event.tree),
            }
        case ev.Notice():
            pass
        case _:
            changes["jobs"] = tuple(changed(job, entry.at, event) if job.id == event.job else job for job in view.jobs)
    return msgspec.structs.replace(view, **changes)


def fold_all(entries: Iterable[ev.Entry], view: View | None = None) -> View:
    """The view after all these events."""
    view = view or View()
    for entry in entries:
        view = fold(view, entry)
    return view


def _with_minute(history: tuple[MemoryPoint, ...], point: MemoryPoint) -> tuple[MemoryPoint, ...]:
    minute = point.at - point.at % 60_000
    if history and history[-1].at == minute:
        return (*history[:-1], MemoryPoint(minute, max(history[-1].tree, point.tree)))
    return (*history, MemoryPoint(minute, point.tree))
