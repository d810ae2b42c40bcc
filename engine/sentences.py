"""Words to sentences, and sentences to paragraphs.

Everything is decided from left to right and never across a whole window, so that what is finished reads the same
whatever follows it: only the last window's words may be divided differently once there are more.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import msgspec

from engine.language import ends_sentence
from engine.timeline import Span
from engine.words import Token, join

PAUSE_MS = 1_000
"""A longer pause ends a sentence, and a subtitle."""
_LONG_MS = 15_000
"""From here on a comma or a breath ends a sentence, for models that write no full stops."""
_TOO_LONG_MS = 30_000
_BREATH_MS = 300

_PARAGRAPH_PAUSE_MS = 2_000
_PARAGRAPH_CHARS = 600
"""From here on a paragraph ends where there is a pause of 0.7 s, from twice that on with any sentence."""
_PARAGRAPH_BREATH_MS = 700


class Sentence(msgspec.Struct, frozen=True):
    """A run of words that belong together; never empty."""

    words: tuple[Token, ...]
    gap: Span | None = None
    """What was given up between the sentence before and this one, from the first window of it to the last."""

    @property
    def start(self) -> int:
        """Milliseconds."""
        return self.words[0].start

    @property
    def end(self) -> int:
        """Milliseconds."""
        return self.words[-1].end

    @property
    def text(self) -> str:
        """The sentence as one reads it."""
        return join(self.words)

    @property
    def crosses(self) -> bool:
        """Whether it begins in one of the model's segments and ends in another."""
        return self.words[0].segment != self.words[-1].segment


def sentences(words: Sequence[Token], gaps: Sequence[Span] = ()) -> tuple[list[Sentence], Span | None]:
    """Divide all words into sentences; and what was given up after the last of them.

    A sentence ends with its punctuation, at a pause, at a gap, where the language changes, and at the end of the
    second segment it reaches into.
    """
    given_up = _gaps_before([word.start for word in words], gaps)
    found: list[Sentence] = []
    first = unit = 0
    for n, word in enumerate(words):
        following = words[n + 1] if n + 1 < len(words) else None
        if following is not None and n + 1 not in given_up:
            if following.glued and following.start - word.end <= PAUSE_MS:
                continue
            text = word.text if unit == n else join(words[unit : n + 1])
            unit = n + 1
            if not _is_end(words[first], word, text, following):
                continue
        found.append(Sentence(tuple(words[first : n + 1]), given_up.get(first)))
        first = unit = n + 1
    return found, given_up.get(len(words))


def paragraphs(text: Sequence[Sentence]) -> Iterator[list[Sentence]]:
    """Sentences grouped as one would print them: by pauses, and by length where nobody pauses."""
    group: list[Sentence] = []
    chars = 0
    for sentence in text:
        pause = sentence.start - group[-1].end if group else 0
        if group and (
            sentence.gap is not None
            or pause > _PARAGRAPH_PAUSE_MS
            or (chars >= _PARAGRAPH_CHARS and pause >= _PARAGRAPH_BREATH_MS)
            or chars >= 2 * _PARAGRAPH_CHARS
        ):
            yield group
            group, chars = [], 0
        group.append(sentence)
        chars += sum(len(word.text) + word.space for word in sentence.words)
    if group:
        yield group


def _is_end(first: Token, word: Token, text: str, following: Token) -> bool:
    pause = following.start - word.end
    if pause > PAUSE_MS or following.language != word.language:
        return True
    if following.segment != word.segment and first.segment != word.segment:
        return True
    if ends_sentence(text, following.text, word.language):
        return True
    length = word.end - first.start
    return length > _TOO_LONG_MS or (length > _LONG_MS and (pause >= _BREATH_MS or not text[-1].isalnum()))


def _gaps_before(starts: list[int], gaps: Sequence[Span]) -> dict[int, Span]:
    """Before which word something was given up, by the word's number; gaps with no word between them as one."""
    before: dict[int, Span] = {}
    for gap in sorted(gaps):
        n = bisect_left(starts, gap.start)
        before[n] = Span(before[n].start, max(before[n].end, gap.end)) if n in before else gap
    return before
