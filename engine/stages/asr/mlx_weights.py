"""A CTranslate2 Whisper model as an MLX one: the same weights, in the layout and with the names that mlx-whisper loads.

So a model that is on the machine serves both backends, without a hub: ``python -m engine.stages.asr.mlx_weights
SOURCE TARGET``. Worker-side.
"""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from engine.stages.base import UnusableInput

Array = npt.NDArray[Any]

TYPES: dict[int, npt.DTypeLike] = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2", 5: "<u2"}
"""CTranslate2's numbers of its types (``types.h``); 5 is bfloat16, of which numpy knows only the bits."""
BFLOAT16 = 5
HEAD = 64
"""Width of an attention head, in every Whisper model."""


class ConversionError(UnusableInput):
    """A model cannot be converted; one clear sentence for the user."""


def convert(source: Path, target: Path) -> None:
    """Write the MLX model of a CTranslate2 one.

    Args:
        source: a folder with ``model.bin`` and ``config.json``.
        target: the folder to make; it will hold ``weights.safetensors`` and ``config.json``.

    Raises:
        ConversionError: the source is no Whisper model, or one in numbers that cannot be read.
        OSError: it cannot be read, or the target cannot be written.
    """
    import mlx.core as mx  # only here: reading a model's names needs no MLX

    variables = read(source / "model.bin")
    try:
        weights = dict(_renamed(variables))
        dims = _dims(variables)
    except KeyError as error:
        raise ConversionError(f"{source}: is no Whisper model (it has no {error.args[0]}).") from error
    try:
        heads = json.loads((source / "config.json").read_text(encoding="utf-8")).get("alignment_heads")
    except (ValueError, AttributeError) as error:
        raise ConversionError(f"{source}: its config.json is broken.") from error
    if heads:
        weights["alignment_heads"] = np.asarray(heads, np.int32)
    target.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(target / "weights.safetensors"), {name: mx.array(each) for name, each in weights.items()})
    (target / "config.json").write_text(json.dumps(dims | {"model_type": "whisper"}, indent=1) + "\n")


def read(path: Path) -> dict[str, Array]:
    """The variables of a CTranslate2 model, by name; integers with scales as the floats they stand for.

    Raises:
        ConversionError: the file is none, or of a kind that is not known.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            (version,) = struct.unpack("<I", file.read(4))
            if not 5 <= version <= 6:
                raise ConversionError(f"{path}: is a CTranslate2 model of version {version}, which is not known here.")
            _name(file)
            _revision, count = struct.unpack("<II", file.read(8))
            found = dict(_variable(file) for _ in range(count))
            (aliases,) = struct.unpack("<I", file.read(4))
            for _ in range(aliases):
                alias, name = _name(file), _name(file)
                found[alias] = found[name]
        except (struct.error, KeyError, UnicodeDecodeError, ValueError) as error:
            raise ConversionError(f"{path}: is no CTranslate2 model, or was cut short.") from error
    return {name: _scaled(name, each, found) for name, each in found.items()}


def _name(file: BinaryIO) -> str:
    (length,) = struct.unpack("<H", file.read(2))
    return file.read(length)[:-1].decode()


def _variable(file: BinaryIO) -> tuple[str, Array]:
    name = _name(file)
    (rank,) = struct.unpack("<B", file.read(1))
    shape = struct.unpack(f"<{rank}I", file.read(4 * rank))
    kind, size = struct.unpack("<BI", file.read(5))
    if kind not in TYPES:
        raise ConversionError(f"{name}: holds numbers of the kind {kind}, which is not known here.")
    values = np.frombuffer(file.read(size), TYPES[kind]).reshape(shape)
    if kind == BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return name, values


def _scaled(name: str, values: Array, variables: dict[str, Array]) -> Array:
    scale = variables.get(f"{name}_scale")
    if scale is None or values.dtype.kind != "i":
        return values
    # One scale a row; the largest number of the row was brought to the type's limit.
    return values.astype(np.float32) / scale.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))


def _renamed(variables: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Each weight under the name and in the shape that mlx-whisper wants."""
    take = {name: np.asarray(each, np.float32) for name, each in variables.items()}
    for number in (1, 2):
        yield f"encoder.conv{number}.weight", take[f"encoder/conv{number}/weight"].transpose(0, 2, 1)
        yield f"encoder.conv{number}.bias", take[f"encoder/conv{number}/bias"]
    yield "decoder.token_embedding.weight", take["decoder/embeddings/weight"]
    yield "decoder.positional_embedding", take["decoder/position_encodings/encodings"]
    for side, last in (("encoder", "ln_post"), ("decoder", "ln")):
        yield from _norm(take, f"{side}/layer_norm", f"{side}.{last}")
        for layer in range(_layers(take, side)):
            old, new = f"{side}/layer_{layer}", f"{side}.blocks.{layer}"
            yield from _fused(take, f"{old}/self_attention", f"{new}.attn", ("query", "key", "value"))
            if side == "decoder":
                yield from _crossing(take, f"{old}/attention", f"{new}.cross_attn")
            yield from _norm(take, f"{old}/ffn/layer_norm", f"{new}.mlp_ln")
            yield from _linear(take, f"{old}/ffn/linear_0", f"{new}.mlp1")
            yield from _linear(take, f"{old}/ffn/linear_1", f"{new}.mlp2")


