"""What the MLX backend is measured against: ``mlx_whisper.transcribe`` on one file, as its users would call it.

A program of its own: ``python mlx_baseline.py FOLDER AUDIO``. Each segment is printed as a JSON line. Sound is decoded
by PyAV, since mlx-whisper needs the ffmpeg program for it; everything not named here is mlx-whisper's default.
"""

import argparse
import json

import av
import mlx_whisper
import numpy as np


def samples(path: str) -> np.ndarray:
    """All of a recording, as floats: mono, 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    with av.open(path) as container:
        frames = [*container.decode(audio=0), None]
        parts = [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32) / 32_768


def main() -> None:
    """Transcribe the file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="the model's folder")
    parser.add_argument("audio")
    parser.add_argument("--words", action="store_true", help="give each word its time")
    asked = parser.parse_args()
    found = mlx_whisper.transcribe(
        samples(asked.audio), path_or_hf_repo=asked.model, fp16=False, language="en", word_timestamps=asked.words
    )
    for each in found["segments"]:
        print(json.dumps({"start": each["start"], "end": each["end"], "text": each["text"].strip()}))


if __name__ == "__main__":
    main()
