"""What the stages that use torch share: loading its libraries without a word, and the device they work on."""

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator

_LOUD = ("lightning", "lightning.pytorch", "pytorch_lightning", "speechbrain", "transformers", "whisperx", "nltk")
"""Loggers of libraries that tell of what the user can do nothing about."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Import and load libraries without their warnings, and without anything sent home."""
    os.environ.setdefault("PYANNOTE_METRICS_ENABLED", "0")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _LOUD:
            logging.getLogger(name).setLevel(logging.ERROR)
        yield


def torch_device(device: str) -> str:
    """What torch calls a recipe's device: ``cuda``, ``mps`` or ``cpu``, whichever of them it really has."""
    import torch

    kind, _, number = device.partition(":")
    if kind == "cuda" and torch.cuda.is_available():
        return f"cuda:{number}" if number else "cuda"
    if kind in ("mps", "metal", "gpu") and torch.backends.mps.is_available():
        return "mps"
    return "cpu"
