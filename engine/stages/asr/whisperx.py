"""Whisper as whisperX runs it: its spectrogram, its options and its batched decoding, for windows that are given.

Only what whisperX does not have is ours: the judging of its text, terms for each window, and times for its words, by
the decoder's cross-attention. (whisperX itself gives none without its alignment; the align stage does that.)
"""

import contextlib
import dataclasses
import importlib.util
import io
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from engine.messages import Work
from engine.recipe import Recipe
from engine.stages.asr.faster_whisper import FasterWhisper
from engine.stages.asr.whisper import Ask, Take
from engine.stages.audio import read_window
from engine.stages.base import UnusableInput
from engine.stages.torches import quietly
from engine.timeline import Span


class _Result(NamedTuple):
    """What whisperX wrote over a window, in the form of CTranslate2's own results."""

    sequences_ids: list[list[int]]
    scores: list[float]
    no_speech_prob: float


class WhisperX(FasterWhisper):
    """Decodes windows of up to 30 s by whisperX's pipeline; its text for a window is whisperX's own.

    A window whose text was rejected is decoded again at a temperature, for which whisperX has no way: that is done as
    in faster-whisper.

    Raises:
        UnusableInput: whisperX is not installed.
    """

    is_shareable = False
    """Its encoder takes a whole batch at once, and so one lane at a time: two in one process would gain nothing."""

    def __init__(self, recipe: Recipe) -> None:
        if importlib.util.find_spec("whisperx") is None:
            raise UnusableInput(
                "whisperX is not installed; install scribetui[align], or set transcribe.backend to faster-whisper."
            )
        super().__init__(recipe)

    def _loaded(self, kind: type[WhisperModel], recipe: Recipe) -> WhisperModel:
        with quietly(), contextlib.redirect_stdout(io.StringIO()):
            import torch
            from whisperx import asr
            from whisperx.vads import Vad

            torch.set_num_threads(recipe.threads)  # of the spectrogram, in each of the lanes
            encoded = self._encoded_last = threading.local()

            class Model(asr.WhisperModel):  # type: ignore[misc]
                """Keeps what it encoded last, for the times of the words."""

                def encode(self, features: Any) -> ctranslate2.StorageView:  # noqa: ANN401
                    encoded.view = super().encode(features)
                    return encoded.view

            model = super()._loaded(Model, recipe)
            self._pipeline: Any = asr.load_model(
                recipe.model, recipe.device, model=model, language="en", vad_model=Vad(0.5)
            )
        return model

    def takes(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What the decoder writes over each of the spans; those with one language and the same terms as one batch."""
        if work.recipe.temperature > 0:
            return super().takes(work, asks)
        found: dict[int, Take] = {}
        for key in dict.fromkeys((ask.language, ask.terms) for ask in asks):
            alike = [n for n, ask in enumerate(asks) if (ask.language, ask.terms) == key]
            found |= zip(alike, self._alike(work, [asks[n] for n in alike]), strict=True)
        return [found[n] for n in range(len(asks))]

    def _alike(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        tokenizer = self._tokenizer(asks[0].language, work.recipe.task)
        options = dataclasses.replace(self._pipeline.options, hotwords=", ".join(asks[0].terms) or None)
        sounds = [read_window(work.audio, ask.span) for ask in asks]
        features = [self._pipeline.preprocess({"inputs": sound})["inputs"].numpy() for sound in sounds]
        with self._encoding:
            written = self._model.generate_segment_batched(np.stack(features), tokenizer, options)
            encoded = self._windows()
        takes = []
        for ask, view, text, logprob in zip(asks, encoded, written["text"], written["avg_logprob"], strict=True):
            tokens = self._model.hf_tokenizer.encode(text, add_special_tokens=False).ids
            score = logprob * (len(tokens) + 1) / max(1, len(tokens))
            result = _Result([tokens], [score], self._no_speech(view, tokenizer))
            takes.append(self._take(ask.span, view, tokenizer, result, 0.0))
        return takes

    def _no_speech(self, encoded: ctranslate2.StorageView, tokenizer: Tokenizer) -> float:
        """How likely nobody speaks in a window: whisperX does not ask, but its text is judged by it. One step."""
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True)
        (result,) = self._model.model.generate(
            encoded, [prompt], beam_size=1, max_length=len(prompt) + 1, return_no_speech_prob=True
        )
        return float(result.no_speech_prob)

    def _windows(self) -> list[ctranslate2.StorageView]:
        """What the encoder made last in this thread, window by window."""
        batch = self._encoded_last.view
        del self._encoded_last.view
        array = np.array(batch if self._on_cpu else batch.to_device(ctranslate2.Device.cpu))
        return [ctranslate2.StorageView.from_array(np.ascontiguousarray(each[None])) for each in array]

    def _keep(self, work: Work, span: Span, encoded: ctranslate2.StorageView) -> None:
        """Nothing is kept: whisperX encodes what it decodes by itself."""
