"""What all panes are painted from: one immutable picture, replaced as a whole."""

from typing import Literal

import msgspec

from engine.view import JobView, View

MemoryWindow = Literal["5m", "30m", "all"]

WINDOWS: dict[MemoryWindow, int | None] = {"5m": 300_000, "30m": 1_800_000, "all": None}
"""How far back the memory graph reaches, in milliseconds; None for all there is."""


class Link(msgspec.Struct, frozen=True):
    """How the engine can be reached."""

    lost_at: int | None = None
    """Since when it cannot, in Unix milliseconds: the view is as it was then; None while it can."""
    why: str = ""
    """Why it cannot, in one sentence."""
    is_stopping: bool = False
    """Whether it was asked to end, and finishes the batches under way."""

    @property
    def is_lost(self) -> bool:
        """Whether the engine cannot be reached."""
        return self.lost_at is not None


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A moment of the engine's view, and how the user looks at it."""

    now: int = 0
    """Unix milliseconds."""
    link: Link = Link()
    view: View = View()
    selected: int | None = None
    """The number of the selected job."""
    memory_window: MemoryWindow = "5m"
    host: str = ""

    @property
    def as_of(self) -> int:
        """The time the view stands for, in Unix milliseconds."""
        return self.now if self.link.lost_at is None else self.link.lost_at

    @property
    def job(self) -> JobView | None:
        """The selected job."""
        return None if self.selected is None else self.view.job(self.selected)
