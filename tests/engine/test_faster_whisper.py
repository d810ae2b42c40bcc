"""The faster-whisper backend on real speech, with the bundled model."""

import itertools
import re
from pathlib import Path

import msgspec
import pytest

from engine.messages import Decoded, Work
from engine.models import locate
from engine.recipe import Recipe
from engine.stages.base import AudioLost, UnusableInput
from engine.timeline import Span, intersect, length
from engine.transcript import Segment
from tests.wer import wer


def load(**recipe):
    from engine.stages.asr.faster_whisper import FasterWhisper

    return FasterWhisper(Recipe(**{"model": "tiny.en", "parallel": 1, "language": "en"} | recipe))


@pytest.fixture(scope="module")
def backend():
    return load()


@pytest.fixture(scope="module")
def windows(heart):
    """Some sentences to a window, from the middle of one pause to the middle of another."""
    cuts = [(a.end + b.start) // 2 for a, b in zip(heart.spans, heart.spans[1:], strict=False)][4::5]
    edges = [0, *cuts, heart.duration]
    return [Span(a, b) for a, b in itertools.pairwise(edges)]


def decode(backend, audio, windows, batch, speech=(), **recipe):
    recipe = Recipe(model="tiny.en", batch=batch, language="en", **recipe)
    found = {}
    for n in range(0, len(windows), batch):
        spans = tuple(windows[n : n + batch])
        heard = intersect(tuple(speech), tuple(sorted(spans)))
        work = Work(job=1, media="", audio=str(audio), recipe=recipe, spans=spans, speech=heard)
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


def text(*found: Decoded) -> str:
    return " ".join(segment.text for each in found for segment in each.segments)


@pytest.mark.parametrize(
    ("file", "data", "why"),
    [
        ("config.json", None, "it has no config.json"),
        ("vocabulary.txt", None, "it has no vocabulary"),
        ("tokenizer.json", None, "it has no tokenizer.json"),
        ("config.json", b'{"a', "parse error"),
        ("tokenizer.json", b"hello", "expected value"),
        ("model.bin", b"hello", "model binary version"),
    ],
)
def test_a_damaged_model_is_an_error_in_a_sentence(tmp_path, monkeypatch, file, data, why):
    """A tokenizer that is missing is not waited for, where there is no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for path in Path(locate("tiny.en", "faster-whisper")).iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / file).unlink()
    if data is not None:
        (tmp_path / file).write_bytes(data)
    sentence = f"The model in {re.escape(str(tmp_path))} cannot be loaded .*{why}.*; get it once more, or name another"
    with pytest.raises(UnusableInput, match=sentence):
        load(model=str(tmp_path))


def test_numbers_that_the_processor_does_not_know_are_an_error_in_a_sentence():
    with pytest.raises(UnusableInput, match=r'^This processor cannot compute with "int4"; set transcribe.compute_type'):
        load(compute_type="int4")


def test_where_all_is_well_the_speech_changes_nothing(backend, audio, windows, heart):
    """With the speech known, words, times and figures are the same; nothing is doubted, and nothing missed."""
    found = decode(backend, audio, windows, 2, heart.spans)
    assert found == decode(backend, audio, windows, 2)
    assert not any(each.doubt or each.unheard or each.recovered for each in found)


class Forgetful:
    """A backend that leaves out what is said in a window after its first sentence, as Whisper sometimes does."""

    def __init__(self, backend, sentences: tuple[Span, ...]) -> None:
        self._backend = backend
        self._sentences = sentences
        self.looks: list[Span] = []

    def __call__(self, work: Work, asks) -> list:
        takes = self._backend(work, asks)
        spans = tuple(ask.span for ask in asks)
        if spans != work.spans:
            self.looks += spans
            return takes
        return [take._replace(segment=self._cut(take.span, take.segment)) for take in takes]

    def _cut(self, window: Span, segment: Segment) -> Segment:
        until = next(each.end for each in self._sentences if each.start >= window.start) + 200
        words = tuple(word for word in segment.words if word.start < until)
        said = "".join(word.text for word in words).strip()
        return msgspec.structs.replace(segment, words=words, text=said, end=words[-1].end)


def test_speech_that_got_no_words_is_decoded_once_more(backend, audio, windows, heart, monkeypatch):
    forgetful = Forgetful(backend.takes, heart.spans)
    monkeypatch.setattr(backend, "takes", forgetful)
    found = decode(backend, audio, windows, 2, heart.spans)
    assert wer(heart.text, text(*found)) < 0.02
    assert len(forgetful.looks) == len(windows)
    assert not any(each.unheard or each.doubt for each in found)
    recovered = [span for each in found for span in each.recovered]
    assert all(any(look.contains(span) for look in forgetful.looks) for span in recovered)
    assert length(recovered) > length(heart.spans) / 2
    for each in found:
        words = [word for segment in each.segments for word in segment.words]
        assert [word.start for word in words] == sorted(word.start for word in words)


def test_speech_that_stays_without_words_is_listed(backend, audio, windows, heart):
    """Speech is said to be in a pause: the second look finds nothing there, and says so."""
    first, second = heart.spans[3].end, heart.spans[4].start
    window = Span(heart.spans[3].start - 200, second + 20_000)
    silence = bytes(32 * 4_000)
    samples = audio.read_bytes()
    path = audio.with_name("pause.pcm")
    path.write_bytes(samples[: 32 * first] + silence + samples[32 * second :])
    claimed = Span(first + 500, first + 3_500)
    moved = [Span(each.start + 4_000 - second + first, each.end + 4_000 - second + first) for each in heart.spans[4:]]
    (found,) = decode(backend, path, [window], 1, (*heart.spans[:4], claimed, *moved))
    assert [span for span in found.unheard if claimed.contains(span)], found.unheard
    assert not found.recovered
    assert wer(text(*decode(backend, path, [window], 1)), text(found)) == 0.0


def test_words_far_from_all_speech_are_left_out(backend, audio, windows, heart):
    """Of a window in which only the first sentence is said to be speech, little more than that is kept."""
    (whole,) = decode(backend, audio, windows[:1], 1)
    (found,) = decode(backend, audio, windows[:1], 1, heart.spans[:1])
    words = [word for segment in found.segments for word in segment.words]
    assert words == [word for word in whole.segments[0].words if word.start <= heart.spans[0].end + 1_000]
    assert found.segments[0].text == "".join(word.text for word in words).strip()
    assert found.doubt == "most of the words lie where nobody speaks"


def test_a_loop_is_doubted(backend, audio, windows, monkeypatch):
    def stammering(work: Work, asks) -> list:
        takes = genuine(work, asks)
        return [take._replace(segment=msgspec.structs.replace(take.segment, text="the train " * 5)) for take in takes]

    genuine = backend.takes
    monkeypatch.setattr(backend, "takes", stammering)
    (found,) = decode(backend, audio, windows[:1], 1)
    assert found.doubt == "“the train” comes 5 times in a row"


def test_with_a_temperature_texts_are_sampled_and_that_can_be_repeated(audio, windows, heart):
    """Two workers that do the same in the same order sample the same."""
    from engine.stages.asr.faster_whisper import FasterWhisper

    def sampled(temperature: float) -> list[Decoded]:
        backend = FasterWhisper(Recipe(model="tiny.en", parallel=1, language="en"))
        return decode(backend, audio, windows[:2], 1, temperature=temperature)

    free = sampled(1.0)
    assert free == sampled(1.0)
    assert free != sampled(0.0)
    assert {segment.temperature for each in free for segment in each.segments} <= {1.0}
    careful = sampled(0.2)
    assert {segment.temperature for each in careful for segment in each.segments} == {0.2}
    said = " ".join(each for each, span in zip(heart.sentences, heart.spans, strict=True) if span.end <= windows[1].end)
    assert wer(said, text(*careful)) < 0.05
