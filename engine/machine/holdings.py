"""What the machine knows of each thing: jobs with their windows, attempts, suspects, and workers with their batches."""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine import events as ev
from engine.commands import Options
from engine.ladder import Tried
from engine.machine.stimuli import Source
from engine.messages import Decoded
from engine.recipe import Failure, Recipe
from engine.states import Frozen, JobState, Pausing, Running, Writing
from engine.timeline import Span

LATER: tuple[ev.StageName, ...] = ("align",)
"""The stages that work on what was transcribed, in the order of their turns."""
AT_WORK = (Running, Pausing, Frozen, Writing)
"""The states of which at most one job is in."""
WORKING = (Running, Pausing, Writing)
"""Those of them in which time counts as working time."""


@dataclass(slots=True)
class Attempt:
    """One run of one chunk: the windows that were handed to the worker together."""

    id: int
    span: Span
    windows: int
    left: set[Span]
    recipe: Recipe
    sent: int
    began: int | None = None
    """When its first window was begun; before that it only waits at the worker."""
    outcome: str = "done"
    """What will be recorded once nothing is left: ``stopped`` or a kind of failure where it lost windows unfinished."""
    reason: str = ""
    peak: int = 0
    """The most that the worker held meanwhile, in bytes."""
    slowest_ms: int = 0


@dataclass(slots=True)
class Suspect:
    """A window that failed, or whose text was rejected: it waits until the others are through, and is tried alone."""

    history: list[Tried] = field(default_factory=list)
    recipe: Recipe | None = None
    """What to try it with; None for the job's own recipe."""
    not_before: int = 0
    best: Decoded | None = None
    """The least implausible of its rejected texts."""


@dataclass(slots=True)
class Later:
    """How far a stage that works on what was transcribed has come with a job's windows.

    Those that have words are at the worker (``sent``), through (``done``), or wait.
    """

    done: set[Span] = field(default_factory=set)
    sent: set[Span] = field(default_factory=set)
    failures: Counter[Span] = field(default_factory=Counter)
    """How often each window failed; those that did are tried alone, after the others."""
    streak: int = 0
    """Failures in a row."""
    given_up: str = ""
    """Why the stage is given up for this job; empty while it is not."""


