"""The gate behind the recogniser: what can have been said, and which of several tries is best."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Decoded
from engine.quality import (
    CHARACTERS_PER_SECOND,
    COMPRESSION,
    LOGPROB,
    LOOP_WORDS,
    NO_SPEECH,
    REPEATS,
    doubt,
    implausibility,
    is_silence,
)
from engine.timeline import Span
from engine.transcript import Segment

WINDOW = Span(60_000, 90_000)
SPEECH = (Span(61_000, 70_000), Span(70_500, 88_000))
SAID = "And so my fellow Americans, ask not what your country can do for you."

segments = st.builds(
    Segment,
    start=st.just(WINDOW.start),
    end=st.just(WINDOW.end),
    text=st.one_of(st.text(), st.lists(st.sampled_from(["one", "two.", "Mm-hmm,"]), max_size=40).map(" ".join)),
    avg_logprob=st.floats(-5, 0),
    no_speech_prob=st.floats(0, 1),
    compression_ratio=st.floats(0.1, 30),
)


def segment(text: str = SAID, **figures) -> Segment:
    """What is said with a sure voice, unless told otherwise."""
    return Segment(start=61_000, end=66_000, text=text, **{"avg_logprob": -0.2, "no_speech_prob": 0.05, **figures})


def why(text: str = SAID, speech=SPEECH, **figures) -> str:
    return doubt(segment(text, **figures), WINDOW, speech)


def test_what_was_said_is_not_doubted():
    assert why() == ""
    assert why(avg_logprob=LOGPROB, compression_ratio=COMPRESSION) == ""
    assert why(no_speech_prob=0.95) == ""
    assert why("Tear down the fence. Tear down the fence. Tear down the fence.") == ""
    assert why("No, no, no, no, no.") == ""


@pytest.mark.parametrize(
    ("text", "figures", "reason"),
    [
        (SAID, {"compression_ratio": 2.41}, "repeats itself"),
        (SAID, {"avg_logprob": -1.01}, "guessed"),
        ("thank you " * 4, {}, "“thank you” comes 4 times in a row"),
        ("Well, I. I. I. I. I. I went", {}, "“i” comes 6 times in a row"),
        (SAID * 16, {}, "more text than anyone can say"),
        ("", {}, "no words in 26 s of speech"),
    ],
)
def test_each_sign_of_a_bad_text_has_its_reason(text, figures, reason):
    assert reason in why(text, **figures)


def test_no_text_is_right_where_nobody_speaks():
    assert why("", speech=()) == ""
    assert why("", speech=SPEECH[:1], no_speech_prob=0.9) == ""
    assert why("", speech=(Span(61_000, 62_000),)) == ""


def test_text_is_measured_by_the_speech_where_it_is_known():
    text = "a few words more than fit into a blink of an eye"
    assert why(text, speech=()) == ""
    assert "more text than anyone can say" in why(text, speech=(Span(61_000, 61_200),))


@given(
    st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=8, unique=True),
    st.integers(1, 9),
    st.sampled_from([" ", ", ", ". "]),
)
def test_any_phrase_that_goes_round_and_round_is_a_loop(phrase, times, mark):
    text = f"So {mark.join(phrase * times)}, then."
    is_loop = times >= REPEATS and times * len(phrase) >= LOOP_WORDS
    assert bool(why(text)) == is_loop


@given(segments, st.sampled_from([(), SPEECH]))
def test_a_reason_is_one_line_of_plain_text(each, speech):
    reason = doubt(each, WINDOW, speech)
    assert reason.isprintable()
    assert len(reason) < 100


@given(segments, st.floats(0, 1), st.floats(0, 5))
def test_more_signs_of_silence_never_make_it_speech(each, more, less):
    worse = msgspec.structs.replace(
        each, no_speech_prob=min(1.0, each.no_speech_prob + more), avg_logprob=each.avg_logprob - less
    )
    assert is_silence(worse) or not is_silence(each)


@given(segments)
def test_silence_is_all_that_whisper_takes_for_it_and_never_a_sure_text(each):
    if not any(map(str.isalnum, each.text)) or (each.no_speech_prob > NO_SPEECH and each.avg_logprob < LOGPROB):
        assert is_silence(each)
    elif each.no_speech_prob <= 0.45 or (each.avg_logprob >= -0.4 and each.no_speech_prob <= NO_SPEECH):
        assert not is_silence(each)


@pytest.mark.parametrize(
    ("text", "no_speech_prob", "avg_logprob", "compression_ratio"),
    [  # over a synthetic singer, over held tones, over plucked strings
        ("Mm-hmm. Mm-hmm. Mm-hmm. Mm-hmm. Mm-hmm.", 0.88, -0.32, 2.05),
        ("Mm-hmm. Mm-hmm. Mm-hmm.", 0.76, -0.44, 1.28),
        ("ah " * 45, 0.82, -0.26, 9.57),
        ("Thank you.", 0.73, -0.93, 0.56),
        ("Uh...", 0.51, -1.44, 0.38),
        (". . .", 0.94, -1.21, 0.38),
    ],
)
def test_what_was_written_over_music_is_silence(text, no_speech_prob, avg_logprob, compression_ratio):
    made_up = segment(text, no_speech_prob=no_speech_prob, avg_logprob=avg_logprob, compression_ratio=compression_ratio)
    assert is_silence(made_up)


@pytest.mark.parametrize(
    ("text", "no_speech_prob", "avg_logprob"),
    [  # very quiet, and in noise of 5 and of 0 dB
        ("Stop.", 0.60, -0.40),
        ("Help.", 0.21, -1.31),
        ("Help.", 0.40, -0.97),
        ("Excuse me.", 0.59, -0.45),
    ],
)
def test_short_words_that_were_said_are_not_silence(text, no_speech_prob, avg_logprob):
    assert not is_silence(segment(text, no_speech_prob=no_speech_prob, avg_logprob=avg_logprob))


def test_next_to_no_speech_needs_a_sure_text():
    unsure, blink, word = segment("Thank you.", avg_logprob=-0.92), (Span(61_000, 61_128),), (Span(61_000, 61_500),)
    assert is_silence(unsure, blink)
    assert not is_silence(unsure, word)
    assert not is_silence(unsure)
    assert not is_silence(segment("Thank you."), blink)


def decoded(*found: Segment, **told) -> Decoded:
    return Decoded(span=WINDOW, segments=found, **told)


def test_of_several_tries_the_surest_that_does_not_repeat_itself_is_best():
    tries = [
        decoded(segment(avg_logprob=-1.1), doubt="guessed"),
        decoded(segment(avg_logprob=-1.9), doubt="guessed"),
        decoded(doubt="no words in 26 s of speech"),
        decoded(segment(avg_logprob=-0.1, compression_ratio=2.5), doubt="repeats itself"),
        decoded(segment(avg_logprob=-4.0), doubt="guessed"),
        decoded(segment("me " * 30, avg_logprob=-0.2), doubt="a loop"),
        decoded(segment(avg_logprob=-0.1, compression_ratio=17.0), doubt="repeats itself"),
    ]
    assert sorted(tries, key=implausibility) == tries


def test_speech_left_without_words_counts_against_a_text():
    whole, part = decoded(segment()), decoded(segment(), unheard=(Span(70_000, 80_000),))
    assert implausibility(whole) < implausibility(part)
    assert implausibility(decoded()) == 0.0


@given(st.lists(segments, max_size=3), st.sampled_from(["", "guessed"]))
def test_implausibility_is_a_number_from_zero_on(found, reason):
    score = implausibility(decoded(*found, doubt=reason))
    assert math.isfinite(score)
    assert score >= 0.0


@given(segments.filter(lambda each: 0 < len(each.text) <= CHARACTERS_PER_SECOND), st.floats(0.01, 3))
def test_a_less_sure_text_is_less_plausible(each, less):
    worse = msgspec.structs.replace(each, avg_logprob=each.avg_logprob - less)
    assert implausibility(decoded(each)) < implausibility(decoded(worse))
