"""Word error rate: how far a transcript is from the words that were spoken."""

import re
from difflib import SequenceMatcher
from typing import NamedTuple

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "- - twenty thirty forty fifty sixty seventy eighty ninety"
ONES, TENS = _ONES.split(), _TENS.split()
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

_TOKEN = re.compile(r"\d[\d,]*(?:st|nd|rd|th)?|[^\W\d_]+(?:'[^\W\d_]+)*")


class Difference(NamedTuple):
    """A place where the words differ: what was spoken there, what was written, and how many words came before."""

    spoken: tuple[str, ...]
    written: tuple[str, ...]
    place: int


def words(text: str) -> list[str]:
    """The words of a text in lower case: no punctuation, hyphens as spaces, numbers spelled out."""
    text = text.lower().replace("’", "'").replace("%", " percent ")
    found: list[str] = []
    for token in _TOKEN.findall(text):
        found += spelled(token) if token[0].isdigit() else [token]
    return found


def spelled(number: str) -> list[str]:
    """A number of digits in words: "1,250" as one thousand two hundred fifty, "19th" as nineteenth."""
    digits = re.sub(r"\D", "", number)
    found = _cardinal(int(digits)) if len(digits) < 7 else [ONES[int(digit)] for digit in digits]
    if number[-1].isalpha():
        last = found[-1]
        found[-1] = ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return found


def _cardinal(number: int) -> list[str]:
    if number < 20:
        return [ONES[number]]
    if number < 100:
        return [TENS[number // 10], *([ONES[number % 10]] if number % 10 else [])]
    for unit, name in ((1000, "thousand"), (100, "hundred")):
        if number >= unit:
            return [*_cardinal(number // unit), name, *(_cardinal(number % unit) if number % unit else [])]
    raise AssertionError(number)


def wer(spoken: str, written: str) -> float:
    """Words put in, left out or changed, as a share of the words spoken (the Levenshtein distance of words)."""
    reference, hypothesis = words(spoken), words(written)
    row = list(range(len(hypothesis) + 1))
    for n, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], n
        for m, other in enumerate(hypothesis, 1):
            diagonal, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, diagonal + (word != other))
    return row[-1] / max(1, len(reference))


def differences(spoken: str, written: str) -> list[Difference]:
    """Where two texts differ, for a test's message and for counting words lost or doubled."""
    reference, hypothesis = words(spoken), words(written)
    codes = SequenceMatcher(None, reference, hypothesis, autojunk=False).get_opcodes()
    return [Difference(tuple(reference[a:b]), tuple(hypothesis[c:d]), a) for op, a, b, c, d in codes if op != "equal"]
