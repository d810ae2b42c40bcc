"""Whisper by MLX, for Apple silicon; on Linux the same code runs on the processor.

mlx-whisper decodes one window after the other; this decodes a batch of them at once, with nothing carried from one to
another. The spectrogram is made for one batch at a time, never for a file.
"""

import ctypes
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import msgspec
import numpy as np
import numpy.typing as npt

from engine.messages import Work
from engine.models import locate
from engine.quality import is_silence
from engine.recipe import Recipe
from engine.stages.asr.mlx_decoding import Decoder, Text
from engine.stages.asr.mlx_model import load, part
from engine.stages.asr.mlx_network import Sound, encode, lay_out
from engine.stages.asr.mlx_threads import Threads
from engine.stages.asr.mlx_words import place_words
from engine.stages.asr.whisper import PROMPT_BUDGET, Ask, Recogniser, Take
from engine.stages.audio import RATE, read_window
from engine.stages.base import UnusableInput
from engine.timeline import Span
from engine.transcript import Segment

SAMPLES = 30 * RATE
"""Of the longest window."""
HOP = 160
"""Samples from one frame of the spectrogram to the next."""
FRAMES = SAMPLES // HOP
"""What Whisper's encoder takes."""
FFT = 400
"""Samples that each frame of the spectrogram is made of."""
BLAS_THREADS = "openblas_set_num_threads"
"""What OpenBLAS calls it, where that is loaded in place of the slow one that MLX brings along on Linux."""


