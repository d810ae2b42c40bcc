"""Pure: what a change of recipe amounts to, seen from what the job was wanted to run with."""

from typing import Literal

import msgspec

from engine import events as ev
from engine.recipe import Recipe

AMOUNTS = ("batch", "parallel", "chunk_ms")
KINDS = ("compute_type", "model", "device")
"""The parameters that a ladder's rungs change: those that are halved, and those that are swapped."""


def direction(before: Recipe, event: ev.RecipeChanged, wanted: Recipe) -> Literal["set", "lighter", "heavier"]:
    """Whether a change was asked for, or else made the recipe lighter or heavier again.

    More at once is heavier, and so is the return to what was wanted; any other change is a step down.
    """
    after = event.recipe
    if event.reason == ev.ASKED:
        return "set"
    more = any(getattr(after, name) > getattr(before, name) for name in AMOUNTS)
    back = differ(before, after, KINDS) and not differ(wanted, after, KINDS)
    return "heavier" if more or back else "lighter"


def wanted_after(wanted: Recipe, before: Recipe, event: ev.RecipeChanged) -> Recipe:
    """What is wanted after a change: what was wanted before, but for what the user asks for with it."""
    if event.reason != ev.ASKED:
        return wanted
    asked = [name for name in Recipe.__struct_fields__ if differ(before, event.recipe, (name,))]
    return msgspec.structs.replace(wanted, **{name: getattr(event.recipe, name) for name in asked})


def differ(one: Recipe, other: Recipe, names: tuple[str, ...] = AMOUNTS + KINDS) -> bool:
    """Whether two recipes differ in any of these parameters."""
    return any(getattr(one, name) != getattr(other, name) for name in names)
