"""What a screen needs to know: an immutable picture, and the pure fold that keeps it up to date."""

from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.changes import differ, direction, wanted_after
from engine.commands import Options
from engine.messages import Track
from engine.recipe import Recipe
from engine.states import Done, Failed, Frozen, JobState, Pausing, Queued, Running, Writing
from engine.timeline import Span, Spans, length, subtract, union

LINES_KEPT = 200
LOG_KEPT = 500
MEMORY_KEPT = 1_800
"""Samples, so half an hour at one a second."""
HISTORY_KEPT = 2_880
"""Minutes, so two days."""


class Mark(msgspec.Struct, frozen=True):
    """What happened at a place of the timeline: ``lighter``, ``heavier``, ``set``, ``resumed``, ``paused``."""

    at: int
    kind: str


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


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """A job as a screen shows it. Times are milliseconds; sets of spans are on the media's timeline."""

    id: int
    path: str
    size: int
    options: Options
    recipe: Recipe
    state: JobState
    tracks: tuple[Track, ...] = ()
    track: int | None = None
    duration: int | None = None
    heard: int = 0
    heard_all: bool = False
    windows: tuple[Span, ...] = ()
    """Every window laid out so far, in order; not merged."""
    speech: Spans = ()
    """The windows, merged into a set: what has to be covered."""
    covered: Spans = ()
    gaps: Spans = ()
    running: Spans = ()
    """Windows being decoded right now."""
    unheard: Spans = ()
    """Speech in which no words were found."""
    doubtful: Spans = ()
    """Windows whose text is implausible."""
    retried: Spans = ()
    """Windows that failed at least once, whether or not they are covered by now."""
    degraded: Spans = ()
    """Windows decoded with a lighter recipe than the job began with."""
    marks: tuple[Mark, ...] = ()
    lines: tuple[ev.Line, ...] = ()
    """The last lines of text, in the order they were decoded."""
    last_words: str = ""
    warnings: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()
    worked_ms: int = 0
    """Time spent running before ``state.since``."""
    covered_before: int = 0
    """Length covered before the engine started, which says nothing about today's speed."""
    worked_before: int = 0
    is_brief: bool = False
    """Whether its spans are left out: it had ended before the engine started, and the ledger has them."""
    is_lighter: bool = False
    listened_ms: int | None = None
    """Working time when the audio was last listened to; None when it was not in this sitting."""
    transcribing_from: int | None = None
    """Working time when the first batch of this sitting began; None before."""
    wrote_ms: int | None = None
    """How long writing the final files took; None before it has."""

    @property
    def covered_ms(self) -> int:
        """Length of speech that is transcribed."""
        return length(self.covered)

    @property
    def to_cover_ms(self) -> int:
        """Length of speech that is known so far."""
        return length(self.speech)

    @property
    def fraction(self) -> float:
        """How much of the job is done, 0 to 1, along the timeline."""
        if isinstance(self.state, Done):
            return 1.0
        whole = max(self.duration or 0, self.heard)
        if whole == 0:
            return 1.0 if self.heard_all else 0.0
        silence = self.heard - self.to_cover_ms
        return min(1.0, (self.covered_ms + length(self.gaps) + silence * self._reached) / whole)

    @property
    def _reached(self) -> float:
        return (self.covered_ms + length(self.gaps)) / self.to_cover_ms if self.to_cover_ms else float(self.heard_all)

    def worked(self, now: int) -> int:
        """Milliseconds spent running until now."""
        if isinstance(self.state, Running | Pausing | Writing):
            return self.worked_ms + max(0, now - self.state.since)
        return self.worked_ms

    def speed(self, now: int) -> float | None:
        """Seconds of speech transcribed per second of work in this sitting; None before anything is."""
        worked = self.worked(now) - self.worked_before
        done = self.covered_ms - self.covered_before
        return done / worked if worked > 0 and done > 0 else None

    def eta(self, now: int) -> int | None:
        """Milliseconds still to go at the present speed; None when that cannot be said yet."""
        speed = self.speed(now)
        if speed is None or not self.heard:
            return None
        unheard = max(0, (self.duration or 0) - self.heard) if not self.heard_all else 0
        share = self.to_cover_ms / self.heard
        left = self.to_cover_ms - self.covered_ms - length(self.gaps) + unheard * share
        return max(0, round(left / speed))


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


QUIET = (ev.MemorySampled, ev.SpeechHeard, ev.ChunkStarted, ev.BatchStarted, ev.BatchDone, ev.QueueOrdered)
"""Events too frequent or too small to be a line of the log."""


