"""When each word was said, by where the decoder looked as it wrote it: Whisper's own way, for a batch of windows.

The scores of the heads that follow the sound are brought to a path through tokens and time (dynamic time warping),
after "Robust Speech Recognition via Large-Scale Weak Supervision" and openai/whisper's ``timing.py``. mlx-whisper's
``timing`` encodes each window anew for it and compiles a loop by numba; here the windows are encoded already, and
numpy goes through the path row by row.
"""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from engine.stages.asr.mlx_model import Model
from engine.stages.asr.mlx_network import Sound, attention
from engine.timeline import Span
from engine.transcript import Word

POSITION_MS = 20
"""What each position of the encoded sound stands for."""
SMOOTHED = 7
"""Positions whose median counts: Whisper's ``medfilt_width``."""
PREPENDED = "\"'“¿([{-"
APPENDED = "\"'.。,，!！?？:：”)]}、"
SENTENCE_ENDS = ".。!！?？"
USUAL_MS = 700.0
"""The most that counts as the usual length of a word; a word at a pause may be twice as long as usual."""

Floats = npt.NDArray[np.float32]


@dataclass
class _Said:
    """A word on its way to its place; milliseconds from the window's beginning."""

    text: str
    start: float
    end: float
    score: float


def place_words(
    model: Model,
    sound: Sound,
    spans: Sequence[Span],
    tokenizers: Sequence[Any],
    tokens: Sequence[Sequence[int]],
    logprobs: Sequence[Sequence[float]],
) -> list[tuple[Word, ...]]:
    """The words of each window with their times, which never go back and lie within the window.

    Args:
        model: as loaded.
        sound: the windows, encoded.
        spans: where they are.
        tokenizers: one for each window, of its language.
        tokens: of each window's text.
        logprobs: of these tokens.
    """
    heads = [len(each.sot_sequence) for each in tokenizers]
    rows = [
        [*each.sot_sequence, each.no_timestamps, *text, each.eot] for each, text in zip(tokenizers, tokens, strict=True)
    ]
    size = max(map(len, rows))
    padded = [[*row, *[row[-1]] * (size - len(row))] for row in rows]
    scores = attention(model, sound, mx.array(padded))
    found = []
    for n, span in enumerate(spans):
        positions = max(1, min(scores.shape[-1], span.length // POSITION_MS))
        matrix = _focus(scores[n, :, : len(rows[n]), :positions])[heads[n] : -1]
        starts = path(-matrix) * float(POSITION_MS)
        said = _words(tokenizers[n], tokens[n], starts, np.exp(np.asarray(logprobs[n][: len(tokens[n])])))
        found.append(_placed(said, span))
    return found


def path(costs: Floats) -> npt.NDArray[np.int64]:
    """The column at which the cheapest path from corner to corner enters each row: dynamic time warping.

    Args:
        costs: (rows, columns); a path goes on by one row, one column, or both.
    """
    rows, columns = costs.shape
    sums = np.empty((rows, columns))
    sums[0] = np.cumsum(costs[0], dtype=np.float64)
    for row in range(1, rows):
        # To come from the left is to have entered the row further left: a running minimum, without a loop.
        entered = sums[row - 1].copy()
        np.minimum(entered[1:], sums[row - 1, :-1], out=entered[1:])
        along = np.cumsum(costs[row], dtype=np.float64)
        before = along - costs[row]
        sums[row] = along + np.minimum.accumulate(entered - before)
    starts = np.zeros(rows, np.int64)
    row, column = rows - 1, columns - 1
    while row > 0:
        above = sums[row - 1, column]
        diagonal = sums[row - 1, column - 1] if column else np.inf
        if column and sums[row, column - 1] < min(above, diagonal):
            column -= 1
            continue
        starts[row] = column
        row, column = row - 1, column - int(diagonal <= above)
    return starts


def _focus(scores: mx.array) -> Floats:
    """How much each token looks at each position, (tokens, positions), the heads' mean, without what all share."""
    weights = mx.softmax(scores.astype(mx.float32), axis=-1)
    mean = mx.mean(weights, axis=-2, keepdims=True)
    spread = mx.sqrt(mx.var(weights, axis=-2, keepdims=True))
    smooth = np.array((weights - mean) / mx.maximum(spread, 1e-9))
    if smooth.shape[-1] > SMOOTHED // 2:
        wide = np.pad(smooth, ((0, 0), (0, 0), (SMOOTHED // 2, SMOOTHED // 2)), mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(wide, SMOOTHED, axis=-1)
        smooth = np.partition(views, SMOOTHED // 2, axis=-1)[..., SMOOTHED // 2]
    focus: Floats = smooth.mean(axis=0)
    return focus


def _words(tokenizer: Any, tokens: Sequence[int], starts: Floats, scores: Floats) -> list[_Said]:  # noqa: ANN401
    """The tokens as words; each ends where the next begins."""
    # A translation is in English, whatever is spoken: it has spaces.
    split = tokenizer.split_tokens_on_spaces if tokenizer.task == "translate" else tokenizer.split_to_word_tokens
    texts, parts = split([*tokens, tokenizer.eot])
    said, at = [], 0
    for text, part in zip(texts[:-1], parts[:-1], strict=True):
        until = at + len(part)
        said.append(_Said(text, float(starts[at]), float(starts[until]), float(np.mean(scores[at:until]))))
        at = until
    return said


def _placed(said: list[_Said], span: Span) -> tuple[Word, ...]:
    """Words on the timeline: without the silence that the path gave to those at a pause, and with their punctuation."""
    lengths = [each.end - each.start for each in said if each.end > each.start]
    usual = min(USUAL_MS, statistics.median(lengths)) if lengths else 0.0
    longest = usual * 2
    for before, each in itertools.pairwise(said):
        if each.end - each.start > longest:
            if each.text in SENTENCE_ENDS:
                each.end = each.start + longest
            elif before.text in SENTENCE_ENDS:
                each.start = each.end - longest
    said = _joined(said)
    _shorten_first(said, longest)
    words: list[Word] = []
    for each in said:
        floor = words[-1].end if words else span.start
        start = min(span.end, max(floor, span.start + round(each.start)))
        end = min(span.end, max(start, span.start + round(each.end)))
        words.append(Word(each.text, start, end, min(1.0, each.score)))
    return tuple(words)


def _joined(said: list[_Said]) -> list[_Said]:
    """Marks belong to the word they stand at; a mark that opens something, to the one after it."""
    opened: list[_Said] = []
    for each in reversed(said):
        if opened and each.text.startswith(" ") and each.text.strip() and each.text.strip() in PREPENDED:
            opened[-1].text = each.text + opened[-1].text
        else:
            opened.append(each)
    joined: list[_Said] = []
    for each in reversed(opened):
        if joined and each.text and each.text in APPENDED and not joined[-1].text.endswith(" "):
            joined[-1].text += each.text
        else:
            joined.append(each)
    return joined


def _shorten_first(said: list[_Said], longest: float) -> None:
    """A window begins in a pause, which the path gives to its first word, or to the first two."""
    if not said:
        return
    first, second = said[0], said[1] if len(said) > 1 else None
    both = second is not None and second.end - first.start > longest * 2
    if second is not None and both and second.end - second.start > longest:
        first.end = second.start = max(second.end / 2, second.end - longest)
    if both or first.end - first.start > longest:
        first.start = max(first.start, first.end - longest)
