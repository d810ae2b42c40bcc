"""Engines over a home of their own, with quick stages in real worker processes."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine import events as ev
from engine.commands import Add, Options
from engine.engine import Engine
from engine.events import Entry
from engine.home import Home
from engine.ledger import Ledger
from engine.recipe import Policy, Recipe
from engine.view import View, fold

STAGES = {"listen": "tests.stages:Listen", "align": "tests.stages:Align"}
POLICY = Policy(retries=2, retry_delay_ms=1, partial_every_ms=0)


@pytest.fixture
def home(tmp_path) -> Home:
    """A fresh home."""
    home = Home(tmp_path / "home")
    home.create()
    return home


@pytest.fixture(scope="session")
def audio(heart, tmp_path_factory) -> Path:
    """Two minutes of a woman's speech, as decoded audio lies on disk."""
    path = tmp_path_factory.mktemp("pcm") / "audio.pcm"
    path.write_bytes(heart.samples.astype("<i2").tobytes())
    return path


@dataclass
class Bench:
    """An engine under test, with all it has said."""

    engine: Engine
    home: Home
    entries: list[Entry] = field(default_factory=list)
    view: View = field(default_factory=View)
    _stream: object = None

    def __post_init__(self) -> None:
        self.view, self._stream = self.engine.subscribe()

    async def until(self, condition) -> Entry:
        """Read events until one fits; it, with the view folded up to it."""
        async for entry in self._stream:
            self.entries.append(entry)
            self.view = fold(self.view, entry)
            if condition(entry.event):
                return entry
        raise AssertionError("the engine ended before that")

    async def add(self, path: Path, **options) -> int:
        recipe = options.pop("recipe", None) or Recipe(backend="tests.stages:Echo", batch=1, parallel=1, language="en")
        return await self.engine.submit(Add(path=str(path), options=Options(recipe=recipe, **options)))

    async def ended(self, job: int) -> object:
        """A job's last state, once it has ended."""
        from engine.states import ENDED

        await self.until(lambda e: isinstance(e, ev.JobChanged) and e.job == job and isinstance(e.state, ENDED))
        return self.view.job(job).state

    def said(self, kind: type) -> list:
        return [entry.event for entry in self.entries if isinstance(entry.event, kind)]

    def decoded(self, job: int) -> list[int]:
        """The windows in the ledger, by number."""
        with contextlib.closing(Ledger(self.home.ledger, read_only=True)) as ledger:
            return [span.start // 10_000 for span, _, _ in ledger.decoded(job)]


@pytest.fixture
def bench(home):
    """Make a bench; use as ``async with bench() as b``."""

    @contextlib.asynccontextmanager
    async def make(**kwargs):
        stages = STAGES | kwargs.pop("stages", {})
        engine = Engine(home, policy=kwargs.pop("policy", POLICY), stages=stages, **kwargs)
        made = Bench(engine, home)
        async with engine:
            yield made

    return make


@pytest.fixture
def media(tmp_path):
    """Make a media file for the quick stages."""

    def make(name: str = "talk.media", **told) -> Path:
        path = tmp_path / name
        path.write_text(" ".join(f"{key}={value}" for key, value in told.items()) or "windows=3")
        return path

    return make
