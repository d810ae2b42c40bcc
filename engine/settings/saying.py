"""How a setting says what it does and what it may be."""

from typing import Literal

from msgspec import Meta

Auto = Literal["auto"]


def says(meaning: str, allowed: str, unit: str = "") -> Meta:
    """What a setting does, in one sentence; what it may be, to follow "must be"; and its unit."""
    return Meta(description=meaning, extra={"allowed": allowed, "unit": unit})
