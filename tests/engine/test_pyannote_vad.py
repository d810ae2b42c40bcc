"""pyannote's speech detector, block by block: the figures of whisperX's own, wherever a run was resumed."""

from pathlib import Path

import numpy as np
import pytest

from engine.hearing import BLOCK_MS, Listener
from engine.messages import Heard, Work
from engine.recipe import Recipe
from engine.silero import Silero
from engine.stages.base import UnusableInput
from engine.stages.listen import Listen
from engine.timeline import Span, intersect, length, union
from tests.aligner import trimmed
from tests.media_files import Sound, silence, speech, write_media

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]
"""pyannote's libraries warn of one another (workers, where they belong, heed no warnings), and take long to load."""

SIZE = BLOCK_MS * 16
NONE = np.zeros(0, np.int16)


@pytest.fixture(scope="module")
def model():
    from engine.pyannote_vad import Pyannote

    return Pyannote()


def blocks(samples):
    for first in range(0, len(samples), SIZE):
        yield samples[first : first + SIZE], first + SIZE >= len(samples)


def likely(model, samples) -> np.ndarray:
    found, memory, before = [], b"", NONE
    for block, is_last in blocks(samples):
        some, memory = model.probabilities(block, before, memory, is_last)
        before = block
        found += some
    return np.array(found)


@pytest.mark.parametrize("seconds", [3, 8, 27.3, 41.77])
def test_the_figures_are_those_of_whisperx(model, heart, seconds):
    """Which hears the whole file at once; each of ours is that of the nearest of its frames."""
    import torch
    from whisperx.vads.pyannote import VoiceActivitySegmentation

    samples = heart.samples[: round(seconds * 16_000)]
    pipeline = VoiceActivitySegmentation(segmentation=model._model)
    pipeline.instantiate({"onset": 0.5, "offset": 0.363, "min_duration_on": 0.1, "min_duration_off": 0.1})
    whole = pipeline({"waveform": torch.from_numpy(samples.astype(np.float32) / 32_768)[None], "sample_rate": 16_000})
    middles = np.array([whole.sliding_window[n].middle for n in range(len(whole.data))])
    ours = likely(model, samples)
    assert len(ours) == -(-len(samples) // 256)
    inner = ours[: max(1, len(ours) - 6)]  # beyond its last frame whisperX has nothing
    nearest = np.abs(middles[:, None] - (np.arange(len(inner)) * 0.016 + 0.008)[None]).argmin(0)
    assert np.abs(whole.data[nearest, 0] - inner).max() < 1e-4


def test_speech_is_found_where_it_is(model, heart):
    """Nearly all of it, and little else; in silence nothing."""
    count = 60 * 16_000
    samples = np.concatenate([heart.samples[:count], np.zeros(20 * 16_000, np.int16)])
    listener, told = Listener(model), ()
    for block, is_last in blocks(samples):
        told += listener.hear(block, is_last)[0]
    found, truth = union(told), tuple(trimmed(heart.samples, each) for each in heart.spans if each.end <= 60_000)
    assert length(intersect(found, truth)) > 0.85 * length(truth)
    assert found[-1].end <= 61_000


def test_a_listener_goes_on_from_any_checkpoint(model, heart):
    samples = np.concatenate([heart.samples[: 45 * 16_000], np.zeros(4 * 16_000, np.int16), heart.samples[:300_077]])
    straight, broken = Listener(model), Listener(model)
    before = None
    for block, is_last in blocks(samples):
        broken = Listener(model, broken.checkpoint)
        if before is not None:
            broken.recall(before)
        assert broken.hear(block, is_last) == straight.hear(block, is_last)
        before = block
    assert broken.checkpoint == straight.checkpoint
    assert len(straight.checkpoint) < 6_000
    assert straight.closed


def test_one_detector_does_not_go_on_with_the_checkpoint_of_another(model):
    listener = Listener(model)
    listener.hear(np.zeros(SIZE, np.int16), False)
    with pytest.raises(ValueError, match="pyannote"):
        Listener(Silero(), listener.checkpoint)


@pytest.fixture(scope="module")
def talk(tmp_path_factory) -> Path:
    sound = np.concatenate([speech(70_000), silence(9_000), speech(40_000)])
    return write_media(tmp_path_factory.mktemp("media") / "talk.flac", Sound(sound))


def test_listening_stopped_anywhere_and_gone_on_with_gives_the_same(talk, tmp_path):
    recipe = Recipe(vad="pyannote")
    listen = Listen(recipe)

    def run(name, start=0, checkpoint="") -> list[Heard]:
        spans = (Span(start, start + 1),)
        path = str(tmp_path / name / "audio.pcm")
        work = Work(job=1, media=str(talk), audio=path, recipe=recipe, spans=spans, checkpoint=checkpoint)
        return [each for found in listen.run(work) for each in found if isinstance(each, Heard)]

    whole = run("whole")
    assert sum(len(each.windows) for each in whole) >= 3
    for number in (2, len(whole) - 2):
        stop = whole[number]
        rest = run(f"rest-{number}", stop.span.end, stop.checkpoint)
        assert [w for each in rest for w in each.windows] == [w for each in whole[number + 1 :] for w in each.windows]
        assert union(*(each.speech for each in rest)) == union(*(each.speech for each in whole[number + 1 :]))
        assert rest[-1].checkpoint == whole[-1].checkpoint
        audio = [(tmp_path / name / "audio.pcm").read_bytes() for name in ("whole", f"rest-{number}")]
        assert audio[0] == audio[1]


def test_what_is_not_installed_is_said_in_a_sentence(monkeypatch):
    import importlib.util

    from engine.pyannote_vad import Pyannote

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnusableInput, match=r"install scribetui\[align\], or set listen.vad to silero"):
        Pyannote()


def test_a_detector_nobody_knows_is_told_of():
    with pytest.raises(UnusableInput, match="no speech detector webrtc"):
        Listen(Recipe(vad="webrtc"))
