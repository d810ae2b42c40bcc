"""The recordings of the folder shared/audio, for tests that want real sound; they are passed over where it is not."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from tests.voices import RATE, Samples

AUDIO = Path(os.environ.get("SCRIBETUI_AUDIO") or Path(__file__).parents[2] / "shared" / "audio")
shared = pytest.mark.skipif(not AUDIO.is_dir(), reason="the folder shared/audio is not beside the checkout")


def sound(name: str) -> Samples:
    """A recording's first track, in mono at 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(AUDIO / name)) as media:
        frames = [part for frame in (*media.decode(audio=0), None) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])
