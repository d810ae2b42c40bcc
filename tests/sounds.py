"""Sounds that nobody speaks in: silence, noises and music, made from a seed. All are mono at 16 kHz, about -1 to 1."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

RATE = 16_000
Sound = npt.NDArray[np.float64]
Maker = Callable[[float, np.random.Generator], Sound]

_VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""The first three formants of five vowels, in Hz (Peterson and Barney, 1952)."""


def level(sound: Sound, decibels: float) -> Sound:
    """The sound at so many decibels of full scale, as its root mean square."""
    loud = np.sqrt(np.mean(np.square(sound)))
    return sound * (10 ** (decibels / 20) / loud) if loud else sound


def pcm(sound: Sound) -> npt.NDArray[np.int16]:
    """Samples of 16 bit; what is too loud is clipped."""
    return np.clip(sound * 32_768, -32_768, 32_767).astype(np.int16)


def silence(seconds: float, random: np.random.Generator) -> Sound:
    return np.zeros(int(seconds * RATE))


def noise(slope: int) -> Maker:
    """Noise whose power falls with the frequency to the power of ``slope``: 0 white, 1 pink, 2 brown."""

    def make(seconds: float, random: np.random.Generator) -> Sound:
        count = int(seconds * RATE)
        frequencies = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20)
        spectrum = np.fft.rfft(random.standard_normal(count)) * frequencies ** (-slope / 2)
        return np.fft.irfft(spectrum, count)

    return make


def hum(seconds: float, random: np.random.Generator) -> Sound:
    """The mains, with its harmonics."""
    return _tone(50, int(seconds * RATE), 12) + 0.02 * random.standard_normal(int(seconds * RATE))


def clicks(seconds: float, random: np.random.Generator) -> Sound:
    sound = np.zeros(int(seconds * RATE))
    sound[random.integers(0, len(sound), int(seconds * 3))] = random.uniform(-1, 1, int(seconds * 3))
    return sound


def rain(seconds: float, random: np.random.Generator) -> Sound:
    """Drops over a hiss."""
    sound = 0.03 * random.standard_normal(int(seconds * RATE))
    time = np.arange(800) / RATE
    for at in random.integers(0, len(sound) - 800, int(seconds * 60)):
        drop = random.standard_normal(800) * np.exp(-time * random.uniform(100, 500))
        sound[at : at + 800] += drop * random.exponential(0.4)
    return sound


def chords(seconds: float, random: np.random.Generator) -> Sound:
    """Held chords that begin softly and die away."""

    def chord() -> Sound:
        root = random.choice([48, 53, 55, 45, 50])
        steps = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11))[random.integers(3)]
        notes = [_tone(_pitch(root + step), 40_000, 6) for step in steps]
        return np.sum(notes, axis=0) * _decay(40_000, attack=0.02, decay=1.5)

    return _laid_out(seconds, 2.0, chord)


def arpeggio(seconds: float, random: np.random.Generator) -> Sound:
    """Plucked notes, six a second."""

    def note() -> Sound:
        return _tone(_pitch(57 + random.choice([0, 3, 7, 12, 15])), RATE, 4) * _decay(RATE, attack=0.005, decay=0.3)

    return _laid_out(seconds, 1 / 6, note)


def drums(seconds: float, random: np.random.Generator) -> Sound:
    """A drum and a cymbal in turn."""
    time = np.arange(8_000) / RATE
    drum = np.sin(2 * np.pi * (50 * time + 4 * (1 - np.exp(-30 * time)))) * np.exp(-12 * time)
    return _laid_out(seconds, 0.55, lambda: drum) + np.roll(
        _laid_out(seconds, 0.55, lambda: 0.3 * random.standard_normal(8_000) * np.exp(-25 * time)), 4_400
    )


def singer(rate: float, lowest: int, highest: int, vibrato: float) -> Maker:
    """A synthetic voice that sings vowels: harmonics through formants.

    Args:
        rate: Notes a second.
        lowest: The lowest note, as MIDI counts them.
        highest: One above the highest.
        vibrato: By which share the pitch goes up and down.
    """

    def make(seconds: float, random: np.random.Generator) -> Sound:
        sung: list[Sound] = []
        while sum(map(len, sung)) < seconds * RATE:
            count = int(RATE * random.uniform(0.5, 1.5) / rate)
            time = np.arange(count) / RATE
            pitch = _pitch(random.integers(lowest, highest)) * (1 + vibrato * np.sin(2 * np.pi * 5.5 * time))
            source = _harmonics(2 * np.pi * np.cumsum(pitch) / RATE, 30)
            vowel = _VOWELS[random.integers(len(_VOWELS))]
            voice = sum(_resonance(source, *each) for each in zip(vowel, (80, 100, 140), (1, 0.6, 0.3), strict=True))
            edges = np.minimum(1, np.minimum(time / 0.06, (count / RATE - time) / 0.1))
            rest = int(RATE * random.uniform(0.1, 0.6)) if random.random() < 0.3 else 0
            sung += [level(voice, -20) * edges, np.zeros(rest)]
        return np.concatenate(sung)[: int(seconds * RATE)]

    return make


def band(seconds: float, random: np.random.Generator) -> Sound:
    """All the instruments, and somebody who sings to them."""
    parts = ((singer(1.2, 50, 70, 0.012), -20), (chords, -24), (drums, -26), (arpeggio, -28))
    return np.sum([level(make(seconds, random), loud) for make, loud in parts], axis=0)


def _laid_out(seconds: float, every: float, make: Callable[[], Sound]) -> Sound:
    """One sound after the other, each where its turn begins, over the end of those before."""
    mixed = np.zeros(int((seconds + 4) * RATE))
    for at in (np.arange(0, seconds, every) * RATE).astype(int):
        sound = make()
        mixed[at : at + len(sound)] += sound
    return mixed[: int(seconds * RATE)]


def _pitch(note: float) -> float:
    return 440.0 * 2 ** ((note - 69) / 12)


def _tone(pitch: float, count: int, harmonics: int) -> Sound:
    return _harmonics(2 * np.pi * pitch * np.arange(count) / RATE, min(harmonics, int(7_500 / pitch)))


def _harmonics(phase: Sound, count: int) -> Sound:
    return np.sum([np.sin(n * phase) / n for n in range(1, count + 1)], axis=0)


def _decay(count: int, attack: float, decay: float) -> Sound:
    time = np.arange(count) / RATE
    return np.minimum(1, time / attack) * np.exp(-time / decay)


def _resonance(sound: Sound, centre: float, width: float, gain: float) -> Sound:
    """One formant: a filter of two poles."""
    radius = np.exp(-np.pi * width / RATE)
    turn = np.exp(-1j * np.linspace(0, np.pi, len(sound) // 2 + 1))
    pole = radius * np.exp(2j * np.pi * centre / RATE)
    response = (1 - radius) / ((1 - pole * turn) * (1 - pole.conjugate() * turn))
    return gain * np.fft.irfft(np.fft.rfft(sound) * response, len(sound))
