"""What there is to say about a job when all is said and done: typed, pure data out of the ledger."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from heapq import merge
from operator import attrgetter
from typing import Any, Literal, get_args

import msgspec

from engine import events as ev
from engine.commands import Options
from engine.ledger import Ledger
from engine.machine.stimuli import JobRecord
from engine.messages import Probed
from engine.recipe import Recipe
from engine.recognised import Recognised, recognised
from engine.states import Done, JobState
from engine.story import Story
from engine.tally import Gap, Tally, periods, tally
from engine.timeline import Span, Spans, length, union

MarkKind = Literal["failure", "lighter", "heavier", "set", "pause", "worker"]
_PRESSURES = get_args(ev.Pressure)
"""From the best to the worst."""


class Flaw(msgspec.Struct, frozen=True):
    """A stretch of the timeline about which something is amiss, and what."""

    span: Span
    reason: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one chunk, or the failure of a whole stage. Clock times are Unix milliseconds."""

    id: int
    stage: str
    span: Span
    windows: int
    """0 for a stage that failed as a whole."""
    recipe: Recipe
    began: int
    ended: int | None
    """None while it goes on, or where the program was killed in the middle of it."""
    outcome: str | None
    """``done``, ``stopped``, ``lost``, or a kind of failure; None while it goes on."""
    reason: str
    peak: int
    """The most that its worker held, in bytes; 0 where that is not known."""
    slowest_ms: int
    """How long its slowest batch took; 0 where that is not known."""

    @property
    def took_ms(self) -> int | None:
        """How long it ran; None where that is not known."""
        return None if self.ended is None or self.outcome == "lost" else max(0, self.ended - self.began)

    @property
    def speed(self) -> float | None:
        """Seconds of the timeline per second of work; None where it was not all done."""
        took = self.took_ms
        return self.span.length / took if self.outcome == "done" and took else None


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stage was at work, and the most memory that the whole process tree held meanwhile, in bytes."""

    name: ev.StageName
    took_ms: int
    peak: int | None
    """None where nothing was measured in that time."""


class Sample(msgspec.Struct, frozen=True):
    """The memory of the process tree and of the workers' devices at a time (Unix milliseconds), in bytes."""

    at: int
    tree: int
    device: int = 0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The memory while the job was at work, in bytes."""

    samples: tuple[Sample, ...] = ()
    budget: int = 0
    """The budget that was in force last; 0 where there was none."""
    over: int = 0
    """How many samples, of which there is one a second, were larger than the budget."""
    available: int | None = None
    """The least that the system had left."""
    swap: int = 0
    """The most that the system had swapped out."""
    pressure: ev.Pressure = "normal"
    """The worst that the system's memory pressure came to."""

    @property
    def highest(self) -> Sample | None:
        """The sample of the largest tree; None where nothing was measured."""
        return max(self.samples, key=lambda sample: sample.tree, default=None)


class Mark(msgspec.Struct, frozen=True):
    """Something that happened at a time (Unix milliseconds), and until when it lasted, if it did."""

    kind: MarkKind
    at: int
    text: str
    until: int | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A job from end to end. Spans are on the media's timeline; clock times are Unix milliseconds."""

    job: int
    path: str
    size: int
    options: Options
    state: JobState
    probed: Probed | None
    duration: int | None
    heard: int
    heard_all: bool
    speech: Spans
    """Where there is speech; where that was not kept, the windows."""
    windows: int
    covered_ms: int
    to_cover_ms: int
    gaps: tuple[Flaw, ...]
    doubtful: tuple[Flaw, ...]
    unheard: Spans
    recovered: Spans
    outputs: tuple[str, ...]
    warnings: tuple[str, ...]
    worked_ms: int
    tally: Tally
    stages: tuple[Stage, ...]
    attempts: tuple[Attempt, ...]
    memory: Memory
    recognised: Recognised = Recognised()

    @property
    def fraction(self) -> float:
        """How much of the job is done, 0 to 1."""
        if isinstance(self.state, Done):
            return 1.0
        reached = self.heard / self.duration if self.duration else 0.0
        settled = self.covered_ms + length(flaw.span for flaw in self.gaps)
        return min(1.0, reached) * min(1.0, settled / self.to_cover_ms) if self.to_cover_ms else 0.0

    @property
    def speed(self) -> float | None:
        """Seconds of the timeline's speech per second of work; None when nothing was done."""
        return self.covered_ms / self.worked_ms if self.worked_ms and self.covered_ms else None

    @property
    def failures(self) -> dict[str, int]:
        """How often each kind of failure happened."""
        return dict(Counter(each.kind.value for each in self.tally.troubles))

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes that attempts ran with, each once, in the order of their first use."""
        return tuple(dict.fromkeys(each.recipe for each in self.attempts))

    @property
    def marks(self) -> tuple[Mark, ...]:
        """What happened, for a plot over time."""
        told = self.tally
        marks = [Mark("worker", each.at, each.stage) for each in told.loads]
        marks += [Mark("failure", each.at, each.reason) for each in told.troubles]
        marks += [Mark(each.kind, each.at, each.reason) for each in told.changes]
        marks += [Mark("pause", each.at, each.reason or each.how, each.until) for each in told.pauses]
        return tuple(sorted(marks, key=lambda mark: mark.at))


def report_of(ledger: Ledger, job: int) -> Report | None:
    """All that the ledger knows of a job; None where it knows no such job.

    Args:
        ledger: may be open for reading only, while another process writes to it.
        job: its number.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    record = ledger.job(job)
    if record is None:
        return None
    story = list(Story(ledger, job).new())
    read: list[ev.Entry] = []
    for first, last in periods(story):
        read += ledger.samples(first, ledger.next_seq() if last is None else last)
    told = tally(merge(story, read, key=lambda entry: entry.seq))
    return _assemble(ledger, record, told, recognised(story), read)


