"""Where the MLX backend spends its time: ``python mlx_profile.py FOLDER AUDIO`` prints a JSON object.

Wall seconds of one lane with one BLAS thread, in which the parts do not overlap: ``libraries`` and ``weights`` once,
the others over all windows of 30 s.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

from bench.mlx_baseline import samples

BATCH = 2


def main() -> None:
    """Do all a lane does, part by part."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("model", help="the model's folder")
    parser.add_argument("audio")
    asked = parser.parse_args()
    sound = samples(asked.audio)
    spent: dict[str, float] = {}
    at = time.monotonic()

    def lap(name: str) -> None:
        nonlocal at
        now = time.monotonic()
        spent[name] = spent.get(name, 0.0) + now - at
        at = now

    import mlx.core as mx

    from engine.stages.asr.mlx_decoding import Decoder
    from engine.stages.asr.mlx_model import load, part
    from engine.stages.asr.mlx_network import encode, lay_out
    from engine.stages.asr.mlx_words import place_words
    from engine.timeline import Span

    mx.disable_compile()
    audio, tokenizers = part("audio"), part("tokenizer")
    part("whisper")
    lap("libraries")
    model = load(Path(asked.model), "float32", mx.float32)
    decoder = Decoder(model)
    lap("weights")
    tokenizer = tokenizers.get_tokenizer(model.is_multilingual, num_languages=model.num_languages, language="en")
    windows = [sound[n : n + audio.N_SAMPLES] for n in range(0, len(sound) - audio.N_SAMPLES + 1, audio.N_SAMPLES)]
    for first in range(0, len(windows), BATCH):
        mels = [audio.log_mel_spectrogram(mx.array(each)) for each in windows[first : first + BATCH]]
        mx.eval(mels)
        lap("spectrogram")
        encoded = [encode(model, mel[None]) for mel in mels]
        mx.eval(encoded)
        lap("encoder")
        heard = lay_out(model, mx.concatenate(encoded))
        mx.eval(heard.layers)
        lap("decoder")
        prompts = [tokenizer.sot_sequence_including_notimestamps] * len(mels)
        texts = decoder.write(heard, prompts, 0.0, range(len(mels)))
        lap("decoder")
        spans = [Span(n * 30_000, n * 30_000 + 30_000) for n in range(len(mels))]
        place_words(
            model,
            heard,
            spans,
            [tokenizer] * len(mels),
            [text.tokens for text in texts],
            [text.logprobs for text in texts],
        )
        lap("word times")
    print(json.dumps({"windows": len(windows), "seconds": spent}))
    sys.stdout.flush()
    os._exit(0)  # MLX may abort a process that ends by itself


if __name__ == "__main__":
    main()
