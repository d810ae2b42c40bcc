"""What all panes are painted from: one immutable picture, replaced as a whole."""

from typing import Literal

import msgspec

from engine.view import JobView, View

MemoryWindow = Literal["5m", "30m", "all"]

WINDOWS: dict[MemoryWindow, int | None] = {"5m": 300_000, "30m": 1_800_000, "all": None}
"""How far back the memory graph reaches, in milliseconds; None for all there is."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the engine's view, and how the user looks at it."""

    now: int = 0
    """Unix milliseconds."""
    view: View = View()
    selected: int | None = None
    """The number of the selected job."""
    memory_window: MemoryWindow = "5m"
    host: str = ""

    @property
    def job(self) -> JobView | None:
        """The selected job."""
        return None if self.selected is None else self.view.job(self.selected)
