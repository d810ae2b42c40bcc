"""All one may ask of the engine."""

from typing import Literal

import msgspec

from engine.recipe import Recipe


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a job is to be done."""

    recipe: Recipe = Recipe()
    formats: tuple[str, ...] = ("srt", "vtt", "txt", "json")
    out: str | None = None
    """Folder for the transcripts; None for beside the media file."""
    track: str | None = None
    """Audio track: its number from 0, or a language; None to choose."""
    chunking: str = "auto"
    """``auto``: chunks only where the file is longer than two of them; ``always``; ``never``."""


class Add(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Queue a file. A file already known, with the same words to come, goes on where it was."""

    path: str
    options: Options = Options()


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
    """A command that cannot be carried out; one clear sentence for the user."""
