"""Whisper by CTranslate2, through faster-whisper's building blocks.

What faster-whisper's own batched pipeline does for a whole file, this does for a batch of windows, with nothing
carried from one window to another: neither text nor word times depend on which windows share a batch.
"""

import threading
from collections.abc import Iterator
from typing import Any

import ctranslate2
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

from engine.messages import Decoded, Finding, Work
from engine.models import locate
from engine.recipe import Recipe
from engine.stages.audio import read_window
from engine.timeline import Span
from engine.transcript import Segment, Word

BEAM = 5
"""Width of the beam; what Whisper's authors and faster-whisper use."""
MAX_LENGTH = 448
"""Tokens of prompt and text together that Whisper's decoder has positions for."""
SILENT = (0.6, -1.0)
"""Whisper's own rule for a window that holds no speech: no-speech probability above, mean log probability below."""
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"

LONG_AGO = -30.0
"""When the last word before a window was, in seconds before it: a window begins after a pause, and its first word,
which the alignment stretches back to the window's very beginning, is to be shortened accordingly."""

Features = npt.NDArray[np.float32]


class FasterWhisper:
    """Decodes windows of up to 30 s; safe to call from as many threads as the recipe has parallel batches."""

    def __init__(self, recipe: Recipe) -> None:
        self._model = WhisperModel(
            locate(recipe.model, recipe.backend),
            device=recipe.device,
            compute_type=recipe.compute_type,
            cpu_threads=recipe.threads,
            num_workers=recipe.parallel,
        )
        # Two encoders at a time take twice the memory for no time: the others of the lanes decode meanwhile.
        self._encoding = threading.BoundedSemaphore(max(1, recipe.parallel // 2))
        self._on_cpu = self._model.model.device == "cpu"
        self._is_multilingual: bool = self._model.model.is_multilingual
        self._tokenizers: dict[tuple[str, str], Tokenizer] = {}

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Decode the windows as one batch."""
        features = [self._features(read_window(work.audio, span)) for span in work.spans]
        encoded = [self._encode(each) for each in features]
        tokenizers = [self._tokenizer(work.recipe, each) for each in encoded]
        results = self._generate(encoded, tokenizers, work.recipe)
        yield tuple(
            self._decoded(span, each, tokenizer, result)
            for span, each, tokenizer, result in zip(work.spans, encoded, tokenizers, results, strict=True)
        )

    def _encode(self, features: Features) -> ctranslate2.StorageView:
        with self._encoding:
            return self._model.encode(features)

    def _features(self, audio: npt.NDArray[np.float32]) -> Features:
        """The log-mel spectrogram, padded to 30 s: (mels, 3000)."""
        features: Features = pad_or_trim(self._model.feature_extractor(audio)[..., :-1])
        return features

    def _tokenizer(self, recipe: Recipe, encoded: ctranslate2.StorageView) -> Tokenizer:
        language = recipe.language or "en"
        if not self._is_multilingual:
            language = "en"
        elif recipe.language is None:
            # Window by window, so that no window's text hangs on another's.
            language = self._model.model.detect_language(encoded)[0][0][0].strip("<|>")
        key = (language, recipe.task)
        if key not in self._tokenizers:
            self._tokenizers[key] = Tokenizer(
                self._model.hf_tokenizer, self._is_multilingual, task=recipe.task, language=language
            )
        return self._tokenizers[key]

    def _generate(
        self, encoded: list[ctranslate2.StorageView], tokenizers: list[Tokenizer], recipe: Recipe
    ) -> list[Any]:
        hotwords = ", ".join(recipe.terms) or None
        prompts = [
            self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hotwords)
            for tokenizer in tokenizers
        ]
        results: list[Any] = self._model.model.generate(
            self._join(encoded),
            prompts,
            beam_size=BEAM,
            max_length=MAX_LENGTH,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizers[0], [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        return results

    def _join(self, encoded: list[ctranslate2.StorageView]) -> ctranslate2.StorageView:
        """Windows encoded one by one, as a batch for the decoder.

        The encoder gains nothing from a batch on a processor, and its attention takes some 50 MB a window; the
        decoder gains much and takes little. So the batch begins behind the encoder.
        """
        if len(encoded) == 1:
            return encoded[0]
        arrays = [np.array(each if self._on_cpu else each.to_device(ctranslate2.Device.cpu)) for each in encoded]
        return ctranslate2.StorageView.from_array(np.concatenate(arrays))

    def _decoded(self, span: Span, encoded: ctranslate2.StorageView, tokenizer: Tokenizer, result: Any) -> Decoded:  # noqa: ANN401
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        avg_logprob = result.scores[0] * len(tokens) / (len(tokens) + 1)
        is_silent = result.no_speech_prob > SILENT[0] and avg_logprob < SILENT[1]
        if not text or is_silent:
            return Decoded(span=span)
        words = self._words(span, encoded, tokenizer, tokens)
        segment = Segment(
            start=words[0].start if words else span.start,
            end=words[-1].end if words else span.end,
            text=text,
            words=words,
            language=tokenizer.language_code,
            avg_logprob=float(avg_logprob),
            no_speech_prob=float(result.no_speech_prob),
            compression_ratio=float(get_compression_ratio(text)),
        )
        return Decoded(span=span, segments=(segment,))

    def _words(
        self, span: Span, encoded: ctranslate2.StorageView, tokenizer: Tokenizer, tokens: list[int]
    ) -> tuple[Word, ...]:
        """Each word with its time, by the decoder's cross-attention and dynamic time warping."""
        seconds = span.length / 1000
        segment: dict[str, Any] = {"seek": 0, "start": 0.0, "end": seconds, "tokens": tokens}
        frames = min(3000, -(-span.length // 10))
        self._model.add_word_timestamps([[segment]], tokenizer, encoded, frames, PREPENDED, APPENDED, LONG_AGO)
        return tuple(
            Word(
                text=word["word"],
                start=_place(word["start"], span),
                end=_place(word["end"], span),
                score=float(word["probability"]),
            )
            for word in segment["words"]
        )


def _place(seconds: float, span: Span) -> int:
    """A time within a window, as milliseconds on the timeline."""
    return min(span.end, span.start + max(0, round(float(seconds) * 1000)))
