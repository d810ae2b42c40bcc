"""Runs of words in a recogniser's text: where a term stands, what sounds like one, and other words in their place."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from engine.spoken import spoken
from engine.stages.asr.coverage import of_words
from engine.stages.asr.likeness import all_alike
from engine.terms import Term, letters
from engine.transcript import Segment, Word

_EDGES = re.compile(r"^(\W*)(.*?)(\W*)$", re.DOTALL)
_PIECE = re.compile(r"\s*\S+")
_OWNED = re.compile(r"['’]s\b")
_MORE_WORDS = 2
"""A term may be misheard as so many words more than it has ("Halvoren" as "have her in")."""
_MORE_SIGNS = 8
"""The same where scripts without spaces have a word for a sign or two."""


class Run(NamedTuple):
    """Some words in a row."""

    first: int
    last: int
    """The number of the word behind the last one."""
    letters: str


class Hit(NamedTuple):
    """A run that sounds like a term."""

    run: Run
    term: int
    """The term's place in the list."""
    alike: float
    """0 to 1."""


def words_of(segment: Segment) -> tuple[Word, ...]:
    """The segment's words; without times where it has none, each with the times of the whole."""
    if segment.words or not segment.text:
        return segment.words
    return tuple(Word(each, segment.start, segment.end, 0.0) for each in _PIECE.findall(segment.text))


def with_words(segment: Segment, words: Sequence[Word]) -> Segment:
    """The segment with other words, which ``words_of`` gave and some of which were replaced."""
    told = msgspec.structs.replace(
        segment, text="".join(word.text for word in words).strip(), words=tuple(words) if segment.words else ()
    )
    return of_words(told, told.words)


def standing(spelled: Sequence[str], terms: Sequence[Term]) -> list[tuple[Run, int]]:
    """Where terms stand in words as they are, longest first and none over another; also with an s behind them.

    Args:
        spelled: each word by ``letters``.
        terms: what to look for.
    """
    by_letters: dict[str, int] = {}
    for number, term in enumerate(terms):
        key = letters(term.text)
        by_letters.setdefault(key, number)
        by_letters.setdefault(f"{key}s", number)
    longest = max(map(len, by_letters), default=0)
    runs = [run for run in _runs(spelled, longest, len(spelled)) if run.letters in by_letters]
    return [(run, by_letters[run.letters]) for run in _apart(sorted(runs, key=lambda run: (-len(run.letters), run)))]


def sounding(spelled: Sequence[str], terms: Sequence[Term], least: float) -> list[Hit]:
    """The runs that sound like a term, or like one of its aliases, the likest first; those that are one are left out.

    Args:
        spelled: each word by ``letters``.
        terms: what to look for.
        least: the likeness asked for, 0 to 1.
    """
    names = [(number, each) for number, term in enumerate(terms) for each in spellings(term)]
    stood = [run for run, _ in standing(spelled, terms)]
    parts = max((len(term.text.split()) for term in terms), default=0) + _MORE_WORDS
    longest = max((len(each) for _, each in names), default=0) * 3 // 2 + 2
    runs = [run for run in _runs(spelled, longest, parts) if len(run.letters) > 1]
    if not runs or not names:
        return []
    alike = all_alike([run.letters for run in runs], [each for _, each in names])
    places = zip(*(alike >= least).nonzero(), strict=True)
    hits = [
        Hit(runs[row], names[column][0], float(alike[row, column]))
        for row, column in places
        if is_free(runs[row], names[column][1], stood) and has_numbers_of(runs[row], terms[names[column][0]])
    ]
    return sorted(hits, key=lambda hit: (-hit.alike, hit.run.first, hit.run.last - hit.run.first, hit.term))


def is_free(run: Run, name: str, stood: Sequence[Run]) -> bool:
    """Whether a run may be taken for a name: it meets no term that stands, but for one that is a part of both.

    "Comfy eye" may be "ComfyUI", though "Comfy" is a term too.

    Args:
        run: the words.
        name: by ``letters``.
        stood: where terms stand as they are.
    """
    met = (each for each in stood if each.first < run.last and run.first < each.last)
    return all(run.first <= each.first and each.last <= run.last and _is_part(each, run, name) for each in met)