def is_logged(event: ev.Event) -> bool:
    """Whether an event is a line of the log; jobs that are only told anew are none."""
    match event:
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
            changes["jobs"] = (*(job for job in view.jobs if job.id != event.job), _added(event))
        case ev.JobRemoved(job):
            changes["jobs"] = tuple(each for each in view.jobs if each.id != job)
        case ev.QueueOrdered(order):
            place = {job: n for n, job in enumerate(order)}
            changes["jobs"] = tuple(sorted(view.jobs, key=lambda job: place.get(job.id, len(place))))
        case ev.WorkerStarted():
            worker = WorkerView(id=event.worker, job=event.job, stage=event.stage, model=event.model, since=entry.at)
            changes["workers"] = (*view.workers, worker)
        case ev.WorkerReady(worker_id):
            changes["workers"] = tuple(
                msgspec.structs.replace(each, ready=True) if each.id == worker_id else each for each in view.workers
            )
        case ev.WorkerEnded(worker_id):
            changes["workers"] = tuple(each for each in view.workers if each.id != worker_id)
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
            changes["jobs"] = tuple(_changed(job, entry.at, event) if job.id == event.job else job for job in view.jobs)
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


def _added(event: ev.JobAdded) -> JobView:
    progress = event.progress
    covered = union(progress.covered)
    return JobView(
        id=event.job,
        path=event.path,
        size=event.size,
        options=event.options,
        recipe=event.options.recipe,
        state=event.state,
        duration=progress.duration,
        heard=progress.heard,
        heard_all=progress.heard_all,
        windows=progress.windows,
        speech=union(progress.windows),
        covered=covered,
        gaps=union(progress.gaps),
        outputs=event.outputs,
        lines=progress.lines,
        last_words=progress.lines[-1].text if progress.lines else "",
        worked_ms=progress.worked_ms,
        worked_before=progress.worked_ms,
        is_brief=progress.is_brief,
        covered_before=length(covered),
    )


def _changed(job: JobView, at: int, event: ev.Event) -> JobView:
    match event:
        case ev.JobProbed():
            changes: dict[str, object] = {"tracks": event.tracks, "track": event.chosen, "duration": event.duration}
        case ev.JobChanged(state=state):
            changes = _state_changed(job, at, state)
        case ev.SpeechHeard():
            changes = {
                "heard": event.until,
                "heard_all": event.last,
                "windows": (*job.windows, *event.windows),
                "speech": union(job.speech, event.windows),
                "listened_ms": job.worked(at),
                # What could not be listened to before, and was given up, can be after all.
                "gaps": tuple(gap for gap in job.gaps if gap.start < job.heard),
            }
            if event.last:
                changes["duration"] = event.until
        case ev.BatchStarted():
            changes = {"running": union(job.running, event.spans)}
            if job.transcribing_from is None:
                changes["transcribing_from"] = job.worked(at)
        case ev.BatchDone():
            done = union(event.spans)
            changes = {
                "covered": union(job.covered, done),
                "running": subtract(job.running, done),
                "gaps": subtract(job.gaps, done),
                "lines": (*job.lines, *event.lines)[-LINES_KEPT:],
            }
            if event.lines:
                changes["last_words"] = event.lines[-1].text
            if job.is_lighter:
                changes["degraded"] = union(job.degraded, done)
        case ev.ChunkStopped():
            changes = {"running": ()}
        case ev.AttemptFailed():
            failed = union(event.spans)
            changes = {"running": subtract(job.running, failed), "retried": union(job.retried, failed)}
        case ev.RecipeChanged():
            kind = direction(job.recipe, event, job.options.recipe)
            changes = {"recipe": event.recipe, "marks": (*job.marks, Mark(event.at, kind))}
            wanted = wanted_after(job.options.recipe, job.recipe, event)
            changes["options"] = msgspec.structs.replace(job.options, recipe=wanted)
            changes["is_lighter"] = differ(wanted, event.recipe)
        case ev.GapLeft(span=span):
            changes = {"gaps": union(job.gaps, (span,)), "running": subtract(job.running, (span,))}
        case ev.TextDoubted(span=span):
            changes = {"doubtful": union(job.doubtful, (span,))}
        case ev.SpeechAudited(unheard=unheard):
            changes = {"unheard": union(job.unheard, unheard)}
        case ev.Warning(message=message):
            changes = {"warnings": (*job.warnings, message)}
        case ev.Written(partial=True, paths=paths):
            changes = {"partial": paths}
        case ev.Written(paths=paths):
            changes = {"outputs": paths, "partial": ()}
        case _:
            changes = {}
    return msgspec.structs.replace(job, **changes) if changes else job


def _state_changed(job: JobView, at: int, state: JobState) -> dict[str, object]:
    changes: dict[str, object] = {"state": state, "worked_ms": job.worked(at)}
    reached = job.covered[-1].end if job.covered else 0
    if isinstance(state, Pausing | Frozen) and not isinstance(job.state, Pausing):
        changes["marks"] = (*job.marks, Mark(reached, "paused"))
    elif isinstance(state, Running) and job.covered and not isinstance(job.state, Running):
        changes["marks"] = (*job.marks, Mark(reached, "resumed"))
    if not isinstance(state, Running | Pausing | Frozen):
        changes["running"] = ()
    if isinstance(state, Done | Failed):
        changes["partial"] = ()
    if isinstance(state, Done) and isinstance(job.state, Writing):
        changes["wrote_ms"] = max(0, at - job.state.since)
    return changes
