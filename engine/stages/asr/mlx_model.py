"""Loading a Whisper model into MLX: from any folder in MLX's form, in the numbers that are asked for.

mlx-whisper gives the network, the tokenizer and the spectrogram. What its package loads on top as it is imported, for
its own way through a file (numba, scipy, the hub's client), takes two seconds and 150 MB, and is left out here.
"""

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from engine.stages.base import UnusableInput

PACKAGE = "mlx_whisper"
BITS = {"int8": 8, "int4": 4}
"""Compute types whose weights are quantised."""
GROUP = 64
"""Weights that share a scale; every Whisper's layers are a multiple of it wide, and MLX's own models have it."""
TYPES = {"float32": mx.float32, "float16": mx.float16}

Model = Any
"""``mlx_whisper.whisper.Whisper``, which has no types."""


def part(name: str) -> Any:  # noqa: ANN401 - an untyped module
    """A module of mlx-whisper, without what its package imports by itself.

    Raises:
        ImportError: mlx-whisper is not installed.
    """
    if PACKAGE not in sys.modules:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or spec.submodule_search_locations is None:
            raise ImportError(f"No module named {PACKAGE!r}", name=PACKAGE)
        package = types.ModuleType(PACKAGE)
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules[PACKAGE] = package
    return importlib.import_module(f"{PACKAGE}.{name}")


def load(folder: Path, compute_type: str, floats: mx.Dtype) -> Model:
    """The model in a folder, all of it in memory.

    Args:
        folder: with ``config.json``, and ``weights.safetensors`` or ``weights.npz``.
        compute_type: ``int8`` or ``int4`` for quantised weights; a model that comes with as few bits stays as it is.
        floats: the numbers of everything that is not quantised.

    Raises:
        UnusableInput: the folder holds no Whisper model that MLX can load; one clear sentence.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        quantised = config.get("quantization")
        dims_type = part("whisper").ModelDimensions
        dims = dims_type(**{name: config[name] for name in dims_type.__dataclass_fields__})
        weights: dict[str, mx.array] = dict(mx.load(str(_weights(folder))))
        model = part("whisper").Whisper(dims, floats)
        if quantised is not None:
            nn.quantize(model, **quantised, class_predicate=lambda path, _: f"{path}.scales" in weights)
        _fill(model, weights, floats)
    except KeyError as error:
        raise _unusable(folder, f"its config.json has no {error.args[0]}") from error
    except (OSError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise _unusable(folder, " ".join(str(error).split()) or type(error).__name__) from error
    weights.clear()  # else the larger numbers would live as long as the smaller ones made of them
    bits = BITS.get(compute_type)
    if bits is not None and (quantised is None or quantised["bits"] > bits):
        if quantised is not None:
            _as_floats(model, floats)
        nn.quantize(model, group_size=GROUP, bits=bits, class_predicate=_fits)
    # One after the other: together, the numbers read and those made of them would be in memory at once.
    for _, each in tree_flatten(model.parameters()):
        mx.eval(each)
    mx.eval(model.encoder._positional_embedding, model.decoder._mask)
    return model


def _weights(folder: Path) -> Path:
    for name in ("weights.safetensors", "weights.npz"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError("it has neither weights.safetensors nor weights.npz")


def _fill(model: Model, weights: dict[str, mx.array], floats: mx.Dtype) -> None:
    """Give the model its weights; more than it has a place for are left out, since some converters add some."""
    if (heads := weights.pop("alignment_heads", None)) is not None:
        model.alignment_heads = heads
    known: dict[str, mx.array] = {}
    for name, place in tree_flatten(model.parameters()):
        if name == "alignment_heads":
            continue
        found = weights.get(name)
        if found is None or found.shape != place.shape:
            what = "is missing" if found is None else f"is {list(found.shape)} instead of {list(place.shape)}"
            raise ValueError(f"{name} {what}")
        known[name] = found.astype(floats) if mx.issubdtype(found.dtype, mx.floating) else found
    model.update(tree_unflatten(list(known.items())))


def _fits(_path: str, module: nn.Module) -> bool:
    """Whether a layer can be quantised."""
    return isinstance(module, nn.Linear | nn.Embedding) and module.weight.shape[-1] % GROUP == 0


def _as_floats(model: Model, floats: mx.Dtype) -> None:
    """Undo a quantisation, so that another can follow."""
    for path, module in tree_flatten(model.leaf_modules(), is_leaf=nn.Module.is_module):
        if not isinstance(module, nn.QuantizedLinear | nn.QuantizedEmbedding):
            continue
        weight = mx.dequantize(module.weight, module.scales, module.biases, module.group_size, module.bits)
        rows, columns = weight.shape
        plain: nn.Module
        if isinstance(module, nn.QuantizedEmbedding):
            plain = nn.Embedding(rows, columns)
        else:
            plain = nn.Linear(columns, rows, bias="bias" in module)
            if "bias" in module:
                plain.bias = module.bias
        plain.weight = weight.astype(floats)
        model.update_modules(tree_unflatten([(path, plain)]))


def _unusable(folder: Path, why: str) -> UnusableInput:
    return UnusableInput(
        f"The model in {folder} cannot be loaded by MLX ({why.rstrip('.')}); get it once more, or name another one."
    )
