"""What a model says about a window: segments of words with times, in milliseconds on the job's timeline."""

import msgspec

from engine.language import is_divided
from engine.recipe import Recipe
from engine.timeline import Span, Spans


class Word(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One word, with its leading space and punctuation as the model gave it."""

    text: str
    start: int
    end: int
    score: float
    """The model's probability for the word, 0 to 1."""
    guessed: bool = False
    """Whether its time was put between its neighbours' times, since it could not be found in the sound."""


class Segment(msgspec.Struct, frozen=True):
    """A run of words that the model gave as one."""

    start: int
    end: int
    text: str
    words: tuple[Word, ...] = ()
    language: str = "en"
    """ISO 639-1 code of what the text is written in: of a translation that is English, whatever was spoken."""
    avg_logprob: float = 0.0
    no_speech_prob: float = 0.0
    compression_ratio: float = 1.0
    temperature: float = 0.0


def text_of(segments: tuple[Segment, ...]) -> str:
    """What is said in them, in one line: divided by spaces, but for scripts that have none."""
    line = ""
    for segment in segments:
        text = segment.text.strip()
        line += f" {text}" if is_divided(line, text) else text
    return line


class Window(msgspec.Struct, frozen=True):
    """A decoded window: what is said in it, and the recipe that found it."""

    recipe: Recipe
    segments: tuple[Segment, ...] = ()


class Doubt(msgspec.Struct, frozen=True):
    """A window whose text is implausible and was kept, since nothing better was found; and why it is."""

    span: Span
    reason: str


class Correction(msgspec.Struct, frozen=True):
    """Words that were put right: where, what the recogniser wrote, and the term that stands there now."""

    at: int
    was: str
    now: str


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a job has found so far; what the files are made from."""

    media: str
    """Path of the media file."""
    duration: int | None = None
    """Milliseconds that were decoded, beyond which no time may lie; None as long as there is only an estimate."""
    language: str | None = None
    """ISO 639-1 code; None for the language of most of the words."""
    windows: tuple[Window, ...] = ()
    """In timeline order."""
    gaps: Spans = ()
    """Speech that was given up."""
    doubtful: tuple[Doubt, ...] = ()
    """In timeline order."""
    unaligned: tuple[Doubt, ...] = ()
    """Windows in which words kept the recogniser's times though they were to be aligned, and why; in timeline order."""
    corrections: tuple[Correction, ...] = ()
    """Words that were put right by the terms, in timeline order."""
    terms: tuple[str, ...] = ()
    """The names and words that were expected."""
    unheard: Spans = ()
    """Speech in which no words were found."""
    warnings: tuple[str, ...] = ()
    until: int | None = None
    """Milliseconds up to which nothing is missing but gaps; None when that is the whole file."""

    @property
    def partial(self) -> bool:
        """Whether there is more to come."""
        return self.until is not None
