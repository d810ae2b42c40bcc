"""Pure: how much memory a recipe will take, and the heaviest lighter one that fits."""

from collections.abc import Mapping, Sequence

import msgspec

from engine.ladder import lighter
from engine.recipe import Recipe

MB = 2**20

SOFT = 0.85
"""The part of the budget above which the next batch runs lighter."""
HARD = 1.0
"""The part of the budget above which the worker is ended."""


class Size(msgspec.Struct, frozen=True):
    """What a family of models takes: millions of parameters; MB for each lane, and for each window of a batch."""

    parameters: int
    lane: int
    window: int
    """By CTranslate2, where windows are encoded one by one and only decoded together."""
    stacked: int
    """What the encoder's attention takes on top where a batch is encoded together."""
    mlx: int
    """By MLX, in numbers of 4 bytes."""


SIZES: Mapping[str, Size] = {
    "tiny": Size(39, 70, 28, 26, 42),
    "base": Size(74, 100, 40, 35, 67),
    "small": Size(244, 180, 80, 52, 153),
    "medium": Size(769, 290, 140, 69, 345),
    "turbo": Size(809, 360, 60, 86, 139),
    "large": Size(1550, 360, 210, 86, 549),
    "distil-small": Size(166, 180, 40, 52, 83),
    "distil-medium": Size(394, 290, 60, 69, 87),
    "distil-large": Size(756, 360, 50, 86, 109),
}
"""To begin with; what attempts have really taken replaces it.

Parameters as OpenAI and, for ``distil``, Hugging Face give them. Lane and window of ``tiny`` measured here (tiny.en,
1 to 2 lanes of 1 to 16 windows, int8 by CTranslate2 and float32 by MLX: within a tenth); the others scaled by the width
of the layers, the attention by its heads, and so rather guesses than figures. Most of what MLX takes for a window is
the decoder's keys and values: layers x 2 x 1500 x width.
"""


class Runtime(msgspec.Struct, frozen=True):
    """What a backend takes before its model, in MB, and whether its lanes share that and the model."""

    base: int
    is_shareable: bool = True
    """Otherwise each lane has a process of its own."""


RUNTIMES: Mapping[str, Runtime] = {
    "faster-whisper": Runtime(115),
    "mlx": Runtime(210),
    "whisperx": Runtime(790, is_shareable=False),
}
"""Measured here (Linux, proportional set size): interpreter, libraries, tokenizer; whisperX brings torch, MLX keeps
what it has freed for the next batch."""
ELSEWHERE = Runtime(115)
"""A backend from elsewhere, until it was seen."""
BYTES: Mapping[str, float] = {"float32": 4.2, "float16": 2.1, "bfloat16": 2.1, "int4": 0.65}
"""Bytes a parameter takes by the numbers it is stored as; a little more than nominal, as not all are converted."""
EIGHT_BIT = 1.15


LISTENERS: Mapping[str, int] = {"silero": 80, "pyannote": 1100}
"""MB that listening takes, by what finds the speech; measured here."""


class Aligner(msgspec.Struct, frozen=True):
    """What an aligning model takes: millions of parameters; MB at once, and for each second of a stretch."""

    parameters: int
    lane: int
    second: int


ALIGNING = 790
"""MB of a worker that aligns before its model: torch, transformers and whisperX."""
ALIGNERS: Mapping[str, Aligner] = {"base": Aligner(95, 60, 18), "large": Aligner(317, 80, 21)}
"""wav2vec2 by its size, in float32; measured here."""
BASE_ALIGNED = ("en", "fr", "de", "es", "it")
"""The languages for which whisperX takes a small wav2vec2 (torchaudio's); a large one for all others."""
STRETCH = 30
"""Seconds of the longest stretch that is aligned at once: a window."""

METAL_BATCH: Mapping[str, int] = {
    "tiny": 16,
    "base": 16,
    "small": 8,
    "medium": 4,
    "turbo": 2,
    "large": 2,
    "distil-small": 8,
    "distil-medium": 4,
    "distil-large": 2,
}
"""The largest batch to begin with on Metal, where 8 GB are shared by everything."""
METAL = ("metal", "mps")


def family(model: str) -> str:
    """Which family a model's name or folder speaks of; an unknown one counts as ``medium``."""
    name = model.rstrip("/").rpartition("/")[2].lower()
    found = next((each for each in ("turbo", "large", "medium", "small", "base", "tiny") if each in name), "medium")
    return f"distil-{found}" if "distil" in name and f"distil-{found}" in SIZES else found


