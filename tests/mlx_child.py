"""The MLX backend in a process of its own, as it has one in the product; what it does is named by functions here.

MLX aborts some processes that end while its threads do. And the BLAS that MLX brings along on Linux is slow: where
OpenBLAS is installed as a package, the child has it loaded in its place.
"""

import contextlib
import gc
import multiprocessing
import os
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from engine.messages import Finding, Work
from engine.recipe import Recipe


def blas(folder: Path) -> dict[str, str]:
    """The environment that has OpenBLAS loaded by a process that is started with it; empty where it is not installed.

    Args:
        folder: an empty one, for the name under which OpenBLAS looks for the Fortran library that MLX has.
    """
    root = Path(sysconfig.get_path("platlib"))
    library, beside = root / "cmeel.prefix" / "lib" / "libopenblas.so.0", root / "mlx_cpu.libs"
    fortran = sorted(beside.glob("libgfortran-*.so.5*"))
    if sys.platform != "linux" or not library.is_file() or not fortran:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "libgfortran.so.5"
    if not link.is_symlink():
        link.symlink_to(fortran[0])
    return {"LD_PRELOAD": str(library), "LD_LIBRARY_PATH": f"{folder}:{beside}"}


@contextlib.contextmanager
def child(folder: Path) -> Iterator[ProcessPoolExecutor]:
    """A process that ``submit`` has do the functions below."""
    environment = blas(folder)
    before = {name: os.environ.get(name) for name in environment}
    os.environ |= environment
    try:
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        pool.submit(os.getpid).result()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    with pool:
        yield pool


_backends: dict[tuple, Any] = {}


def backend(recipe: Recipe) -> Any:
    """The backend of a recipe, loaded once."""
    from engine.stages.asr.mlx import Mlx

    if recipe.model_key not in _backends:
        _backends.clear()
        gc.collect()
        _backends[recipe.model_key] = Mlx(recipe)
    return _backends[recipe.model_key]


def run(work: Work) -> list[Finding]:
    """What a stage finds."""
    return [each for batch in backend(work.recipe).run(work) for each in batch]


def takes(work: Work, asks: Sequence[Any]) -> list[Any]:
    """What the decoder writes over each span."""
    return backend(work.recipe).takes(work, asks)


def side_by_side(works: Sequence[Work]) -> list[list[Finding]]:
    """What a stage finds, all of it at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(works)) as lanes:
        return list(lanes.map(run, works))


def hear(work: Work) -> list[Any]:
    """The likelihood of each language for each span."""
    return backend(work.recipe).hear_languages(work, work.spans)


def count(recipe: Recipe, text: str) -> int:
    """How many tokens a text takes."""
    return backend(recipe).count_tokens(text)


def held(recipe: Recipe) -> int:
    """The bytes that MLX holds once a model is loaded, and nothing else."""
    import mlx.core as mx

    backend(recipe)
    return mx.get_active_memory()


def figures(folder: Path, compute_type: str) -> dict[str, tuple[list[int], str]]:
    """Shape and type of each weight of a model as it is loaded."""
    import mlx.core as mx
    from mlx.utils import tree_flatten

    from engine.stages.asr.mlx_model import load

    model = load(folder, compute_type, mx.float32)
    return {name: (list(each.shape), str(each.dtype)) for name, each in tree_flatten(model.parameters())}


def weights(folder: Path) -> dict[str, Any]:
    """The weights of a model in MLX's form, as numpy's."""
    import mlx.core as mx
    import numpy as np

    return {name: np.array(each) for name, each in mx.load(str(folder / "weights.safetensors")).items()}


def save(folder: Path, compute_type: str, to: Path) -> None:
    """Write a model as it is once loaded, as MLX's own converters write quantised ones."""
    import json

    import mlx.core as mx
    from mlx.utils import tree_flatten

    from engine.stages.asr.mlx_model import BITS, GROUP, load

    model = load(folder, compute_type, mx.float32)
    to.mkdir()
    mx.save_safetensors(str(to / "weights.safetensors"), dict(tree_flatten(model.parameters())))
    config = json.loads((folder / "config.json").read_text())
    quantization = {"group_size": GROUP, "bits": BITS[compute_type]}
    (to / "config.json").write_text(json.dumps(config | {"quantization": quantization}))
