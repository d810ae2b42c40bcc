"""Pure: the names and words that a recogniser should expect: joined, ranked, and found again in a text."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal

import msgspec

from engine.timeline import Span

Source = Literal["asked", "near"]
"""``asked``: from the settings, a file of terms, or the command line. ``near``: found beside the recording."""

LONGEST = 100
"""Characters of the longest term: more is a sentence, and no name."""
MOST = 1_000
"""Terms that one job takes at most; they are told with the job wherever it is shown."""
MOST_ALIASES = 20


class Term(msgspec.Struct, frozen=True, omit_defaults=True):
    """A name or word that may be spoken; times are milliseconds on the recording's timeline."""

    text: str
    """As it is to be written."""
    aliases: tuple[str, ...] = ()
    """Other spellings, as it is misheard or pronounced; never told to the model, but put right afterwards."""
    start: int = 0
    end: int | None = None
    """Where it may be spoken; None for up to the end."""
    source: Source = "asked"

    def meets(self, span: Span) -> bool:
        """Whether it may be spoken within a span."""
        return self.start < span.end and (self.end is None or span.start < self.end)


@lru_cache(maxsize=65_536)
def letters(text: str) -> str:
    """A text's letters and digits alone, without case and accents: what makes two spellings the same word."""
    if text.isascii():
        return "".join(filter(str.isalnum, text)).casefold()
    # Marks are accents in Latin, but vowels in the scripts of India: only what composes with a Latin letter goes.
    found: list[str] = []
    for char in unicodedata.normalize("NFKD", text).casefold():
        if char.isalnum() or (unicodedata.category(char) in ("Mn", "Mc") and found and not found[-1].isascii()):
            found.append(char)
    return "".join(found)


def tidied(text: str) -> str:
    """A spelling on one line, composed, and without anything that a terminal would obey."""
    composed = unicodedata.normalize("NFC", text)
    spaced = " ".join("".join(" " if char.isspace() else char for char in composed).split())
    return "".join(char for char in spaced if char == " " or char.isprintable()).strip()


def merged(*lists: Iterable[Term]) -> tuple[Term, ...]:
    """All terms of the lists, each once, in the order of the lists; at most ``MOST``.

    Of two of the same letters the first one's spelling counts. Aliases are joined; so are times, to the whole of both.
    What was asked for anywhere counts as asked for.
    """
    found: dict[str, Term] = {}
    for term in (each for terms in lists for each in terms):
        key = letters(term.text)
        known = found.get(key)
        if known is not None:
            found[key] = _joined(known, term)
        elif key and len(found) < MOST:
            found[key] = term
    return tuple(found.values())


def _joined(one: Term, other: Term) -> Term:
    ends = (one.end, other.end)
    aliases = dict.fromkeys((*one.aliases, *other.aliases))
    return msgspec.structs.replace(
        one,
        aliases=tuple(each for each in aliases if each != one.text)[:MOST_ALIASES],
        start=min(one.start, other.start),
        end=None if ends[0] is None or ends[1] is None else max(ends[0], ends[1]),
        source="asked" if "asked" in (one.source, other.source) else "near",
    )


def heard(text: str, terms: Sequence[Term]) -> tuple[int, ...]:
    """Which of the terms stand in a text, by their places in the list; case, accents and hyphens count for nothing."""
    if not terms:
        return ()
    words = [each for each in map(letters, text.split()) if each]
    longest = max(len(each.text.split()) for each in terms) + 1
    runs = {run for at in range(len(words)) for run in accumulate(words[at : at + longest])}
    whole = "".join(words)
    return tuple(number for number, term in enumerate(terms) if _stands(letters(term.text), runs, whole))


def _stands(term: str, runs: set[str], whole: str) -> bool:
    if term in runs or f"{term}s" in runs:
        return bool(term)
    # A script without spaces has no words to compare: there a term is a run of characters.
    return bool(term) and _is_spaceless(term) and term in whole


def _is_spaceless(term: str) -> bool:
    return all(unicodedata.east_asian_width(char) == "W" or "\u0e00" <= char <= "\u0eff" for char in term)


def heard_first(terms: Sequence[Term], counts: Mapping[int, int]) -> tuple[Term, ...]:
    """The terms with those heard oftenest first, and the rest in their order; counts are by places in the list."""
    order = sorted(range(len(terms)), key=lambda number: -counts.get(number, 0))
    return tuple(terms[number] for number in order)
