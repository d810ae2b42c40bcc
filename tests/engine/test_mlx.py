"""The MLX backend on real speech, with the bundled model brought into its form; on Linux by MLX's processor build."""

import importlib.util
import itertools

import msgspec
import pytest

from engine.messages import Work
from engine.recipe import Recipe
from engine.stages.asr.whisper import Ask
from engine.stages.base import AudioLost, UnusableInput
from engine.terms import Term
from engine.timeline import Span
from tests import mlx_child
from tests.recordings import AUDIO, shared, sound
from tests.wer import wer

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(each) for each in ("mlx", "mlx_whisper")), reason="mlx-whisper is not installed"
)
RECIPE = Recipe(
    backend="mlx", model="tiny.en", compute_type="float32", batch=6, parallel=2, language="en", device="cpu"
)


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with mlx_child.child(tmp_path_factory.mktemp("blas")) as pool:
        yield lambda call, *given: pool.submit(call, *given).result()


@pytest.fixture(scope="module")
def windows(heart):
    """A sentence or two each, from the middle of one pause to the middle of another."""
    cuts = [(a.end + b.start) // 2 for a, b in itertools.pairwise(heart.spans)]
    return [Span(a, b) for a, b in itertools.pairwise([0, *cuts[:10:2], cuts[10]])]


def work(audio, *windows, recipe=RECIPE, **more):
    return Work(job=1, media="", audio=str(audio), recipe=recipe, spans=windows, **more)


def asks(windows, *terms):
    return [Ask(window, "en", terms) for window in windows]


def said(heart, *windows):
    spoken = zip(heart.sentences, heart.spans, strict=True)
    return " ".join(text for text, span in spoken if any(each.contains(span) for each in windows))


def test_the_words_and_their_times_are_right(child, audio, windows, heart):
    found = child(mlx_child.run, work(audio, *windows))
    assert [each.span for each in found] == windows
    assert wer(said(heart, *windows), " ".join(each.segments[0].text for each in found)) < 0.02
    for each in found:
        words = each.segments[0].words
        edges = [each.span.start, *(edge for word in words for edge in (word.start, word.end)), each.span.end]
        assert edges == sorted(edges)
        assert all(0 < word.score <= 1 for word in words)
        assert "".join(word.text for word in words).strip() == each.segments[0].text
        (first, *_) = (span for span in heart.spans if span.start >= each.span.start)
        assert abs(words[0].start - first.start) < 350
        assert -0.5 < each.segments[0].avg_logprob < 0
        assert each.segments[0].no_speech_prob < 0.4
        assert 0.7 < each.segments[0].compression_ratio < 2
        assert not each.doubt


def test_neither_words_nor_times_depend_on_the_batch(child, audio, windows):
    together = child(mlx_child.takes, work(audio), asks(windows))
    for size in (1, 2, 3):
        alone = []
        for at in range(0, len(windows), size):
            alone += child(mlx_child.takes, work(audio), asks(windows[at : at + size]))
        assert [each.segment.text for each in alone] == [each.segment.text for each in together]
        for one, other in zip(alone, together, strict=True):
            # Another batch may round a last bit another way: one position of the sound is 20 ms.
            pairs = zip(one.segment.words, other.segment.words, strict=True)
            assert all(abs(a.start - b.start) <= 20 and abs(a.end - b.end) <= 20 for a, b in pairs)
            assert one.segment.avg_logprob == pytest.approx(other.segment.avg_logprob, abs=1e-3)


def test_several_lanes_share_a_model(child, audio, windows):
    (together,) = child(mlx_child.side_by_side, [work(audio, *windows[:2])])
    halves = child(mlx_child.side_by_side, [work(audio, windows[0]), work(audio, windows[1])])
    texts = [each.segments[0].text for half in halves for each in half]
    assert texts == [each.segments[0].text for each in together]


def test_each_window_of_a_batch_has_a_prompt_of_its_own(child, audio, windows):
    """Prompts of other windows change nothing, however long they are; none is longer than the decoder takes."""
    many = tuple(f"Quendamoor number {number}" for number in range(90))
    (plain, told, flooded) = child(
        mlx_child.takes,
        work(audio),
        [Ask(windows[0], "en"), Ask(windows[1], "en", ("Mississippi",)), Ask(windows[2], "en", many)],
    )
    assert plain.segment.text == child(mlx_child.takes, work(audio), asks(windows[:1]))[0].segment.text
    assert told.segment.text == child(mlx_child.takes, work(audio), asks(windows[1:2], "Mississippi"))[0].segment.text
    assert flooded.segment.text == child(mlx_child.takes, work(audio), asks(windows[2:3], *many))[0].segment.text
    assert child(mlx_child.count, RECIPE, " ".join(many)) > 223


@shared
def test_a_name_that_is_told_is_written(child, tmp_path):
    samples = sound("hotwords.mp3")
    path = tmp_path / "hotwords.pcm"
    path.write_bytes(samples.tobytes())
    window = Span(0, len(samples) // 16)
    terms = (Term("ComfyUI"), Term("<|endoftext|>"))
    ((plain,), (told,)) = (child(mlx_child.run, work(path, window, terms=each)) for each in ((), terms))
    assert "ComfyUI" not in plain.segments[0].text
    assert told.segments[0].text.count("ComfyUI") == 2
    assert wer((AUDIO / "hotwords.txt").read_text(), told.segments[0].text) < 0.1


def test_what_looks_like_a_mark_of_the_model_is_text(child):
    assert child(mlx_child.count, RECIPE, "<|endoftext|>") > 3


def test_with_a_temperature_texts_are_sampled_and_that_can_be_repeated(child, audio, windows):
    """What is drawn for a window depends on nothing but that window."""
    free = msgspec.structs.replace(RECIPE, temperature=0.8)
    together = child(mlx_child.takes, work(audio, recipe=free), asks(windows[:2]))
    second = child(mlx_child.takes, work(audio, recipe=free), asks(windows[1:2]))[0]
    assert second.segment.text == together[1].segment.text
    assert {each.segment.temperature for each in together} == {0.8}
    assert [each.segment.avg_logprob for each in together] != [
        each.segment.avg_logprob for each in child(mlx_child.takes, work(audio), asks(windows[:2]))
    ]


def test_silence_says_nothing(child, tmp_path):
    path = tmp_path / "silence.pcm"
    path.write_bytes(bytes(32 * 10_000))
    (found,) = child(mlx_child.run, work(path, Span(0, 10_000)))
    assert not found.segments


def test_audio_that_is_gone_is_an_error_in_a_sentence(child, tmp_path):
    with pytest.raises(AudioLost, match="is gone"):
        child(mlx_child.run, work(tmp_path / "none.pcm", Span(0, 1_000)))


def test_an_english_model_says_that_it_knows_no_other(child, audio, windows):
    for more in ({"language": "de"}, {"task": "translate"}):
        with pytest.raises(UnusableInput, match="knows only English"):
            child(mlx_child.run, work(audio, windows[0], recipe=msgspec.structs.replace(RECIPE, **more)))


def test_fewer_bits_take_less_memory(child):
    """Weights of tiny.en: 37.8 million numbers, and a handful that stay as they are."""
    sizes = [
        child(mlx_child.held, msgspec.structs.replace(RECIPE, compute_type=each))
        for each in ("float32", "float16", "int8", "int4")
    ]
    assert sizes[0] > 140 * 2**20
    assert sizes[1] < sizes[0] * 0.52
    assert sizes[2] < sizes[0] * 0.33
    assert sizes[3] < sizes[0] * 0.21
