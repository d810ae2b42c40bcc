"""Terms at the recogniser: which are told to the model with a window, and what became of them in its text.

A window is decoded without terms first. Those that sound like something in its text are told to the model in a second
decode, and where the model then writes one of them, it takes the place of what sounded like it; nothing else of that
second text is kept. So a term is never written where nothing like it was heard, the rest of the text is what it would
be without terms, and a list may be far longer than a prompt. Telling the whole list with every window (20 minutes with
40 names, tiny.en) found two thirds of the names where this finds nearly all, took twice the time, and doubled the
errors in the other words.
"""

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import msgspec

from engine.messages import Correction, Decoded
from engine.quality import doubt
from engine.stages.asr.likeness import likeness
from engine.stages.asr.runs import (
    Hit,
    Run,
    bare,
    digits,
    has_numbers_of,
    is_free,
    is_respelled,
    is_worth,
    retold,
    sounding,
    spellings,
    standing,
    with_words,
    words_of,
    written,
)
from engine.terms import Term, letters
from engine.timeline import Span
from engine.transcript import Segment, Word

if TYPE_CHECKING:
    from engine.stages.asr.whisper import Take

SOUNDS = 0.65
"""How alike words of the text must sound for a term to be told to the model."""
ODD_SOUNDS = 0.55
"""The same where one of them is no common word: then the model has not understood what was said there."""
CLOSE = 0.05
"""A term is not told where another one is liker by more: the fewer are told, the better the model hears them."""
BELIEVED = 0.6
"""How alike the words that stood there must sound for a term that the model then wrote to be believed."""
ODD_BELIEVED = 0.45
"""The same where one of them is no common word."""
NEARLY = 0.1
"""How much liker a part must sound than the whole of what the model wrote a term for: "comfy" than "comfy eye"."""
MOST_TOLD = 24
"""Terms told with one window."""
CORRECTED = 0.78
"""How alike something must sound to be put right without asking the model."""
SHORTEST = 5
"""Letters of the shortest term that is put where something merely sounds like it."""


class Prompter:
    """Chooses terms for windows, and sees to it that none is written that was not spoken.

    Args:
        count_tokens: how many tokens of the model's a text takes.
        budget: the tokens that a prompt may have.
    """

    def __init__(self, count_tokens: Callable[[str], int], budget: int) -> None:
        self._count, self._budget = count_tokens, budget
        self._counts: dict[str, int] = {}

    def choose(self, take: "Take", terms: Sequence[Term]) -> tuple[Term, ...]:
        """The terms to decode a window with once more: those that sound like something in its text.

        Args:
            take: the window as it was decoded without terms.
            terms: the whole list, the most important first.

        Returns:
            The likest first, as many as fit into the prompt; none where a second decode is of no use.
        """
        near = [term for term in terms if term.meets(take.span)]
        if not near or not take.segment.text:
            return ()
        words = words_of(take.segment)
        spelled = [letters(word.text) for word in words]
        kept: list[Hit] = []
        for hit in sounding(spelled, near, ODD_SOUNDS):
            if any(_outdoes(other, hit) for other in kept):
                continue
            if hit.alike >= SOUNDS or self._is_odd(words[hit.run.first : hit.run.last]):
                kept.append(hit)
        return self._fitting([near[number] for number in dict.fromkeys(hit.term for hit in kept)][:MOST_TOLD])

    def _fitting(self, terms: Sequence[Term]) -> tuple[Term, ...]:
        """As many of the terms, from the first on, as the budget has room for with commas between them."""
        fitting: list[Term] = []
        left = self._budget
        for term in terms:
            left -= self._tokens(f" {term.text},")
            if left < 0:
                break
            fitting.append(term)
        return tuple(fitting)

    def _tokens(self, text: str) -> int:
        if text not in self._counts:
            self._counts[text] = self._count(text)
        return self._counts[text]

    def believe(self, plain: "Take", told: "Take", terms: Sequence[Term], known: Sequence[Term] = ()) -> "Take":
        """The window's text with those terms in it that the model wrote, once told, where something like them stood.

        Args:
            plain: as it was decoded without terms.
            told: as it was decoded with them; nothing of it is believed if it is implausible as a whole, as loops are.
            terms: what was told.
            known: the whole list: where one of it stands already, it stays.
        """
        if doubt(told.segment, told.span, ()):
            return plain
        words, others = words_of(plain.segment), words_of(told.segment)
        spelled, respelled = ([letters(each.text) for each in some] for some in (words, others))
        found: dict[Run, tuple[str, float]] = {}
        stood = [run for run, _ in standing(spelled, (*terms, *known))]
        taken: set[int] = set()

        def is_open(run: Run, spelling: str) -> bool:
            return taken.isdisjoint(range(run.first, run.last)) and is_free(run, spelling, stood)

        for run, number in sorted(standing(respelled, terms)):
            name = terms[number]
            place, is_alone = _opposite(spelled, respelled, run)
            alike, where = _likest(spelled, place, spellings(name), is_open, prefers_all=is_alone)
            if where is None or alike < ODD_BELIEVED or not has_numbers_of(_numbered(spelled, where), name):
                continue
            if alike < BELIEVED and not self._is_odd(words[where.first : where.last]):
                continue
            now = written(name, bare(others[run.first : run.last]))
            if is_worth(bare(words[where.first : where.last]), now):
                found[where] = (now, min(word.score for word in others[run.first : run.last]))
                taken.update(range(where.first, where.last))
        return plain._replace(segment=_replaced(plain.segment, words, found)[0])

    def correct(self, decoded: Decoded, terms: Sequence[Term]) -> Decoded:
        """The same with what resembles a term put right, each change listed; times stay.

        What is an alias becomes its term. What merely sounds like one, or is spelled otherwise, must not consist of
        words that the model has a token of their own for, since those are common words; and it has to sound very much
        like it, with the same digits.
        """
        near = [term for term in terms if term.meets(decoded.span)]
        segments: list[Segment] = []
        corrections: list[Correction] = []
        for segment in decoded.segments:
            words = words_of(segment)
            found = self._mistaken(words, near)
            changed, changes = _replaced(segment, words, found)
            segments.append(changed)
            corrections += changes
        if not corrections:
            return decoded
        return msgspec.structs.replace(
            decoded, segments=tuple(segments), corrections=(*decoded.corrections, *corrections)
        )

    def _mistaken(self, words: Sequence[Word], terms: Sequence[Term]) -> dict[Run, tuple[str, float]]:
        """What is to be put right: each run with what is to stand there, and its score."""
        spelled = [letters(word.text) for word in words]
        found: dict[Run, tuple[str, float]] = {}
        taken: set[int] = set()
        stood = [Hit(run, number, 1.0) for run, number in standing(spelled, terms)]
        for hit in (*sounding(spelled, terms, CORRECTED), *stood):
            run, term = hit.run, terms[hit.term]
            some = words[run.first : run.last]
            if taken.isdisjoint(range(run.first, run.last)) and self._is_mistaken(run, some, term):
                found[run] = (written(term, bare(some)), min(word.score for word in some))
                taken.update(range(run.first, run.last))
        return found

    def _is_mistaken(self, run: Run, words: Sequence[Word], term: Term) -> bool:
        if run.letters in map(letters, term.aliases):
            return True
        if run.letters in (letters(term.text), f"{letters(term.text)}s"):
            return is_respelled(run, bare(words), term) and self._is_odd(words)
        is_name = len(letters(term.text)) >= SHORTEST and digits(run.letters) == digits(term.text)
        return is_name and self._is_odd(words)

    def _is_odd(self, words: Sequence[Word]) -> bool:
        """Whether one of the words is not common: the model's vocabulary has a token of its own for those that are."""
        spelled = (bare((word,)) for word in words if letters(word.text))
        # Some tokenizers know a word only at the beginning of a text, or only within it.
        return any(self._tokens(f" {each}") > 1 and self._tokens(each) > 1 for each in spelled)