def _is_part(term: Run, run: Run, name: str) -> bool:
    return term.letters in name and len(term.letters) < min(len(run.letters), len(name))


def has_numbers_of(run: Run, term: Term) -> bool:
    """Whether a run may be a term as far as digits tell: "GPT-3" is as like "GPT-4" as can be, and is another."""
    found = digits(run.letters)
    return not found or not digits(term.text) or any(found == digits(each) for each in (term.text, *term.aliases))


def digits(text: str) -> str:
    """The digits of a text, in a row."""
    return "".join(filter(str.isdigit, text))


def spellings(term: Term) -> tuple[str, ...]:
    """The letters of a term, as it is written and as it is said, and of its aliases."""
    texts = (term.text, spoken(term.text, "en"), *term.aliases)
    return tuple(dict.fromkeys(each for each in map(letters, texts) if each))


def retold(words: Sequence[Word], text: str, score: float) -> list[Word]:
    """Another text in the place of some words: their times, and the space and marks around them, stay.

    Args:
        words: at least one.
        text: one word or several.
        score: the model's probability for it.
    """
    lead, behind = _edges(words[0].text)[0], _edges(words[-1].text)[2]
    parts = text.split()
    if len(parts) == len(words):
        ends = [words[0].start, *(word.end for word in words)]
        starts = [word.start for word in words]
    else:
        # Nothing tells where one word ends and the next begins, so each takes time by its length.
        shares = list(accumulate((len(each) for each in parts), initial=0))
        length = words[-1].end - words[0].start
        ends = [words[0].start + length * share // shares[-1] for share in shares]
        starts = ends[:-1]
    told = [lead + parts[0], *(f" {part}" for part in parts[1:])]
    told[-1] += behind
    return [Word(each, start, end, score) for each, start, end in zip(told, starts, ends[1:], strict=True)]


def bare(words: Sequence[Word]) -> str:
    """What the words say, without the space and the marks around them."""
    return _edges("".join(word.text for word in words))[1]


def written(term: Term, was: str) -> str:
    """A term as it is to stand in the place of a text: with its "'s", where it has one."""
    return term.text + ("'s" if _OWNED.search(was) and not _OWNED.search(term.text) else "")


def is_respelled(run: Run, was: str, term: Term) -> bool:
    """Whether a run is a term but for capitals, spaces, hyphens and full stops, and is to be written as the term is."""
    is_plain = all(char.isalnum() or char in " -'’." for char in term.text)
    return is_plain and letters(written(term, was)) == run.letters and is_worth(was, written(term, was))


def is_worth(was: str, now: str) -> bool:
    """Whether a text is to be changed into one that may be of the same letters: not if only its first letter grows."""
    return was != now and not (now == now.capitalize() and was == now.lower())


def _edges(text: str) -> tuple[str, str, str]:
    found = _EDGES.match(text)
    assert found is not None
    return found[1], found[2], found[3]


def _runs(spelled: Sequence[str], longest: int, parts: int) -> Iterator[Run]:
    """Every run of up to so many words and so many letters that begins and ends with letters."""
    for first, word in enumerate(spelled):
        if not word:
            continue
        most = first + parts + (0 if word.isascii() else _MORE_SIGNS)
        joined = ""
        for last in range(first, min(most, len(spelled))):
            joined += spelled[last]
            if len(joined) > longest:
                break
            if spelled[last]:
                yield Run(first, last + 1, joined)


def _apart(runs: Sequence[Run]) -> list[Run]:
    """The runs that do not meet an earlier one of the list."""
    taken: set[int] = set()
    found = []
    for run in runs:
        if taken.isdisjoint(range(run.first, run.last)):
            taken.update(range(run.first, run.last))
            found.append(run)
    return found
