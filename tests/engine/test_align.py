"""The align stage: whisperX's alignment, really called, with a small model that the test trains on a voice."""

import itertools
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from engine.messages import Aligned, Work
from engine.recipe import EACH_WINDOW, Recipe
from engine.stages.align_times import Place, placed
from engine.stages.base import AudioLost, UnusableInput
from engine.timeline import Span
from engine.transcript import Segment, Word
from tests import aligner
from tests.aligner import WORDS, said
from tests.recordings import shared, sound

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]
"""whisperX's libraries warn of one another (workers, where they belong, heed no warnings), and take long to load."""

AT = 20_000
"""Where on the timeline the words are put, in milliseconds."""


@pytest.fixture(scope="module")
def folder(studio) -> Path:
    """A model that knows the four words."""
    return aligner.taught(studio)


@pytest.fixture(scope="module")
def deaf(tmp_path_factory) -> Path:
    """A model that knows nothing."""
    return aligner.save(aligner.make(), tmp_path_factory.mktemp("deaf"))


def stage(folder, **recipe):
    from engine.stages.align import Align

    return Align(Recipe(align=str(folder), parallel=1, **{"language": "en"} | recipe))


@pytest.fixture(scope="module")
def align(folder):
    return stage(folder)


def segment(texts, span: Span, language: str = "en") -> Segment:
    """A segment whose words all have the wrong time: evenly over the span."""
    step = span.length // max(1, len(texts))
    words = tuple(
        Word(text=text, start=span.start + n * step, end=span.start + (n + 1) * step, score=0.5)
        for n, text in enumerate(texts)
    )
    return Segment(start=span.start, end=span.end, text="".join(texts).strip(), words=words, language=language)


@pytest.fixture
def run(tmp_path):
    """Align a window of a sound that begins at ``AT``."""

    def align_one(stage, samples, *segments: Segment, recipe: Recipe | None = None) -> Aligned:
        path = tmp_path / "audio.pcm"
        path.write_bytes(bytes(32 * AT) + samples.astype("<i2").tobytes())
        span = window(samples)
        work = Work(job=1, media="", audio=str(path), recipe=recipe or Recipe(), spans=(span,), texts=(segments,))
        ((found,),) = stage.run(work)
        assert found.span == span
        return found

    return align_one