class Mlx(Recogniser):
    """Decodes windows of up to 30 s; safe to call from any thread.

    On a processor as many batches are decoded side by side as the recipe says, by threads that share the weights; on
    Metal one after the other, since a batch fills it.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        folder = Path(locate(recipe.model, recipe.backend))
        self._on_metal = mx.metal.is_available() and recipe.device != "cpu"
        self._threads = Threads(1) if self._on_metal else Threads(recipe.parallel, _use_processor)
        if not self._on_metal:
            _limit_blas(recipe.threads)
        # A processor computes with 16-bit floats far more slowly: it does so only where that is asked for.
        is_short = recipe.compute_type != "float32" if self._on_metal else recipe.compute_type == "float16"
        self._floats = mx.float16 if is_short else mx.float32
        self._model = self._threads.do(lambda: load(folder, recipe.compute_type, self._floats))
        self._decoder = self._threads.do(lambda: Decoder(self._model))
        self._audio = part("audio")
        self._threads.do(lambda: mx.eval(self._audio.mel_filters(self._model.dims.n_mels), self._audio.hanning(FFT)))
        self._kept: OrderedDict[bytes, mx.array] = OrderedDict()
        self._most_kept = recipe.batch * recipe.parallel
        self._keeping = threading.Lock()

    @property
    def is_multilingual(self) -> bool:
        """Whether the model knows any language but English."""
        return bool(self._model.is_multilingual)

    def takes(self, work: Work, asks: Sequence[Ask]) -> list[Take]:
        """What the decoder writes over each of the spans, decoded as one batch."""
        windows = [read_window(work.audio, ask.span) for ask in asks]
        tokenizers = [self._tokenizer(ask.language, work.recipe.task) for ask in asks]
        return self._threads.do(lambda: self._takes(windows, tokenizers, asks, work.recipe.temperature))

    def hear_languages(self, work: Work, spans: Sequence[Span]) -> list[Mapping[str, float]]:
        """The likelihood of each language, 0 to 1, for each of the spans."""
        heard: list[Mapping[str, float]] = []
        for at in range(0, len(spans), work.recipe.batch):
            windows = [read_window(work.audio, span) for span in spans[at : at + work.recipe.batch]]
            heard += self._threads.do(partial(self._languages_of, windows))
        return heard

    def count_tokens(self, text: str) -> int:
        """How many tokens of the model's a text takes."""
        return len(self._tokens(text))

    def _languages_of(self, windows: Sequence[npt.NDArray[np.float32]]) -> list[dict[str, float]]:
        return self._decoder.languages(self._hear(windows))

    def _takes(
        self,
        windows: Sequence[npt.NDArray[np.float32]],
        tokenizers: Sequence[Any],
        asks: Sequence[Ask],
        temperature: float,
    ) -> list[Take]:
        sound = self._hear(windows)
        prompts = [self._prompt(tokenizer, ask.terms) for tokenizer, ask in zip(tokenizers, asks, strict=True)]
        texts = self._decoder.write(sound, prompts, temperature, [ask.span.start for ask in asks])
        segments = [
            _segment(ask.span, tokenizer, ask.language, text, temperature)
            for ask, tokenizer, text in zip(asks, tokenizers, texts, strict=True)
        ]
        spoken = [n for n, segment in enumerate(segments) if not is_silence(segment)]
        if spoken:
            placed = place_words(
                self._model,
                sound if len(spoken) == len(asks) else sound.only(spoken),
                [asks[n].span for n in spoken],
                [tokenizers[n] for n in spoken],
                [texts[n].tokens for n in spoken],
                [texts[n].logprobs for n in spoken],
            )
            for n, words in zip(spoken, placed, strict=True):
                if words:
                    segments[n] = msgspec.structs.replace(
                        segments[n], start=words[0].start, end=words[-1].end, words=words
                    )
        return [Take(ask.span, segment) for ask, segment in zip(asks, segments, strict=True)]

    def _hear(self, windows: Sequence[npt.NDArray[np.float32]]) -> Sound:
        """The windows, encoded; what was encoded just before is not encoded again: for another prompt, or a vote."""
        names = [hashlib.blake2b(window.tobytes(), digest_size=16).digest() for window in windows]
        with self._keeping:
            known = {name: self._kept[name] for name in names if name in self._kept}
        new = {name: window for name, window in zip(names, windows, strict=True) if name not in known}
        # A processor gains nothing from encoding several at once, and the attention takes 50 MB and more for each.
        size = len(new) if self._on_metal else 1
        fresh = list(new.items())
        for at in range(0, len(fresh), size or 1):
            some = fresh[at : at + size]
            encoded = encode(self._model, mx.stack([self._mel(window) for _, window in some]))
            mx.eval(encoded)
            known |= {name: encoded[n : n + 1] for n, (name, _) in enumerate(some)}
        ordered = mx.concatenate([known[name] for name in names])
        sound = lay_out(self._model, ordered)
        mx.eval(sound.layers)
        with self._keeping:
            for name in names:
                mx.eval(known[name])
                self._kept[name] = known[name]
                self._kept.move_to_end(name)
            while len(self._kept) > self._most_kept:
                self._kept.popitem(last=False)
        return sound

    def _mel(self, window: npt.NDArray[np.float32]) -> mx.array:
        """The log-mel spectrogram of a window, filled up with zeros to 30 s: (frames, mels).

        Whisper's authors fill up the spectrogram rather than the sound, and so does faster-whisper, with which the
        figures are measured that tell text from noise.
        """
        sound = np.zeros(min(SAMPLES, max(FFT, -(-len(window) // HOP) * HOP)), np.float32)
        sound[: len(window)] = window[: len(sound)]
        mel = self._audio.log_mel_spectrogram(mx.array(sound), n_mels=self._model.dims.n_mels)
        return mx.pad(mel, [(0, FRAMES - mel.shape[0]), (0, 0)]).astype(self._floats)

    def _tokenizer(self, language: str, task: str) -> Any:  # noqa: ANN401 - an untyped class
        try:
            return part("tokenizer").get_tokenizer(
                self._model.is_multilingual, num_languages=self._model.num_languages, language=language, task=task
            )
        except ValueError as error:
            raise UnusableInput(f'The model does not know the language "{language}"; choose another model.') from error

    def _prompt(self, tokenizer: Any, terms: Sequence[str]) -> list[int]:  # noqa: ANN401
        """What a window's text begins with: the terms, as many as there is room for, then language and task."""
        count = len(terms)
        told: list[int] = []
        while count and len(told := self._tokens(" " + ", ".join(terms[:count]))) > PROMPT_BUDGET:
            count -= 1
        before = [tokenizer.sot_prev, *told] if count else []
        return [*before, *tokenizer.sot_sequence_including_notimestamps]

    def _tokens(self, text: str) -> list[int]:
        tokenizer = part("tokenizer").get_tokenizer(self.is_multilingual, num_languages=self._model.num_languages)
        # Whatever looks like one of the model's marks is text here.
        tokens: list[int] = tokenizer.encode(text, disallowed_special=())
        return tokens


def _segment(span: Span, tokenizer: Any, language: str, written: Text, temperature: float) -> Segment:  # noqa: ANN401
    text = tokenizer.decode(written.tokens).strip()
    return Segment(
        start=span.start,
        end=span.end,
        text=text,
        language=language,
        avg_logprob=written.avg_logprob,
        no_speech_prob=written.no_speech_prob,
        compression_ratio=float(part("decoding").compression_ratio(text)) if text else 1.0,
        temperature=temperature,
    )


def _use_processor() -> None:
    mx.set_default_device(mx.cpu)
    mx.disable_compile()  # it takes a compiler on the user's machine, and gains nothing on a processor


def _limit_blas(threads: int) -> None:
    """Let each call of the BLAS use so many threads, since there are as many callers as batches side by side."""
    call = getattr(ctypes.CDLL(None), BLAS_THREADS, None)
    if call is not None:
        call(ctypes.c_int(threads))
