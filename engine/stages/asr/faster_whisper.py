"""Whisper by CTranslate2, through faster-whisper's building blocks.

What faster-whisper's own batched pipeline does for a whole file, this does for a batch of windows, with nothing
carried from one window to another.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import ctranslate2
import msgspec
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

from engine.messages import Work
from engine.models import locate
from engine.quality import is_silence
from engine.recipe import Recipe
from engine.stages.asr.whisper import SAMPLES, TRANSLATE, Ask, Recogniser, Take
from engine.stages.audio import read_window
from engine.stages.base import UnusableInput
from engine.timeline import Span
from engine.transcript import Segment, Word

BEAM = 5
"""Width of the beam; what Whisper's authors and faster-whisper use."""
MAX_LENGTH = 448
"""Tokens of prompt and text together that Whisper's decoder has positions for."""
SEED = 1
"""Of the sampling, so that a run can be repeated as far as the library allows: each of its threads draws its own
numbers, so with several the order in which windows come counts."""
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"

LONG_AGO = -30.0
"""When the last word before a window was, in seconds before it: a window begins after a pause, and its first word,
which the alignment stretches back to the window's very beginning, is to be shortened accordingly."""

KEPT = 12
"""Windows kept as the encoder gave them: they were heard for their language and wait to be decoded, or may be decoded
once more. At most 8 MB each (``large-v3``)."""

ANY_NUMBERS = ("auto", "default")
"""Compute types of which CTranslate2 makes what the device can do."""
FILES = ("config.json", "tokenizer.json", "vocabulary.*")
"""What a model's folder holds besides its weights. A tokenizer that is missing would be sought in the network."""
FLAWS = ("model.bin", "model binary", "variable", "vocabulary", "json")
"""What CTranslate2's errors name when it is the model's files that are to blame."""

Features = npt.NDArray[np.float32]


class _Translator(Tokenizer):  # type: ignore[misc]
    """Told the language that is spoken, as the prompt must, it would take English for written in that language's way:
    for Japanese, every token would be a word."""

    def split_to_word_tokens(self, tokens: list[int]) -> tuple[list[str], list[list[int]]]:
        """The words of an English text, each with its tokens."""
        words: tuple[list[str], list[list[int]]] = self.split_tokens_on_spaces(tokens)
        return words


class FasterWhisper(Recogniser):
    """Decodes windows of up to 30 s; safe to call from as many threads as the recipe has parallel batches."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        ctranslate2.set_random_seed(SEED)
        self._model = self._loaded(WhisperModel, recipe)
        # Two encoders at a time take twice the memory for no time: the others of the lanes decode meanwhile.
        self._encoding = threading.BoundedSemaphore(max(1, recipe.parallel // 2))
        self._on_cpu = self._model.model.device == "cpu"
        self._tokenizers: dict[tuple[str, str], Tokenizer] = {}
        self._kept: OrderedDict[tuple[str, Span], ctranslate2.StorageView] = OrderedDict()
        self._keeping = threading.Lock()

    def _loaded(self, kind: type[WhisperModel], recipe: Recipe) -> WhisperModel:
        """The recipe's model, as a class of faster-whisper's or one derived from it.

        Raises:
            UnusableInput: its files are damaged or incomplete, or the processor cannot compute with such numbers.
        """
        folder = locate(recipe.model, recipe.backend)
        numbers = recipe.compute_type
        if recipe.device == "cpu" and numbers not in (*ANY_NUMBERS, *ctranslate2.get_supported_compute_types("cpu")):
            raise UnusableInput(f'This processor cannot compute with "{numbers}"; set transcribe.compute_type to auto.')
        try:
            Path(folder, "config.json").stat()  # without it the model can be loaded, but nothing be decoded
            return kind(
                folder,
                device=recipe.device,
                compute_type=numbers,
                cpu_threads=recipe.threads,
                num_workers=recipe.parallel,
            )
        except Exception as error:
            if flaw := _flaw(Path(folder), error):
                raise UnusableInput(
                    f"The model in {folder} cannot be loaded ({flaw}); get it once more, or name another one."
                ) from error
            raise

    @property
    def is_multilingual(self) -> bool:
        """Whether the model knows any language but English."""
        return bool(self._model.model.is_multilingual)

    def takes(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What the decoder writes over each of the spans, decoded as one batch."""
        encoded = [self._encoded(work, ask.span) for ask in asks]
        for ask, each in zip(asks, encoded, strict=True):
            if work.terms and not ask.terms:  # it may be decoded once more, with terms
                self._keep(work, ask.span, each)
        tokenizers = [self._tokenizer(ask.language, work.recipe.task) for ask in asks]
        results = self._generate(encoded, tokenizers, asks, work.recipe)
        temperature = work.recipe.temperature
        return [
            self._take(ask.span, *each, temperature)
            for ask, each in zip(asks, zip(encoded, tokenizers, results, strict=True), strict=True)
        ]

    def hear_languages(self, work: Work, spans: Sequence[Span]) -> list[Mapping[str, float]]:
        """The likelihood of each language, 0 to 1, for each of the spans."""
        heard: list[Mapping[str, float]] = []
        # While a vote is held no lane decodes: there is memory for several encoders, and nothing else to do.
        gate = nullcontext() if work.recipe.language is None else None
        for span in spans:
            encoded = self._encoded(work, span, gate)
            self._keep(work, span, encoded)
            likely = self._model.model.detect_language(encoded)[0]
            heard.append({token.strip("<|>"): float(likelihood) for token, likelihood in likely})
        return heard

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's a text takes."""
        return len(self._model.hf_tokenizer.encode(text, add_special_tokens=False).ids)

    def _encoded(
        self, work: Work, span: Span, gate: AbstractContextManager[object] | None = None
    ) -> ctranslate2.StorageView:
        """What the encoder makes of a window, or made of it a moment ago; behind the gate, else the lanes' own."""
        with self._keeping:
            known = self._kept.pop((work.audio, span), None)
        if known is not None:
            return known
        features = self._features(read_window(work.audio, span))
        with gate or self._encoding:
            return self._model.encode(features)

    def _keep(self, work: Work, span: Span, encoded: ctranslate2.StorageView) -> None:
        with self._keeping:
            self._kept[work.audio, span] = encoded
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _features(self, audio: npt.NDArray[np.float32]) -> Features:
        """The log-mel spectrogram, padded to 30 s: (mels, 3000)."""
        features: Features = pad_or_trim(self._model.feature_extractor(audio)[..., :-1])
        return features

    def _tokenizer(self, language: str, task: str) -> Tokenizer:
        """The tokenizer for a language and a task.

        Raises:
            UnusableInput: the model does not know the language.
        """
        key = (language, task)
        if self.is_multilingual and self._model.hf_tokenizer.token_to_id(f"<|{language}|>") is None:
            raise UnusableInput(f'This speech model does not know the language "{language}"; choose another model.')
        if key not in self._tokenizers:
            kind = _Translator if task == TRANSLATE else Tokenizer
            self._tokenizers[key] = kind(self._model.hf_tokenizer, self.is_multilingual, task=task, language=language)
        return self._tokenizers[key]

    def _generate(
        self, encoded: list[ctranslate2.StorageView], tokenizers: list[Tokenizer], asks: Sequence[Ask], recipe: Recipe
    ) -> list[Any]:
        prompts = [
            self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=", ".join(ask.terms) or None)
            for tokenizer, ask in zip(tokenizers, asks, strict=True)
        ]
        results: list[Any] = [None] * len(asks)
        # CTranslate2 takes prompts of one length only: those with terms differ, and go by themselves.
        for length in dict.fromkeys(map(len, prompts)):
            alike = [n for n, prompt in enumerate(prompts) if len(prompt) == length]
            batch = self._decode([encoded[n] for n in alike], [prompts[n] for n in alike], tokenizers[0], recipe)
            for n, result in zip(alike, batch, strict=True):
                results[n] = result
        return results

    def _decode(
        self, encoded: list[ctranslate2.StorageView], prompts: list[list[int]], tokenizer: Tokenizer, recipe: Recipe
    ) -> list[Any]:
        sampling = {
            "beam_size": 1,
            "num_hypotheses": SAMPLES,
            "sampling_topk": 0,
            "sampling_temperature": recipe.temperature,
        }
        results: list[Any] = self._model.model.generate(
            self._join(encoded),
            prompts,
            max_length=MAX_LENGTH,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),  # the same in all languages
            return_scores=True,
            return_no_speech_prob=True,
            **(sampling if recipe.temperature > 0 else {"beam_size": BEAM}),
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

    def _take(
        self,
        span: Span,
        encoded: ctranslate2.StorageView,
        tokenizer: Tokenizer,
        result: Any,  # noqa: ANN401
        temperature: float,
    ) -> Take:
        tokens = result.sequences_ids[0]
        text = tokenizer.decode(tokens).strip()
        segment = Segment(
            start=span.start,
            end=span.end,
            text=text,
            language=tokenizer.language_code,
            avg_logprob=float(result.scores[0] * len(tokens) / (len(tokens) + 1)),
            no_speech_prob=float(result.no_speech_prob),
            compression_ratio=float(get_compression_ratio(text)) if text else 1.0,
            temperature=temperature,
        )
        if not is_silence(segment):
            words = self._words(span, encoded, tokenizer, tokens)
            ends = (words[0].start, words[-1].end) if words else (span.start, span.end)
            segment = msgspec.structs.replace(segment, start=ends[0], end=ends[1], words=words)
        return Take(span, segment)

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


def _flaw(folder: Path, error: Exception) -> str:
    """What is amiss with a model's files, if that is why it could not be loaded; else nothing."""
    for name in FILES:
        if not any(folder.glob(name)):
            return f"it has no {name.removesuffix('.*')}"
    why = " ".join(str(error).split()).rstrip(".")
    # The library of tokenizers has no class of its own for its errors.
    is_flaw = type(error) is Exception or (
        isinstance(error, RuntimeError) and any(each in why.lower() for each in FLAWS)
    )
    return why if is_flaw else ""
