"""Pure: the ordered ways to make a recipe lighter, for each backend; what follows a failure; the way back up."""

from collections.abc import Mapping, Sequence

import msgspec

from engine.recipe import Failure, FailureKind, Recipe


class Halve(msgspec.Struct, frozen=True, tag=True):
    """A number is halved down to the least that makes sense."""

    field: str
    least: int


class Swap(msgspec.Struct, frozen=True, tag=True):
    """A value gives way to a lighter one, as long as there is one for it; other values change along with it."""

    field: str
    lighter: Mapping[str, str]
    along: Mapping[str, str] = {}


class SmallerModel(msgspec.Struct, frozen=True, tag=True):
    """The next smaller model at hand. The words change with it, so each segment says which model made it."""


Rung = Halve | Swap | SmallerModel

_NUMBERS = {"float32": "int8", "float16": "int8_float16", "bfloat16": "int8_bfloat16"}

_CTRANSLATE2: tuple[Rung, ...] = (
    Halve("batch", 1),
    Halve("parallel", 1),
    Swap("compute_type", _NUMBERS),
    SmallerModel(),
    Swap("device", {"cuda": "cpu"}, along={"compute_type": "int8"}),  # a processor knows no 16-bit floats
)

LADDERS: Mapping[str, tuple[Rung, ...]] = {
    # The batch before the lanes: with tiny.en a lane takes as much as two and a half windows, and halving the lanes
    # costs nearly half the speed, halving the batch a tenth. Windows are read one by one: the chunk is no rung.
    "faster-whisper": _CTRANSLATE2,
    "whisperx": _CTRANSLATE2,
    # Metal has no processor to fall back to in MLX: quantised weights are its last but one rung. They come in the order
    # of their memory; on a processor 16 bits are slower than 32, but only the memory counts here.
    "mlx": (
        Halve("batch", 1),
        Halve("parallel", 1),
        Swap("compute_type", {"float32": "float16", "bfloat16": "float16", "float16": "int8", "int8": "int4"}),
        SmallerModel(),
    ),
}
"""From the heaviest to the lightest: a rung is taken when those before it are used up."""
COMMON: tuple[Rung, ...] = (Halve("batch", 1), Halve("parallel", 1), Halve("chunk_ms", 30_000))
"""The ladder of backends from elsewhere."""

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
"""What an implausible text is decoded again with, one after the other; Whisper's own fallback."""


class Tried(msgspec.Struct, frozen=True):
    """A recipe that failed, and how."""

    recipe: Recipe
    kind: FailureKind


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision has to respect."""

    retries: int = 3
    """How often something is tried again after crashes, hangs and errors; a lack of memory ends with the ladder."""
    models: tuple[str, ...] = ()
    """What ``stand_ins`` gives for the recipe that was wanted."""


def stand_ins(recipe: Recipe, models: Sequence[str]) -> tuple[str, ...]:
    """The smaller ones of the models at hand that can do what the recipe asks for, the largest first.

    Of a model that is there with weights of several sizes, the smallest: by then, numbers are as small as can be.
    """
    if recipe.model not in models:
        return ()
    found: dict[str, str] = {}
    for each in models[models.index(recipe.model) + 1 :]:
        if _suits(each, recipe):
            found[_plain(each)] = each
    found.pop(_plain(recipe.model), None)
    return (recipe.model, *found.values())


def _suits(model: str, recipe: Recipe) -> bool:
    """Whether a model knows the language of a recipe, going by its name."""
    if recipe.language == "yue":  # Cantonese came with the third large model; turbo is made of that
        return not _is_english(model) and ("large-v3" in model or "turbo" in model)
    return not _is_english(model) or (recipe.language == "en" and recipe.task == "transcribe")


def _plain(model: str) -> str:
    """A model's name without what its weights are quantised to."""
    return model.removesuffix("-4bit").removesuffix("-8bit").removesuffix("-q4")


def _is_english(model: str) -> bool:
    """Whether a model knows English alone, going by its name."""
    return model.startswith("distil-") or ".en" in model


def lighter(recipe: Recipe, models: Sequence[str] = ()) -> Recipe | None:
    """The next rung down; None from the lowest."""
    for rung in LADDERS.get(recipe.backend, COMMON):
        stepped = _down(rung, recipe, models)
        if stepped is not None:
            return stepped
    return None


def heavier(recipe: Recipe, wanted: Recipe, models: Sequence[str] = ()) -> Recipe | None:
    """The next rung back up towards the recipe that was wanted; None when it is reached."""
    ladder = LADDERS.get(recipe.backend, COMMON)
    for rung in reversed(ladder):
        stepped = _up(rung, recipe, wanted, models, ladder)
        if stepped is not None:
            return stepped
    return None


