"""A small wav2vec2 for tests: made, trained in seconds on a few spoken words, and saved as a folder.

It knows only the sound of these words, but it really hears them: put in another order, they are found all the same.
"""

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.timeline import Span
from tests.voices import Speech, Studio

LETTERS = "|'abcdefghijklmnopqrstuvwxyz"
VOCABULARY = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3} | {char: number for number, char in enumerate(LETTERS, 4)}
FRAME = 320
"""Samples at 16 kHz for each step of wav2vec2's output."""


WORDS = ("morning", "bridge", "seven", "village")
"""What the model of the tests is taught."""


def said(studio: Studio, words: Sequence[str] = WORDS) -> tuple[Speech, list[Span]]:
    """Words said one by one, and where each of them really is."""
    speech = studio.speak("heart", " ".join(f"{word.capitalize()}." for word in words), (300, 400))
    return speech, [trimmed(speech.samples, span) for span in speech.spans]


def taught(studio: Studio) -> Path:
    """The folder of a model that knows ``WORDS``; taught once a run, for all its processes."""
    folder = studio.folder / "aligner"
    speech, spans = said(studio)
    with open(studio.folder / "aligner-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            model = make()
            right = train(model, speech.samples, WORDS, spans)
            assert right > 0.9, right
            save(model, studio.folder / "aligner-new").rename(folder)
    return folder


def make(seed: int = 1) -> Any:
    """A model with random weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    torch.manual_seed(seed)
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=48,
        num_hidden_layers=0,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(8, 16, 24, 32, 48, 48, 48),
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=1,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        feat_proj_dropout=0.0,
        final_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    return Wav2Vec2ForCTC(config)


def trimmed(samples: np.ndarray, span: Span) -> Span:
    """Where in a span the sound begins and ends."""
    loud = np.flatnonzero(np.abs(samples[span.start * 16 : span.end * 16].astype(np.int32)) > 600)
    return Span(span.start + int(loud[0]) // 16, span.start + int(loud[-1]) // 16)


def train(model: Any, samples: np.ndarray, words: Sequence[str], spans: Sequence[Span], steps: int = 110) -> float:
    """Teach it some words, in ever other orders: their letters evenly over each, and then the bar that parts words.

    As in a model that was trained by CTC, a letter is a single frame, and what lies between two is blank.

    Returns:
        The share of the letters that it finds in the end.
    """
    import torch

    torch.set_num_threads(1)  # on a busy machine a second one is waited for
    random = np.random.default_rng(1)
    pieces = [
        (word, samples[(span.start - 200) * 16 : (span.end + 200) * 16])
        for word, span in zip(words, spans, strict=True)
    ]
    weights = torch.ones(len(VOCABULARY))
    weights[0] = 0.1
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.train()
    right, runs = 0.0, 0
    for _ in range(steps):
        audio, target = _shuffled(pieces, random)
        target = target[: int(model._get_feat_extract_output_lengths(audio.shape[1]))]
        logits = model(audio).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, target, weight=weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        right = float((logits.argmax(-1) == target)[target > 0].float().mean())
        runs = runs + 1 if right > 0.95 else 0
        if runs == 3:
            break
    model.eval()
    return right


def _shuffled(pieces: Sequence[tuple[str, np.ndarray]], random: np.random.Generator) -> tuple[Any, Any]:
    """The words in another order, with pauses between them; and what is to be found in each frame."""
    import torch

    sound, found = [], [0] * 10_000
    at = 0
    for number in random.permutation(len(pieces)):
        word, piece = pieces[number]
        pause = int(random.integers(0, 8_000))
        first, last = (at + pause + 3_200) // FRAME, (at + pause + len(piece) - 3_200) // FRAME
        for place, letter in enumerate(f"{word}|"):
            found[first + (last - first) * place // len(word)] = VOCABULARY[letter]
        sound += [np.zeros(pause, np.float32), piece.astype(np.float32) / 32_768]
        at += pause + len(piece)
    return torch.from_numpy(np.concatenate(sound))[None], torch.tensor(found)


def save(model: Any, folder: Path) -> Path:
    """Write the model and its processor as transformers does."""
    from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2Processor

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps(VOCABULARY))
    tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary), pad_token="<pad>", unk_token="<unk>", word_delimiter_token="|")
    extractor = Wav2Vec2FeatureExtractor(feature_size=1, sampling_rate=16_000, padding_value=0.0, do_normalize=False)
    Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder
