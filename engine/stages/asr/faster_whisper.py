"""Whisper by CTranslate2, through faster-whisper's building blocks.

What faster-whisper's own batched pipeline does for a whole file, this does for a batch of windows, with nothing
carried from one window to another: neither text nor word times depend on which windows share a batch. What was
written is then held against the speech that was heard, and speech that got no words is decoded once more.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import ctranslate2
import msgspec
import numpy as np
import numpy.typing as npt
from faster_whisper import WhisperModel
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

from engine.messages import Decoded, Finding, Work
from engine.models import locate
from engine.quality import doubt, is_silence
from engine.recipe import Recipe
from engine.stages.asr.coverage import is_new, look, merged, of_words, unheard, without_strays
from engine.stages.audio import read_window
from engine.timeline import Span, Spans, intersect, subtract, union
from engine.transcript import Segment, Word

BEAM = 5
"""Width of the beam; what Whisper's authors and faster-whisper use."""
MAX_LENGTH = 448
"""Tokens of prompt and text together that Whisper's decoder has positions for."""
SAMPLES = 5
"""Texts drawn at a temperature above 0, of which the likeliest is taken: Whisper's ``best_of``."""
SEED = 1
"""Of the sampling, so that a run can be repeated as far as the library allows: each of its threads draws its own
numbers, so with several the order in which windows come counts."""
FLOOR = -1.25
"""The mean log probability that the second look at speech asks for: lower than the first, since this text replaces
none, and what it finds is not tried again."""
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"

LONG_AGO = -30.0
"""When the last word before a window was, in seconds before it: a window begins after a pause, and its first word,
which the alignment stretches back to the window's very beginning, is to be shortened accordingly."""

Features = npt.NDArray[np.float32]


class _Take(NamedTuple):
    """What the decoder wrote over a span, before anyone has judged it."""

    span: Span
    segment: Segment
    """Its text and figures; no words, if they were not to be aligned."""


class FasterWhisper:
    """Decodes windows of up to 30 s; safe to call from as many threads as the recipe has parallel batches."""

    def __init__(self, recipe: Recipe) -> None:
        ctranslate2.set_random_seed(SEED)
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
        """Decode the windows as one batch, then what speech in them got no words."""
        speech = [intersect(union(work.speech), (span,)) for span in work.spans]
        found = [_judged(take, each) for take, each in zip(self._takes(work, work.spans), speech, strict=True)]
        looks = [(n, each) for n, decoded in enumerate(found) for each in _looks(decoded)]
        for at in range(0, len(looks), len(work.spans)):
            batch = looks[at : at + len(work.spans)]
            for (n, _), take in zip(batch, self._takes(work, [each for _, each in batch]), strict=True):
                found[n] = _second(found[n], take, speech[n])
        yield tuple(found)

    def _takes(self, work: Work, spans: Sequence[Span]) -> list[_Take]:
        """What the decoder writes over each of the spans, decoded as one batch."""
        encoded = [self._encode(self._features(read_window(work.audio, span))) for span in spans]
        tokenizers = [self._tokenizer(work.recipe, each) for each in encoded]
        results = self._generate(encoded, tokenizers, work.recipe)
        return [
            self._take(*each, work.recipe.temperature) for each in zip(spans, encoded, tokenizers, results, strict=True)
        ]

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
            suppress_tokens=get_suppressed_tokens(tokenizers[0], [-1]),
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
    ) -> _Take:
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
        return _Take(span, segment)

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


def _judged(take: _Take, speech: Spans) -> Decoded:
    """A window by what was written over it, without words that nobody can have said."""
    written = take.segment
    if written.text and is_silence(written, speech):
        return Decoded(span=take.span, unheard=unheard((), speech))
    segment = of_words(written, without_strays(written.words, speech))
    reason = doubt(segment, take.span, speech)
    if segment.text and len(segment.words) * 2 < len(written.words):
        reason = reason or "most of the words lie where nobody speaks"
    is_placed = bool(segment.words) or not segment.text
    return Decoded(
        span=take.span,
        segments=(segment,) if segment.text else (),
        doubt=reason,
        unheard=unheard(segment.words, speech) if is_placed else (),
    )


def _looks(decoded: Decoded) -> list[Span]:
    """What to decode once more for the speech of a window that got no words."""
    words = _words_of(decoded)
    looks = [look(missed, words, decoded.span) for missed in decoded.unheard]
    return [each for each in looks if is_new(each, decoded.span)]


def _second(decoded: Decoded, take: _Take, speech: Spans) -> Decoded:
    """A window with what a second look found, where that is plausible."""
    near = intersect(speech, (take.span,))
    segment = of_words(take.segment, without_strays(take.segment.words, near))
    if not segment.words or is_silence(segment, near) or doubt(segment, take.span, near, FLOOR):
        return decoded
    segments = merged(decoded.segments, segment)
    still = unheard(_words_of(msgspec.structs.replace(decoded, segments=segments)), speech)
    return msgspec.structs.replace(
        decoded,
        segments=segments,
        doubt=decoded.doubt if decoded.segments else "",
        unheard=still,
        recovered=union(decoded.recovered, subtract(intersect(decoded.unheard, (take.span,)), still)),
    )


def _words_of(decoded: Decoded) -> list[Word]:
    return [word for segment in decoded.segments for word in segment.words]


def _place(seconds: float, span: Span) -> int:
    """A time within a window, as milliseconds on the timeline."""
    return min(span.end, span.start + max(0, round(float(seconds) * 1000)))
