"""Recipes: the frozen parameters a chunk runs with, the ways a chunk can fail, and the ladder to a lighter recipe."""

from enum import StrEnum

import msgspec

from engine.timeline import Span


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides how a chunk is transcribed.

    Batch, parallel and chunk length say how the work is cut up and never change the text; the rest does.
    """

    backend: str = "faster-whisper"
    """A backend's name, or ``package.module:Class`` for one from elsewhere."""
    model: str = "tiny.en"
    compute_type: str = "int8"
    device: str = "cpu"
    batch: int = 2
    """Windows decoded together."""
    parallel: int = 2
    """Batches decoded side by side in one worker."""
    threads: int = 1
    """Processor threads for each of the parallel batches."""
    chunk_ms: int = 300_000
    """Target length of a chunk in milliseconds; 0 for one chunk a job."""
    language: str | None = None
    """ISO 639-1 code; None to detect it window by window."""
    task: str = "transcribe"
    terms: tuple[str, ...] = ()
    """Names and words the model should expect."""

    def same_text(self, other: "Recipe") -> bool:
        """Whether both recipes promise the same words."""
        return self.words_key == other.words_key

    @property
    def words_key(self) -> tuple[str, str, str | None, str, tuple[str, ...]]:
        """What decides the words, and so whether an earlier run's windows may be kept."""
        return (self.backend, self.model, self.language, self.task, self.terms)

    @property
    def model_key(self) -> tuple[str, str, str, str, int, int]:
        """What a worker has to be started anew for when it changes."""
        return (self.backend, self.model, self.compute_type, self.device, self.parallel, self.threads)


class FailureKind(StrEnum):
    """The ways a stage fails; the answer to each is in ``lighter`` and in the machine."""

    OOM = "oom"
    CRASH = "crash"
    HANG = "hang"
    ERROR = "error"
    UNUSABLE = "unusable"
    """The input itself is at fault: trying again cannot help."""
    AUDIO = "audio"
    """The decoded audio is gone: it is made anew, and no window is to blame."""


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
    """The delay before the first retry; it doubles with each further one."""
    partial_every_ms: int = 5_000
    """The least time between two writings of the partial files."""
    keep_warm_ms: int = 60_000
    """How long a worker with nothing to do keeps its model in memory."""


def lighter(recipe: Recipe, kind: FailureKind) -> Recipe:
    """The next rung down the ladder: the same text from less memory; the recipe itself where it is lightest.

    Only a lack of memory, or a death that looks like one, makes a recipe lighter.
    """
    if kind not in (FailureKind.OOM, FailureKind.CRASH):
        return recipe
    if recipe.batch > 1:
        return msgspec.structs.replace(recipe, batch=recipe.batch // 2)
    if recipe.parallel > 1:
        return msgspec.structs.replace(recipe, parallel=recipe.parallel // 2)
    return recipe
