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


SIZES: Mapping[str, Size] = {
    "tiny": Size(39, 70, 28),
    "base": Size(74, 100, 40),
    "small": Size(244, 180, 80),
    "medium": Size(769, 290, 140),
    "turbo": Size(809, 360, 60),
    "large": Size(1550, 360, 210),
}
"""To begin with; what attempts have really taken replaces it.

Parameters as OpenAI gives them. Lane and window of ``tiny`` measured here (tiny.en, int8, 1 to 2 lanes of 1 to 16
windows: within a tenth); the others scaled by the width of the layers, and so rather guesses than figures.
"""
RUNTIME = 115
"""MB of a worker before its model: interpreter, CTranslate2, numpy, tokenizer."""
BYTES: Mapping[str, float] = {"float32": 4.2, "float16": 2.1, "bfloat16": 2.1, "int4": 0.65}
"""Bytes a parameter takes by the numbers it is stored as; a little more than nominal, as not all are converted."""
EIGHT_BIT = 1.15

METAL_BATCH: Mapping[str, int] = {"tiny": 16, "base": 16, "small": 8, "medium": 4, "turbo": 2, "large": 2}
"""The largest batch to begin with on Metal, where 8 GB are shared by everything."""
METAL = ("metal", "mps")


def family(model: str) -> str:
    """Which family a model's name or folder speaks of; an unknown one counts as ``medium``."""
    name = model.rstrip("/").rpartition("/")[2].lower()
    return next((each for each in ("turbo", "large", "medium", "small", "base", "tiny") if each in name), "medium")


def estimate(recipe: Recipe) -> int:
    """What a worker with this recipe will hold at its peak, in bytes, going by the table alone."""
    size = SIZES[family(recipe.model)]
    weights = size.parameters * BYTES.get(recipe.compute_type, EIGHT_BIT)
    return round((RUNTIME + weights + recipe.parallel * size.lane + recipe.batch * size.window) * MB)


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
