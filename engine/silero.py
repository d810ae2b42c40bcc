"""Listening: Silero's speech detector, run piece by piece, and all that windows are laid out from. Worker-side."""

import base64
import binascii
import importlib.util
import zlib
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.downmix import Samples
from engine.planner import LEVEL_MS, LEVELS_PER_DECIBEL, LayoutState, WindowLayout
from engine.speech import FRAME_MS, Segmenter, SegmenterState
from engine.stages.audio import PER_MS
from engine.stages.base import StageError
from engine.timeline import Span

BLOCK_MS = 8_000
"""Sound heard at once: whole frames (250), whole levels (800), and little memory (60 s at once took 430 MB)."""

_FRAME = FRAME_MS * PER_MS
_CONTEXT = 64
"""Samples of the frame before that the model wants in front of each frame."""
_STATE = 128
"""Numbers in each of the model's two states, h and c."""
_VERSION = 1
"""Of the checkpoint, and of the way windows are laid out: raise it when either changes."""


class _Checkpoint(msgspec.Struct, array_like=True):
    version: int
    at: int
    memory: bytes
    segmenter: SegmenterState
    layout: LayoutState


class Silero:
    """The model, which faster-whisper carries; it may be used for several sounds in turn or from several threads.

    Raises:
        StageError: the model is not there.
    """

    def __init__(self) -> None:
        package = importlib.util.find_spec("faster_whisper")
        folders = (package.submodule_search_locations or []) if package else []
        paths = [path for folder in folders for path in sorted(Path(folder, "assets").glob("silero_vad*.onnx"))]
        if not paths:
            raise StageError("The speech detector is missing; please install faster-whisper 1.2 or newer again.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(paths[-1]), options, providers=["CPUExecutionProvider"])

    def probabilities(self, block: Samples, memory: bytes) -> tuple[list[float], bytes]:
        """How likely each frame is speech, and the memory to hand in with the block that follows.

        Args:
            block: int16 samples at 16 kHz; whole frames, except in the last block of all.
            memory: What came back with the block before; empty at the beginning.
        """
        states, context = _recalled(memory)
        padded = np.concatenate([context, block, np.zeros(-len(block) % _FRAME, np.int16)])
        scaled = padded.astype(np.float32) / np.float32(32_768)
        frames = np.lib.stride_tricks.sliding_window_view(scaled, _CONTEXT + _FRAME)[::_FRAME]
        found, h, c = self._session.run(None, {"input": np.ascontiguousarray(frames), "h": states[0], "c": states[1]})
        kept = np.stack([h, c]).astype("<f4").tobytes() + padded[-_CONTEXT:].astype("<i2").tobytes()
        return found.reshape(-1).tolist(), kept


def _recalled(memory: bytes) -> tuple[npt.NDArray[np.float32], Samples]:
    if not memory:
        return np.zeros((2, 1, 1, _STATE), np.float32), np.zeros(_CONTEXT, np.int16)
    cut = 2 * _STATE * 4
    states = np.frombuffer(memory[:cut], "<f4").reshape(2, 1, 1, _STATE).astype(np.float32)
    return states, np.frombuffer(memory[cut:], "<i2").astype(np.int16)


class Listener:
    """Hears a sound block by block, from its beginning or from a checkpoint.

    Args:
        model: The speech detector.
        checkpoint: What ``checkpoint`` gave earlier; empty to begin.

    Raises:
        ValueError: this is no checkpoint, or it is from another version.
    """

    def __init__(self, model: Silero, checkpoint: str = "") -> None:
        self._model = model
        state = _unpacked(checkpoint) if checkpoint else _Checkpoint(_VERSION, 0, b"", SegmenterState(), LayoutState())
        self.at = state.at
        """How far was heard, in milliseconds."""
        self._memory = state.memory
        self._segmenter = Segmenter(state.segmenter)
        self._layout = WindowLayout(state.layout)

    @property
    def closed(self) -> bool:
        """Whether the sound has been heard to its end."""
        return self._layout.closed

    @property
    def checkpoint(self) -> str:
        """The listener as it is now: text of one or two kB, from which another one goes on in the same way."""
        state = _Checkpoint(_VERSION, self.at, self._memory, self._segmenter.state, self._layout.state)
        return base64.b64encode(zlib.compress(msgspec.msgpack.encode(state), 9)).decode("ascii")

    def hear(self, block: Samples, last: bool) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
        """Listen on; give the speech that was heard, and the windows that are final by now.

        Args:
            block: The samples that follow, ``BLOCK_MS`` of them; the last block may be shorter.
            last: Whether the sound ends with this block.
        """
        likely, self._memory = self._model.probabilities(block, self._memory)
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
