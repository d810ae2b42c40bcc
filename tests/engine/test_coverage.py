"""Whether words and speech agree: strays, speech without words, and words put in later."""

from hypothesis import given
from hypothesis import strategies as st

from engine.stages.asr.coverage import (
    PAD_MS,
    REACH_MS,
    STRAY_MS,
    UNHEARD_MS,
    is_new,
    look,
    merged,
    unheard,
    without_strays,
)
from engine.timeline import Span, length, subtract, union
from engine.transcript import Segment, Word

WINDOW = Span(0, 30_000)


def word(start: int, end: int, text: str = " word") -> Word:
    return Word(text, start, end, 0.9)


def segment(*words: Word) -> Segment:
    text = "".join(each.text for each in words).strip()
    return Segment(start=words[0].start, end=words[-1].end, text=text, words=words)


def words_of(segments) -> list[Word]:
    return [each for segment in segments for each in segment.words]


@st.composite
def spoken(draw) -> list[Word]:
    """Words in order, some without any length, some stretched."""
    times = sorted(draw(st.lists(st.integers(0, 29_999), min_size=1, max_size=20, unique=True)))
    ends = [*times[1:], WINDOW.end]
    lengths = draw(st.lists(st.integers(0, 3_000), min_size=len(times), max_size=len(times)))
    return [
        word(start, min(start + long, end), f" w{n}")
        for n, (start, end, long) in enumerate(zip(times, ends, lengths, strict=True))
    ]


speeches = st.lists(
    st.tuples(st.integers(0, 28_000), st.integers(128, 8_000)).map(
        lambda each: Span(each[0], min(WINDOW.end, sum(each)))
    ),
    min_size=1,
    max_size=8,
).map(union)


def test_a_word_far_from_all_speech_is_a_stray():
    words = [word(1_000, 1_400), word(4_400, 4_600), word(4_700, 4_700), word(9_000, 9_400)]
    speech = (Span(500, 3_700), Span(9_200, 10_000))
    assert without_strays(words, speech) == (words[0], words[1], words[3])
    assert without_strays(words, ()) == tuple(words)


@given(spoken(), speeches)
def test_only_words_far_from_all_speech_go(words, speech):
    kept = without_strays(words, speech)
    for each in words:
        gap = min(max(span.start - each.end, each.start - span.end) for span in speech)
        assert (each in kept) == (gap < STRAY_MS), gap


def test_speech_that_got_no_words_is_found():
    words = [word(1_000, 1_400), word(1_400, 1_900), word(1_900, 3_900)]
    assert unheard(words, (Span(900, 3_000),)) == ()
    assert unheard(words, (Span(900, 3_000), Span(3_300, 5_000))) == (Span(3_300, 5_000),)
    assert unheard((), (Span(900, 3_000), Span(4_000, 5_000), Span(9_000, 9_500))) == (Span(900, 5_000),)


@given(spoken(), speeches)
def test_what_is_unheard_is_speech_that_holds_no_word(words, speech):
    found = unheard(words, speech)
    assert list(found) == sorted(found)
    for span in found:
        assert length(subtract(speech, subtract((WINDOW,), (span,)))) >= UNHEARD_MS
        assert not any(span.start <= each.start < span.end for each in words)


@given(spoken(), speeches)
def test_a_look_hears_the_speech_but_no_other_word(words, speech):
    for missed in unheard(words, speech):
        looked = look(missed, words, WINDOW)
        assert WINDOW.contains(looked)
        assert looked.contains(missed)
        assert looked.length <= missed.length + 2 * PAD_MS
        assert not any(looked.start < each.start < looked.end for each in words)
        assert all(min(each.end, each.start + REACH_MS) <= looked.start for each in words if each.start < missed.start)


def test_a_look_at_the_whole_window_is_nothing_new():
    assert not is_new(Span(100, 29_800), WINDOW)
    assert is_new(Span(5_000, 20_000), WINDOW)


def test_words_found_later_come_in_their_place():
    first = segment(
        word(0, 400, " One"), word(500, 3_000, " two."), word(8_000, 8_300, " Five"), word(8_400, 8_700, " six.")
    )
    found = segment(word(2_000, 2_400, " three"), word(2_500, 2_900, " four."))
    parts = merged((first,), found)
    assert [part.text for part in parts] == ["One two.", "three four.", "Five six."]
    assert [(part.start, part.end) for part in parts] == [(0, 2_000), (2_000, 2_900), (8_000, 8_700)]


def test_words_found_later_stand_alone_where_there_were_none():
    found = segment(word(2_000, 2_400, " three"))
    assert merged((), found) == (found,)


def test_a_word_at_the_edge_is_not_taken_twice():
    first = segment(word(0, 400, " One"), word(500, 900, " two."), word(5_000, 5_200, " Five."))
    found = segment(word(1_000, 1_200, " Two"), word(1_300, 1_500, " three"), word(4_500, 4_900, " five"))
    assert [part.text for part in merged((first,), found)] == ["One two.", "three", "Five."]
    assert merged((first,), segment(word(1_000, 1_200, " Two"))) == (first,)


@given(spoken(), speeches, st.integers(1, 5))
def test_no_word_is_lost_or_out_of_order(words, speech, count):
    segments = (segment(*words),)
    for missed in unheard(words, speech):
        looked = look(missed, words, WINDOW)
        step = looked.length // count
        new = [word(looked.start + n * step, looked.start + (n + 1) * step, f" new{n}") for n in range(count)]
        segments = merged(segments, segment(*new))
        got = words_of(segments)
        assert {each.text for each in got} >= {each.text for each in (*words, *new)}
        assert [each.start for each in got] == sorted(each.start for each in got)
        assert all(part.text == "".join(each.text for each in part.words).strip() for part in segments)
        assert all(part.start == part.words[0].start for part in segments)
