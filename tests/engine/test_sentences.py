"""Where sentences and paragraphs end."""

import pytest
from hypothesis import given

from engine.sentences import paragraphs, sentences
from engine.timeline import Span
from engine.transcript import Segment, Word
from engine.words import tokens
from tests.engine.transcripts import broken_transcripts, characters, segment, transcript


def divided(*segments, gaps=()):
    return [each.text for each in sentences(tokens(transcript(*segments)), gaps)[0]]


@given(broken_transcripts())
def test_sentences_are_all_the_words_in_order(told):
    words = tokens(told)
    found, _ = sentences(words, told.gaps)
    assert [word for each in found for word in each.words] == words
    assert [each for group in paragraphs(found) for each in group] == found


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("It rained. We left! Why? Who knows…", "en", ["It rained.", "We left!", "Why?", "Who knows…"]),
        ("Ask Mr. Smith and Dr. J. K. Jones.", "en", ["Ask Mr. Smith and Dr. J. K. Jones."]),
        ("The U.S. Army, i.e. soldiers, came.", "en", ["The U.S. Army, i.e. soldiers, came."]),
        ("It costs 3.50 today. So did I. Then it fell.", "en", ["It costs 3.50 today.", "So did I.", "Then it fell."]),
        ("Well... maybe. Then... No.", "en", ["Well... maybe.", "Then...", "No."]),
        ('He said "Go." She went.', "en", ['He said "Go."', "She went."]),
        ("That was in 1984. Then came more.", "en", ["That was in 1984.", "Then came more."]),
        ("Am 3. Mai kam er, d.h. spät. Na und?", "de", ["Am 3. Mai kam er, d.h. spät.", "Na und?"]),
        ("purpose. may be considered", "en", ["purpose. may be considered"]),
    ],
)
def test_sentences_end_with_their_punctuation(text, language, expected):
    assert divided(segment(text, language=language)) == expected


def test_chinese_and_japanese_sentences_end_with_their_own_full_stops():
    assert divided(characters("今天下雨。我们走吧！", language="zh")) == ["今天下雨。", "我们走吧！"]


def test_an_abbreviation_given_in_pieces_is_one():
    words = tuple(Word(t, n * 200, n * 200 + 200, 1) for n, t in enumerate([" See", " i", ".e.", " This", " one."]))
    assert divided(Segment(0, 1_000, "", words)) == ["See i.e. This one."]


def test_a_long_pause_ends_a_sentence():
    assert divided(segment("so I thought we could", pauses={3: 1_200})) == ["so I thought", "we could"]
    assert divided(segment("so I thought we could", pauses={3: 900})) == ["so I thought we could"]


def test_a_sentence_reaches_into_the_next_segment_but_no_further():
    first = segment("This is how", 0)
    second = segment("it goes on", first.end)
    third = segment("and on.", second.end)
    assert divided(first, second, third) == ["This is how it goes on", "and on."]


def test_a_gap_ends_a_sentence_and_is_told_with_the_next():
    first, second = segment("This is how", 0), segment("it went on.", 1_500)
    gap = Span(first.end + 10, 1_490)
    found, last = sentences(tokens(transcript(first, second)), [gap])
    assert [(each.text, each.gap) for each in found] == [("This is how", None), ("it went on.", gap)]
    assert last is None


def test_gaps_with_no_word_between_are_one():
    gaps = [Span(5_000, 9_000), Span(9_200, 12_000)]
    assert sentences(tokens(transcript(segment("All."))), gaps)[1] == Span(5_000, 12_000)


def test_text_without_punctuation_is_still_divided():
    found = divided(segment(" ".join(["word"] * 400), pace=75))
    assert len(found) > 3
    assert max(len(text) for text in found) < 600


def test_paragraphs_end_at_long_pauses_and_where_nobody_pauses_by_length():
    pause = segment("One. Two. Three.", pauses={1: 1_900, 2: 2_100})
    found = sentences(tokens(transcript(pause)))[0]
    assert [[each.text for each in group] for group in paragraphs(found)] == [["One.", "Two."], ["Three."]]
    breathless = sentences(tokens(transcript(segment(" ".join(["It goes on."] * 300)))))[0]
    lengths = [sum(len(each.text) + 1 for each in group) for group in paragraphs(breathless)]
    assert max(lengths) < 1_300