@dataclass(slots=True)
class Job:
    """A job in the machine. Every window is in exactly one of pending, sent, covered and gaps."""

    id: int
    source: Source
    options: Options
    recipe: Recipe
    state: JobState
    outputs: tuple[str, ...] = ()
    duration: int | None = None
    heard: int = 0
    heard_all: bool = False
    audio_ready: bool = False
    """Whether the decoded audio is known to be on disk up to ``heard``."""
    missing_audio: set[Span] = field(default_factory=set)
    """Windows for which the decoded audio was gone, or too short."""
    checkpoint: str = ""
    pending: list[Span] = field(default_factory=list)
    sent: dict[Span, int] = field(default_factory=dict)
    """Windows at the worker, each with its attempt."""
    covered: set[Span] = field(default_factory=set)
    wordless: set[Span] = field(default_factory=set)
    """Those of the covered windows in which nothing is said."""
    later: dict[ev.StageName, Later] = field(default_factory=lambda: {stage: Later() for stage in LATER})
    gaps: set[Span] = field(default_factory=set)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    speech: list[Span] = field(default_factory=list)
    """Where speech was heard, in order."""
    language: str | None = None
    """The language that was found by a vote."""
    samples: tuple[Span, ...] = ()
    """The windows that are to be heard for the vote, once they are chosen."""
    heard_terms: Counter[int] = field(default_factory=Counter)
    """How often each of the job's terms, by its place among them, stood in an accepted text."""
    suspects: dict[Span, Suspect] = field(default_factory=dict)
    barred: dict[Recipe, None] = field(default_factory=dict)
    """Recipes that took too much memory, in the order in which they did."""
    shaky: list[Tried] = field(default_factory=list)
    """Deaths and hangs since the last clean chunk."""
    short: Counter[Span] = field(default_factory=Counter)
    """How often each window was with others when the memory ran out."""
    clean_chunks: int = 0
    """Chunks done in a row with nothing amiss."""
    admitted: Recipe | None = None
    """The recipe that was last found to fit into the memory."""
    is_cut_off: bool = False
    """Whether the rest of the audio is given up: its gap lies after what was heard."""
    stage_failures: dict[str, int] = field(default_factory=dict)
    """Failures of each stage as a whole (listening, or loading a model) since it last got anything done."""
    streak: int = 0
    """Failed batches in a row."""
    not_before: int = 0
    """When the next try may start."""
    worked_ms: int = 0
    partial_at: int = 0
    partial_busy: bool = False
    partial_wanted: bool = False
    partial_trouble: str = ""
    """Why the last partial files could not be written; told once, not every few seconds."""

    @property
    def is_transcribed(self) -> bool:
        """Whether nothing is left to listen to or to transcribe."""
        return (self.heard_all or self.is_cut_off) and not self.pending and not self.sent

    @property
    def is_too_short(self) -> bool:
        """Whether the recording is shorter than was asked for; its end alone tells, for headers are often wrong."""
        return self.heard_all and not self.is_long_enough

    @property
    def is_long_enough(self) -> bool:
        """Whether the recording may be transcribed: of one that is cut off nobody knows how long it was."""
        is_begun = bool(self.covered or self.sent)
        return self.heard >= self.options.min_duration_ms or self.is_cut_off or is_begun

    @property
    def worded(self) -> int:
        """How many of the covered windows have words."""
        return len(self.covered) - len(self.wordless)

    def speech_within(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """Where speech was heard within these windows, in order."""
        found = []
        for window in spans:
            first = bisect_left(self.speech, window.start, key=lambda each: each.end)
            for each in self.speech[first:]:
                if each.start >= window.end:
                    break
                if each.end > window.start:
                    found.append(Span(max(each.start, window.start), min(each.end, window.end)))
        return tuple(found)

    def give_back(self, span: Span) -> None:
        """Return a window from the worker to the waiting ones."""
        del self.sent[span]
        insort(self.pending, span)


@dataclass(slots=True)
class Worker:
    """A worker process, as far as the machine knows it."""

    id: int
    stage: ev.StageName
    key: object
    """What it was loaded for; another key needs another worker."""
    job: int
    """The job whose spans it holds, or held last; 0 where that job has ended."""
    lanes: int
    """How many lanes may hold a batch."""
    is_ready: bool = False
    is_ending: bool = False
    is_dropping: bool = False
    """Whether a ``Drop`` is unanswered; nothing is sent before the answer."""
    queued: list[Span] = field(default_factory=list)
    begun: set[Span] = field(default_factory=set)
    idle_since: int = 0
    started_at: int = 0
    loading_since: int = 0
    """Since when its loading shows no progress."""
    fetched: int = -1
    """How much of its model was there by the last progress of a download, in bytes; -1 before any."""
    told_at: int = 0
    """When its download was last told of."""
    heard_at: int | None = None
    """When it last gave a sign of life; None before the first."""
    batches: list["Batch"] = field(default_factory=list)
    """What its lanes are at."""
    doubted: dict[Span, tuple[str, Decoded]] = field(default_factory=dict)
    """Windows of these batches whose text was refused: why, and the best there is of each so far."""
    frozen_at: int | None = None
    is_parked: bool = False
    """Whether it is ended to get its memory back: what it had begun is nobody's fault."""
    asked_at: int = 0
    """When it was last asked to drop or to end."""
    suspect: tuple[Span, Recipe] | None = None
    """The window, and its recipe, for which alone it was started."""
    doom: Failure | None = None
    """Why it is being killed, where we do it."""
    memory: int = 0
    """What its process holds, in bytes."""
    device: int = 0
    chunks: int = 0
    """Chunks it has done."""
    lean: int = 0
    """What it held once it had warmed up; 0 before."""
    retiring: str = ""
    """Why it is to make room for a fresh one, once it is empty."""

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not self.queued and not self.begun


@dataclass(slots=True)
class Batch:
    """Spans that a lane is at, and since when it showed no progress."""

    spans: frozenset[Span]
    since: int
    factor: int = 1
    """By how much longer than usual it may take."""
    hangs: int = 0
    """How often these spans were ended for taking too long; each time the next may take twice as long."""


@dataclass(slots=True)
class Pace:
    """The slowest batch that was seen of a kind, and the most windows that were in one."""

    slowest_ms: int = 0
    windows: int = 1
    hangs: int = 0
    """How often in a row one was ended for taking too long; each time the next may take twice as long."""

    def saw(self, took: int, windows: int) -> None:
        """A batch of so many windows took so many milliseconds."""
        self.slowest_ms, self.windows = max(self.slowest_ms, took), max(self.windows, windows)
