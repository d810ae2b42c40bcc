"""Reading the decoded audio: headless 16 kHz mono int16, little-endian."""

import numpy as np
import numpy.typing as npt

from engine.stages.base import AudioLost, StageError
from engine.timeline import Span

RATE = 16_000
"""Samples a second; what Whisper and Silero were trained on."""
PER_MS = RATE // 1000
SAMPLE_BYTES = 2


def read_window(path: str, span: Span) -> npt.NDArray[np.float32]:
    """The samples of a span as floats in [-1, 1], shape (samples,).

    The slice is read, not mapped: mapped pages would count as this process's memory for as long as it lives.

    Raises:
        AudioLost: the file is gone, or ends before the span does.
        StageError: it cannot be read.
    """
    try:
        samples = np.fromfile(path, "<i2", count=span.length * PER_MS, offset=span.start * PER_MS * SAMPLE_BYTES)
    except FileNotFoundError as error:
        raise AudioLost(f"The decoded audio {path} is gone.") from error
    except OSError as error:
        raise StageError(f"The decoded audio {path} cannot be read: {error.strerror or error}.") from error
    # The last millisecond of a recording may not be whole.
    if samples.size <= (span.length - 1) * PER_MS:
        raise AudioLost(f"The decoded audio {path} ends before {span.end / 1000:.1f} s.")
    return samples.astype(np.float32) / np.float32(32768)
