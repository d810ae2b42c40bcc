"""How much what is said should stand out, and how that looks."""

from enum import StrEnum
from typing import NamedTuple

from tui import glyphs
from tui.lines import StyleName


class Severity(StrEnum):
    """How much an event should stand out."""

    QUIET = "quiet"
    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


LOOKS: dict[Severity, tuple[str, StyleName]] = {
    Severity.QUIET: (glyphs.WAITING, "dim"),
    Severity.INFO: (" ", ""),
    Severity.GOOD: (glyphs.OK, "good"),
    Severity.WARNING: (glyphs.WARNING, "warn"),
    Severity.ERROR: (glyphs.FAILED, "bad"),
}
"""The sign and the style of each severity."""


class Wording(NamedTuple):
    """An event in words."""

    text: str
    severity: Severity = Severity.INFO
