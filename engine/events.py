"""All the engine says: one frozen struct a kind. The ledger keeps them; a view is a fold over them."""

from typing import Literal

import msgspec

from engine.commands import Options
from engine.messages import Correction, Track
from engine.recipe import FailureKind, Recipe
from engine.states import JobState
from engine.timeline import Span

StageName = Literal["listen", "transcribe", "align", "write"]
Pressure = Literal["normal", "warning", "critical"]
"""How short of memory the whole system is."""

GIVEN_UP = "the job is given up"
"""What follows a job's last failure; the job's own end, with the same reason, is told next."""
ASKED = "asked for"
"""The reason of a change that the user wanted."""
CLEAN = "clean chunks in a row"
"""How the reason of a way back up to a heavier recipe ends."""


class Line(msgspec.Struct, frozen=True):
    """A run of text with its place, as shown while the job runs."""

    start: int
    end: int
    text: str


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job has come, as the ledger tells it when the engine starts."""

    duration: int | None = None
    """Milliseconds: what was decoded once listening is over, else the header's estimate."""
    heard: int = 0
    """How far the audio has been listened to."""
    heard_all: bool = False
    windows: tuple[Span, ...] = ()
    """Every window laid out so far, in order."""
    covered: tuple[Span, ...] = ()
    """The windows that are transcribed, in order."""
    gaps: tuple[Span, ...] = ()
    """Windows that were given up."""
    speech: tuple[Span, ...] = ()
    """The speech that was heard, in order; only for who asks the ledger, no event that is kept holds it."""
    checkpoint: str = ""
    audio_ready: bool = False
    """Whether the decoded audio is still on disk up to ``heard``."""
    worked_ms: int = 0
    """Time spent running, over all sittings."""
    language: str | None = None
    """What the vote found; None where none was held."""
    votes: tuple[tuple[str, float], ...] = ()
    """Each language's share of the vote, as in ``LanguageFound``."""
    wordless: tuple[Span, ...] = ()
    """The transcribed windows in which nothing is said, in order."""
    aligned: tuple[Span, ...] = ()
    """The windows that the align stage is through with, in order."""
    lines: tuple[Line, ...] = ()
    """The last of the text, in the order of the timeline."""
    is_brief: bool = False
    """Whether there are spans that are left out, as of a job that had ended before the engine started."""


class EngineStarted(msgspec.Struct, frozen=True, tag=True):
    """A new sitting begins: whatever was before, the jobs are told anew. The memory budget is in bytes."""

    budget: int


class JobAdded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A job entered the queue, or came back from the ledger with the engine's start."""

    job: int
    path: str
    size: int
    options: Options
    state: JobState
    progress: Progress = Progress()
    outputs: tuple[str, ...] = ()


class JobRemoved(msgspec.Struct, frozen=True, tag=True):
    """A job left the list."""

    job: int


class JobProbed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The media file was opened."""

    job: int
    tracks: tuple[Track, ...]
    chosen: int
    container: str
    duration: int | None


class JobChanged(msgspec.Struct, frozen=True, tag=True):
    """A job's state changed."""

    job: int
    state: JobState


class QueueOrdered(msgspec.Struct, frozen=True, tag=True):
    """The queue's order changed."""

    jobs: tuple[int, ...]


class WorkerStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A worker process was started for a stage and loads its model."""

    job: int
    worker: int
    stage: StageName
    model: str


class WorkerReady(msgspec.Struct, frozen=True, tag=True):
    """A worker's model is loaded."""

    worker: int
    took_ms: int


class WorkerEnded(msgspec.Struct, frozen=True, tag=True):
    """A worker is gone, and why."""

    worker: int
    reason: str


class ModelFetched(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A worker downloads its model: how many of how many bytes are there; 0 where that is not known."""

    job: int
    worker: int
    model: str
    done: int
    total: int


class LanguageFound(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The language of a recording was detected, by a vote; shares are 0 to 1, the highest first."""

    job: int
    language: str
    votes: tuple[tuple[str, float], ...] = ()


class SpeechHeard(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A stretch of the audio was listened to."""

    job: int
    until: int
    windows: tuple[Span, ...]
    last: bool = False


class ChunkStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An attempt at a chunk was handed to the worker."""

    job: int
    attempt: int
    span: Span
    windows: int
    recipe: Recipe


class BatchStarted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The worker began to decode these windows."""

    job: int
    spans: tuple[Span, ...]


class BatchDone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """These windows are decoded and committed, with what is said in them."""

    job: int
    spans: tuple[Span, ...]
    lines: tuple[Line, ...]
    took_ms: int


class ChunkDone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Every window of an attempt is committed."""

    job: int
    attempt: int
    span: Span
    took_ms: int


class ChunkStopped(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An attempt ended early with nothing lost: paused, or the parameters changed."""

    job: int
    attempt: int
    span: Span
    reason: str


class AttemptFailed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Windows failed; what kind of failure, why, and what follows."""

    job: int
    stage: StageName
    spans: tuple[Span, ...]
    kind: FailureKind
    reason: str
    follows: str


class RecipeChanged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A job runs on with other parameters, and why."""

    job: int
    recipe: Recipe
    at: int
    """Where on the timeline the new parameters begin."""
    reason: str


class GapLeft(msgspec.Struct, frozen=True, tag=True):
    """A window was given up."""

    job: int
    span: Span
    reason: str


class TextDoubted(msgspec.Struct, frozen=True, tag=True):
    """A window's text stays implausible after every try; it is kept, and flagged."""

    job: int
    span: Span
    reason: str


class SpeechAudited(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Speech that got no words at first was decoded once more: where that found some, and where it did not."""

    job: int
    recovered: tuple[Span, ...]
    unheard: tuple[Span, ...]


class WordsAligned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Words of these windows were given finer times, or could not be: then ``reason`` says why."""

    job: int
    spans: tuple[Span, ...]
    took_ms: int
    reason: str = ""


class TermsCorrected(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Words were put right by the terms."""

    job: int
    corrections: tuple[Correction, ...]


class Notice(msgspec.Struct, frozen=True, tag=True):
    """Something the user should know that concerns no one job."""

    message: str


class Warning(msgspec.Struct, frozen=True, tag=True):  # noqa: A001 - the word the user knows
    """Something about a job that the user should know."""

    job: int
    message: str


class Written(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Files were written: all of them, or the partial ones."""

    job: int
    partial: bool
    paths: tuple[str, ...]


class MemorySampled(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The memory of the whole process tree, in bytes, against the budget."""

    tree: int
    budget: int
    available: int
    """What the system has left."""
    device: int = 0
    """What the workers' devices hold, where that is not part of the tree."""
    swap: int = 0
    """Swap space in use by the whole system."""
    pressure: Pressure = "normal"


Event = (
    EngineStarted
    | JobAdded
    | JobRemoved
    | JobProbed
    | JobChanged
    | QueueOrdered
    | WorkerStarted
    | WorkerReady
    | WorkerEnded
    | ModelFetched
    | LanguageFound
    | SpeechHeard
    | ChunkStarted
    | BatchStarted
    | BatchDone
    | ChunkDone
    | ChunkStopped
    | AttemptFailed
    | RecipeChanged
    | GapLeft
    | TextDoubted
    | SpeechAudited
    | WordsAligned
    | TermsCorrected
    | Notice
    | Warning
    | Written
    | MemorySampled
)


class Entry(msgspec.Struct, frozen=True):
    """An event with its place in the one order of all events and its time (Unix milliseconds)."""

    seq: int
    at: int
    event: Event
