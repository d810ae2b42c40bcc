"""Whisper's network in MLX as it is gone through here: the library's layers, with attention that makes less.

mlx-whisper's own way through the decoder scales and transposes the whole encoded sound anew for every token, which
with several windows is most of the work; here keys and values of the sound are laid out once. Metal's fused attention
never holds the weights of 1500 x 1500 positions either. The numbers are the same but for rounding.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn

from engine.stages.asr.mlx_model import Model

Pair = tuple[mx.array, mx.array]
"""Keys and values of one layer, each (rows, heads, positions, width of a head)."""


class Sound(NamedTuple):
    """Encoded windows, as each layer of the decoder looks at them."""

    layers: tuple[Pair, ...]

    def only(self, windows: Sequence[int]) -> "Sound":
        """Some of the windows."""
        chosen = mx.array(windows)
        return Sound(tuple((keys[chosen], values[chosen]) for keys, values in self.layers))


class Written(NamedTuple):
    """What has been gone through in the decoder, a row a text."""

    layers: tuple[Pair, ...]
    pads: mx.array | None
    """Positions before each row's beginning, (rows,), where rows began at different places."""

    @property
    def length(self) -> int:
        """Positions."""
        return int(self.layers[0][0].shape[2])

    def only(self, rows: mx.array) -> "Written":
        """Some of the rows, or some more than once."""
        layers = tuple((keys[rows], values[rows]) for keys, values in self.layers)
        return Written(layers, None if self.pads is None else self.pads[rows])


def encode(model: Model, mels: mx.array) -> mx.array:
    """The encoder's output, (windows, positions, width), for log-mel spectrograms of (windows, frames, mels)."""
    encoder = model.encoder
    x = nn.gelu(encoder.conv2(nn.gelu(encoder.conv1(mels))))
    x = x + encoder._positional_embedding
    for block in encoder.blocks:
        queries, keys, values = _own(block, x)
        x = x + _attend(block.attn, queries, keys, values)
        x = _through(block, x)
    return encoder.ln_post(x)


def lay_out(model: Model, encoded: mx.array) -> Sound:
    """Encoded windows, (windows, positions, width), for the decoder."""
    return Sound(
        tuple(
            (
                mx.contiguous(_heads(block.cross_attn, block.cross_attn.key(encoded))),
                mx.contiguous(_heads(block.cross_attn, block.cross_attn.value(encoded))),
            )
            for block in model.decoder.blocks
        )
    )


def begin(model: Model, sound: Sound, tokens: mx.array, pads: mx.array | None) -> tuple[mx.array, Written]:
    """Go through what stands at the beginning of each window's text.

    Args:
        model: as loaded.
        sound: of as many windows as there are rows.
        tokens: (windows, positions); rows that are shorter than others are filled up on the left.
        pads: by how many each of them is, (windows,); None where none is.

    Returns:
        The decoder's states, (windows, positions, width), and what the next tokens need of them.
    """
    decoder = model.decoder
    size = tokens.shape[1]
    places = mx.arange(size)
    mask: mx.array | str = "causal"
    if pads is not None:
        seen = places[None, None, :] <= places[None, :, None]
        filled = places[None, None, :] < pads[:, None, None]
        # A position that was filled in looks at itself, since it has to look at something.
        alone = places[None, None, :] == places[None, :, None]
        mask = ((seen & ~filled) | alone)[:, None]
        places = mx.maximum(places[None] - pads[:, None], 0)
    x = decoder.token_embedding(tokens) + decoder.positional_embedding[places]
    layers = []
    for block, (keys, values) in zip(decoder.blocks, sound.layers, strict=True):
        queries, own_keys, own_values = _own(block, x)
        x = x + _attend(block.attn, queries, own_keys, own_values, mask)
        x = x + _cross(block, x, keys, values)
        x = _through(block, x)
        layers.append((own_keys, own_values))
    return x, Written(tuple(layers), pads)