def _numbered(spelled: Sequence[str], run: Run) -> Run:
    """A run with the number behind it, if there is one: it is a part of a name such as "GPT 3"."""
    if run.last == len(spelled) or not digits(spelled[run.last]) or digits(run.letters):
        return run
    return Run(run.first, run.last + 1, run.letters + spelled[run.last])


def _outdoes(one: Hit, other: Hit) -> bool:
    """Whether a hit leaves no room for another: it is on some of the same words, and much liker."""
    meets = one.run.first < other.run.last and other.run.first < one.run.last
    return meets and (one.term == other.term or one.alike > other.alike + CLOSE)


def _opposite(spelled: Sequence[str], respelled: Sequence[str], run: Run) -> tuple[Span, bool]:
    """The words of the one text that stand where a run stands in the other.

    Returns:
        Their numbers, with those around them that the other text has otherwise; and whether the run is all that the
        other text has there.
    """
    first, last = len(spelled), 0
    is_alone = True
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, spelled, respelled, autojunk=False).get_opcodes():
        if j2 <= run.first or run.last <= j1:
            continue
        if tag == "equal":
            first = min(first, i1 + max(0, run.first - j1))
            last = max(last, i2 - max(0, j2 - run.last))
        else:
            first, last = min(first, i1), max(last, i2)
            is_alone = is_alone and run.first <= j1 and j2 <= run.last
    return Span(first, max(first, last)), is_alone


def _likest(
    spelled: Sequence[str], place: Span, names: Sequence[str], is_open: Callable[[Run, str], bool], *, prefers_all: bool
) -> tuple[float, Run | None]:
    """The run within a place that sounds most like one of the names, and how alike; None where no words are left.

    Args:
        spelled: the letters of each word.
        place: the numbers of the words to look at.
        names: the letters of the names.
        is_open: whether a run may be taken for a name at all.
        prefers_all: whether the place as a whole is rather taken, where it is nearly as like.
    """
    best: tuple[float, Run | None] = (0.0, None)
    most = 0.0
    longest = 2 * max(map(len, names)) + 4
    for first in range(place.start, place.end):
        for last in range(first + 1, place.end + 1):
            run = Run(first, last, "".join(spelled[first:last]))
            if len(run.letters) > longest:
                break
            if not spelled[first] or not spelled[last - 1]:
                continue
            alike = max((likeness(run.letters, name) for name in names if is_open(run, name)), default=0.0)
            weight = alike + (NEARLY if prefers_all and (first, last) == (place.start, place.end) else 0.0)
            if weight > most:
                most, best = weight, (alike, run)
    return best


def _replaced(
    segment: Segment, words: Sequence[Word], found: dict[Run, tuple[str, float]]
) -> tuple[Segment, list[Correction]]:
    """A segment with other words in the place of runs that do not meet, and what was changed."""
    if not found:
        return segment, []
    told = list(words)
    changes = []
    for run, (now, score) in sorted(found.items(), reverse=True):
        old = told[run.first : run.last]
        changes.append(Correction(old[0].start, bare(old), now))
        told[run.first : run.last] = retold(old, now, score)
    return with_words(segment, told), changes[::-1]
