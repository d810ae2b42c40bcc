"""Silence, noise and music give no words; short and quiet speech in the midst of them keeps its own."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from engine.messages import Decoded, Heard, Work
from engine.recipe import Recipe
from engine.timeline import Span, intersect, union
from tests import sounds
from tests.e2e.program import Program
from tests.sounds import RATE, level, pcm
from tests.voices import write_wav
from tests.wer import wer

RECIPE = Recipe(model="tiny.en", language="en", batch=4, parallel=1)
MAKERS = {
    "silence": sounds.silence,
    "white noise": sounds.noise(0),
    "pink noise": sounds.noise(1),
    "brown noise": sounds.noise(2),
    "hum": sounds.hum,
    "clicks": sounds.clicks,
    "rain": sounds.rain,
    "chords": sounds.chords,
    "arpeggio": sounds.arpeggio,
    "drums": sounds.drums,
    "band": sounds.band,
}
SINGERS = {
    "slow": sounds.singer(1.2, 50, 70, 0.012),
    "low": sounds.singer(3, 40, 55, 0.03),
    "fast": sounds.singer(6, 45, 52, 0.05),
}
"""Voices made of vowels alone, which the speech detector mostly takes for speech."""
SHORT = "Yes. No. Okay. Stop! Hello. Thank you. Come here. Good morning. Never. Of course. I know. Wait. Listen to me."
AUDIO = Path(os.environ.get("SCRIBETUI_AUDIO", Path(__file__).parents[3] / "shared" / "audio"))


@pytest.fixture(scope="module")
def stages():
    from engine.stages.asr.faster_whisper import FasterWhisper
    from engine.stages.listen import Listen

    return Listen(RECIPE), FasterWhisper(RECIPE)


def transcribed(stages, sound, folder: Path) -> list[Decoded]:
    """What the two stages make of a sound, one after the other, as the engine calls them."""
    media, audio = folder / "sound.wav", folder / "sound.pcm"
    write_wav(str(media), pcm(sound), RATE)
    listen, transcribe = stages
    work = Work(job=1, media=str(media), audio=str(audio), recipe=RECIPE, spans=(Span(0, 0),))
    heard = [each for found in listen.run(work) for each in found if isinstance(each, Heard)]
    windows = [window for each in heard for window in each.windows]
    speech = union(*(each.speech for each in heard))
    found: list[Decoded] = []
    for at in range(0, len(windows), RECIPE.batch):
        spans = tuple(windows[at : at + RECIPE.batch])
        batch = Work(
            job=1, media=str(media), audio=str(audio), recipe=RECIPE, spans=spans, speech=intersect(speech, spans)
        )
        (decoded,) = transcribe.run(batch)
        found += decoded
    return found


def random(name: str, seed: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def test_noise_and_music_say_nothing(stages, tmp_path):
    """Each at three levels, ten seconds long, all in one recording."""
    parts = [level(make(10, random(name)), db) for name, make in MAKERS.items() for db in (-45, -25, -12)]
    assert [each for each in transcribed(stages, np.concatenate(parts), tmp_path) if each.segments] == []


@pytest.mark.parametrize("name", SINGERS)
def test_voices_without_words_say_nothing(stages, tmp_path, name):
    """Nor are they decoded again at a temperature, which would only make words up."""
    sung = [level(SINGERS[name](20, random(name, seed)), db) for seed in range(2) for db in (-35, -12)]
    found = transcribed(stages, np.concatenate(sung), tmp_path)
    assert [(each.segments, each.doubt) for each in found if each.segments or each.doubt] == []


def test_the_singers_do_reach_the_recogniser(stages, tmp_path):
    """So the tests above show something: the detector takes this for speech, and only the gate keeps it out."""
    found = transcribed(stages, level(SINGERS["fast"](20, random("fast")), -12), tmp_path)
    assert found
    assert sum(span.length for each in found for span in each.unheard) > 5_000


@pytest.mark.parametrize("background", ["silence", "pink noise", "chords"])
def test_short_words_come_through(stages, studio, tmp_path, background):
    """Words of a third of a second, at 10 dB over what lies behind them, and quiet ones."""
    spoken = studio.speak("joe", SHORT, (3_200, 3_400))
    speech = spoken.floats.astype(np.float64)
    loud = speech[np.abs(speech) > 0.01]
    behind = MAKERS[background](len(speech) / RATE, random(background))
    mixed = speech + level(behind, 20 * np.log10(np.sqrt(np.mean(np.square(loud)))) - 10)
    found = transcribed(stages, mixed * (0.03 if background == "silence" else 0.7), tmp_path)
    assert [each.doubt for each in found if each.doubt] == []
    assert wer(SHORT, " ".join(segment.text for each in found for segment in each.segments)) <= 0.06


def test_the_program_finds_no_words_in_a_minute_of_it(tmp_path):
    parts = [level(make(8, random(name)), -20) for name, make in {**MAKERS, **SINGERS}.items()]
    write_wav(str(tmp_path / "noise.wav"), pcm(np.concatenate(parts)), RATE)
    program = Program(tmp_path)
    try:
        done = program.run(tmp_path / "noise.wav")
    finally:
        program.end()
    assert done.status == 0, done.err
    data = json.loads((program.out / "noise.json").read_text())
    assert (data["segments"], data["gaps"]) == ([], [])
    assert (program.out / "noise.srt").read_text() == ""


@pytest.mark.parametrize("name", ["music.flac", "noise.flac", "silence-5s.wav"])
def test_real_music_and_noise_say_nothing(stages, tmp_path, name):
    from engine.media import Media

    if not (AUDIO / name).exists():
        pytest.skip(f"{name} is not in {AUDIO}")
    with Media(str(AUDIO / name)) as media:
        samples = np.concatenate(list(media.blocks(RATE))).astype(np.float64) / 32_768
    repeated = np.concatenate([np.roll(samples, at) * gain for at, gain in ((0, 1.0), (40_000, 0.1), (90_000, 3.0))])
    assert [each for each in transcribed(stages, repeated, tmp_path) if each.segments] == []