def go_on(model: Model, sound: Sound, written: Written, tokens: mx.array) -> tuple[mx.array, Written]:
    """Go through one more token of each row.

    Args:
        model: as loaded.
        sound: of the windows; there may be several rows a window, next to each other.
        written: what stands before.
        tokens: (rows,).

    Returns:
        The decoder's states, (rows, width), and what the next tokens need of them.
    """
    decoder = model.decoder
    at, rows, windows = written.length, tokens.shape[0], sound.layers[0][0].shape[0]
    place, mask = mx.array(at), None
    if written.pads is not None:
        place = at - written.pads
        mask = (mx.arange(at + 1)[None] >= written.pads[:, None])[:, None, None]
    x = (decoder.token_embedding(tokens) + decoder.positional_embedding[place])[:, None]
    layers = []
    for block, before, (keys, values) in zip(decoder.blocks, written.layers, sound.layers, strict=True):
        queries, *now = _own(block, x)
        own_keys, own_values = (mx.concatenate(each, axis=2) for each in zip(before, now, strict=True))
        x = x + _attend(block.attn, queries, own_keys, own_values, mask)
        # The rows of a window ask as positions of one text would: so its sound is not repeated for each.
        asking = x.reshape(windows, rows // windows, -1)
        x = x + _cross(block, asking, keys, values).reshape(rows, 1, -1)
        x = _through(block, x)
        layers.append((own_keys, own_values))
    return x[:, 0], Written(tuple(layers), written.pads)


def logits(model: Model, states: mx.array) -> mx.array:
    """How likely each token is next, before normalising, as float32: (..., vocabulary)."""
    return model.decoder.token_embedding.as_linear(model.decoder.ln(states)).astype(mx.float32)


def attention(model: Model, sound: Sound, tokens: mx.array) -> mx.array:
    """How the words look at the sound: the scores of the model's alignment heads, (windows, heads, tokens, positions).

    Args:
        model: as loaded.
        sound: of as many windows as there are rows.
        tokens: whole texts, (windows, tokens), filled up on the right.
    """
    decoder = model.decoder
    wanted: dict[int, list[int]] = {}
    for layer, head in model.alignment_heads.tolist():
        wanted.setdefault(layer, []).append(head)
    x = decoder.token_embedding(tokens) + decoder.positional_embedding[: tokens.shape[1]]
    scores = []
    for number in range(max(wanted) + 1):
        block, (keys, values) = decoder.blocks[number], sound.layers[number]
        x = x + _attend(block.attn, *_own(block, x), "causal")
        if (heads := wanted.get(number)) is not None:
            chosen = mx.array(heads)
            queries = _heads(block.cross_attn, block.cross_attn.query(block.cross_attn_ln(x)))[:, chosen]
            scores.append(queries * _scale(queries) @ keys[:, chosen].swapaxes(-1, -2))
            mx.eval(scores[-1])  # so that no more than one layer's is in memory besides those asked for
        x = x + _cross(block, x, keys, values)
        x = _through(block, x)
    return mx.concatenate(scores, axis=1)


def _own(block: Any, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:  # noqa: ANN401 - an untyped layer
    """Queries, keys and values of a layer's attention to its own text or sound."""
    layer, x = block.attn, block.attn_ln(x)
    return _heads(layer, layer.query(x)), _heads(layer, layer.key(x)), _heads(layer, layer.value(x))


def _cross(block: Any, x: mx.array, keys: mx.array, values: mx.array) -> mx.array:  # noqa: ANN401
    layer = block.cross_attn
    return _attend(layer, _heads(layer, layer.query(block.cross_attn_ln(x))), keys, values)


def _through(block: Any, x: mx.array) -> mx.array:  # noqa: ANN401
    return x + block.mlp2(nn.gelu(block.mlp1(block.mlp_ln(x))))


def _heads(layer: Any, x: mx.array) -> mx.array:  # noqa: ANN401
    """(rows, positions, width) as (rows, heads, positions, width of a head)."""
    return x.reshape(*x.shape[:2], layer.n_head, -1).transpose(0, 2, 1, 3)


def _attend(
    layer: Any,  # noqa: ANN401
    queries: mx.array,
    keys: mx.array,
    values: mx.array,
    mask: mx.array | str | None = None,
) -> mx.array:
    found = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=_scale(queries), mask=mask)
    rows, _, positions, _ = found.shape
    return layer.out(found.transpose(0, 2, 1, 3).reshape(rows, positions, -1))


def _scale(queries: mx.array) -> float:
    return float(queries.shape[-1] ** -0.5)