def _assemble(ledger: Ledger, record: JobRecord, told: Tally, found: Recognised, read: Sequence[ev.Entry]) -> Report:
    progress = record.progress
    windows = union(progress.windows)
    flaws = ledger.flaws(record.id)
    samples = tuple(
        Sample(entry.at, entry.event.tree, entry.event.device)
        for entry in read
        if isinstance(entry.event, ev.MemorySampled)
    )
    attempts = tuple(_attempt(row) for row in ledger.attempts(record.id))
    # The ledger does not keep the small events of old jobs for ever, but all attempts.
    ran = union(Span(each.began, each.ended) for each in attempts if each.ended is not None and each.stage != "align")
    stages: tuple[tuple[ev.StageName, Spans], ...] = (
        ("listen", told.listening),
        ("transcribe", told.transcribing or ran),
        *((("align", found.aligning),) if record.options.recipe.align or found.aligning else ()),
        ("write", told.writing),
    )
    return Report(
        job=record.id,
        path=record.source.path,
        size=record.source.size,
        options=record.options,
        state=record.state,
        probed=ledger.probed(record.id),
        duration=progress.duration,
        heard=progress.heard,
        heard_all=progress.heard_all,
        speech=union(ledger.speech(record.id)) or windows,
        windows=len(progress.windows),
        covered_ms=length(union(progress.covered)),
        to_cover_ms=length(windows),
        gaps=tuple(Flaw(gap, _why(gap, told.gaps)) for gap in progress.gaps),
        doubtful=tuple(Flaw(span, each.doubt) for span, each in flaws if each.doubt),
        unheard=union(*(each.unheard for _, each in flaws)),
        recovered=union(*(each.recovered for _, each in flaws)),
        outputs=record.outputs,
        warnings=ledger.warnings(record.id),
        worked_ms=progress.worked_ms,
        tally=told,
        recognised=found,
        stages=tuple(Stage(name=name, took_ms=length(spans), peak=_highest(samples, spans)) for name, spans in stages),
        attempts=attempts,
        memory=_memory(samples, [entry.event for entry in read if isinstance(entry.event, ev.MemorySampled)]),
    )


def _why(gap: Span, told: Sequence[Gap]) -> str:
    return next((each.reason for each in reversed(told) if each.span.overlaps(gap)), "")


def _attempt(row: dict[str, Any]) -> Attempt:
    return Attempt(
        id=row["id"],
        stage=row["stage"],
        span=Span(row["start"], row["end"]),
        windows=row["windows"],
        recipe=msgspec.json.decode(row["recipe"], type=Recipe),
        began=row["began"],
        ended=row["ended"],
        outcome=row["outcome"],
        reason=row["reason"],
        peak=row["peak"],
        slowest_ms=row["slowest_ms"],
    )


def _highest(samples: Sequence[Sample], spans: Spans) -> int | None:
    """The largest tree within these spans of clock time."""
    at = attrgetter("at")
    found = []
    for span in spans:
        first, last = bisect_left(samples, span.start, key=at), bisect_right(samples, span.end, key=at)
        found += [max(each.tree for each in samples[first:last])] if last > first else []
    return max(found, default=None)


def _memory(samples: tuple[Sample, ...], read: Sequence[ev.MemorySampled]) -> Memory:
    return Memory(
        samples=samples,
        budget=read[-1].budget if read else 0,
        over=sum(each.tree > each.budget > 0 for each in read),
        available=min((each.available for each in read), default=None),
        swap=max((each.swap for each in read), default=0),
        pressure=max((each.pressure for each in read), key=_PRESSURES.index, default="normal"),
    )
