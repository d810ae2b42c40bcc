"""How written words are spoken, for aligning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spoken import fitted, spoken

LETTERS = "abcdefghijklmnopqrstuvwxyz'"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (" Morning,", "morning"),
        ("don’t", "don't"),
        ("well-known", "well known"),
        ("...", ""),
        ("'", ""),
        ("&", "and"),
        ("AT&T", "at and t"),
        ("7", "seven"),
        ("1999", "nineteen ninety nine"),
        ("1,999", "one thousand nine hundred ninety nine"),
        ("2009", "two thousand nine"),
        ("1905", "nineteen oh five"),
        ("1900", "nineteen hundred"),
        ("1990s", "nineteen nineties"),
        ("$5", "five dollars"),
        ("20€", "twenty euros"),
        ("3.5%", "three point five percent"),
        ("21st", "twenty first"),
        ("40th", "fortieth"),
        ("7:15", "seven fifteen"),
        ("7:00", "seven"),
        ("9:05", "nine oh five"),
        ("007", "zero zero seven"),
        ("1,000,000", "one million"),
        ("5kg", "five kg"),
        ("1.5m", "one point five m"),
        ("GPT-4o", "gpt four o"),
        ("3D", "three d"),
    ],
)
def test_english_numbers_and_symbols_are_spelled_out(written, said):
    assert spoken(written, "en") == said


def test_in_other_languages_digits_stay():
    assert spoken(" 1999,", "de") == "1999"
    assert spoken("l’été", "fr") == "l'été"


def test_an_accent_is_given_up_where_the_letter_is_known_without():
    assert fitted("naïve", LETTERS) == "naive"
    assert fitted("naïve", f"{LETTERS}ï") == "naïve"
    assert fitted("ß9 '", "abc") == "ß9"


@given(st.text(max_size=30), st.sampled_from(["en", "de", "ja"]))
def test_whatever_is_written_can_be_laid_out(text, language):
    said = spoken(text, language)
    assert said == " ".join(said.split())
    assert fitted(said, LETTERS) == " ".join(fitted(said, LETTERS).split())
