"""From decoded frames of any kind to 16 kHz mono int16. Worker-side (PyAV)."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from engine.stages.audio import RATE

Samples = npt.NDArray[np.int16]
Kind = tuple[str, str, int]

_TOGETHER = 8192
"""Samples resampled in one go: frames of 20 ms one by one take twice the time."""
_CENTRE = {"FC": 0.5, "FL": 0.25, "FR": 0.25, "FLC": 0.25, "FRC": 0.25, "LFE": 0.0, "LFE2": 0.0}
_NO_CENTRE = {"FL": 0.5, "FR": 0.5, "LFE": 0.0, "LFE2": 0.0}
_BEHIND = 0.125
"""Shares of the channels in the mix: films have their speech in the centre, or as loud in both front channels where
there is no centre. FFmpeg's own matrix would turn the centre down by 11 dB."""


def kind(frame: AudioFrame) -> Kind:
    """What must stay the same for frames to be resampled as one sound: sample format, layout, rate."""
    return frame.format.name, frame.layout.name, frame.sample_rate


class Downmix:
    """Turns frames of one kind, that of the first one, into 16 kHz mono."""

    def __init__(self, first: AudioFrame) -> None:
        self.kind = kind(first)
        self._waiting = AudioFifo()
        channels = first.layout.nb_channels
        # Packed samples, since PyAV cannot read frames of many planes.
        self._weights = (
            _weights([channel.name for channel in first.layout.channels], channels) if channels > 2 else None
        )
        self._resampler = (
            AudioResampler("s16", "mono", RATE) if self._weights is None else AudioResampler("flt", first.layout, RATE)
        )

    def mix(self, frame: AudioFrame) -> Iterator[Samples]:
        """Take a frame in, and give the samples that are ready."""
        frame.pts = None  # the resampler is to count samples, not to fill holes by itself
        self._waiting.write(frame)
        if self._waiting.samples >= _TOGETHER:
            yield from self._resampled(self._waiting.read())

    def rest(self) -> Iterator[Samples]:
        """The samples still held back; nothing can be taken in after this."""
        if self._waiting.samples:
            yield from self._resampled(self._waiting.read())
        yield from self._resampled(None)

    def _resampled(self, frame: AudioFrame | None) -> Iterator[Samples]:
        for ready in self._resampler.resample(frame):
            if ready is None:
                continue
            found = ready.to_ndarray()
            if self._weights is None:
                yield found[0]
            else:
                mixed = np.rint(found.reshape(-1, len(self._weights)) @ self._weights * 32_768.0)
                yield np.clip(mixed, -32_768, 32_767).astype(np.int16)


def _weights(names: list[str], channels: int) -> npt.NDArray[np.float32]:
    """The share of each channel in the mix; the same for all where nothing is known of them."""
    if len(names) != channels or not {"FL", "FR"} <= set(names):
        return np.full(channels, 1 / channels, np.float32)
    shares = _CENTRE if "FC" in names else _NO_CENTRE
    return np.array([shares.get(name, _BEHIND) for name in names], np.float32)
