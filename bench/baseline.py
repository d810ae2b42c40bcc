"""What scribetui is measured against: faster-whisper's own batched pipeline on one file, as its users would call it.

A program of its own: ``python baseline.py FOLDER AUDIO``. Each segment is printed as a JSON line as soon as it is
there. Threads, beam and everything else not named here are faster-whisper's defaults.
"""

import argparse
import json

from faster_whisper import BatchedInferencePipeline, WhisperModel


def main() -> None:
    """Transcribe the file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="the model's folder")
    parser.add_argument("audio")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--words", action="store_true", help="give each word its time")
    asked = parser.parse_args()
    pipeline = BatchedInferencePipeline(WhisperModel(asked.model, device="cpu", compute_type="int8"))
    segments, _ = pipeline.transcribe(asked.audio, batch_size=asked.batch, word_timestamps=asked.words)
    for each in segments:
        print(json.dumps({"start": each.start, "end": each.end, "text": each.text.strip()}), flush=True)


if __name__ == "__main__":
    main()
