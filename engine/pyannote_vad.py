"""pyannote's speech detector, with the weights that whisperX carries, run block by block. Worker-side.

The model hears windows of 5 s, each half a second after the other, and a frame's probability is the mean of what the
windows around it say: the same figures as whisperX's own, which takes a whole file at once.
"""

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.downmix import Samples
from engine.speech import Scale
from engine.stages.audio import PER_MS, RATE
from engine.stages.base import UnusableInput
from engine.stages.torches import quietly, torch_device

FRAME_MS = 16
"""One probability for every so many milliseconds: the nearest of the model's frames, which are 16.875 ms apart."""
SPEECH_BEGINS = 0.5
"""whisperX's ``vad_onset``."""
SPEECH_ENDS = 0.363
"""whisperX's ``vad_offset``."""

_WINDOW = 5 * RATE
_STEP = RATE // 2
"""Samples from one window to the next: a tenth of a window, pyannote's default."""
_FRAMES = 293
"""Frames the model gives for a window."""
_HOP = 270
"""Samples from one of the model's frames to the next."""
_MIDDLE = 495.5
"""Samples from the beginning of a frame to its middle: half of the 991 that it is made from."""
_BIN = FRAME_MS * PER_MS
_BATCH = 4
"""Windows heard together; more are slower on a processor, and take more memory."""
_WEIGHTS = np.hamming(_FRAMES)
"""What a window's frames count in the mean: pyannote's own weights."""

Floats = npt.NDArray[np.float64]


class Pyannote:
    """The segmentation model; it may be used for several sounds in turn or from several threads.

    Args:
        device: The recipe's device.

    Raises:
        UnusableInput: pyannote.audio or whisperX is not installed.
    """

    name = "pyannote"
    scale = Scale(FRAME_MS, SPEECH_BEGINS, SPEECH_ENDS)

    def __init__(self, device: str = "cpu") -> None:
        package = importlib.util.find_spec("whisperx")
        folders = (package.submodule_search_locations or []) if package else []
        paths = [path for folder in folders if (path := Path(folder, "assets", "pytorch_model.bin")).is_file()]
        if not paths or importlib.util.find_spec("pyannote") is None:
            raise UnusableInput(
                "pyannote's speech detector is not installed; install scribetui[align], or set listen.vad to silero."
            )
        with quietly():
            import torch
            from pyannote.audio import Model

            self._torch: Any = torch
            self._device = torch_device(device)
            if self._device == "cpu":
                torch.set_num_threads(1)  # the model is small: a second thread makes it slower
            model: Any = Model.from_pretrained(str(paths[0]), map_location="cpu")
            self._model: Any = model.eval().to(self._device)

    def probabilities(self, block: Samples, before: Samples, memory: bytes, last: bool) -> tuple[list[float], bytes]:
        """How likely each further frame is speech, and the memory for the next block: see ``Detector``.

        Raises:
            ValueError: the block before is missing.
        """
        heard, sums = _recalled(memory)
        done = _complete(heard)
        total = heard + len(block)
        kept = heard - done * _STEP
        if len(before) < kept:
            raise ValueError("the block before is missing")
        samples = np.concatenate([before[len(before) - kept :], block])  # from the next window's beginning on
        count = _complete(total)
        is_cut = last and (count == 0 or (total - _WINDOW) % _STEP > 0)
        scores = self._scores(samples, count - done + is_cut)
        count += is_cut
        first, until = _first_frame(done), _first_frame(count)
        sums = np.concatenate([sums, np.zeros(_first_frame(max(count - 1, 0)) + _FRAMES - first - len(sums))])
        for n, score in enumerate(scores, done):
            at = _first_frame(n) - first
            sums[at : at + _FRAMES] += score * _WEIGHTS
        end = first + len(sums) if last else until
        means = sums[: end - first] / _weights(first, end, count)
        bins = np.arange(_bins(first, heard), -(-total // _BIN) if last else _bins(until, total))
        frames = np.clip(_nearest(bins), first, max(first, end - 1))
        return means[frames - first].tolist(), _kept(total, sums[until - first :])

    def _scores(self, samples: Samples, count: int) -> list[Floats]:
        """For each of the windows the likelihood that anyone speaks, frame by frame."""
        scores: list[Floats] = []
        padded = np.zeros(max(len(samples), (count - 1) * _STEP + _WINDOW), np.float32)
        padded[: len(samples)] = samples.astype(np.float32) / np.float32(32_768)
        for n in range(0, count, _BATCH):
            starts = range(n * _STEP, min(n + _BATCH, count) * _STEP, _STEP)
            batch = np.stack([padded[None, at : at + _WINDOW] for at in starts])
            with self._torch.inference_mode():
                found = self._model(self._torch.from_numpy(batch).to(self._device)).cpu().numpy()
            scores += list(found.max(axis=-1).astype(np.float64))
        return scores


def _complete(samples: int) -> int:
    """How many windows lie within so many samples."""
    return 0 if samples < _WINDOW else (samples - _WINDOW) // _STEP + 1


def _first_frame(window: int) -> int:
    """The first frame of a window, among all frames; those before it are final once the window before is done."""
    return round(window * _STEP / _HOP)


def _weights(first: int, end: int, count: int) -> Floats:
    """What the frames' sums are to be divided by: the weights of the windows that hold them."""
    weights = np.zeros(end - first)
    for n in range(max(0, first * _HOP // _STEP - _WINDOW // _STEP - 1), count):
        at = _first_frame(n)
        low, high = max(at, first), min(at + _FRAMES, end)
        if low < high:
            weights[low - first : high - first] += _WEIGHTS[low - at : high - at]
    return np.maximum(weights, 1e-12)


def _nearest(bins: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The frame whose middle is nearest to that of each of our frames."""
    nearest: npt.NDArray[np.int64] = np.rint((bins * _BIN + _BIN / 2 - _MIDDLE) / _HOP).astype(np.int64)
    return np.maximum(nearest, 0)


def _bins(until: int, samples: int) -> int:
    """How many of our frames are settled when so many of the model's are."""
    about = round((until * _HOP + _MIDDLE) / _BIN)
    bins = np.arange(max(0, about - _HOP // _BIN - 3), min(about + 3, -(-samples // _BIN)))
    return int(bins[0] + np.searchsorted(_nearest(bins), until)) if until and len(bins) else 0


def _recalled(memory: bytes) -> tuple[int, Floats]:
    if not memory:
        return 0, np.zeros(0)
    return struct.unpack("<q", memory[:8])[0], np.frombuffer(memory[8:], "<f4").astype(np.float64)


def _kept(heard: int, sums: Floats) -> bytes:
    return struct.pack("<q", heard) + sums.astype("<f4").tobytes()
