"""The faster-whisper backend on real speech, with the bundled model."""

import itertools

import pytest

from engine.messages import Work
from engine.recipe import Recipe
from engine.stages.base import AudioLost
from engine.timeline import Span
from tests.wer import wer


@pytest.fixture(scope="module")
def backend():
    from engine.stages.asr.faster_whisper import FasterWhisper

    return FasterWhisper(Recipe(model="tiny.en", parallel=1, language="en"))


@pytest.fixture(scope="module")
def audio(heart, tmp_path_factory):
    path = tmp_path_factory.mktemp("pcm") / "audio.pcm"
    path.write_bytes(heart.samples.astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def windows(heart):
    """Some sentences to a window, from the middle of one pause to the middle of another."""
    cuts = [(a.end + b.start) // 2 for a, b in zip(heart.spans, heart.spans[1:], strict=False)][4::5]
    edges = [0, *cuts, heart.duration]
    return [Span(a, b) for a, b in itertools.pairwise(edges)]


def decode(backend, audio, windows, batch, **recipe):
    recipe = Recipe(model="tiny.en", batch=batch, language="en", **recipe)
    found = {}
    for n in range(0, len(windows), batch):
        work = Work(job=1, media="", audio=str(audio), recipe=recipe, spans=tuple(windows[n : n + batch]))
        (batch_found,) = backend.run(work)
        found |= {each.span: each for each in batch_found}
    return [found[window] for window in windows]


def test_the_words_and_their_times_are_right(backend, audio, windows, heart):
    found = decode(backend, audio, windows, 2)
    assert wer(heart.text, " ".join(segment.text for each in found for segment in each.segments)) < 0.01
    for each in found:
        words = [word for segment in each.segments for word in segment.words]
        assert all(each.span.start <= word.start <= word.end <= each.span.end for word in words)
        assert all(0 <= word.score <= 1 for word in words)
    # Each sentence's first word begins where the sentence does.
    starts = [segment.words[0].start for each in found for segment in each.segments]
    firsts = [next(span.start for span in heart.spans if span.start >= each.span.start) for each in found]
    assert all(abs(start - truth) < 350 for start, truth in zip(starts, firsts, strict=True)), (starts, firsts)


def test_neither_words_nor_times_depend_on_the_batch(backend, audio, windows):
    alone = decode(backend, audio, windows, 1)
    assert decode(backend, audio, windows, 3) == alone
    assert decode(backend, audio, list(reversed(windows)), 2) == list(reversed(alone))


def test_silence_says_nothing(backend, tmp_path):
    path = tmp_path / "silence.pcm"
    path.write_bytes(bytes(32 * 10_000))
    (found,) = decode(backend, path, [Span(0, 10_000)], 1)
    assert all(not segment.text.strip() for segment in found.segments) or not found.segments


def test_audio_that_is_gone_is_an_error_in_a_sentence(backend, tmp_path, audio, heart):
    with pytest.raises(AudioLost, match="is gone"):
        decode(backend, tmp_path / "none.pcm", [Span(0, 1_000)], 1)
    beyond = Span(heart.duration + 5_000, heart.duration + 6_000)
    with pytest.raises(AudioLost, match="ends before"):
        decode(backend, audio, [beyond], 1)
