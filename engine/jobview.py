"""A job as a screen shows it: an immutable picture, and the pure fold that keeps it up to date."""

import msgspec

from engine import events as ev
from engine.changes import differ, direction, wanted_after
from engine.commands import Options
from engine.messages import Track
from engine.recipe import Recipe
from engine.states import Done, Failed, Frozen, JobState, Pausing, Running, Writing
from engine.timeline import Span, Spans, length, subtract, union
from engine.transcript import Correction

LINES_KEPT = 200
ALIGNING = 0.2
"""The part of a job that aligning its words counts for; how much work it really is depends on both models."""


class Mark(msgspec.Struct, frozen=True):
    """What happened at a place of the timeline: ``lighter``, ``heavier``, ``set``, ``resumed``, ``paused``."""

    at: int
    kind: str


class Fetch(msgspec.Struct, frozen=True):
    """A model that a worker downloads: how many of how many bytes are there; 0 where that is not known."""

    worker: int
    model: str
    done: int
    total: int


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
    language: str | None = None
    """The language that was found by a vote; None where none was held."""
    votes: tuple[tuple[str, float], ...] = ()
    """Each language's share of the vote, 0 to 1, the highest first."""
    aligned: Spans = ()
    """Windows that the align stage is through with."""
    aligning_from: int | None = None
    """Working time when an align worker was first started in this sitting; None before."""
    aligned_before: int = 0
    """Length aligned before the engine started."""
    fetching: Fetch | None = None
    """The model that is being downloaded right now."""
    corrections: tuple[Correction, ...] = ()
    """Words that were put right by the terms in this sitting, in the order they were decoded."""
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
        if not self.options.recipe.align or isinstance(self.state, Writing):
            return self._transcribed
        aligned = length(self.aligned) / self.covered_ms if self.covered else 0.0
        return self._transcribed * (1 - ALIGNING + ALIGNING * min(1.0, aligned))

    @property
    def _transcribed(self) -> float:
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
        worked = self.worked(now) if self.aligning_from is None else self.aligning_from
        worked -= self.worked_before
        done = self.covered_ms - self.covered_before
        return done / worked if worked > 0 and done > 0 else None

    def eta(self, now: int) -> int | None:
        """Milliseconds still to go at the present speed; None when that cannot be said yet.

        Nobody knows how long aligning takes before it has begun, so it counts only from then on.
        """
        if self.aligning_from is not None:
            worked, done = self.worked(now) - self.aligning_from, length(self.aligned) - self.aligned_before
            unaligned = max(0, self.covered_ms - length(self.aligned))
            return round(unaligned * worked / done) if worked > 0 and done > 0 else None
        speed = self.speed(now)
        if speed is None or not self.heard:
            return None
        unheard = max(0, (self.duration or 0) - self.heard) if not self.heard_all else 0
        share = self.to_cover_ms / self.heard
        left = self.to_cover_ms - self.covered_ms - length(self.gaps) + unheard * share
        return max(0, round(left / speed))


def added(event: ev.JobAdded) -> JobView:
    """A job that is told for the first time, or anew."""
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
        language=progress.language,
        votes=progress.votes,
        aligned=union(progress.aligned),
        aligned_before=length(union(progress.aligned)),
    )


def fetched(job: JobView, worker: int) -> JobView:
    """The job once this worker downloads nothing any more."""
    if job.fetching is None or job.fetching.worker != worker:
        return job
    return msgspec.structs.replace(job, fetching=None)


def changed(job: JobView, at: int, event: ev.Event) -> JobView:
    """The job after an event that concerns it."""
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
        case ev.WorkerStarted():
            changes = {} if job.aligning_from is not None else {"aligning_from": job.worked(at)}
        case ev.ModelFetched():
            is_over = event.done >= event.total > 0
            fetch = Fetch(event.worker, event.model, event.done, event.total)
            changes = {"fetching": None if is_over else fetch}
        case ev.LanguageFound():
            changes = {"language": event.language, "votes": event.votes}
        case ev.WordsAligned(spans=spans):
            changes = {"aligned": union(job.aligned, spans)}
        case ev.TermsCorrected(corrections=corrections):
            changes = {"corrections": (*job.corrections, *corrections)}
        case ev.AttemptFailed(stage="align"):
            changes = {}
        case ev.AttemptFailed():
            failed = union(event.spans)
            changes = {"running": subtract(job.running, failed), "retried": union(job.retried, failed)}
        case ev.RecipeChanged():
            kind = direction(job.recipe, event, job.options.recipe)
            changes = {"recipe": event.recipe, "marks": (*job.marks, Mark(event.at, kind))}
            wanted = wanted_after(job.options.recipe, job.recipe, event)
            changes["options"] = msgspec.structs.replace(job.options, recipe=wanted)
            changes["is_lighter"] = differ(wanted, event.recipe)
            if event.recipe.align != job.recipe.align:
                changes["aligned"], changes["aligned_before"] = (), 0
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