def _fused(take: dict[str, Array], old: str, new: str, names: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    """Self-attention: query, key and value are one matrix in CTranslate2."""
    yield from _norm(take, f"{old}/layer_norm", f"{new}_ln")
    yield from _split(take, f"{old}/linear_0", new, names)
    yield from _linear(take, f"{old}/linear_1", f"{new}.out")


def _crossing(take: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    """Cross-attention: key and value, of the encoder's output, are one matrix."""
    yield from _norm(take, f"{old}/layer_norm", f"{new}_ln")
    yield from _linear(take, f"{old}/linear_0", f"{new}.query")
    yield from _split(take, f"{old}/linear_1", new, ("key", "value"))
    yield from _linear(take, f"{old}/linear_2", f"{new}.out")


def _split(take: dict[str, Array], old: str, new: str, names: tuple[str, ...]) -> Iterator[tuple[str, Array]]:
    weights = np.split(take[f"{old}/weight"], len(names))
    biases = np.split(take[f"{old}/bias"], len(names))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        yield f"{new}.{name}.weight", weight
        if name != "key":  # Whisper's keys have no bias; CTranslate2 fills it in with zeros
            yield f"{new}.{name}.bias", bias


def _linear(take: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield f"{new}.weight", take[f"{old}/weight"]
    yield f"{new}.bias", take[f"{old}/bias"]


def _norm(take: dict[str, Array], old: str, new: str) -> Iterator[tuple[str, Array]]:
    yield f"{new}.weight", take[f"{old}/gamma"]
    yield f"{new}.bias", take[f"{old}/beta"]


def _layers(variables: dict[str, Array], side: str) -> int:
    return len(
        {
            name.split("/")[1]
            for name in variables
            if name.startswith(f"{side}/layer_") and "_norm" not in name.split("/")[1]
        }
    )


def _dims(variables: dict[str, Array]) -> dict[str, int]:
    """The sizes of the model, as OpenAI names them."""
    state, mels, _ = variables["encoder/conv1/weight"].shape
    vocabulary, text_state = variables["decoder/embeddings/weight"].shape
    return {
        "n_mels": mels,
        "n_audio_ctx": variables["encoder/position_encodings/encodings"].shape[0]
        if "encoder/position_encodings/encodings" in variables
        else 1500,
        "n_audio_state": state,
        "n_audio_head": state // HEAD,
        "n_audio_layer": _layers(variables, "encoder"),
        "n_vocab": vocabulary,
        "n_text_ctx": variables["decoder/position_encodings/encodings"].shape[0],
        "n_text_state": text_state,
        "n_text_head": text_state // HEAD,
        "n_text_layer": _layers(variables, "decoder"),
    }


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m engine.stages.asr.mlx_weights SOURCE TARGET")
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except (ConversionError, OSError) as error:
        raise SystemExit(str(error)) from None
