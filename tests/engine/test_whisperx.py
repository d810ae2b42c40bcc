"""The whisperx backend: the text is that of whisperX's own pipeline, and all that every recogniser owes besides."""

import itertools

import msgspec
import numpy as np
import pytest

from engine.messages import Decoded, Work
from engine.recipe import Recipe
from engine.terms import Term
from engine.timeline import Span
from tests.wer import wer

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]
"""whisperX's libraries warn of one another (workers, where they belong, heed no warnings), and take long to load."""

RECIPE = Recipe(backend="whisperx", model="tiny.en", language="en", parallel=1, batch=3, vad="pyannote")


@pytest.fixture(scope="module")
def backend():
    from engine.stages.asr.whisperx import WhisperX

    return WhisperX(RECIPE)


@pytest.fixture(scope="module")
def theirs(backend, heart):
    """What whisperX's command makes of the first minute: its own detector, its own windows, its own text."""
    from whisperx.asr import load_model

    pipeline = load_model("tiny.en", "cpu", model=backend._model, language="en")
    return pipeline.transcribe(heart.floats[: 60 * 16_000], batch_size=3)["segments"]


def decode(backend, audio, spans, **more) -> list[Decoded]:
    work = Work(job=1, media="", audio=str(audio), recipe=more.pop("recipe", RECIPE), spans=tuple(spans), **more)
    (found,) = backend.run(work)
    return list(found)


def test_the_text_is_that_of_whisperx(backend, audio, theirs, heart):
    """Over the same windows: word for word, with the same likelihood."""
    assert len(theirs) >= 2
    spans = [Span(round(each["start"] * 1000), round(each["end"] * 1000)) for each in theirs]
    found = decode(backend, audio, spans)
    assert [each.segments[0].text for each in found] == [each["text"].strip() for each in theirs]
    for ours, each in zip(found, theirs, strict=True):
        assert abs(ours.segments[0].avg_logprob - each["avg_logprob"]) < 0.02
    said = [text for text, span in zip(heart.sentences, heart.spans, strict=True) if span.end <= 60_000]
    assert wer(" ".join(said), " ".join(each.segments[0].text for each in found)) < 0.06


def test_its_words_have_times(backend, audio, heart):
    cut = (heart.spans[3].end + heart.spans[4].start) // 2
    (found,) = decode(backend, audio, [Span(0, cut)], speech=heart.spans[:4])
    words = [word for segment in found.segments for word in segment.words]
    assert "".join(word.text for word in words).strip() == found.segments[0].text
    assert all(0 <= one.start <= one.end <= other.start <= cut for one, other in itertools.pairwise(words))
    assert abs(words[0].start - heart.spans[0].start) < 350
    assert not any(word.guessed for word in words)
    assert not found.unheard
    assert not found.doubt


def test_windows_with_different_terms_go_together(backend, audio, heart):
    """Each window comes back in its place, whatever batch it went with."""
    cuts = [0, *((a.end + b.start) // 2 for a, b in itertools.pairwise(heart.spans[:5]))][::2]
    spans = [Span(a, b) for a, b in itertools.pairwise(cuts)]
    plain = decode(backend, audio, spans)
    ranged = Term(text="Winterbourne", start=spans[1].start, end=spans[1].end)
    mixed = decode(backend, audio, spans, terms=(ranged,))
    assert [each.span for each in mixed] == spans
    assert [each.segments for each in mixed][::2] == [each.segments for each in plain][::2]


def test_silence_says_nothing(backend, tmp_path):
    path = tmp_path / "silence.pcm"
    path.write_bytes(bytes(32 * 10_000))
    (found,) = decode(backend, path, [Span(0, 10_000)])
    assert not found.segments


def test_at_a_temperature_it_samples(backend, audio, heart):
    recipe = msgspec.structs.replace(RECIPE, temperature=0.2)
    (found,) = decode(backend, audio, [Span(0, heart.spans[1].end + 200)], recipe=recipe)
    assert {segment.temperature for segment in found.segments} == {0.2}
    assert wer(" ".join(heart.sentences[:2]), found.segments[0].text) < 0.2


def test_the_spectrogram_is_whisperxs(backend, heart):
    """Which is torch's, not faster-whisper's."""
    from whisperx.audio import N_SAMPLES, log_mel_spectrogram

    sound = heart.floats[:80_000]
    features = backend._pipeline.preprocess({"inputs": sound})["inputs"].numpy()
    expected = log_mel_spectrogram(sound, n_mels=80, padding=N_SAMPLES - len(sound)).numpy()
    assert np.array_equal(features, expected)
