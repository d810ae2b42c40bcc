"""Subtitles: every word once, the limits held, the times right; and pleasant to read."""

import time
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings

from engine.cues import CLOSE_MS, GAP_MS, MAX_MS, MIN_MS, Cue, cues, gap_text
from engine.language import cells, line_cells
from engine.render import Document
from engine.sentences import sentences
from engine.timeline import Span
from engine.transcript import Segment, Word
from engine.words import tokens
from tests.engine.transcripts import broken_transcripts, characters, hours, sane_transcripts, segment, transcript


def made(told):
    return Document(told).cues


def spoken(told):
    return [cue for cue in made(told) if not cue.lines[0].startswith("[no transcript")]


def squeezed(texts):
    return "".join("".join(texts).split())


@given(broken_transcripts())
def test_every_word_appears_once_in_order(told):
    lines = [line for cue in spoken(told) for line in cue.lines]
    assert squeezed(lines) == squeezed(token.text for token in tokens(told))
    assert all(line == line.strip() != "" for line in lines)


@given(broken_transcripts())
def test_no_cue_has_more_than_two_lines_nor_a_line_too_much(told):
    languages = {token.language for token in tokens(told)}
    single = {squeezed([token.text]) for token in tokens(told)}
    widest = max((line_cells(language) for language in languages), default=42)
    for cue in spoken(told):
        assert 1 <= len(cue.lines) <= 2
        # Only a word that is longer than a line by itself may be.
        assert all(cells(line) <= widest or squeezed([line]) in single for line in cue.lines)


@given(broken_transcripts())
def test_cues_never_overlap_go_back_or_leave_the_file(told):
    found = made(told)
    end = told.duration
    assert all(0 <= cue.start <= cue.end <= cue.start + MAX_MS for cue in found)
    assert all(cue.start < cue.end or cue.start == end for cue in found)
    assert end is None or all(cue.end <= end for cue in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(sane_transcripts())
def test_the_timing_rules_hold_wherever_there_is_room(told):
    found = made(told)
    for a, b in pairwise(found):
        room = b.start - a.start
        gap = b.start - a.end
        if room >= 2 * GAP_MS:
            assert gap >= GAP_MS
            assert a.end - a.start == MAX_MS or not GAP_MS < gap < CLOSE_MS
        assert a.end - a.start >= MIN_MS or room < MIN_MS + CLOSE_MS
    if found and told.duration is None:
        assert found[-1].end - found[-1].start >= MIN_MS


@given(sane_transcripts())
def test_what_is_finished_reads_the_same_whatever_follows(told):
    whole = made(told)
    for count in range(1, len(told.windows)):
        windows = told.windows[:count]
        until = told.windows[count].segments[0].start
        gaps = tuple(gap for gap in told.gaps if gap.start < until)
        part = made(msgspec.structs.replace(told, windows=windows, gaps=gaps, duration=None))
        there = [token for token in tokens(told) if token.window < count]
        settled = next((token.start for token in there if token.window == there[-1].window), 0)
        before = [cue for cue, following in pairwise(part) if following.start <= settled]
        assert before == whole[: len(before)]


@pytest.mark.parametrize("size", [7, 11, 16, 23, 31])
def test_sentences_that_reach_into_the_next_window_stay_as_they_were(size):
    """Windows of so many words cut sentences anywhere; only cues with words of the last window may change."""
    words = [word for window in hours(0.05).windows for word in window.segments[0].words]
    parts = [tuple(words[n : n + size]) for n in range(0, len(words), size)]
    told = transcript(*(Segment(part[0].start, part[-1].end, "", part) for part in parts))
    whole = made(told)
    assert any(each.crosses for each in Document(told).sentences)
    for count in range(1, len(parts)):
        part = made(msgspec.structs.replace(told, windows=told.windows[:count]))
        before = [cue for cue, following in pairwise(part) if following.start <= parts[count - 1][0].start]
        assert before == whole[: len(before)]
        assert len(part) - len(before) < 12


def test_a_partial_document_ends_where_it_is_complete():
    told = transcript(segment("One.", 0), segment("Two.", 5_000), segment("Three.", 10_000), gaps=(Span(7_000, 9_000),))
    part = Document(msgspec.structs.replace(told, until=5_000))
    assert [cue.lines for cue in part.cues] == [("One.",)]


def test_long_speech_is_cut_where_sentences_and_phrases_end():
    text = (
        "I hope that you have reread the Constitution of the United States in these past few weeks like the Bible. "
        "It ought to be read again and again."
    )
    assert [cue.lines for cue in made(transcript(segment(text)))] == [
        ("I hope that you have reread", "the Constitution of the United States"),
        ("in these past few weeks like the Bible.", "It ought to be read again and again."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "They were looking for a very old house that stood beside the river",
        "He had been told that Peter Johnson would be in the city by then",
        "We could not have known how much the new one was going to cost",
    ],
)
def test_no_line_ends_in_a_word_that_belongs_to_the_next(text):
    clinging = {
        "a",
        "an",
        "the",
        "of",
        "in",
        "had",
        "been",
        "could",
        "not",
        "have",
        "was",
        "would",
        "be",
        "peter",
        "that",
    }
    (cue,) = made(transcript(segment(text, pace=70)))
    assert len(cue.lines) == 2
    assert cue.lines[0].split()[-1].lower() not in clinging


def test_two_lines_are_balanced():
    (cue,) = made(transcript(segment("Nobody thought anybody would ever manage this", pace=70)))
    assert len(cue.lines) == 2
    assert abs(len(cue.lines[0]) - len(cue.lines[1])) < 12


def test_one_line_is_enough_where_it_fits():
    assert [cue.lines for cue in made(transcript(segment("Nobody thought he would ever manage.")))] == [
        ("Nobody thought he would ever manage.",)
    ]


def test_a_cue_is_not_held_over_a_pause():
    told = transcript(segment("Stop. I said stop.", pauses={1: 1_300}))
    assert [cue.lines for cue in made(told)] == [("Stop.",), ("I said stop.",)]


def test_a_short_cue_is_extended_into_silence_and_a_small_gap_closed():
    told = transcript(segment("No.", 1_000), segment("Never, as long as I live here.", 2_200))
    first, second = made(told)
    assert first == Cue(1_000, 2_200 - GAP_MS, ("No.",))
    assert second.start == 2_200


def test_a_cue_stays_half_a_second_longer_if_that_helps_reading():
    (cue,) = made(transcript(segment("Incomprehensibilities notwithstanding", pace=30)))
    assert cue.end == 37 * 30 - 30 + 500


def test_a_word_longer_than_a_line_stands_alone():
    long = "https://" + "x" * 90
    found = made(transcript(segment(f"Go to {long} now please.")))
    assert (long,) in [cue.lines for cue in found]
    assert squeezed(line for cue in found for line in cue.lines) == squeezed(["Go to", long, "now please."])


def test_an_endless_chain_without_spaces_is_divided_within_the_limits():
    words = tuple(Word("-ha" if n else " ha", n * 100, n * 100 + 100, 1) for n in range(300))
    found = made(transcript(Segment(0, 30_000, "", words)))
    assert all(len(line) <= 42 for cue in found for line in cue.lines)


@pytest.mark.parametrize(("language", "limit"), [("zh", 16), ("ja", 23)])
def test_wide_scripts_have_shorter_lines(language, limit):
    text = "今天我们一起去看电影" * 8
    lines = [line for cue in made(transcript(characters(text, language=language))) for line in cue.lines]
    assert "".join(lines) == text
    assert max(map(len, lines)) <= limit


def test_korean_has_short_lines_and_spaces():
    text = " ".join(["오늘은", "우리가", "함께", "영화를", "보러", "갑니다"] * 6)
    lines = [line for cue in made(transcript(segment(text, language="ko", pace=150))) for line in cue.lines]
    assert " ".join(lines) == text
    assert max(cells(line) for line in lines) <= 32


def test_chinese_lines_do_not_begin_with_punctuation():
    found = made(transcript(characters("今天我们一起去看电影，然后回家吃饭，因为明天还要上班，" * 6)))
    assert not any(line[0] in "，。" for cue in found for line in cue.lines)


def test_a_gap_is_marked_where_it_is():
    gap = Span(60_000, 90_000)
    told = transcript(segment("Before.", 58_000), segment("After.", 91_000), gaps=(gap,))
    assert [(cue.start, cue.lines[0]) for cue in made(told)] == [
        (58_000, "Before."),
        (60_000, "[no transcript 00:01:00 to 00:01:30]"),
        (91_000, "After."),
    ]
    assert gap_text(gap) == "[no transcript 00:01:00 to 00:01:30]"


def test_a_gap_fits_into_the_lines_of_wide_scripts():
    told = transcript(characters("你好"), gaps=(Span(60_000, 90_000),))
    assert all(cells(line) <= 32 for cue in made(told) for line in cue.lines)


def test_nothing_gives_nothing():
    assert made(transcript()) == []
    assert cues([]) == []


@pytest.mark.parametrize("unbroken", [False, True])
def test_three_hours_take_seconds(unbroken):
    told = hours(3)
    if unbroken:
        words = tuple(Word(f" word{n % 7}", n * 300, n * 300 + 300, 1) for n in range(36_000))
        told = transcript(Segment(0, words[-1].end, "", words))
    began = time.process_time()
    found = made(told)
    assert time.process_time() - began < 8  # 0.5 s on the slowest machine so far
    assert len(found) > 2_000


@settings(max_examples=25)
@given(sane_transcripts())
def test_sentences_and_cues_hold_the_same_text(told):
    found, _ = sentences(tokens(told), told.gaps)
    assert squeezed(each.text for each in found) == squeezed(line for cue in spoken(told) for line in cue.lines)
