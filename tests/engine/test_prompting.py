"""Which terms are told to the model, which of what it then writes is believed, and what is put right afterwards."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.messages import Correction, Decoded
from engine.stages.asr.prompting import Prompter
from engine.stages.asr.whisper import PROMPT_BUDGET, Take
from engine.terms import Term, letters
from engine.timeline import Span
from engine.transcript import Segment, Word

COMMON = {"then", "you", "go", "into", "your", "eye", "folder", "again", "in", "the", "they", "say", "that", "nobody"}
COMMON |= {"came", "home", "baby", "a", "i", "when", "we", "of"}
SPAN = Span(1000, 31_000)


def count_tokens(text):
    """A model whose vocabulary has the common words, and a token for every two letters of all others."""
    return sum(1 if word in COMMON else (len(word) + 1) // 2 for word in re.findall(r"\w+|[^\w\s]", text.lower()))


@pytest.fixture
def prompter():
    return Prompter(count_tokens, PROMPT_BUDGET)


def said(text, words=True):
    """A window with that text, each word of it 300 ms long."""
    parts = re.findall(r"\s*\S+", f" {text}")
    placed = [Word(part, 1000 + 300 * n, 1300 + 300 * n, 0.9) for n, part in enumerate(parts)]
    return Take(SPAN, Segment(1000, 31_000, text, words=tuple(placed) if words else ()))


def texts(terms):
    return [each.text for each in terms]


NAMES = [Term(each) for each in ("ComfyUI", "Mirewyn", "Quillamar", "Jarrowmere", "Van Torque")]


def test_terms_are_told_where_something_sounds_like_them(prompter):
    assert texts(prompter.choose(said("Then you go into your comfy eye folder."), NAMES)) == ["ComfyUI"]
    assert texts(prompter.choose(said("They say that meyer when came home"), NAMES)) == ["Mirewyn"]
    assert prompter.choose(said("They say that nobody came home."), NAMES) == ()
    assert prompter.choose(said(""), NAMES) == ()
    assert prompter.choose(said("We say ComfyUI, Van Torque and Mirewyn's."), NAMES) == ()


def test_a_term_that_is_a_part_of_another_does_not_stand_in_its_way(prompter):
    terms = [Term("Comfy"), Term("ComfyUI")]
    take = said("your comfy eye folder and the comfy baby")
    assert texts(prompter.choose(take, terms)) == ["ComfyUI"]
    told = said("your ComfyUI folder and the ComfyUI baby")
    kept = prompter.believe(take, told, terms[1:], terms).segment.text
    assert kept == "your ComfyUI folder and the comfy baby"
    assert corrected(prompter, "your comfy eye folder", terms)[0] == "your ComfyUI folder"


def test_another_number_is_another_name(prompter):
    terms = [Term("Glumm 2"), Term("Quorvex-4")]
    for text in ("we say glumm 3 again", "we say Glumm 3", "your quorvex-5 folder", "the Quorvex 40"):
        told = re.sub(r"(?i)glumm", "Glumm 2", re.sub(r"(?i)quorvex\S*", "Quorvex-4", text))
        assert prompter.believe(said(text), said(told), terms).segment.text == text
        assert corrected(prompter, text, terms) == (text, ())
    take = said("the quorvex four folder")
    assert texts(prompter.choose(take, terms)) == ["Quorvex-4"]
    assert prompter.believe(take, said("the Quorvex-4 folder"), terms).segment.text == "the Quorvex-4 folder"


def test_terms_are_told_within_their_times_and_by_their_aliases(prompter):
    take = said("Then you go into your confuse eye folder.")
    term = Term("Zelmira", aliases=("confuse eye",), start=31_000)
    assert prompter.choose(take, [term]) == ()
    assert texts(prompter.choose(take, [Term("Zelmira", aliases=("confuse eye",), end=1001)])) == ["Zelmira"]


@given(st.lists(st.text("abelmorstu", min_size=2, max_size=12), min_size=1, max_size=60), st.integers(0, 60))
def test_the_budget_is_never_exceeded(names, budget):
    prompter = Prompter(count_tokens, budget)
    take = said(" ".join(f"{name}e" for name in names))
    told = prompter.choose(take, [Term(each) for each in names])
    assert count_tokens(", ".join(texts(told))) <= budget
    assert prompter.choose(take, [Term(each) for each in names]) == told


@pytest.mark.parametrize(
    ("plain", "told", "kept"),
    [
        ("your comfy eye folder", "your ComfyUI folder", "your ComfyUI folder"),
        ("your comfy eye, folder", "your ComfyUI eye folder", "your ComfyUI eye, folder"),
        ("that meyer when came home.", "that Mirewyn came home.", "that Mirewyn came home."),
        ("of meyerwin's house", "of Mirewyn's house", "of Mirewyn's house"),
        ("the van tork was", "the Van Torque is", "the Van Torque was"),
        # what was not spoken is not believed, wherever the model put it
        ("they say that nobody came", "they say that Quillamar came", "they say that nobody came"),
        ("they say that nobody came", "they say Jarrowmere that nobody came", "they say that nobody came"),
        ("", "ComfyUI, Mirewyn, Quillamar", ""),
        ("a comfy baby again", "ComfyUI " * 20, "a comfy baby again"),
        ("a baby again", "ComfyUI, Mirewyn, Quillamar, Jarrowmere", "a baby again"),
        # nothing else of the second text is kept
        ("the confuse eye fold her", "a ComfyUI folder", "the ComfyUI eye fold her"),
        ("nothing here", "no thing hear", "nothing here"),
        # a term that stands there already is left alone
        ("your ComfyUI folder", "your ComfyUI folder", "your ComfyUI folder"),
    ],
)
@pytest.mark.parametrize("has_words", [True, False])
def test_a_term_is_believed_where_something_like_it_was_heard(prompter, plain, told, kept, has_words):
    take = prompter.believe(said(plain, has_words), said(told, has_words), NAMES)
    assert take.segment.text == kept
    assert not has_words or "".join(word.text for word in take.segment.words).strip() == kept


def test_a_term_has_the_time_of_what_it_replaces(prompter):
    take = prompter.believe(said("your comfy eye, folder"), said("your ComfyUI folder"), NAMES)
    assert [(each.text, each.start, each.end) for each in take.segment.words] == [
        (" your", 1000, 1300),
        (" ComfyUI,", 1300, 1900),
        (" folder", 1900, 2200),
    ]
    take = prompter.believe(said("the vantork was"), said("the Van Torque was"), NAMES)
    assert [(each.text, each.start, each.end) for each in take.segment.words[1:3]] == [
        (" Van", 1300, 1400),
        (" Torque", 1400, 1600),
    ]


def corrected(prompter, text, terms=NAMES):
    found = prompter.correct(Decoded(span=SPAN, segments=(said(text).segment,)), terms)
    return found.segments[0].text, found.corrections


def test_what_resembles_a_term_is_put_right_and_listed(prompter):
    assert corrected(prompter, "Then quilamar came, and nobody's meyerwynn.") == (
        "Then Quillamar came, and nobody's Mirewyn.",
        (Correction(1300, "quilamar", "Quillamar"), Correction(2500, "meyerwynn", "Mirewyn")),
    )
    alias = Term("ComfyUI", aliases=("confuse I",))
    assert corrected(prompter, "your Confuse-I folder", [alias])[0] == "your ComfyUI folder"


def test_what_is_spelled_otherwise_is_put_right(prompter):
    terms = [Term("ChatQPV"), Term("US"), Term("C++"), Term("NobodyCame")]
    text = "They say your chat qpv's home and the Chat QPVs."
    assert corrected(prompter, text, terms)[0] == "They say your ChatQPV's home and the Chat QPVs."
    for text in ("they say nobody came", "we say vitamin c"):
        assert corrected(prompter, text, terms) == (text, ())


def test_common_words_and_other_terms_are_left_alone(prompter):
    terms = [Term("Thessaby"), Term("Mirewyn"), Term("Mirewyns"), Term("Sam")]
    for text in ("then the baby came home", "Mirewyn and Mirewyns", "sem again"):
        assert corrected(prompter, text, terms) == (text, ())


@given(
    st.lists(st.sampled_from(["the", "mirewin", "Mirewyn", "quilla", "mar", "van", "tork", "came", "—", "jarrow"])),
)
def test_correcting_twice_changes_no_more_and_loses_no_word(words):
    prompter = Prompter(count_tokens, PROMPT_BUDGET)
    once = prompter.correct(Decoded(span=SPAN, segments=(said(" ".join(words)).segment,)), NAMES)
    twice = prompter.correct(once, NAMES)
    assert twice.segments == once.segments
    times = [(each.start, each.end) for segment in once.segments for each in segment.words]
    assert times == sorted(times)
    left = "".join(letters(each) for each in words)
    for change in once.corrections:
        assert letters(change.was) in left
    removed = sum(len(letters(each.was)) - len(letters(each.now)) for each in once.corrections)
    assert sum(len(letters(each.text)) for each in once.segments) == len(left) - removed
