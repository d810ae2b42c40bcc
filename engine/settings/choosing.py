"""What "auto" means on this machine: which backend, which model, how many lanes; each with the reason."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from engine import hardware, models
from engine.memory import SOFT, Memory
from engine.models.catalog import is_english_only
from engine.recipe import Recipe
from engine.settings.file import SettingsError
from engine.settings.groups import Settings

SHARE = 0.6
"""The part of the machine's memory that the work may take by default."""
UNITS = {"MB": 1024**2, "GB": 1024**3}
RESERVE = 0.1
"""The part of the machine's memory that is left free when a model is chosen, so that nothing has to be swapped."""
MOST_LANES = 4
"""Batches side by side that "auto" takes at most: CTranslate2 gains little from more, and each takes memory."""

PACKAGES = {
    models.FASTER_WHISPER: (("faster_whisper",), "scribetui"),
    models.MLX: (("mlx", "mlx_whisper"), "scribetui[mlx]"),
    models.WHISPERX: (("whisperx",), "scribetui[align]"),
    "align": (("whisperx",), "scribetui[align]"),
    "pyannote": (("pyannote", "whisperx"), "scribetui[align]"),
}
"""For each backend, for alignment and for pyannote's speech detection: what has to be there, and what brings it."""

COMPUTES_WITH = {models.MLX: ("float32", "float16", "bfloat16", "int8", "int4")}
"""The compute types of backends that do not take all; none but mlx takes int4."""
RUNS_ON = {models.MLX: ("metal", "cpu")}
"""The devices of backends that do not run on ``cpu`` and ``cuda``."""


class Choice(NamedTuple):
    """What was chosen, and why, as half a sentence."""

    value: str
    why: str


def is_installed(name: str) -> bool:
    """Whether a backend, or ``align``, or ``pyannote``, can be used; one from elsewhere is taken at its word."""
    return all(find_spec(each) is not None for each in PACKAGES.get(name, ((), ""))[0])


def require_installed(name: str, setting: str) -> None:
    """Make sure that what a setting asks for is installed.

    Raises:
        SettingsError: it is not; the message says how to get it.
    """
    if not is_installed(name):
        extra = PACKAGES[name][1]
        raise SettingsError(f'{setting} asks for what is not installed; install it, as by: pip install "{extra}".')


def choose_backend(settings: Settings) -> Choice:
    """The library that runs the model.

    Raises:
        SettingsError: it is not installed.
    """
    asked = settings.transcribe.backend
    if asked != "auto":
        require_installed(asked, f'transcribe.backend = "{asked}"')
        return Choice(asked, "it is asked for")
    if settings.transcribe.device == "cuda":
        return Choice(models.FASTER_WHISPER, "mlx does not run on an NVIDIA card")
    if not hardware.is_apple():
        return Choice(models.FASTER_WHISPER, "mlx is faster on Apple silicon only")
    if not is_installed(models.MLX):
        return Choice(models.FASTER_WHISPER, 'mlx is not installed ("scribetui[mlx]")')
    if settings.transcribe.device == "cpu":
        return Choice(models.FASTER_WHISPER, "on the processor it is the faster one")
    if not hardware.has_metal():
        return Choice(models.FASTER_WHISPER, "Metal cannot be used here")
    return Choice(models.MLX, "this is Apple silicon, and Metal works")


def choose_device(settings: Settings, backend: str) -> str:
    """Where the model runs.

    Raises:
        SettingsError: the backend does not run there.
    """
    asked, devices = settings.transcribe.device, RUNS_ON.get(backend, ("cpu", "cuda"))
    if asked != "auto":
        if backend in models.BACKENDS and asked not in devices:
            raise SettingsError(
                f'transcribe.device = "{asked}" does not go with {backend}, which runs on {" and ".join(devices)}.'
            )
        return asked
    if backend == models.MLX:
        return "metal" if hardware.is_apple() and hardware.has_metal() else "cpu"
    return "cuda" if hardware.has_cuda() else "cpu"


def choose_numbers(settings: Settings, backend: str, device: str, bits: str = "") -> str:
    """What the model computes with.

    Args:
        settings: the user's settings.
        backend: what runs the model.
        device: where.
        bits: what its weights are quantised to already, as ``4bit``; empty for nothing.

    Raises:
        SettingsError: the backend does not compute with that.
    """
    asked = settings.transcribe.compute_type
    if asked == "auto":
        if bits:
            return f"int{bits.removesuffix('bit')}"
        return "float16" if device != "cpu" else "float32" if backend == models.MLX else "int8"
    known = COMPUTES_WITH.get(backend)
    if (known is None and backend in models.BACKENDS and asked == "int4") or (known is not None and asked not in known):
        wanted = ", ".join(known) if known else "all but int4"
        raise SettingsError(f'transcribe.compute_type = "{asked}" does not go with {backend}, which takes {wanted}.')
    return asked


