"""What engine and worker say to each other: tagged structs, one JSON line each, over the worker's own socket."""

import msgspec

from engine.recipe import FailureKind, Recipe
from engine.terms import Term
from engine.timeline import Span
from engine.transcript import Correction as Correction
from engine.transcript import Segment

# ---- what a stage finds


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """One audio track of a media file, as its container describes it."""

    index: int
    """The number among the audio tracks, from 0."""
    codec: str
    rate: int
    channels: int
    language: str | None = None
    title: str | None = None
    default: bool = False


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The media file was opened: its tracks, which one is taken, and the length its header announces."""

    tracks: tuple[Track, ...]
    chosen: int
    container: str
    duration: int | None
    """Milliseconds by the header, an estimate; None when it does not say."""
    offset: int
    """Milliseconds by which the audio starts after the start of playback."""


class Heard(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A further stretch of the audio was decoded and listened to."""

    span: Span
    speech: tuple[Span, ...] = ()
    """Speech that ended in this stretch."""
    windows: tuple[Span, ...] = ()
    """Windows laid out since the last one; final."""
    checkpoint: str = ""
    """The listener's state after this stretch, opaque; listening goes on exactly from it."""
    last: bool = False
    """Whether the audio ends here."""


class Decoded(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A window was decoded; no segments means there was nothing to say."""

    span: Span
    segments: tuple[Segment, ...] = ()
    doubt: str = ""
    """Why the text is implausible, in a few words; empty where it is not."""
    unheard: tuple[Span, ...] = ()
    """Speech in which no words were found, not even at the second look."""
    recovered: tuple[Span, ...] = ()
    """Speech in which words were found only at the second look."""
    corrections: tuple[Correction, ...] = ()
    """What was put right by the terms, in order."""


class Spoken(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The language of a recording was detected, by a vote of some of its windows."""

    language: str
    """ISO 639-1 code."""
    votes: tuple[tuple[str, float], ...] = ()
    """Each language's share of the vote, 0 to 1, the highest first."""


class Aligned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A window's words were given finer times."""

    span: Span
    segments: tuple[Segment, ...] = ()
    """The same words as before."""
    reason: str = ""
    """Why the recogniser's times were kept for some or all of them, in a few words; empty where all went well."""


class Warned(msgspec.Struct, frozen=True, tag=True):
    """Something the user should know, in one sentence; the work goes on."""

    message: str


Finding = Probed | Heard | Decoded | Spoken | Aligned | Warned


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage is asked to do, for one job."""

    job: int
    media: str
    """Path of the media file."""
    audio: str
    """Path of the decoded audio: headless 16 kHz mono int16, little-endian."""
    recipe: Recipe
    spans: tuple[Span, ...]
    """For transcribe: the windows. For listen: one span from where listening goes on."""
    track: str | None = None
    """For listen: a track's number, or a language; None to choose."""
    checkpoint: str = ""
    """For listen: the last ``Heard.checkpoint``."""
    speech: tuple[Span, ...] = ()
    """For transcribe: where speech was heard within the spans, in order; nothing is known where it is empty."""
    samples: tuple[Span, ...] = ()
    """For transcribe without a language: the windows whose vote decides it."""
    terms: tuple[Term, ...] = ()
    """For transcribe: names and words to expect, the likeliest first."""
    corrects: bool = False
    """For transcribe: whether words that resemble a term are put right."""
    texts: tuple[tuple[Segment, ...], ...] = ()
    """For align: what is said in each of the spans."""
    size: int | None = None
    """For listen: the media file's size in bytes when the job was added; None to take any."""
    mtime_ns: int | None = None
    """For listen: when the media file had last been changed by then."""


# ---- down


class Load(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Import the stage, load its model, and open so many lanes."""

    stage: str
    """``package.module:Class``."""
    recipe: Recipe
    lanes: int = 1


class Run(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Do this after what is already waiting; the lanes fill their batches across consecutive runs of a job."""

    work: Work


class Lanes(msgspec.Struct, frozen=True, tag=True):
    """Let at most so many lanes hold a batch, from the next batch on; all may until this is said."""

    count: int


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Forget every span that no lane has begun, and say which."""


class Release(msgspec.Struct, frozen=True, tag=True):
    """End, as soon as the lanes are idle."""


Down = Load | Run | Lanes | Drop | Release

# ---- up


class Loaded(msgspec.Struct, frozen=True, tag=True):
    """The model is in memory; what that cost."""

    took_ms: int


class Fetching(msgspec.Struct, frozen=True, tag=True):
    """A model is being downloaded: its name, and how many of how many bytes are there; 0 where that is not known."""

    model: str
    done: int
    total: int


class Begun(msgspec.Struct, frozen=True, tag=True):
    """A lane took these spans."""

    job: int
    spans: tuple[Span, ...]


class Batch(msgspec.Struct, frozen=True, tag=True):
    """A lane found these things; they are to be committed together."""

    job: int
    found: tuple[Finding, ...]
    took_ms: int = 0


class Finished(msgspec.Struct, frozen=True, tag=True):
    """A lane is through with these spans; all its batches have been sent."""

    job: int
    spans: tuple[Span, ...]


class Dropped(msgspec.Struct, frozen=True, tag=True):
    """The answer to ``Drop``: spans that were never begun."""

    job: int
    spans: tuple[Span, ...]


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The stage raised an exception over these spans (over none: while it loaded); the worker is still sound."""

    job: int
    spans: tuple[Span, ...]
    kind: FailureKind
    reason: str


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    """The worker lives. What its process holds now, the most it held, and what its device holds, in bytes."""

    peak: int
    device: int = 0
    memory: int = 0
    device_peak: int = 0
    """The most that was in use on the device since the last of these; 0 where the library does not tell."""


Up = Loaded | Fetching | Begun | Batch | Finished | Dropped | Failed | Heartbeat
