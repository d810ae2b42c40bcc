"""Pure: what a job's story comes to. Clock times are Unix milliseconds, and so are spans of clock time."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from engine import events as ev
from engine.changes import direction, wanted_after
from engine.recipe import FailureKind, Recipe
from engine.states import Frozen, JobState, Paused, Pausing, Running, Writing
from engine.timeline import Span, Spans, subtract, union

AT_WORK = (Running, Pausing, Frozen, Writing)
"""The states in which the memory in use is a job's own."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that was started for the job, and what loading its model took; None where it never got so far."""

    worker: int
    stage: ev.StageName
    model: str
    at: int
    took_ms: int | None = None
    ended: int | None = None
    reason: str = ""
    """Why it ended."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """A failure, and what followed."""

    at: int
    stage: ev.StageName
    kind: FailureKind
    spans: tuple[Span, ...]
    reason: str
    follows: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A recipe that gave way to another at a place of the timeline, and why."""

    at: int
    place: int
    kind: Literal["set", "lighter", "heavier"]
    before: Recipe
    recipe: Recipe
    reason: str


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """A rest; ``until`` is None while it lasts."""

    at: int
    how: Literal["paused", "parked", "frozen"]
    reason: str
    until: int | None = None


class Gap(msgspec.Struct, frozen=True):
    """A window that was given up, and why."""

    span: Span
    reason: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's story comes to."""

    state: JobState | None = None
    added: int | None = None
    began: int | None = None
    sittings: int = 0
    """How often the program was started to work on the job."""
    listening: Spans = ()
    """When its listener was at work."""
    transcribing: Spans = ()
    """When batches of it were being decoded."""
    writing: Spans = ()
    """When its final files were being written."""
    loads: tuple[Load, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    changes: tuple[Change, ...] = ()
    pauses: tuple[Pause, ...] = ()
    gaps: tuple[Gap, ...] = ()
    retries: int = 0
    """How many windows were begun again after a failure, and stages started again."""


def periods(story: Iterable[ev.Entry]) -> list[tuple[int, int | None]]:
    """The numbers of the events with which the job went to work and to rest; None for work that may still go on."""
    found: list[tuple[int, int | None]] = []
    since: int | None = None
    for entry in story:
        match entry.event:
            case ev.EngineStarted() | ev.JobAdded() if since is not None:  # the last sitting ended without a word
                found.append((since, entry.seq))
                since = None
            case ev.JobChanged(state=state) if isinstance(state, AT_WORK):
                since = since or entry.seq
            case ev.JobChanged() if since is not None:
                found.append((since, entry.seq))
                since = None
            case _:
                pass
    return [*found, (since, None)] if since is not None else found


def tally(story: Iterable[ev.Entry]) -> Tally:
    """Count a job's story together.

    Args:
        story: the entries of ``engine.story``, with the memory samples among them: where a sitting ended without a
            word, its last entry of any kind says when.
    """
    counter = _Counter()
    for entry in story:
        counter.take(entry)
    return counter.total()


class _Counter:
    """The tally in the making."""

    def __init__(self) -> None:
        self.state: JobState | None = None
        self.added: int | None = None
        self.began: int | None = None
        self.sittings = 0
        self.has_run = False
        self.last = 0
        self.recipe = self.wanted = Recipe()
        self.listeners: dict[int, int] = {}
        self.decoding: dict[Span, int] = {}
        self.stages: dict[ev.StageName, list[Span]] = {"listen": [], "transcribe": [], "write": []}
        self.loads: list[Load] = []
        self.alive: dict[int, int] = {}
        """Workers by their number, each with its place in ``loads``."""
        self.troubles: list[Trouble] = []
        self.changes: list[Change] = []
        self.pauses: list[Pause] = []
        self.gaps: list[Gap] = []
        self.failed: set[Span] = set()
        self.failed_stages: set[ev.StageName] = set()
        self.retries = 0

    def take(self, entry: ev.Entry) -> None:
        """One more entry."""
        event, at = entry.event, entry.at
        match event:
            case ev.MemorySampled():
                pass
            case ev.EngineStarted():
                self._sit_down()
            case ev.JobAdded():
                self.added = at if self.added is None else self.added
                self.state, self.recipe, self.wanted = event.state, event.options.recipe, event.options.recipe
            case ev.JobChanged(state=state):
                self._change(state, at)
            case ev.WorkerStarted() | ev.WorkerReady() | ev.WorkerEnded():
                self._worker(event, at)
            case ev.SpeechHeard(last=True):
                self._stop_listening(at)
            case ev.BatchStarted(spans=spans):
                self.retries += len(self.failed.intersection(spans))
                self.failed.difference_update(spans)
                self.decoding |= dict.fromkeys(spans, at)
            case ev.BatchDone(spans=spans):
                self._stop_decoding(spans, at)
            case ev.AttemptFailed():
                self._fail(event, at)
            case ev.RecipeChanged():
                self._recipe(event, at)
            case ev.GapLeft(span=span, reason=reason):
                self.gaps.append(Gap(span, reason))
            case _:
                pass
        self.last = at

    def total(self) -> Tally:
        """The tally so far."""
        self._rise(self.last)
        frozen = union(Span(each.at, each.until or self.last) for each in self.pauses if each.how == "frozen")
        listening, transcribing, writing = (subtract(union(spans), frozen) for spans in self.stages.values())
        return Tally(
            state=self.state,
            added=self.added,
            began=self.began,
            sittings=self.sittings,
            listening=listening,
            transcribing=transcribing,
            writing=writing,
            loads=tuple(self.loads),
            troubles=tuple(self.troubles),
            changes=tuple(self.changes),
            pauses=tuple(self.pauses),
            gaps=tuple(self.gaps),
            retries=self.retries,
        )

    # ---- sittings and states

    def _sit_down(self) -> None:
        """The engine was started again: whatever was going on had ended with the last that was heard of it."""
        self._rise(self.last)
        if not isinstance(self.state, Paused):
            self._end_pause(self.last)
        self.state, self.recipe, self.has_run = None, self.wanted, False
        self.alive, self.failed, self.failed_stages = {}, set(), set()

    def _rise(self, at: int) -> None:
        self._stop_listening(at)
        self._stop_decoding(tuple(self.decoding), at)
        if isinstance(self.state, Writing):
            self.stages["write"].append(Span(self.state.since, at))

    def _change(self, state: JobState, at: int) -> None:
        if isinstance(self.state, Writing):
            self.stages["write"].append(Span(self.state.since, at))
        if isinstance(state, Running):
            self.began = at if self.began is None else self.began
            self.sittings += not self.has_run
            self.has_run = True
        match state:
            case Paused(how=how, reason=reason):
                self._end_pause(at)
                self.pauses.append(Pause(at=at, how="parked" if how == "parked" else "paused", reason=reason))
            case Frozen():
                self._end_pause(at)
                self.pauses.append(Pause(at=at, how="frozen", reason=""))
            case _:
                self._end_pause(at)
        if not isinstance(state, AT_WORK):
            self._stop_decoding(tuple(self.decoding), at)
        self.state = state

    def _end_pause(self, at: int) -> None:
        if self.pauses and self.pauses[-1].until is None:
            self.pauses[-1] = msgspec.structs.replace(self.pauses[-1], until=at)

    # ---- workers

    def _worker(self, event: ev.WorkerStarted | ev.WorkerReady | ev.WorkerEnded, at: int) -> None:
        if isinstance(event, ev.WorkerStarted):
            self.alive[event.worker] = len(self.loads)
            self.loads.append(Load(worker=event.worker, stage=event.stage, model=event.model, at=at))
            if event.stage == "listen":
                self.listeners[event.worker] = at
            if event.stage in self.failed_stages:
                self.retries += 1
                self.failed_stages.discard(event.stage)
            return
        place = self.alive.get(event.worker)
        if isinstance(event, ev.WorkerReady):
            changes: dict[str, object] = {"took_ms": event.took_ms}
        else:
            changes = {"ended": at, "reason": event.reason}
            self.alive.pop(event.worker, None)
            if event.worker in self.listeners:
                self.stages["listen"].append(Span(self.listeners.pop(event.worker), at))
        if place is not None:
            self.loads[place] = msgspec.structs.replace(self.loads[place], **changes)

    def _stop_listening(self, at: int) -> None:
        self.stages["listen"] += [Span(since, at) for since in self.listeners.values()]
        self.listeners = {}

    def _stop_decoding(self, spans: Sequence[Span], at: int) -> None:
        began = [self.decoding.pop(span) for span in spans if span in self.decoding]
        self.stages["transcribe"] += [Span(since, at) for since in set(began)]

    # ---- failures and recipes

    def _fail(self, event: ev.AttemptFailed, at: int) -> None:
        self._stop_decoding(event.spans, at)
        self.failed.update(event.spans)
        if not event.spans:
            self.failed_stages.add(event.stage)
        self.troubles.append(
            Trouble(
                at=at,
                stage=event.stage,
                kind=event.kind,
                spans=event.spans,
                reason=event.reason,
                follows=event.follows,
            )
        )

    def _recipe(self, event: ev.RecipeChanged, at: int) -> None:
        kind = direction(self.recipe, event, self.wanted)
        self.changes.append(
            Change(at=at, place=event.at, kind=kind, before=self.recipe, recipe=event.recipe, reason=event.reason)
        )
        self.wanted = wanted_after(self.wanted, self.recipe, event)
        self.recipe = event.recipe
