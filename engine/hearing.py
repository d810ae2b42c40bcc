"""Listening: a speech detector run block by block, and all that windows are laid out from. Worker-side."""

import base64
import binascii
import zlib
from typing import Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from engine.downmix import Samples
from engine.planner import LEVEL_MS, LEVELS_PER_DECIBEL, LayoutState, WindowLayout
from engine.speech import Scale, Segmenter, SegmenterState
from engine.stages.audio import PER_MS
from engine.timeline import Span

BLOCK_MS = 8_000
"""Sound heard at once: whole frames of every detector, whole levels (800), and little memory (with Silero 60 s at once
took 430 MB)."""

_VERSION = 1
"""Of the checkpoint, and of the way windows are laid out: raise it when either changes."""


class Detector(Protocol):
    """A model that says how likely speech is; it may be used for several sounds in turn or from several threads."""

    name: str
    """What ``Recipe.vad`` calls it."""
    scale: Scale
    """How its probabilities are to be read."""

    def probabilities(self, block: Samples, before: Samples, memory: bytes, last: bool) -> tuple[list[float], bytes]:
        """How likely each further frame is speech, and the memory to hand in with the block that follows.

        A detector that looks ahead gives the frames it is sure of, and the rest with the last block.

        Args:
            block: int16 samples at 16 kHz, ``BLOCK_MS`` of them; the last block of all may be shorter.
            before: The block before it; empty at the beginning.
            memory: What came back with the block before; empty at the beginning.
            last: Whether the sound ends with this block.
        """
        ...


class _Checkpoint(msgspec.Struct, array_like=True):
    version: int
    at: int
    memory: bytes
    segmenter: SegmenterState
    layout: LayoutState
    detector: str = "silero"


class Listener:
    """Hears a sound block by block, from its beginning or from a checkpoint.

    Args:
        model: The speech detector.
        checkpoint: What ``checkpoint`` gave earlier; empty to begin. The last block of what was heard before then
            has to be handed to ``recall``.

    Raises:
        ValueError: this is no checkpoint, or it is from another version or another detector.
    """

    def __init__(self, model: Detector, checkpoint: str = "") -> None:
        self._model = model
        fresh = _Checkpoint(_VERSION, 0, b"", SegmenterState(), LayoutState(), model.name)
        state = _unpacked(checkpoint) if checkpoint else fresh
        if state.detector != model.name:
            raise ValueError(f"a checkpoint of {state.detector}")
        self.at = state.at
        """How far was heard, in milliseconds."""
        self._memory = state.memory
        self._before: Samples = np.zeros(0, np.int16)
        self._segmenter = Segmenter(state.segmenter, model.scale)
        self._layout = WindowLayout(state.layout)

    @property
    def closed(self) -> bool:
        """Whether the sound has been heard to its end."""
        return self._layout.closed

    @property
    def checkpoint(self) -> str:
        """The listener as it is now: text of one or two kB, from which another one goes on in the same way."""
        state = _Checkpoint(_VERSION, self.at, self._memory, self._segmenter.state, self._layout.state)
        state.detector = self._model.name
        return base64.b64encode(zlib.compress(msgspec.msgpack.encode(state), 9)).decode("ascii")

    def recall(self, block: Samples) -> None:
        """Have at hand a block that was heard before the checkpoint; only the last one counts."""
        self._before = block

    def hear(self, block: Samples, last: bool) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """Listen on; give the speech that was heard, and the windows that are final by now.

        Args:
            block: The samples that follow, ``BLOCK_MS`` of them; the last block may be shorter.
            last: Whether the sound ends with this block.
        """
        likely, self._memory = self._model.probabilities(block, self._before, self._memory, last)
        self._before = block
        self.at += -(-len(block) // PER_MS)
        speech = self._segmenter.feed(likely)
        if last:
            speech += self._segmenter.close(self.at)
        windows = self._layout.feed(speech, self._segmenter.until, _levels(block))
        if last:
            windows += self._layout.close(self.at)
        return tuple(speech), windows


def _levels(block: Samples) -> bytes:
    """The loudness of every ``LEVEL_MS``, as the window layout wants it."""
    size = LEVEL_MS * PER_MS
    padded = np.concatenate([block, np.zeros(-len(block) % size, np.int16)]).astype(np.float64).reshape(-1, size)
    power = np.maximum(np.mean(np.square(padded), axis=1), 1.0)
    levels: npt.NDArray[np.uint8] = np.rint(10 * LEVELS_PER_DECIBEL * np.log10(power)).astype(np.uint8)
    return levels.tobytes()


def _unpacked(checkpoint: str) -> _Checkpoint:
    try:
        packed = zlib.decompress(base64.b64decode(checkpoint.encode("ascii"), validate=True))
        state = msgspec.msgpack.decode(packed, type=_Checkpoint)
    except (UnicodeEncodeError, binascii.Error, zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"not a listener's checkpoint: {error}") from error
    if state.version != _VERSION:
        raise ValueError(f"a checkpoint of version {state.version}")
    return state
