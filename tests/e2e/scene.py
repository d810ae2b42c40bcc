"""A recording, the engine at work on it in this process with faulty stages in real workers, and what is left of it."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from engine import events as ev
from engine.commands import Add, Command, Options
from engine.engine import Engine
from engine.events import Entry
from engine.executors.strays import MARK
from engine.home import Home
from engine.ledger import Ledger
from engine.recipe import FailureKind, Policy
from engine.states import ENDED, JobState
from engine.timeline import Span
from engine.view import fold
from tests.e2e.orders import RECIPE, STAGES, Orders
from tests.e2e.program import FORMATS, until
from tests.voices import Speech

POLICY = Policy(retries=3, retry_delay_ms=100, climb_after=2, partial_every_ms=500)
BUDGET = 4 * 2**30
PATIENCE = 120.0
"""Seconds after which anything counts as never."""


@dataclass
class Story:
    """What became of a recording, as its files and the ledger tell it; times in milliseconds."""

    words: list[tuple[str, int, int]]
    texts: list[str]
    windows: tuple[Span, ...]
    duration: int
    files: dict[str, bytes]
    """The files that hold nothing but what is said, and when, by their ending."""


class Hand:
    """The engine, with all that it says; and the only job that is in it."""

    def __init__(self, engine: Engine, scene: "Scene") -> None:
        self.engine = engine
        self.scene = scene
        self.job = 0
        self.entries: list[Entry] = []
        self.view, self._stream = engine.subscribe()

    async def add(self, **recipe: object) -> int:
        """Queue the recording."""
        options = Options(recipe=msgspec.structs.replace(RECIPE, **recipe), out=str(self.scene.out))
        number = await self.engine.submit(Add(path=str(self.scene.media), options=options))
        assert number is not None
        self.job = number
        return number

    async def ask(self, command: Command) -> None:
        await self.engine.submit(command)

    async def until(self, condition: Callable[[ev.Event], bool]) -> Entry:
        """Read events until one fits; it."""
        async with asyncio.timeout(PATIENCE):
            async for entry in self._stream:
                self.entries.append(entry)
                self.view = fold(self.view, entry)
                if condition(entry.event):
                    return entry
        raise AssertionError(f"the engine ended before: {self.engine.error}")

    async def until_state(self, *kinds: type) -> JobState:
        """Wait for one of these states of the job; it."""
        entry = await self.until(lambda event: isinstance(event, ev.JobChanged) and isinstance(event.state, kinds))
        assert isinstance(entry.event, ev.JobChanged)
        return entry.event.state

    async def ended(self) -> JobState:
        """The job's last state."""
        return await self.until_state(*ENDED)

    async def until_committed(self, windows: int) -> None:
        """Wait until so many windows are committed."""
        while len(self.scene.covered()) < windows:
            await self.until(lambda event: isinstance(event, ev.BatchDone))

    async def until_gone(self, stage: str) -> None:
        """Wait until a stage's worker has come and gone."""
        await self.until_worker(stage)
        while any(each.stage == stage for each in self.view.workers):
            await self.until(lambda event: isinstance(event, ev.WorkerEnded))

    async def until_worker(self, stage: str) -> None:
        """Wait until a stage's worker has been started."""
        while not any(each.stage == stage for each in self.said(ev.WorkerStarted)):
            await self.until(lambda event: isinstance(event, ev.WorkerStarted))

    def said(self, kind: type) -> list:
        """Its events of one kind, as far as they were read."""
        return [entry.event for entry in self.entries if isinstance(entry.event, kind)]

    def worker(self, stage: str) -> int:
        """The process number of a stage's worker."""
        number = next(each.id for each in self.engine.view.workers if each.stage == stage)
        return self.engine._executor.pids()[number]


