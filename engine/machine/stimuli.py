"""What reaches the machine (stimuli) and what it wants done (instructions)."""

import msgspec

from engine.commands import Command, Options
from engine.events import Event, Pressure, Progress, StageName
from engine.messages import Aligned, Decoded, Down, Heard, Load, Probed, Spoken, Up, Work
from engine.recipe import FailureKind, Recipe
from engine.states import JobState
from engine.timeline import Span

# ---- stimuli


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe has needed so far: the highest peak in bytes, and the slowest batch."""

    recipe: Recipe
    peak: int
    slowest_ms: int


class Source(msgspec.Struct, frozen=True):
    """A media file as the file system tells it; the same three values mean the same content."""

    path: str
    size: int
    mtime_ns: int


class Known(msgspec.Struct, frozen=True):
    """Where a content was seen before: under which path, and as which job, which may be off the list by now."""

    path: str
    job: int


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the ledger keeps it."""

    id: int
    source: Source
    options: Options
    state: JobState
    outputs: tuple[str, ...] = ()
    progress: Progress = Progress()


class Restored(msgspec.Struct, frozen=True):
    """The engine starts with these jobs, in the order of the queue; ended ones come without their windows."""

    jobs: tuple[JobRecord, ...]
    budget: int
    next_job: int
    next_attempt: int
    seen: tuple[Seen, ...] = ()
    """What earlier attempts tell about memory and time."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for something and waits for the ``Answer`` with the same token."""

    token: int
    command: Command
    source: Source | None = None
    """For ``Add``: the file."""
    progress: Progress | None = None
    """For ``Add`` and ``Retry`` of an ended job: what the ledger has of it."""
    fingerprint: str = ""
    """For ``Add``: what tells the file's content from others."""
    known: Known | None = None
    """For ``Add``: where the same content was seen before."""
    warnings: tuple[str, ...] = ()
    """For ``Add``: what is to be told of the new job, in a sentence each."""


class FromWorker(msgspec.Struct, frozen=True):
    """A worker says something."""

    worker: int
    message: Up


class WorkerGone(msgspec.Struct, frozen=True):
    """A worker's process has ended."""

    worker: int
    kind: FailureKind
    reason: str


class FilesWritten(msgspec.Struct, frozen=True):
    """The files of a job were written."""

    job: int
    partial: bool
    paths: tuple[str, ...]


class WriteFailed(msgspec.Struct, frozen=True):
    """The files of a job could not be written; the reason is one sentence for the user."""

    job: int
    partial: bool
    reason: str
    is_full: bool = False
    """Whether it is for want of room on the disk."""


class MemoryRead(msgspec.Struct, frozen=True, kw_only=True):
    """A memory sample, in bytes: the process tree, each worker of it, what the system has left and has swapped out."""

    tree: int
    available: int
    workers: dict[int, int] = {}
    """By the worker's number: its process and all below it."""
    swap: int = 0
    pressure: Pressure = "normal"


class DiskRead(msgspec.Struct, frozen=True):
    """How many bytes can still be written to the home's disk."""

    free: int


class Ticked(msgspec.Struct, frozen=True):
    """Time has passed."""


class Closing(msgspec.Struct, frozen=True):
    """The engine is to end: finish the batches under way, begin nothing."""


Stimulus = (
    Restored | Asked | FromWorker | WorkerGone | FilesWritten | WriteFailed | MemoryRead | DiskRead | Ticked | Closing
)

# ---- instructions


class StartWorker(msgspec.Struct, frozen=True):
    """Start a process and tell it to load."""

    worker: int
    load: Load


class SendTo(msgspec.Struct, frozen=True):
    """Say this to a worker."""

    worker: int
    message: Down


class SendTexts(msgspec.Struct, frozen=True):
    """Have a worker do this, with what is said in the work's spans, as it was saved."""

    worker: int
    work: Work


class KillWorker(msgspec.Struct, frozen=True):
    """End a worker's process group at once."""

    worker: int


class FreezeWorker(msgspec.Struct, frozen=True):
    """Stop a worker's process group where it is."""

    worker: int


class ThawWorker(msgspec.Struct, frozen=True):
    """Let a frozen worker go on."""

    worker: int


class SaveJob(msgspec.Struct, frozen=True, kw_only=True):
    """Record a job's present state."""

    id: int
    source: Source
    options: Options
    state: JobState
    position: int
    outputs: tuple[str, ...]
    worked_ms: int


class SaveKnown(msgspec.Struct, frozen=True, kw_only=True):
    """Record that a content is known from now on, and keep that when the job is forgotten."""

    fingerprint: str
    path: str
    job: int
    at: int


class ForgetJob(msgspec.Struct, frozen=True):
    """Delete a job from the ledger; what it was made of stays known."""

    job: int


class SaveProbed(msgspec.Struct, frozen=True):
    """Record what the media file holds."""

    job: int
    probed: Probed


class SaveHeard(msgspec.Struct, frozen=True):
    """Record a stretch that was listened to, with its windows."""

    job: int
    heard: Heard


class SaveDecoded(msgspec.Struct, frozen=True):
    """Record decoded windows, each with the attempt that made it."""

    job: int
    decoded: tuple[tuple[int, Decoded], ...]


class SaveSpoken(msgspec.Struct, frozen=True):
    """Record the language that a vote found; it replaces an earlier one."""

    job: int
    samples: tuple[Span, ...]
    """The windows that were heard for it."""
    spoken: Spoken


class SaveAligned(msgspec.Struct, frozen=True):
    """Record aligned windows; one without segments keeps the words it has, and so do their times."""

    job: int
    aligned: tuple[Aligned, ...]


class ForgetAligned(msgspec.Struct, frozen=True):
    """Delete what the align stage found of a job: it is to be done anew, in another way."""

    job: int


class SaveGaps(msgspec.Struct, frozen=True):
    """Record the windows that are given up at present; they replace the earlier ones."""

    job: int
    gaps: tuple[Span, ...]


class SaveAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """Record an attempt's beginning (outcome None) or its end."""

    id: int
    job: int
    stage: StageName = "transcribe"
    span: Span
    windows: int
    recipe: Recipe
    began: int
    ended: int | None = None
    outcome: str | None = None
    reason: str = ""
    peak: int = 0
    """The most that the worker's process held during the attempt, in bytes; 0 where that is not known."""
    slowest_ms: int = 0
    """How long the attempt's slowest batch took."""


class Publish(msgspec.Struct, frozen=True):
    """Tell everybody."""

    event: Event


class WriteFiles(msgspec.Struct, frozen=True):
    """Render a job's transcript into its files."""

    job: int
    partial: bool


class CleanUp(msgspec.Struct, frozen=True):
    """Remove a job's decoded audio, and its partial files."""

    job: int


class Answer(msgspec.Struct, frozen=True):
    """Answer who asked: the job concerned, or why it cannot be done."""

    token: int
    job: int | None
    error: str | None = None
    is_known: bool = False
    """Whether the error is that the file's content is known already."""


Instruction = (
    StartWorker
    | SendTo
    | SendTexts
    | KillWorker
    | FreezeWorker
    | ThawWorker
    | SaveJob
    | SaveKnown
    | ForgetJob
    | SaveProbed
    | SaveHeard
    | SaveDecoded
    | SaveSpoken
    | SaveAligned
    | ForgetAligned
    | SaveGaps
    | SaveAttempt
    | Publish
    | WriteFiles
    | CleanUp
    | Answer
)
