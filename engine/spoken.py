"""Pure: how a written word is spoken, as far as its letters tell; for aligning text with sound.

Aligners know letters. English numbers and symbols are spelled out; in other languages digits are left as they are.
"""

import re
import unicodedata
from collections.abc import Collection

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_SYMBOLS = {
    "&": "and",
    "+": "plus",
    "@": "at",
    "=": "equals",
    "%": "percent",
    "#": "number",
    "°": "degrees",
    "×": "times",
    "§": "section",
}
_MONEY = {"$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "¢": "cents"}
_NUMBER = re.compile(
    r"([$£€¥])?(\d[\d,]*(?::\d+)*(?:\.\d+)?)(?:(st|nd|rd|th|s)(?![a-z]))?([$£€¥¢])?|([$£€¥¢&+@=%#°×§])"
)
_LONGEST = 9
"""Digits; a longer number is no quantity, and is read digit by digit."""


def spoken(word: str, language: str) -> str:
    """A word as it is said: in lower case, without anything but letters, digits, apostrophes and single spaces.

    Args:
        word: As the recogniser wrote it.
        language: ISO 639-1 code.
    """
    text = word.strip().lower().replace("’", "'")
    if language == "en":
        text = _NUMBER.sub(_said, text)
    kept = "".join(char if char.isalnum() or char == "'" or _is_mark(char) else " " for char in text)
    return " ".join(part for part in kept.split() if part.strip("'"))


def fitted(text: str, known: Collection[str]) -> str:
    """A text in the letters that an aligner knows, where it has no others that would do.

    An accent is given up where only the bare letter is known; a letter or digit that is not known at all stays.
    """
    return " ".join("".join(_fitted(char, known) for char in text).split())


def _fitted(char: str, known: Collection[str]) -> str:
    if char in known or char == " ":
        return char
    bare = "".join(each for each in unicodedata.normalize("NFKD", char) if not _is_mark(each)).lower()
    if bare and all(each in known for each in bare):
        return bare
    return char if char.isalnum() else ""


def _is_mark(char: str) -> bool:
    """Whether a character belongs to the letter before it."""
    return unicodedata.category(char)[0] == "M"


def _said(match: re.Match[str]) -> str:
    before, number, suffix, after, symbol = match.groups()
    if symbol:
        return f" {_SYMBOLS.get(symbol) or _MONEY[symbol]} "
    money = _MONEY.get(before or after or "", "")
    return f" {_number(number, suffix or '')} {money} "


def _number(text: str, suffix: str) -> str:
    whole, _, fraction = text.partition(".")
    said = " ".join(_quantity(part, number == 0 and not suffix) for number, part in enumerate(whole.split(":")))
    if fraction:
        said += f" point {_digits(fraction)}"
    if suffix == "s":
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"
    return _ordinal(said) if suffix else said


def _quantity(text: str, may_be_zero: bool) -> str:
    digits = text.replace(",", "")
    value = int(digits)
    if len(digits) > _LONGEST or (digits[0] == "0" and len(digits) > 2):
        return _digits(digits)
    if not value:
        return "zero" if may_be_zero else ""
    if digits[0] == "0":
        return f"oh {_cardinal(value)}"
    is_year = len(text) == 4 and (1100 <= value <= 1999 or 2010 <= value <= 2099)
    return _year(value) if is_year else _cardinal(value)


def _year(value: int) -> str:
    century, rest = divmod(value, 100)
    if not rest:
        return f"{_cardinal(century)} hundred"
    return f"{_cardinal(century)} {'oh ' if rest < 10 else ''}{_cardinal(rest)}"


def _cardinal(value: int) -> str:
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens - 2] + (f" {_ONES[ones]}" if ones else "")
    size, name = next((size, name) for size, name in _SCALES if value >= size)
    many, rest = divmod(value, size)
    return f"{_cardinal(many)} {name}" + (f" {_cardinal(rest)}" if rest else "")


def _ordinal(said: str) -> str:
    head, _, last = said.rpartition(" ")
    last = _ORDINALS.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{head} {last}".strip()


def _digits(text: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in text)
