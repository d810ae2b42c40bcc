"""Words in their places: nothing lost, times repaired, spaces as the language has them."""

import json
from itertools import pairwise

import pytest
from hypothesis import given

from engine.render import Document, render
from engine.transcript import Segment, Word, text_of
from engine.words import clean, join, tokens
from tests.engine.transcripts import broken_transcripts, characters, sane_transcripts, segment, transcript


def times(*segments, **fields):
    return [(token.start, token.end) for token in tokens(transcript(*segments, **fields))]


def test_good_times_stay_as_they_are():
    spoken = segment("Ask not what your country can do for you", 500)
    assert times(spoken) == [(word.start, word.end) for word in spoken.words]


@given(broken_transcripts())
def test_no_time_goes_back_or_beyond_the_ends(told):
    found = tokens(told)
    assert all(0 <= token.start <= token.end for token in found)
    assert told.duration is None or all(token.end <= told.duration for token in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@given(sane_transcripts())
def test_every_word_is_there_once_in_order(told):
    words = [word.text for window in told.windows for each in window.segments for word in each.words]
    assert [token.text for token in tokens(told)] == [text for word in words if (text := clean(word))]


def test_a_word_without_time_is_placed_between_its_neighbours():
    words = (Word(" one", 0, 300, 1), Word(" two", -1, -1, 1), Word(" three", 900, 1_200, 1))
    (_, (start, end), _) = times(Segment(0, 1_200, "", words))
    assert 300 <= start < end <= 900


def test_a_wild_time_moves_only_its_own_word():
    words = (
        Word(" one", 0, 300, 1),
        Word(" two", 5_000, 5_100, 1),
        Word(" three", 600, 900, 1),
        Word(" four", 900, 999, 1),
    )
    found = times(Segment(0, 5_200, "", words))
    assert (found[0], found[2], found[3]) == ((0, 300), (600, 900), (900, 999))
    assert 300 <= found[1][0] < found[1][1] <= 600


def test_words_of_no_length_get_some():
    stuck = [Word(f" {text}", 1_000, 1_000, 1) for text in ("a", "few", "words")]
    words = (*stuck, Word(" more", 2_000, 2_400, 1))
    found = times(Segment(1_000, 2_400, "", words))
    assert all(end > start for start, end in found)
    assert found[3] == (2_000, 2_400)


def test_a_segment_without_words_is_cut_into_words_over_its_time():
    found = tokens(transcript(Segment(1_000, 3_000, " Hello there, friend.", ())))
    assert [token.text for token in found] == ["Hello", "there,", "friend."]
    assert found[0].start == 1_000
    assert found[-1].end <= 3_000
    assert all(token.score == 0.0 for token in found)


def test_a_segment_without_words_in_a_language_without_spaces_is_cut_into_characters():
    found = tokens(transcript(Segment(0, 2_000, "你好，世界", (), language="zh")))
    assert [token.text for token in found] == list("你好，世界")
    assert join(found) == "你好，世界"


def test_spaces_are_those_of_the_model():
    words = tuple(
        Word(text, n * 100, n * 100 + 100, 1) for n, text in enumerate([" The", " 42", "-line", " Bible", "'s"])
    )
    assert join(tokens(transcript(Segment(0, 500, "", words)))) == "The 42-line Bible's"


def test_words_without_any_spaces_get_them():
    words = tuple(Word(text, n * 100, n * 100 + 100, 1) for n, text in enumerate(["The", "next", "day"]))
    assert join(tokens(transcript(Segment(0, 300, "", words)))) == "The next day"


def test_segments_are_joined_with_a_space_where_the_language_has_spaces():
    english = tokens(transcript(Segment(0, 1_000, "Yes.", ()), Segment(1_000, 2_000, "No.", ())))
    assert join(english) == "Yes. No."
    assert join(tokens(transcript(characters("你好"), characters("世界", 400)))) == "你好世界"


SPOKEN = {
    "ja": ("今日はいい天気ですね。", "OpenAIの本を、読みました！"),
    "zh": ("我们昨天去了学校。", "“他说”你好。"),
    "yue": ("我哋去食飯啦。", "好唔好？"),
    "th": ("สวัสดีครับ", "วันนี้อากาศดี"),
    "lo": ("ສະບາຍດີ", "ຂອບໃຈ"),
    "my": ("မင်္ဂလာပါ။", "ကျေးဇူးတင်ပါတယ်။"),
    "km": ("សួស្តី", "អរគុណ"),
    "bo": ("བཀྲ་ཤིས་", "བདེ་ལེགས།"),
}
"""In each language that knows no spaces, what two segments say."""


@pytest.mark.parametrize("language", SPOKEN)
def test_languages_without_spaces_get_none(language):
    said = SPOKEN[language]
    found = tokens(transcript(*(characters(text, 3_000 * n, language=language) for n, text in enumerate(said))))
    assert join(found) == "".join(said)
    assert join(tokens(transcript(*(Segment(0, 2_000, text, (), language=language) for text in said)))) == "".join(said)
    assert text_of(tuple(Segment(0, 1, f" {text}", language=language) for text in said)) == "".join(said)


@pytest.mark.parametrize("language", SPOKEN)
def test_no_file_has_a_space_that_nobody_wrote(language):
    said = SPOKEN[language] * 3
    told = transcript(
        *(characters(text, 3_000 * n, language=language) for n, text in enumerate(said)), language=language
    )
    document = Document(told)
    assert " " not in render(document, "txt").decode()
    assert " " not in "".join(line for cue in document.cues for line in cue.lines)
    assert all(" " not in each["text"] for each in json.loads(render(document, "json"))["segments"])


@pytest.mark.parametrize("language", ["en", "ko", "de", "ru"])
def test_languages_with_spaces_are_never_glued(language):
    said = {"en": "Yes. No one", "ko": "그래요. 아무도 없어요", "de": "Ja. Nein", "ru": "Да. Нет"}[language]
    for segments in (
        [Segment(n, n + 1, text, (), language=language) for n, text in enumerate(said.split())],
        [Segment(n, n + 1, text, (Word(text, n, n + 1, 1),), language=language) for n, text in enumerate(said.split())],
        [segment(said, language=language)],
    ):
        assert join(tokens(transcript(*segments))) == said
        assert text_of(tuple(segments)) == said


def test_a_space_stands_between_a_language_that_has_them_and_one_that_has_none():
    found = tokens(transcript(segment("That is all.", language="en"), characters("はい。", 2_000, language="ja")))
    assert join(found) == "That is all. はい。"
    found = tokens(transcript(characters("はい。", language="ja"), segment("That is all.", 2_000, language="en")))
    assert join(found) == "はい。 That is all."


def test_words_of_another_script_within_a_text_stay_as_the_model_wrote_them():
    words = tuple(
        Word(text, n * 100, n * 100 + 100, 1) for n, text in enumerate(["私", "は", "Open", "AI", " GPT", "を"])
    )
    assert join(tokens(transcript(Segment(0, 600, "", words, language="ja")))) == "私はOpenAI GPTを"


def test_what_no_file_can_hold_is_left_out():
    assert clean(" a\x1b[31m\nb\x00\ud800\ufffe ") == "a[31m b"
