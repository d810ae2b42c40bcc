"""Decodes stretches of a recording as windows of their own, to see what they give with the cuts elsewhere.

A program of its own, since it loads the model: ``python -m bench.control MODEL AUDIO``, with a JSON list of
``[start, end]`` in milliseconds on standard input. Prints a JSON list of the text of each.
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from faster_whisper import decode_audio

from engine.messages import Decoded, Work
from engine.recipe import Recipe
from engine.stages.asr.faster_whisper import FasterWhisper
from engine.timeline import Span


def main(model: str, audio: str) -> None:
    """Decode each stretch with the product's own stage."""
    recipe = Recipe(model=model, language="en", batch=1, parallel=1)
    stage = FasterWhisper(recipe)
    texts = []
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        sound = Path(folder, "audio.pcm")
        sound.write_bytes((decode_audio(audio) * 32_767).round().astype("<i2").tobytes())
        length = sound.stat().st_size // 32
        for start, end in json.load(sys.stdin):
            span = Span(max(0, start), min(length, end))
            work = Work(job=1, media=audio, audio=str(sound), recipe=recipe, spans=(span,))
            found = [each for batch in stage.run(work) for each in batch if isinstance(each, Decoded)]
            texts.append(" ".join(segment.text for each in found for segment in each.segments))
    print(json.dumps(texts))


if __name__ == "__main__":
    np.seterr(all="ignore")
    main(*sys.argv[1:])
