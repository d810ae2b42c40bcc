"""Recipes: the frozen parameters a chunk runs with, the ways a chunk can fail, and what answers failures."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from engine.timeline import Span

EACH_WINDOW = "auto-per-chunk"
"""A recipe's language that is detected window by window."""


class ModelKey(NamedTuple):
    """What a worker has to be started anew for when it changes."""

    backend: str
    model: str
    compute_type: str
    device: str
    parallel: int
    threads: int

    @property
    def weights(self) -> tuple[str, str, str, str]:
        """What decides which numbers are loaded, and where."""
        return self[:4]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides how a chunk is transcribed.

    Batch, parallel and chunk length say how the work is cut up and never change the text; the rest does.
    """

    backend: str = "faster-whisper"
    """A backend's name, or ``package.module:Class`` for one from elsewhere."""
    model: str = "tiny.en"
    compute_type: str = "int8"
    device: str = "cpu"
    batch: Annotated[int, Meta(ge=1, le=64)] = 2
    """Windows decoded together."""
    parallel: Annotated[int, Meta(ge=1, le=64)] = 2
    """Batches decoded side by side in one worker."""
    threads: Annotated[int, Meta(ge=1, le=1024)] = 1
    """Processor threads for each of the parallel batches."""
    chunk_ms: Annotated[int, Meta(ge=0, le=10**9)] = 300_000
    """Target length of a chunk in milliseconds; 0 for one chunk a job."""
    language: str | None = None
    """ISO 639-1 code; None to detect it once for the whole recording, ``EACH_WINDOW`` window by window."""
    task: str = "transcribe"
    vad: str = "silero"
    """What finds speech while listening: ``silero`` or ``pyannote``."""
    align: str = ""
    """The model of the align stage: its name or folder, ``auto`` for the language's; empty for no such stage."""
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.0
    """How freely the decoder samples; 0 for a beam search. Raised only for windows whose text was rejected."""

    def same_text(self, other: "Recipe") -> bool:
        """Whether both recipes promise the same words."""
        return self.words_key == other.words_key

    @property
    def words_key(self) -> tuple[str, str, str | None, str, str]:
        """What decides the words, and so whether an earlier run's windows may be kept."""
        return (self.backend, self.model, self.language, self.task, self.vad)

    @property
    def model_key(self) -> ModelKey:
        """What a worker has to be started anew for when it changes."""
        return ModelKey(self.backend, self.model, self.compute_type, self.device, self.parallel, self.threads)


class FailureKind(StrEnum):
    """The ways a stage fails; ``ladder.decide`` has the answer to each."""

    OOM = "oom"
    CRASH = "crash"
    HANG = "hang"
    REJECTED = "rejected"
    """The text itself is implausible."""
    ERROR = "error"
    UNUSABLE = "unusable"
    """The input itself is at fault: trying again cannot help."""
    AUDIO = "audio"
    """The decoded audio is gone: it is made anew, and no window is to blame."""
    FULL = "full"
    """The disk is full: the job waits until there is room."""


class Failure(msgspec.Struct, frozen=True):
    """One failure of a stage: what kind, in one clear sentence why, and over which windows."""

    kind: FailureKind
    reason: str
    spans: tuple[Span, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How failures are answered; from the settings."""

    retries: int = 3
    """How often a failed window, or the listening, is tried again."""
    retry_delay_ms: int = 1_000
    """About the delay before the first retry; it doubles with each further one."""
    climb_after: int = 3
    """After so many clean chunks one rung of the ladder is climbed again."""
    models: Mapping[str, tuple[str, ...]] = {}
    """For each backend the models at hand, the largest first: they may stand in where the memory is too small."""
    listen_limit_ms: int = 1_800_000
    """How long listening may go without a sign of progress, whatever was learned."""
    transcribe_limit_ms: int = 3_600_000
    """How long a batch, or loading the model, may take, whatever was learned."""
    recycle_chunks: int = 50
    """After so many chunks a worker is replaced by a fresh one; 0 for never."""
    partial_every_ms: int = 5_000
    """The least time between two writings of the partial files."""
    keep_warm_ms: int = 60_000
    """How long a worker with nothing to do keeps its model in memory."""
    park_after_ms: int = 600_000
    """How long a paused or frozen job's worker keeps its model in memory."""
    room: int = 64 * 2**20
    """Bytes that must be left on the home's disk; with less, jobs wait."""
