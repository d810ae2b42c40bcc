"""The measure itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wer import Difference, differences, wer, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop, now!", "don't stop now"),
        ("A well-known “fact” — it’s 1,250.", "a well known fact it's one thousand two hundred fifty"),
        ("the 19th century", "the nineteenth century"),
        ("the 21st, 2nd and 30th", "the twenty first second and thirtieth"),
        ("10 men, 7 o'clock, 100%", "ten men seven o'clock one hundred percent"),
        ("12345678", "one two three four five six seven eight"),
        ("0 and 300000", "zero and three hundred thousand"),
        ("'quoted' words'", "quoted words"),
    ],
)
def test_words(text, expected):
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("spoken", "written", "rate"),
    [
        ("one two three four", "1 2 3 4", 0.0),
        ("one two three four", "one two four", 0.25),
        ("one two three four", "one two two three four", 0.25),
        ("one two three four", "one six three four", 0.25),
        ("one two", "", 1.0),
    ],
)
def test_rate(spoken, written, rate):
    assert wer(spoken, written) == rate


def test_differences_name_the_place():
    assert differences("one two three", "one six three") == [Difference(("two",), ("six",), 1)]


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_different_numbers_have_different_words(first, second):
    assert (words(str(first)) == words(f"{second:,}")) == (first == second)