def window(samples) -> Span:
    return Span(AT, AT + len(samples) // 16)


def words(found: Aligned) -> list[Word]:
    return [word for segment in found.segments for word in segment.words]


def check(found: Aligned, *segments: Segment) -> None:
    """The same words in the same order, one after the other, inside the window."""
    before = [word for segment in segments for word in segment.words]
    after = words(found)
    assert [(word.text, word.score) for word in after] == [(word.text, word.score) for word in before]
    assert [each.text for each in found.segments] == [each.text for each in segments]
    assert all(word.start <= word.end for word in after)
    assert all(one.end <= other.start for one, other in itertools.pairwise(after))
    assert all(found.span.start <= word.start and word.end <= found.span.end for word in after)
    for each in found.segments:
        assert not each.words or (each.start, each.end) == (each.words[0].start, each.words[-1].end)


# ---- times


def test_each_word_is_found_where_it_is_said(align, studio, run):
    """In another order than the model has heard them: the times come from the sound, not from the text."""
    order = ["seven", "morning", "village", "bridge"]
    speech, spans = said(studio, order)
    texts = segment([f" {word.capitalize()}," for word in order], window(speech.samples))
    found = run(align, speech.samples, texts)
    check(found, texts)
    assert found.reason == ""
    for word, truth in zip(words(found), spans, strict=True):
        assert abs(word.start - AT - truth.start) <= 120, (word, truth)
        assert not word.guessed


@shared
def test_words_of_real_speech_come_in_order(deaf, run):
    """Whatever the model thinks of it."""
    samples = sound("jfk.flac")
    text = (
        "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country."
    )
    texts = segment([f" {word}" for word in text.split()], window(samples))
    found = run(stage(deaf), samples, texts)
    check(found, texts)
    assert found.reason == ""
    assert len({word.start for word in words(found)}) == len(text.split())
    assert words(found) != list(texts.words)


def test_digits_are_found_where_they_are_said(align, studio, run):
    """What has no sound is put between its neighbours, and is no cause for a remark."""
    speech, spans = said(studio)
    texts = segment([" Morning", " –", " bridge,", " 7", " village!", " ..."], window(speech.samples))
    found = run(align, speech.samples, texts)
    check(found, texts)
    assert found.reason == ""
    assert [word.text for word in words(found) if word.guessed] == [" –", " ..."]
    known = [word for word in words(found) if not word.guessed]
    for word, truth in zip(known, spans, strict=True):
        assert abs(word.start - AT - truth.start) <= 120, (word, truth)


def test_whatever_is_written_keeps_its_place(align, studio, run):
    speech, _ = said(studio)
    mixed = ("Morning", "–", "$5", "&", "1999", "bridge", "3.5%", "你好", "C++", "naïve", "7", "village!", "...", "😀")
    texts = segment([f" {word}" for word in mixed], window(speech.samples))
    found = run(align, speech.samples, texts)
    check(found, texts)
    assert [word.text for word in words(found) if word.guessed] == [" –", " 你好", " ...", " 😀"]
    assert found.reason == "1 of 11 words could not be placed"


def test_several_segments_stay_several(align, studio, run):
    speech, spans = said(studio)
    half = Span(AT, AT + 1_000)
    texts = [segment([f" {word}" for word in some], half) for some in (WORDS[:2], WORDS[2:])]
    found = run(align, speech.samples, *texts)
    check(found, *texts)
    assert abs(found.segments[1].start - AT - spans[2].start) <= 120


def test_a_segment_without_words_gets_them(align, studio, run):
    speech, spans = said(studio)
    bare = Segment(start=AT, end=AT + 100, text="Morning, bridge. Seven – village!")
    found = run(align, speech.samples, bare)
    assert "".join(word.text for word in words(found)).strip() == bare.text
    known = [word for word in words(found) if not word.guessed]
    assert all(abs(word.start - AT - truth.start) <= 120 for word, truth in zip(known, spans, strict=True))


def test_a_word_that_is_not_english_is_placed_letter_by_letter(folder, studio, run):
    """Japanese has no spaces: whisperX places each character, and a word begins with its first."""
    speech, _ = said(studio)
    texts = segment(["おは", "よう", "。", "世界"], window(speech.samples), "ja")
    found = run(stage(folder, language="ja"), speech.samples, texts)
    check(found, texts)
    assert [word.guessed for word in words(found)] == [True] * 4
    assert found.reason == "3 of 3 words could not be placed"


# ---- what cannot be aligned


def test_a_language_without_a_model_keeps_its_times(run, studio):
    speech, _ = said(studio)
    texts = segment([" Þetta", " er", " ekki"], window(speech.samples), "is")
    found = run(stage("auto", language="is"), speech.samples, texts)
    assert found.segments == (texts,)
    assert found.reason == "there is no alignment model for Icelandic"


def test_text_without_letters_keeps_its_times(align, run, studio):
    speech, _ = said(studio)
    texts = segment([" ...", " ?!"], window(speech.samples))
    found = run(align, speech.samples, texts)
    assert found.segments == (texts,)
    assert found.reason == "there are no letters to align"


def test_no_text_is_no_problem(align, run):
    assert run(align, np.zeros(16_000, np.int16)) == Aligned(span=Span(AT, AT + 1_000))


def test_a_window_of_one_letter(align, run):
    texts = segment([" I"], Span(AT, AT + 500))
    found = run(align, np.zeros(8_000, np.int16), texts)
    check(found, texts)


def test_more_letters_than_moments_keep_their_times(align, run):
    texts = segment([" incomprehensibilities"] * 4, Span(AT, AT + 200))
    found = run(align, np.zeros(3_200, np.int16), texts)
    assert found.segments == (texts,)
    assert found.reason == "the words do not fit into the sound"


def test_audio_that_is_gone_is_said_to_be(align, tmp_path):
    span = Span(0, 1_000)
    texts = ((segment([" morning"], span),),)
    work = Work(job=1, media="", audio=str(tmp_path / "none"), recipe=Recipe(), spans=(span,), texts=texts)
    with pytest.raises(AudioLost):
        list(align.run(work))


# ---- models


@pytest.mark.parametrize("name", ["auto", "someone/wav2vec2-english"])
def test_offline_a_model_that_is_not_at_hand_is_told_of(name, monkeypatch, tmp_path, no_network):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        UnusableInput, match=r"alignment model for English, .* not on this machine; go online .* \(--align FOLDER\)"
    ):
        stage(name)


def test_offline_windows_whose_model_is_missing_keep_their_times(monkeypatch, tmp_path, run, studio, no_network):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    speech, _ = said(studio)
    texts = segment([" morgen"], window(speech.samples), "nl")
    found = run(stage("auto", language=EACH_WINDOW), speech.samples, texts)
    assert found.segments == (texts,)
    assert found.reason.startswith("The alignment model for Dutch, ")


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to reach another machine fails the test."""
    import socket

    def refuse(*arguments, **_):
        pytest.fail(f"the network was turned to: {arguments}")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_folder_that_holds_no_model_is_told_of(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    with pytest.raises(UnusableInput, match=r"is no wav2vec2 model .* \(--align FOLDER\)"):
        stage(tmp_path)


def test_a_translation_is_not_aligned(folder):
    with pytest.raises(UnusableInput, match="translation"):
        stage(folder, task="translate")


def test_nothing_is_printed_and_the_network_left_alone(folder, run, studio, capfd, no_network):
    speech, _ = said(studio)
    run(stage(folder), speech.samples, segment([" morning", " bridge"], window(speech.samples)))
    assert capfd.readouterr() == ("", "")


# ---- what needs no model


def test_words_that_were_not_placed_share_the_time_between_their_neighbours():
    texts = (" a", " bb", " c", " dddd", " e")
    own = [Word(text=text, start=0, end=0, score=0.5) for text in texts]
    places = [None, Place(Span(1_000, 1_200), True), None, None, Place(Span(2_200, 2_300), False)]
    found = placed(own, places, Span(500, 3_000))
    assert [(word.start, word.end) for word in found] == [
        (500, 500),
        (1_000, 1_200),
        (1_200, 1_400),
        (1_400, 2_200),
        (2_200, 2_300),
    ]
    assert [word.guessed for word in found] == [True, False, True, True, True]


def test_the_mark_takes_no_room_where_it_is_not_set():
    word = Word(text=" a", start=1, end=2, score=0.5)
    assert msgspec.json.encode(word) == b'{"text":" a","start":1,"end":2,"score":0.5}'
    assert msgspec.json.decode(b'{"text":" a","start":1,"end":2,"score":0.5}', type=Word) == word