def decide(recipe: Recipe, failure: Failure, history: Sequence[Tried], limits: Limits) -> Recipe | None:
    """What is tried next after a failure; None to give up: a gap, or for a rejected text, keeping the best there is.

    - oom: the next rung down that has not failed for memory before. Nothing else counts, so the ladder's end is the
      end.
    - crash, hang: the same recipe once more in a fresh worker, then the next rung down.
    - error: the same recipe, as it is tried alone by then.
    - rejected: the next temperature.
    - audio, full: the same recipe; nobody is to blame.

    Args:
        recipe: what the failed attempt ran with.
        failure: what happened now.
        history: what happened to the same work before, in order.
        limits: how often, and what else is at hand.
    """
    too_heavy = {each.recipe for each in history if each.kind is FailureKind.OOM}
    counted = sum(each.kind in COUNTED for each in history)
    match failure.kind:
        case FailureKind.UNUSABLE:
            return None
        case FailureKind.AUDIO | FailureKind.FULL:
            return recipe
        case FailureKind.REJECTED:
            hotter = [each for each in TEMPERATURES if each > recipe.temperature]
            return msgspec.structs.replace(recipe, temperature=hotter[0]) if hotter else None
        case FailureKind.OOM:
            return _below(recipe, too_heavy | {recipe}, limits)
        case _ if counted >= limits.retries:
            return None
        case FailureKind.CRASH | FailureKind.HANG:
            again = any(each.recipe == recipe and each.kind in DEATHS for each in history)
            if not again and recipe not in too_heavy:
                return recipe
            return _below(recipe, too_heavy, limits) or (recipe if recipe not in too_heavy else None)
        case FailureKind.ERROR:
            return recipe if recipe not in too_heavy else _below(recipe, too_heavy, limits)


COUNTED = (FailureKind.CRASH, FailureKind.HANG, FailureKind.ERROR)
"""The failures that ``Limits.retries`` counts."""
DEATHS = (FailureKind.CRASH, FailureKind.HANG)
"""The failures that may come of the recipe or of mere chance."""


def _below(recipe: Recipe, barred: set[Recipe], limits: Limits) -> Recipe | None:
    below = lighter(recipe, limits.models)
    while below is not None and below in barred:
        below = lighter(below, limits.models)
    return below


def _down(rung: Rung, recipe: Recipe, models: Sequence[str]) -> Recipe | None:
    match rung:
        case Halve(field, least):
            value: int = getattr(recipe, field)
            if field == "chunk_ms" and value == 0:
                return None  # one chunk for all there is: nothing to halve
            return _with(recipe, field, max(least, value // 2)) if value > least else None
        case Swap(field, steps, along):
            below = steps.get(getattr(recipe, field))
            return None if below is None else _with(recipe, field, below, **along)
        case SmallerModel():
            smaller = _after(models, recipe.model)
            return None if smaller is None else _with(recipe, "model", smaller)


def _up(rung: Rung, recipe: Recipe, wanted: Recipe, models: Sequence[str], ladder: Sequence[Rung]) -> Recipe | None:
    match rung:
        case Halve(field, _):
            value, most = getattr(recipe, field), getattr(wanted, field)
            return _with(recipe, field, min(most, value * 2)) if value < most else None
        case Swap(field, steps, along):
            value, target = getattr(recipe, field), getattr(wanted, field)
            while target in steps and value != target:
                if steps[target] == value:
                    return _with(recipe, field, target, **{each: _lowest(ladder, wanted, each) for each in along})
                target = steps[target]
            return None
        case SmallerModel():
            if recipe.model == wanted.model:
                return None
            larger = _after(models[::-1], recipe.model)
            return None if larger is None else _with(recipe, "model", larger)


def _lowest(ladder: Sequence[Rung], recipe: Recipe, field: str) -> str:
    """What a field of the recipe comes to at the end of its own rung."""
    value: str = getattr(recipe, field)
    for rung in ladder:
        while isinstance(rung, Swap) and rung.field == field and value in rung.lighter:
            value = rung.lighter[value]
    return value


def _after(ordered: Sequence[str], item: str) -> str | None:
    """What follows an item; None where it is not among them."""
    if item not in ordered:
        return None
    place = ordered.index(item) + 1
    return ordered[place] if place < len(ordered) else None


def _with(recipe: Recipe, field: str, value: object, **along: object) -> Recipe:
    return msgspec.structs.replace(recipe, **{field: value, **along})
