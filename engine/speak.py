"""Speaks a text into a WAV file: ``python -m engine.speak OUT.wav < TEXT``, run as a process of its own.

The same text gives the same file, sample by sample. Between two sentences there is a pause, as a reader makes one. What
was spoken when is printed as JSON lines: ``{"start": ms, "end": ms, "text": sentence}``.
"""

import json
import os
import random
import re
import sys
import wave
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PAUSE_MS = (400, 900)
"""The shortest and the longest pause between two sentences."""
SEED = 1


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line; paragraphs are divided by empty lines, and end a sentence."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]
    return [each for paragraph in paragraphs for each in re.split(r"(?<=[.!?])\s+", paragraph) if each]


def lay_out(
    takes: "Iterable[npt.NDArray[np.int16]]", rate: int, pause_ms: tuple[int, int] = PAUSE_MS
) -> "tuple[npt.NDArray[np.int16], list[tuple[int, int]]]":
    """Put spoken sentences behind one another, with a pause before each.

    Args:
        takes: the samples of each sentence.
        rate: samples a second.
        pause_ms: the shortest and the longest pause.

    Returns:
        All samples, and where each sentence starts and ends, in milliseconds.
    """
    import numpy as np

    lengths = random.Random(SEED)
    parts: list[npt.NDArray[np.int16]] = []
    spans: list[tuple[int, int]] = []
    place = 0
    for take in takes:
        pause = np.zeros(lengths.randint(*pause_ms) * rate // 1000, np.int16)
        start, end = place + len(pause), place + len(pause) + len(take)
        spans.append((start * 1000 // rate, -(-end * 1000 // rate)))
        parts += [pause, take]
        place = end
    parts.append(np.zeros(pause_ms[1] * rate // 1000, np.int16))
    return np.concatenate(parts), spans


def write_wav(path: str, samples: "npt.NDArray[np.int16]", rate: int) -> None:
    """Write mono 16-bit samples as a WAV file, whole or not at all."""
    temporary = f"{path}.partial"
    with wave.open(temporary, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    os.replace(temporary, path)


def main(path: str) -> None:
    """Speak what comes on standard input with hibari's voice "heart"."""
    import numpy as np
    from hibari import SAMPLE_RATE, Hibari

    voice = Hibari()
    spoken = sentences(sys.stdin.read())
    takes = ((np.clip(voice(sentence, seed=SEED), -1.0, 1.0) * 32_767).astype(np.int16) for sentence in spoken)
    samples, spans = lay_out(takes, SAMPLE_RATE)
    write_wav(path, samples, SAMPLE_RATE)
    for sentence, (start, end) in zip(spoken, spans, strict=True):
        print(json.dumps({"start": start, "end": end, "text": sentence}))


if __name__ == "__main__":
    main(sys.argv[1])
