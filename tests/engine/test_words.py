"""Words in their places: nothing lost, times repaired, spaces as the language has them."""

from itertools import pairwise

from hypothesis import given

from engine.transcript import Segment, Word
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


def test_what_no_file_can_hold_is_left_out():
    assert clean(" a\x1b[31m\nb\x00\ud800\ufffe ") == "a[31m b"
