"""What libraries hold on a graphics processor, and how they are kept small; for use inside a worker.

Nothing is imported here: a library counts only once the stage has loaded it.
"""

import ctypes
import functools
import os
import sys
from collections.abc import Callable, MutableMapping
from types import ModuleType

MLX_CACHE = 256 * 2**20
"""Bytes of freed buffers that MLX may keep on Metal. Its own default is its memory limit, which on a small machine is
all there is; a small cache was measured to be no slower (mlx issue 3129)."""
MLX_CACHE_ON_PROCESSOR = 32 * 2**20
"""The same where MLX computes on the processor: 256 MB made a worker 150 MB larger and no faster (tiny.en, 2 lanes)."""

SETTINGS = {
    "PYTORCH_MPS_HIGH_WATERMARK_RATIO": "0.6",
    "PYTORCH_MPS_LOW_WATERMARK_RATIO": "0.5",
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""What libraries read from the environment as they are loaded.

The watermarks are shares of what Metal recommends; torch's own (1.7 and 1.4) let a process take more than a small
machine has, and the low one must not exceed the high one. The fallback runs on the processor what Metal cannot;
pyannote and the hub's client send statistics home unless they are told not to; and the client's own way of fetching
large files, Xet, can be neither resumed nor watched.
"""

MPS_WATERMARKS = ("PYTORCH_MPS_HIGH_WATERMARK_RATIO", "PYTORCH_MPS_LOW_WATERMARK_RATIO")


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what libraries read from the environment, where the user has not; call it before a stage is imported."""
    settings = dict(SETTINGS)
    if any(name in environment for name in MPS_WATERMARKS):
        # One of them set against the other could be out of order, which torch refuses.
        settings = {name: value for name, value in settings.items() if name not in MPS_WATERMARKS}
    for name, value in settings.items():
        environment.setdefault(name, value)


def limit() -> None:
    """Bound what libraries keep in reserve; call it once the model is loaded."""
    if (mlx := _loaded("mlx.core")) is not None:
        metal = getattr(mlx, "metal", None)
        is_fast = metal is not None and _ask(metal, "is_available")
        _ask(mlx, "set_cache_limit", MLX_CACHE if is_fast else MLX_CACHE_ON_PROCESSOR)


def memory() -> int:
    """Bytes that libraries hold on devices, with what they keep in reserve; 0 where there is no such library.

    With unified memory (Metal) they are part of the process's own footprint, too.
    """
    held = 0
    if (mlx := _loaded("mlx.core")) is not None:
        held += _ask(mlx, "get_active_memory") + _ask(mlx, "get_cache_memory")
    if (mps := _mps()) is not None:
        held += _ask(mps, "driver_allocated_memory")
    if (cuda := _cuda()) is not None:
        held += sum(_ask(cuda, "memory_reserved", number) for number in range(_ask(cuda, "device_count")))
    return held


def peak() -> int:
    """The most bytes in use since this was asked last, without reserves; 0 where no library tells.

    Only MLX is asked: its memory is the process's own, and what it takes for a moment no look at the process may see.
    """
    mlx = _loaded("mlx.core")
    if mlx is None:
        return 0
    most = _ask(mlx, "get_peak_memory")
    _ask(mlx, "reset_peak_memory")
    return most


def tidy() -> None:
    """Give back what libraries keep in reserve; cheap when none is loaded."""
    if (mlx := _loaded("mlx.core")) is not None:
        _ask(mlx, "clear_cache")
    if (mps := _mps()) is not None:
        _ask(mps, "empty_cache")
    if (cuda := _cuda()) is not None:
        _ask(cuda, "empty_cache")


def trim() -> None:
    """Have the C library give freed memory back to the system; what is needed again costs page faults."""
    if (give_back := _malloc_trim()) is not None:
        give_back(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    """What gives freed memory back to the system, where the C library is glibc: it is told to keep it (``ALLOCATION``
    of the executor), so without this a lighter batch would not show."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return found


def _mps() -> ModuleType | None:
    """torch's Metal module, where there is Metal."""
    backend = _loaded("torch.backends.mps")
    return _loaded("torch.mps") if backend is not None and _ask(backend, "is_available") else None


def _cuda() -> ModuleType | None:
    """torch's CUDA module once it is in use: to ask it earlier would put it in use."""
    cuda = _loaded("torch.cuda")
    return cuda if cuda is not None and _ask(cuda, "is_initialized") else None


def _loaded(name: str) -> ModuleType | None:
    """A module that is loaded to its end; another thread may be about to."""
    module = sys.modules.get(name)
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def _ask(module: ModuleType, call: str, *arguments: int) -> int:
    """What a library answers, as a number; 0 where it answers nothing, knows no such call, or has a fault."""
    try:
        return int(getattr(module, call)(*arguments) or 0)
    except Exception:  # whatever it raises: a figure that cannot be had must not end the work
        return 0