def choose_model(settings: Settings, backend: str, candidate: Callable[[str], Recipe]) -> Choice:
    """The largest model at hand that suits the language and fits into the memory budget and the free memory.

    A backend from elsewhere is told "auto", and chooses for itself.

    Args:
        settings: the user's settings.
        backend: what is to run it.
        candidate: the recipe with which a model would run.

    Raises:
        ModelMissing: there is none.
    """
    if backend not in models.BACKENDS:
        return Choice("auto", "the backend chooses for itself")
    at_hand = models.available(backend)
    needs_others = _needs_others(settings)
    suitable = [each.name for each in at_hand if not (needs_others and is_english_only(each.name))]
    if not suitable:
        raise models.ModelMissing(_nothing_suits(settings, at_hand, needs_others))
    if len(suitable) == 1:
        return Choice(suitable[0], f"it is the only one at hand{' that suits' if len(at_hand) > 1 else ''}")
    memory, rooms = learned(), Rooms(settings)
    too_large: list[str] = []
    for name in reversed(suitable):
        needed = memory.predict(candidate(name))
        if needed <= rooms.budget and (needed <= rooms.free() or needed <= rooms.free_with_ours()):
            return Choice(name, f"it is {_rank(too_large)} that fits into {rooms.said(needed)}")
        too_large.append(name)
    return Choice(suitable[0], f"it is the smallest at hand, though there is little memory ({rooms.said(0)})")


class Rooms:
    """How much memory a worker may take, in bytes."""

    def __init__(self, settings: Settings) -> None:
        self.budget = round(budget_bytes(settings) * SOFT)
        """Below which the governor leaves a recipe as it is."""
        self._free: int | None = None
        self._ours: int | None = None

    def free(self) -> int:
        """What is free now, but for a reserve."""
        if self._free is None:
            self._free = max(0, hardware.free() - round(hardware.memory() * RESERVE))
        return self._free

    def free_with_ours(self) -> int:
        """Likewise, with what the host's workers hold, which give it back when another model is to be loaded."""
        if self._ours is None:
            self._ours = _held_by_workers()
        return self.free() + self._ours

    def said(self, needed: int) -> str:
        """Which of both counts, for a sentence."""
        if self.free_with_ours() < max(self.budget, needed + 1):
            return f"the {_gigabytes(self.free_with_ours())} that are free"
        return f"the memory budget ({_gigabytes(self.budget)} of it)"


def lanes(settings: Settings, recipe: Recipe, predict: Callable[[Recipe], int] | None = None) -> int:
    """How many batches are decoded side by side: one a core up to 4, as long as the budget holds them.

    Args:
        settings: the user's settings.
        recipe: the one to run, whose own number does not count.
        predict: what a recipe takes, in bytes; by the table where it is left out.
    """
    import msgspec

    asked = settings.chunks.parallel
    if isinstance(asked, int):
        return asked
    if recipe.device != "cpu" or recipe.backend == models.WHISPERX:
        return 1
    predict = predict or Memory().predict
    room = Rooms(settings).budget
    most = min(hardware.cores(), MOST_LANES)
    return next((n for n in range(most, 1, -1) if predict(msgspec.structs.replace(recipe, parallel=n)) <= room), 1)


def learned() -> Memory:
    """What recipes have needed so far, by the ledger; by the table alone where there is none."""
    from engine.home import Home
    from engine.ledger import Ledger, LedgerError

    memory = Memory()
    with contextlib.suppress(LedgerError, OSError):  # a choice is made all the same
        home = Home.find()
        if home.ledger.exists():
            with contextlib.closing(Ledger(home.ledger, read_only=True)) as ledger:
                for each in ledger.seen():
                    if each.peak:
                        memory.learn(each.recipe, each.peak)
    return memory


def budget_bytes(settings: Settings) -> int:
    """The memory that all processes together may take, in bytes; never more than there is."""
    total = hardware.memory()
    text = settings.memory.budget
    if text == "auto":
        return round(total * SHARE)
    if text.endswith("%"):
        return total * int(text[:-1]) // 100
    return min(total, round(float(text[:-2]) * UNITS[text[-2:]]))


def _needs_others(settings: Settings) -> bool:
    """Whether a model that knows English alone will not do."""
    return settings.transcribe.language not in ("auto", "en") or settings.transcribe.task == "translate"


def _nothing_suits(settings: Settings, at_hand: Sequence[models.Model], needs_others: bool) -> str:
    language, task = settings.transcribe.language, settings.transcribe.task
    names = ", ".join(each.name for each in at_hand) or "none"
    wanted = " that can translate" if task == "translate" else f' for the language "{language}"' if needs_others else ""
    if language == "auto-per-chunk" and task != "translate":
        wanted = " for several languages"
    bundled = "" if needs_others else ', or install the one that comes with scribetui ("scribetui[demo]")'
    return (
        f"There is no speech model{wanted} on this machine (at hand: {names}); "
        f"name one to be downloaded, such as --model {'small' if needs_others else 'small.en'}{bundled}."
    )


def _rank(too_large: Sequence[str]) -> str:
    return f"the largest at hand after {', '.join(too_large)}" if too_large else "the largest at hand"


def _gigabytes(number: int) -> str:
    return f"{number / UNITS['GB']:.1f} GB"


def _held_by_workers() -> int:
    """Bytes that the workers of the home's host hold; 0 where there is none."""
    import psutil

    from engine.home import Home

    holder = Home.find().holder()
    if not holder:
        return 0
    held = 0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(holder).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                info = child.memory_info()
                held += info.rss - (getattr(info, "shared", 0) if sys.platform == "linux" else 0)
    return held
