"""Silero's speech detector, run block by block. Worker-side."""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.downmix import Samples
from engine.speech import FRAME_MS, Scale
from engine.stages.audio import PER_MS
from engine.stages.base import StageError

_FRAME = FRAME_MS * PER_MS
_CONTEXT = 64
"""Samples of the frame before that the model wants in front of each frame."""
_STATE = 128
"""Numbers in each of the model's two states, h and c."""


class Silero:
    """The model, which faster-whisper carries; it may be used for several sounds in turn or from several threads.

    Raises:
        StageError: the model is not there.
    """

    name = "silero"
    scale = Scale()

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

    def probabilities(self, block: Samples, before: Samples, memory: bytes, last: bool) -> tuple[list[float], bytes]:
        """How likely each frame of the block is speech, and the memory for the next one: see ``Detector``."""
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