def estimate(recipe: Recipe) -> int:
    """What a worker with this recipe will hold at its peak, in bytes, going by the table alone."""
    size, runtime = SIZES[family(recipe.model)], RUNTIMES.get(recipe.backend, ELSEWHERE)
    base = runtime.base + size.parameters * BYTES.get(recipe.compute_type, EIGHT_BIT)
    batch = recipe.batch * _window(recipe, size)
    if not runtime.is_shareable:
        return round(recipe.parallel * (base + size.lane + batch) * MB)
    # Measured: lanes do not peak at the same time, so the windows of one of them count.
    return round((base + recipe.parallel * size.lane + batch) * MB)


def _window(recipe: Recipe, size: Size) -> float:
    """MB for each window of a batch."""
    if recipe.backend == "mlx":
        return size.mlx if recipe.compute_type == "float32" else size.mlx / 2
    return size.window + size.stacked if recipe.backend == "whisperx" else size.window


def estimate_listen(recipe: Recipe) -> int:
    """What a worker that listens will hold at its peak, in bytes; it does not depend on the recording."""
    return LISTENERS.get(recipe.vad, LISTENERS["silero"]) * MB


def estimate_align(recipe: Recipe) -> int:
    """What a worker that aligns the words of this recipe will hold at its peak, in bytes, going by the table alone."""
    name = recipe.align.rstrip("/").rpartition("/")[2].lower()
    is_base = "base" in name or (name in ("", "auto") and recipe.language in BASE_ALIGNED)
    size = ALIGNERS["base" if is_base else "large"]
    return round((ALIGNING + size.parameters * BYTES["float32"] + size.lane + STRETCH * size.second) * MB)


def tells(recipe: Recipe, windows: int) -> bool:
    """Whether an attempt at so many windows says what the recipe takes: shorter ones do not fill its batches."""
    return windows >= 2 * recipe.batch * recipe.parallel


class Memory:
    """What recipes have needed so far, and so what they will need."""

    def __init__(self) -> None:
        self._peaks: dict[Recipe, int] = {}

    def learn(self, recipe: Recipe, peak: int) -> None:
        """An attempt with this recipe that ``tells`` held so many bytes at its peak."""
        key = _key(recipe)
        self._peaks[key] = max(peak, self._peaks.get(key, 0))

    def predict(self, recipe: Recipe) -> int:
        """What a worker with this recipe will hold at its peak, in bytes.

        What was seen of the same recipe; else the table, moved by as much as it was wrong about the most similar
        recipe that was seen with the same model.
        """
        key = _key(recipe)
        if key in self._peaks:
            return self._peaks[key]
        alike = [each for each in self._peaks if each.model_key.weights == key.model_key.weights]
        if not alike:
            return estimate(recipe)
        nearest = min(alike, key=lambda each: (abs(estimate(each) - estimate(key)), each.batch))
        return max(0, estimate(recipe) + self._peaks[nearest] - estimate(nearest))


def fit(
    recipe: Recipe,
    room: int,
    memory: Memory,
    *,
    models: Sequence[str] = (),
    barred: frozenset[Recipe] = frozenset(),
) -> Recipe:
    """The recipe, or the first below it on the ladder that fits; the lowest where none does.

    Args:
        recipe: what is wanted.
        room: bytes that the worker may hold.
        memory: what is known about recipes.
        models: the models at hand that could stand in, the largest first.
        barred: recipes that have failed for memory already.
    """
    found = capped(recipe)
    while found in barred or memory.predict(found) > room:
        below = lighter(found, models)
        if below is None:
            break
        found = below
    return found


def capped(recipe: Recipe) -> Recipe:
    """The recipe with no larger batch than its device can take to begin with."""
    if recipe.device not in METAL:
        return recipe
    most = METAL_BATCH[family(recipe.model)]
    return recipe if recipe.batch <= most else msgspec.structs.replace(recipe, batch=most)


def _key(recipe: Recipe) -> Recipe:
    """The recipe with only what decides its memory."""
    return Recipe(
        backend=recipe.backend,
        model=recipe.model,
        compute_type=recipe.compute_type,
        device=recipe.device,
        batch=recipe.batch,
        parallel=recipe.parallel,
        threads=recipe.threads,
        chunk_ms=0,
    )
