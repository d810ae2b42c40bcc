"""What all recognisers of the Whisper family share: windows are decoded as a batch, judged, and looked at once more.

Nothing is carried from one window to another: neither text nor word times depend on which windows share a batch. What
was written is held against the speech that was heard, and speech that got no words is decoded once more.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from engine.messages import Decoded, Finding, Work
from engine.quality import doubt, is_silence
from engine.recipe import EACH_WINDOW, Recipe
from engine.stages.asr.ballot import Ballot
from engine.stages.asr.coverage import is_new, look, merged, of_words, unheard, without_strays
from engine.stages.asr.prompting import Prompter
from engine.stages.base import UnusableInput
from engine.timeline import Span, Spans, intersect, subtract, union
from engine.transcript import Segment, Word

SAMPLES = 5
"""Texts drawn at a temperature above 0, of which the likeliest is taken: Whisper's ``best_of``."""
FLOOR = -1.25
"""The mean log probability that the second look at speech asks for: lower than the first, since this text replaces
none, and what it finds is not tried again."""
ENGLISH = "en"
"""What a model without other languages hears, and what every translation is written in."""
TRANSLATE = "translate"
"""The recipe's task that is not to write down what was said, but what it means in English."""
PROMPT_BUDGET = 223
"""Tokens of a prompt that Whisper's decoder looks at: half its context of 448, less one that begins it."""


class Ask(NamedTuple):
    """What a window is decoded with."""

    span: Span
    language: str
    """ISO 639-1 code."""
    terms: tuple[str, ...] = ()
    """Names and words to expect, the most important first; they fit into ``PROMPT_BUDGET``."""


class Take(NamedTuple):
    """What the decoder wrote over a span, before anyone has judged it."""

    span: Span
    segment: Segment
    """Its text and figures; no words, if they were not to be aligned."""


class Recogniser(ABC):
    """A stage that decodes windows of up to 30 s; what is special about a library is in its abstract methods.

    Safe to call from as many threads as the recipe has parallel batches, if the abstract methods are.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._ballot = Ballot(self.hear_languages)
        self._prompter = Prompter(self.count_tokens, PROMPT_BUDGET)

    @property
    @abstractmethod
    def is_multilingual(self) -> bool:
        """Whether the model knows any language but English."""

    @abstractmethod
    def takes(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What the decoder writes over each of the spans, decoded as one batch."""

    @abstractmethod
    def hear_languages(self, work: Work, spans: Sequence[Span]) -> list[Mapping[str, float]]:
        """The likelihood of each language, 0 to 1, for each of the spans; asked of multilingual models only."""

    @abstractmethod
    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's a text takes."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Decode the windows as one batch, then what speech in them got no words.

        Raises:
            UnusableInput: the model does not know the language.
        """
        asks = [Ask(*each) for each in zip(work.spans, self._languages(work), strict=True)]
        speech = [intersect(union(work.speech), (ask.span,)) for ask in asks]
        found = [_judged(take, each) for take, each in zip(self._checked(work, asks), speech, strict=True)]
        looks = [(n, each) for n, decoded in enumerate(found) for each in _looks(decoded)]
        for at in range(0, len(looks), len(asks)):
            batch = looks[at : at + len(asks)]
            again = [asks[n]._replace(span=span) for n, span in batch]
            for (n, _), take in zip(batch, self._checked(work, again), strict=True):
                found[n] = _second(found[n], take, speech[n])
        if work.corrects:
            found = [self._prompter.correct(decoded, work.terms) for decoded in found]
        yield (*self._ballot.news(work.job), *found)

    def _languages(self, work: Work) -> list[str]:
        """The language of each span.

        Raises:
            UnusableInput: the model knows English alone, and that will not do.
        """
        if self.is_multilingual:
            return self._ballot.languages(work)
        recipe = work.recipe
        if recipe.task == TRANSLATE or recipe.language not in (None, EACH_WINDOW, ENGLISH):
            wanted = "translate" if recipe.task == TRANSLATE else f'do the language "{recipe.language}"'
            raise UnusableInput(f'The model "{recipe.model}" knows only English and cannot {wanted}; choose another.')
        return [ENGLISH] * len(work.spans)

    def _checked(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What is written over each span, with the terms in it that were spoken there."""
        takes = self._written(work, asks)
        chosen = [(n, terms) for n, take in enumerate(takes) if (terms := self._prompter.choose(take, work.terms))]
        if chosen:
            told = [asks[n]._replace(terms=tuple(each.text for each in terms)) for n, terms in chosen]
            for (n, terms), take in zip(chosen, self._written(work, told), strict=True):
                takes[n] = self._prompter.believe(takes[n], take, terms, work.terms)
        return takes

    def _written(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What the decoder writes; of a translation it says that it is English, whatever was spoken."""
        takes = self.takes(work, asks)
        if work.recipe.task != TRANSLATE:
            return takes
        return [take._replace(segment=msgspec.structs.replace(take.segment, language=ENGLISH)) for take in takes]


def _judged(take: Take, speech: Spans) -> Decoded:
    """A window by what was written over it, without words that nobody can have said."""
    written = take.segment
    if written.text and is_silence(written, speech):
        return Decoded(span=take.span, unheard=unheard((), speech))
    segment = of_words(written, without_strays(written.words, speech))
    reason = doubt(segment, take.span, speech)
    if segment.text and len(segment.words) * 2 < len(written.words):
        reason = reason or "most of the words lie where nobody speaks"
    is_placed = bool(segment.words) or not segment.text
    return Decoded(
        span=take.span,
        segments=(segment,) if segment.text else (),
        doubt=reason,
        unheard=unheard(segment.words, speech) if is_placed else (),
    )


def _looks(decoded: Decoded) -> list[Span]:
    """What to decode once more for the speech of a window that got no words."""
    words = _words_of(decoded)
    looks = [look(missed, words, decoded.span) for missed in decoded.unheard]
    return [each for each in looks if is_new(each, decoded.span)]


def _second(decoded: Decoded, take: Take, speech: Spans) -> Decoded:
    """A window with what a second look found, where that is plausible."""
    near = intersect(speech, (take.span,))
    segment = of_words(take.segment, without_strays(take.segment.words, near))
    if not segment.words or is_silence(segment, near) or doubt(segment, take.span, near, FLOOR):
        return decoded
    segments = merged(decoded.segments, segment)
    still = unheard(_words_of(msgspec.structs.replace(decoded, segments=segments)), speech)
    return msgspec.structs.replace(
        decoded,
        segments=segments,
        doubt=decoded.doubt if decoded.segments else "",
        unheard=still,
        recovered=union(decoded.recovered, subtract(intersect(decoded.unheard, (take.span,)), still)),
    )


def _words_of(decoded: Decoded) -> list[Word]:
    return [word for segment in decoded.segments for word in segment.words]