@dataclass
class Scene:
    """A recording in a folder, with a home and a folder for its files beside it."""

    folder: Path
    speech: Speech
    home_at: Path | None = None
    out_at: Path | None = None
    media: Path = field(init=False)
    orders: Orders = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.media = self.speech.save(self.folder / "talk.wav")
        self.orders = Orders(self.media)

    @property
    def home(self) -> Home:
        return Home(self.home_at or self.folder / "home")

    @property
    def out(self) -> Path:
        return self.out_at or self.folder / "out"

    @contextlib.asynccontextmanager
    async def at_work(self, *, policy: Policy = POLICY, budget: int = BUDGET) -> AsyncIterator[Hand]:
        """The engine over this home, as a program would have it."""
        with self.home.lock():
            engine = Engine(self.home, policy=policy, budget=budget, stages=STAGES, keep_awake=False)
            hand = Hand(engine, self)
            async with engine:
                yield hand
            async for entry in hand._stream:
                hand.entries.append(entry)

    # ---- what is left

    def processes(self) -> list[psutil.Process]:
        """Every living process that a worker of this home is, or has started."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_ours = process.environ().get(MARK, "").startswith(f"{self.home.logs}:")
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def ledger(self) -> "closing[Ledger]":
        """The ledger, to look at."""
        return closing(Ledger(self.home.ledger, read_only=True))

    def events(self) -> list[Entry]:
        """What the ledger tells."""
        with self.ledger() as ledger:
            return list(ledger.entries())

    def attempts(self) -> list[dict]:
        """Every attempt."""
        with self.ledger() as ledger:
            return ledger.attempts(1)

    def covered(self) -> tuple[Span, ...]:
        """The windows that are committed."""
        with self.ledger() as ledger:
            return ledger.progress(1).covered

    def gaps(self) -> tuple[Span, ...]:
        """What was given up."""
        with self.ledger() as ledger:
            return ledger.progress(1).gaps

    def story(self) -> Story:
        """What became of the recording."""
        data = json.loads((self.out / "talk.json").read_text(encoding="utf-8"))
        with self.ledger() as ledger:
            progress = ledger.progress(1)
        words = [
            (each["word"], round(each["start"] * 1000), round(each["end"] * 1000)) for each in data["word_segments"]
        ]
        texts = [each["text"] for each in data["segments"]]
        files = {name: (self.out / f"talk.{name}").read_bytes() for name in ("srt", "vtt", "txt")}
        return Story(words, texts, progress.windows, progress.duration or 0, files)

    def told(self, kind: type) -> list:
        """The ledger's events of one kind."""
        return [entry.event for entry in self.events() if isinstance(entry.event, kind)]

    def changes(self) -> list[tuple[int, int, str]]:
        """What the recipe became, one change after the other: batch, parallel, and why."""
        return [(each.recipe.batch, each.recipe.parallel, each.reason) for each in self.told(ev.RecipeChanged)]

    def ends(self) -> list[str]:
        """Why workers ended, those left out that were no longer needed."""
        return [each.reason for each in self.told(ev.WorkerEnded) if each.reason != "no longer needed"]

    def warnings(self) -> list[str]:
        """What the user was warned of."""
        return [each.message for each in self.told(ev.Warning)]

    # ---- what must hold

    def check(self, undisturbed: Story, gaps: tuple[Span, ...] = ()) -> None:
        """Prove that all outside these gaps is as it would have been without any fault, and that nothing is left."""
        assert self.gaps() == gaps
        story = self.story()
        outside = [each for each in undisturbed.words if not any(gap.start <= each[1] < gap.end for gap in gaps)]
        assert story.words == outside
        if not gaps:
            assert story.texts == undisturbed.texts
            assert story.files == undisturbed.files
        assert {each for each in story.windows if each not in gaps} == {
            each for each in undisturbed.windows if not any(gap.start <= each.start < gap.end for gap in gaps)
        }
        self.check_each_window_once()
        self.check_nothing_left()

    def check_each_window_once(self) -> None:
        """Prove that every window was committed once, and that every attempt has come to an end."""
        with self.ledger() as ledger:
            progress = ledger.progress(1)
        counts = Counter(span for event in self.told(ev.BatchDone) for span in event.spans)
        assert set(counts) == set(progress.covered)
        assert set(counts.values()) <= {1}, "a window was committed twice"
        assert set(progress.covered) == set(progress.windows) - set(progress.gaps)
        for attempt in self.attempts():
            assert attempt["ended"] is not None
            assert attempt["outcome"] is not None

    def check_nothing_left(self) -> None:
        """Prove that no process, no decoded audio, no partial and no temporary file is left."""
        # One that was killed is not gone at the same instant where the machine is busy.
        until(lambda: not self.processes(), f"the end of {self.processes()}")
        assert self.home.holder() is None
        assert list(self.home.cache.iterdir()) == []
        assert {path.name for path in self.out.iterdir()} == {f"talk.{name}" for name in FORMATS}
        names = {path.name for path in self.home.path.iterdir()}
        # The last two are of those who look at the ledger, as this test does.
        assert names <= {"ledger.sqlite", "cache", "logs", "lock", "ledger.sqlite-wal", "ledger.sqlite-shm"}

    def check_told(
        self, kind: FailureKind, reason: str, *, stage: str = "transcribe", follows: str = "again in"
    ) -> list[ev.AttemptFailed]:
        """Prove that the ledger tells of a failure of this kind, why, and what follows; and that attempts say so."""
        failures = self.told(ev.AttemptFailed)
        told = [each for each in failures if each.kind is kind and each.stage == stage]
        assert told, f"no {kind} of {stage} among {failures}"
        assert re.search(reason, told[0].reason), told[0].reason
        assert follows in told[0].follows, told[0].follows
        if stage == "transcribe":
            failed = [each for each in self.attempts() if each["outcome"] == kind.value]
            assert failed, f"no attempt of {self.attempts()} ended with {kind}"
            assert any(re.search(reason, each["reason"]) for each in failed), failed
        return told


async def true(condition: Callable[[], object]) -> None:
    """Wait until something outside of the engine is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - neither files nor processes set an event
            await asyncio.sleep(0.01)
