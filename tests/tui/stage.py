"""The screen on a stage: an app over a scripted engine, and eyes to read it with."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from textual.pilot import Pilot

from engine.view import View
from tests.tui.fake_engine import FakeEngine
from tests.tui.scenes import NOW
from tui.app import ScribeApp


def make_app(view: View | None = None, **arguments) -> tuple[ScribeApp, FakeEngine]:
    """An app over a scripted engine; its clock is the engine's."""
    engine = FakeEngine(view, now=NOW)
    return ScribeApp(engine, clock=lambda: engine.now, **{"host": "mini.local"} | arguments), engine


@dataclass
class Stage:
    """A running app."""

    app: ScribeApp
    engine: FakeEngine
    pilot: Pilot[None]

    @property
    def rows(self) -> list[str]:
        """What the terminal shows."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    @property
    def selected(self) -> int | None:
        return self.app._main.frame.selected

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something; fails after five seconds."""
        for _ in range(500):
            await self.pilot.pause()
            if is_so():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to that; the screen:\n{self.text}")

    async def settled(self) -> None:
        """Wait until all that the engine said is on the screen."""
        await self.until(lambda: self.app._main.frame.view.seq == self.engine.view.seq)

    async def seen(self, text: str) -> None:
        """Wait until the terminal shows this."""
        await self.until(lambda: text in self.text)


@contextlib.asynccontextmanager
async def on_stage(view: View | None = None, size: tuple[int, int] = (80, 24), **arguments) -> AsyncIterator[Stage]:
    app, engine = make_app(view, **arguments)
    async with app.run_test(size=size, notifications=True) as pilot:
        stage = Stage(app, engine, pilot)
        await stage.settled()
        yield stage
