"""All one may ask of the engine."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.recipe import Recipe
from engine.terms import Term


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is to be done."""

    recipe: Recipe = Recipe()
    formats: tuple[str, ...] = ("srt", "vtt", "txt", "json")
    out: str | None = None
    """Folder for the transcripts; None for beside the media file."""
    terms: tuple[Term, ...] = ()
    """Names and words that may be spoken, the most important first."""
    terms_beside: bool = True
    """Whether the files of terms that lie beside the recording are read when it is added."""
    terms_near: bool = False
    """Whether names are taken from the subtitles and descriptions around the recording when it is added."""
    corrects: bool = False
    """Whether words that resemble a term are put right after decoding."""
    track: str | None = None
    """Audio track: its number from 0, or a language; None to choose."""
    chunking: str = "auto"
    """``auto``: chunks only where the file is longer than two of them; ``always``; ``never``."""
    min_duration_ms: Annotated[int, Meta(ge=0, le=10**9)] = 0
    """A recording that turns out to be shorter is cancelled before anything is transcribed."""

    def same_words(self, other: "Options") -> bool:
        """Whether both promise the same words.

        Terms that were merely found near count for nothing: what lies beside a recording changes, if only by its own
        transcripts.
        """
        return self._words_key == other._words_key

    @property
    def _words_key(self) -> tuple[object, ...]:
        asked = tuple(each for each in self.terms if each.source == "asked")
        return (self.recipe.words_key, self.track, asked, self.corrects)


class Add(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Queue a file. A file already known, with the same words to come, goes on where it was."""

    path: str
    options: Options = Options()
    is_found: bool = False
    """Found by watching a folder, not named by the user: refused where the same content is known, by any name."""


class Pause(msgspec.Struct, frozen=True, tag=True):
    """Stop a job.

    ``pause``: after its batches under way, the model stays warm. ``park``: the same, and then the worker ends and its
    memory is back. ``freeze``: at once, in mid-batch; the memory stays.
    """

    job: int
    how: Literal["pause", "freeze", "park"] = "pause"


class Resume(msgspec.Struct, frozen=True, tag=True):
    """Let a paused job go on in its turn."""

    job: int


class Cancel(msgspec.Struct, frozen=True, tag=True):
    """Give a job up; what it finished stays in the ledger, its partial files are removed."""

    job: int


class Retry(msgspec.Struct, frozen=True, tag=True):
    """Queue an ended job again: only what is missing is done."""

    job: int


CHUNK_MS = (30_000, 3_600_000)
"""Shortest and longest chunk one may ask for: a window is up to 30 s; an hour is longer than any checkpoint needs."""
BATCH = (1, 64)
"""Smallest and largest batch one may ask for, in windows."""


class Set(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Change a job's chunk length or batch; in force after the batches under way."""

    job: int
    chunk_ms: int | None = None
    batch: int | None = None


class Move(msgspec.Struct, frozen=True, tag=True):
    """Move a job in the queue: -1 for one place earlier, 1 for one later."""

    job: int
    by: int


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Take an ended job off the list; the files it wrote stay."""

    job: int


Command = Add | Pause | Resume | Cancel | Retry | Set | Move | Remove


class CommandError(Exception):
    """A command that cannot be carried out; one clear sentence for the user.

    Args:
        message: the sentence.
        is_known: whether it is because the file's content is known already.
        is_passing: whether the same may be possible later, with nothing about the command changed.
    """

    def __init__(self, message: str, *, is_known: bool = False, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_known = is_known
        self.is_passing = is_passing
