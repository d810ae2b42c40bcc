"""Writing with Whisper's decoder in MLX: a batch of windows at a time, each with a prompt and a language of its own.

The likeliest token is taken each time (MLX's library has no beam search); at a temperature, several texts are drawn,
and the likeliest of them is taken. What is drawn for a window depends on that window alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import mlx.core as mx

from engine.stages.asr.mlx_model import Model, part
from engine.stages.asr.mlx_network import Sound, Written, begin, go_on, logits
from engine.stages.asr.whisper import SAMPLES

SEED = 1
"""Of all sampling, so that a run can be repeated."""


@dataclass
class Text:
    """What the decoder wrote over a window."""

    no_speech_prob: float
    """How likely the model finds that nobody speaks."""
    tokens: list[int] = field(default_factory=list)
    """Without those that begin and end a text."""
    logprobs: list[float] = field(default_factory=list)
    """The log probability of each token, and of the end, if it came to one."""
    is_done: bool = False

    @property
    def avg_logprob(self) -> float:
        """The mean over all tokens and the end, as Whisper's authors have it."""
        return sum(self.logprobs) / (len(self.tokens) + 1)


class Decoder:
    """Writes texts with one model; an object holds no state of a text."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._tokenizer = part("tokenizer").get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
        end, size = self._tokenizer.eot, model.dims.n_vocab
        barred = mx.zeros(size)
        barred[end + 1 :] = -mx.inf  # a time, a language or another mark has no place within a text
        barred[mx.array(self._tokenizer.non_speech_tokens)] = -mx.inf
        blank = mx.zeros(size)
        blank[mx.array([*self._tokenizer.encode(" "), end])] = -mx.inf
        mx.eval(barred, blank)
        self._barred, self._blank = barred, blank

    def write(
        self, sound: Sound, prompts: Sequence[Sequence[int]], temperature: float, seeds: Sequence[int]
    ) -> list[Text]:
        """The text of each window.

        Args:
            sound: the windows.
            prompts: the tokens that each window's text begins with.
            temperature: how freely to draw; 0 for the likeliest token each time.
            seeds: what tells the windows apart when tokens are drawn; below 2**47.
        """
        each = SAMPLES if temperature > 0 else 1
        size = max(map(len, prompts))
        states, written = self._begin(sound, prompts, size)
        starts = [size - len(prompt) + prompt.index(self._tokenizer.sot) for prompt in prompts]
        chances = mx.softmax(logits(self._model, states[mx.arange(len(prompts)), mx.array(starts)]), axis=-1)
        silent = chances[:, self._tokenizer.no_speech]
        first = mx.repeat(logits(self._model, states[:, -1]) + self._blank, each, axis=0)
        if each > 1:
            written = written.only(mx.repeat(mx.arange(len(prompts)), each))
        mx.async_eval(first, silent)
        texts = [[Text(chance) for _ in range(each)] for chance in silent.tolist()]
        # As much as a prompt may be is kept free for it: so a text's end does not depend on its prompt.
        longest = min(self._model.dims.n_text_ctx // 2, self._model.dims.n_text_ctx - size)
        self._fill(texts, sound, written, first, temperature, seeds, longest)
        return [max(drawn, key=lambda text: text.avg_logprob) for drawn in texts]

    def languages(self, sound: Sound) -> list[dict[str, float]]:
        """How likely each language is, 0 to 1, for each of the windows."""
        rows = sound.layers[0][0].shape[0]
        states, _ = begin(self._model, sound, mx.full((rows, 1), self._tokenizer.sot, dtype=mx.int32), None)
        known = mx.array(self._tokenizer.all_language_tokens)
        chances = mx.softmax(logits(self._model, states[:, 0])[:, known], axis=-1).tolist()
        return [dict(zip(self._tokenizer.all_language_codes, each, strict=True)) for each in chances]

    def _begin(self, sound: Sound, prompts: Sequence[Sequence[int]], size: int) -> tuple[mx.array, Written]:
        pads = [size - len(prompt) for prompt in prompts]
        rows = [[self._tokenizer.eot] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)]
        return begin(self._model, sound, mx.array(rows), mx.array(pads) if any(pads) else None)

    def _fill(
        self,
        texts: Sequence[Sequence[Text]],
        sound: Sound,
        written: Written,
        following: mx.array,
        temperature: float,
        seeds: Sequence[int],
        longest: int,
    ) -> None:
        """Write all texts to their ends; each token is read while the next is already being computed."""
        open_, number = list(range(len(texts))), 0
        tokens, logprobs = self._choose(following, temperature, seeds, number)
        mx.async_eval(tokens, logprobs)
        while True:
            number += 1
            is_last = number == longest
            ahead = None if is_last else go_on(self._model, sound, written, tokens)
            if ahead is not None:
                states, written = ahead
                chosen = self._choose(logits(self._model, states), temperature, [seeds[n] for n in open_], number)
                mx.async_eval(*chosen)
            self._take(((text for n in open_ for text in texts[n])), tokens.tolist(), logprobs.tolist())
            left = [n for n in open_ if not all(text.is_done for text in texts[n])]
            if ahead is None or not left:
                return
            tokens, logprobs = chosen
            if len(left) * 2 <= len(open_):
                # Windows that are through cost as much as the others; but to part with them costs something, too.
                places = [open_.index(n) for n in left]
                each = len(texts[0])
                rows = mx.array([place * each + text for place in places for text in range(each)])
                sound, written = sound.only(places), written.only(rows)
                tokens, logprobs, open_ = tokens[rows], logprobs[rows], left

    def _take(self, texts: Iterator[Text], tokens: list[int], logprobs: list[float]) -> None:
        for text, token, logprob in zip(texts, tokens, logprobs, strict=True):
            if text.is_done:
                continue
            text.logprobs.append(logprob)
            text.is_done = token == self._tokenizer.eot
            if not text.is_done:
                text.tokens.append(token)

    def _choose(
        self, following: mx.array, temperature: float, seeds: Sequence[int], number: int
    ) -> tuple[mx.array, mx.array]:
        """The next token of each row, and its log probability."""
        following = following + self._barred
        if temperature > 0:
            parts = mx.split(following / temperature, len(seeds))
            drawn = [
                mx.random.categorical(each, key=mx.random.key((SEED << 56) + (seed << 9) + number))
                for each, seed in zip(parts, seeds, strict=True)
            ]
            tokens = mx.concatenate(drawn)
        else:
            tokens = mx.argmax(following, axis=-1)
        chosen = mx.take_along_axis(following, tokens[:, None], axis=-1)[:, 0]
        return tokens, chosen - mx.logsumexp(following, axis=-1)
