"""Making media files for tests with PyAV, and sound to put into them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

CODECS = {
    ".wav": "pcm_s16le",
    ".flac": "flac",
    ".mp3": "libmp3lame",
    ".m4a": "aac",
    ".mp4": "aac",
    ".ogg": "libopus",
    ".opus": "libopus",
    ".webm": "libopus",
    ".mkv": "libopus",
    ".ts": "aac",
}
"""The audio codec that each kind of file gets unless told otherwise."""


@dataclass(frozen=True)
class Sound:
    """One audio track: samples of shape (n,) or (channels, n), -1 to 1, and what its container says of it."""

    samples: Samples
    rate: int = 16_000
    layout: str = "mono"
    start_ms: int = 0
    language: str | None = None
    title: str | None = None
    default: bool | None = None
    comment: bool = False
    skip_ms: tuple[int, int] | None = None
    """A stretch that is left out, so that the timestamps have a hole."""
    stretch: float = 1.0
    """How much slower the timestamps run than the samples."""


@dataclass(frozen=True)
class Film:
    """A video track of grey pictures."""

    length_ms: int
    start_ms: int = 0
    codec: str = "mpeg4"
    rate: int = 10


def write_media(
    path: Path,
    *sounds: Sound,
    film: Film | None = None,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    bit_rate: int | None = None,
    quality: int | None = None,
) -> Path:
    """Encode the sounds (and the film) into a file whose kind the name's ending tells.

    With a ``quality`` (0 to 9, MP3) the bit rate varies.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        packets = [] if film is None else [*_filmed(container, film)]
        for sound in sounds:
            stream = _stream(container, sound, codec or CODECS[path.suffix.lower()])
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            if quality is not None:
                stream.codec_context.qscale = True
                stream.codec_context.global_quality = quality * 118  # FF_QP2LAMBDA
            packets += _encoded(stream, sound)
        container.start_encoding()
        packets.sort(key=lambda packet: float((packet.dts or 0) * packet.time_base))
        for packet in packets:
            container.mux(packet)
    return path


def _filmed(container: av.container.OutputContainer, film: Film) -> Iterator[av.Packet]:
    stream = container.add_stream(film.codec, rate=film.rate)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 128, np.uint8), format="rgb24")
    for n in range(max(1, film.length_ms * film.rate // 1000)):
        frame = picture.reformat(format="yuv420p")
        frame.time_base = Fraction(1, 1000)
        frame.pts = film.start_ms + n * 1000 // film.rate
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _stream(container: av.container.OutputContainer, sound: Sound, codec: str) -> av.AudioStream:
    stream = container.add_stream(codec, rate=sound.rate, layout=sound.layout)
    if sound.language is not None:
        stream.metadata["language"] = sound.language
    if sound.title is not None:
        stream.metadata["title"] = sound.title
    if sound.default is not None or sound.comment:
        flags = av.stream.Disposition(0)
        flags |= av.stream.Disposition.default if sound.default else flags
        flags |= av.stream.Disposition.comment if sound.comment else flags
        stream.disposition = flags
    return stream


def _encoded(stream: av.AudioStream, sound: Sound) -> Iterator[av.Packet]:
    samples = np.atleast_2d(sound.samples).astype(np.float32)
    size = stream.codec_context.frame_size or 1024
    for first in range(0, samples.shape[1], size):
        at_ms = first * 1000 // sound.rate
        if sound.skip_ms is not None and sound.skip_ms[0] <= at_ms < sound.skip_ms[1]:
            continue
        packed = np.ascontiguousarray(samples[:, first : first + size].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=sound.layout)
        frame.sample_rate = sound.rate
        frame.time_base = Fraction(1, sound.rate)
        frame.pts = round(first * sound.stretch) + sound.start_ms * sound.rate // 1000
        yield from stream.encode(frame)
    yield from stream.encode(None)


# ---- sound


def silence(ms: int, rate: int = 16_000) -> Samples:
    """Digital silence."""
    return np.zeros(ms * rate // 1000, np.float32)


def tone(ms: int, hertz: float = 440.0, rate: int = 16_000, loud: float = 0.3) -> Samples:
    """A sine, which no speech detector takes for a voice."""
    return (loud * np.sin(2 * np.pi * hertz * np.arange(ms * rate // 1000) / rate)).astype(np.float32)


SENTENCES = (
    "The old harbour was quiet in the morning, and the boats lay still.",
    "Nobody had told the captain that the letter would come so soon.",
    "She opened the window, looked at the hills and began to laugh.",
    "Seven bridges cross the river between the market and the mill.",
    "In winter the road to the village is closed for several weeks.",
    "He kept a small notebook in which he drew every bird he saw.",
)


@cache
def _voice() -> Callable[..., Samples]:
    from hibari import Hibari

    return Hibari()


@cache
def spoken(text: str) -> Samples:
    """The text spoken by hibari, 16 kHz mono; the same every time."""
    from hibari import SAMPLE_RATE

    return resampled(np.asarray(_voice()(text, seed=0), np.float32), SAMPLE_RATE, 16_000)


def speech(ms: int, pause_ms: int = 500) -> Samples:
    """Sentences with pauses between them, cut to a length; 16 kHz mono."""
    return _talk(ms, lambda said: np.concatenate([said, silence(pause_ms)]))


def breathless(ms: int, longest_ms: int = 50, floor: float = 0.012) -> Samples:
    """Speech whose every quiet stretch is shortened to what the closure of a consonant takes; 16 kHz mono."""
    return _talk(ms, lambda said: _squeezed(said, longest_ms // 10, floor))


def _talk(ms: int, treat: Callable[[Samples], Samples]) -> Samples:
    parts: list[Samples] = []
    while sum(map(len, parts)) < ms * 16:
        parts.append(treat(spoken(SENTENCES[len(parts) % len(SENTENCES)])))
    return np.concatenate(parts)[: ms * 16]


def _squeezed(said: Samples, longest: int, floor: float) -> Samples:
    frames = said[: len(said) // 160 * 160].reshape(-1, 160)
    kept: list[int] = []
    quiet: list[int] = []
    for n, loud in enumerate(np.sqrt((frames**2).mean(1)) >= floor):
        if not loud:
            quiet.append(n)
            continue
        if kept:  # a pause before the first sound goes altogether
            kept += quiet if len(quiet) <= longest else quiet[: longest // 2] + quiet[len(quiet) - longest // 2 :]
        kept.append(n)
        quiet = []
    return frames[kept].reshape(-1)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """Mono samples at another rate."""
    resampler = av.AudioResampler("fltp", "mono", wanted)
    frame = av.AudioFrame.from_ndarray(np.atleast_2d(samples).astype(np.float32), format="fltp", layout="mono")
    frame.sample_rate = rate
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([each.to_ndarray()[0] for each in frames])
