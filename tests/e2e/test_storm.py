"""A storm of random faults over one long job: it finishes, and nothing that was committed is lost or done twice.

``SCRIBETUI_STORM=60:200`` makes it 60 minutes and 200 faults, with ``SCRIBETUI_SEED`` for another storm.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from engine import events as ev
from engine.commands import Add, Command, Options, Pause, Resume, Set
from engine.states import ENDED, Done, Frozen, Paused
from engine.timeline import Span
from engine.view import fold_all
from tests.e2e.orders import RECIPE
from tests.e2e.program import PATIENCE, children, sittings, to_entry
from tests.e2e.scene import Scene, Story
from tests.voices import Speech

MINUTES, FAULTS = map(int, os.environ.get("SCRIBETUI_STORM", "4:16").split(":"))
SEED = int(os.environ.get("SCRIBETUI_SEED", "7"))
BUDGET = 1200 * 2**20
TOLERATED = 0.002
"""Words that rounding in a batch of another size may flip."""


class Storm:
    """The engine in a process of its own, and what befalls it."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.random = random.Random(seed)
        self.process: subprocess.Popen[bytes] | None = None
        self.entries: list[ev.Entry] = []
        self.committed: Counter[Span] = Counter()
        """What was told to be committed, in all sittings."""
        self.given_up = 0
        self.done: Counter[str] = Counter()
        self.is_over = False

    # ---- the program

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.e2e.commanded", str(self.scene.home.path), str(BUDGET)]
        with (self.scene.folder / "stderr").open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )

    def say(self, command: Command) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(msgspec.json.encode(command) + b"\n")
            self.process.stdin.flush()

    def until(self, condition: Callable[[ev.Event], bool]) -> bool:
        """Read on until an event fits; False if the job, or the program, came to its end before."""
        for line in iter(self.process.stdout.readline, b""):
            if not line.endswith(b"\n"):
                break
            entry = to_entry(line)
            self.entries.append(entry)
            if isinstance(entry.event, ev.BatchDone):
                self.committed.update(entry.event.spans)
            self.given_up += isinstance(entry.event, ev.GapLeft)
            if isinstance(entry.event, ev.JobChanged) and isinstance(entry.event.state, ENDED):
                self.is_over = True
                return False
            if condition(entry.event):
                return True
        return False

    def finish(self) -> None:
        """Ask for nothing more, and wait for the end."""
        self.process.stdin.close()
        while not self.is_over:
            assert self.until(lambda _: False) or self.is_over, (self.scene.folder / "stderr").read_text()
        for line in iter(self.process.stdout.readline, b""):
            self.entries.append(to_entry(line))
        assert self.process.wait(PATIENCE) == 0, (self.scene.folder / "stderr").read_text()
        self.process.stdout.close()

    def end(self) -> None:
        """Let nothing live on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            for stream in (self.process.stdin, self.process.stdout):
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        for left in self.scene.processes():
            left.kill()

    def workers(self) -> list[psutil.Process]:
        found = []
        for each in children(self.process.pid):
            with contextlib.suppress(psutil.Error):
                if "engine.executors.worker" in each.cmdline():
                    found.append(each)
        return found

    # ---- what befalls it

    def strike(self) -> None:
        """One more fault."""
        names = list(WEIGHTS)
        # What was rare so far is drawn rather.
        weights = [WEIGHTS[name] / (1 + self.done[name] / WEIGHTS[name]) for name in names]
        name = self.random.choices(names, weights)[0]
        self.done[name] += 1
        getattr(self, f"_{name}")()

    def _order(self) -> None:
        stage = "listen" if self.random.random() < 0.2 else "transcribe"
        self.scene.orders.give(self.random.choice(("raise", "segv", "kill", "garbage", "flood")), stage=stage)

    def _lack(self) -> None:
        self.scene.orders.give("lack")

    def _children(self) -> None:
        self.scene.orders.give("children")

    def _hog(self) -> None:
        self.scene.orders.give("hog")

    def _stop(self) -> None:
        self._signal(signal.SIGSTOP)

    def _kill_worker(self) -> None:
        self._signal(self.random.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT)))

    def _signal(self, number: signal.Signals) -> None:
        for worker in self.workers():
            with contextlib.suppress(psutil.Error):
                worker.send_signal(number)
            if self.random.random() < 0.5:
                break

    def _empty_cache(self) -> None:
        for path in self.scene.home.cache.glob("*.pcm"):
            path.unlink(missing_ok=True)

    def _pause(self) -> None:
        self.say(Pause(1, self.random.choice(("pause", "freeze", "park"))))
        if self.random.random() < 0.7:
            self.until(lambda event: isinstance(event, ev.JobChanged) and isinstance(event.state, Paused | Frozen))
        self.say(Resume(1))

    def _set(self) -> None:
        if self.random.random() < 0.5:
            self.say(Set(job=1, batch=self.random.randint(1, 4)))
        else:
            self.say(Set(job=1, chunk_ms=self.random.choice((30_000, 60_000, 300_000))))

    def _restart(self) -> None:
        workers = self.workers() if self.random.random() < 0.3 else []
        self.process.kill()
        for worker in workers:
            with contextlib.suppress(psutil.Error):
                worker.kill()
        while self.until(lambda _: True):
            pass
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        if not self.is_over:
            self.start()
            self.say(Resume(1))


WEIGHTS = {
    "order": 9,
    "kill_worker": 5,
    "restart": 3,
    "pause": 4,
    "set": 3,
    "empty_cache": 2,
    "lack": 2,
    "children": 1,
    "stop": 0.4,
    "hog": 0.4,
}
"""How often each is drawn, against the others."""


@pytest.fixture(scope="module")
def long(heart: Speech) -> Speech:
    """Two minutes of speech, again and again."""
    length = MINUTES * 60 * 16_000
    samples = np.tile(heart.samples, -(-length // len(heart.samples)))[:length]
    return Speech("heart", samples, (), ())


def options(scene: Scene) -> Add:
    return Add(path=str(scene.media), options=Options(recipe=RECIPE, out=str(scene.out)))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, long: Speech) -> Story:
    """What becomes of it in fair weather."""
    scene = Scene(tmp_path_factory.mktemp("fair"), long)
    storm = Storm(scene, 0)
    storm.start()
    storm.say(options(scene))
    storm.finish()
    scene.check_each_window_once()
    assert not scene.gaps()
    return scene.story()


@pytest.fixture
def storm(tmp_path: Path, long: Speech) -> Iterator[Storm]:
    storm = Storm(Scene(tmp_path, long), SEED)
    yield storm
    storm.end()


@pytest.mark.timeout(1800)
def test_a_storm_of_random_faults_loses_nothing_that_was_committed(storm: Storm, undisturbed: Story):
    scene = storm.scene
    storm.start()
    storm.say(options(scene))
    assert storm.until(lambda event: isinstance(event, ev.WorkerStarted))
    # The first ones meet the listener, the others come all along the job.
    moments = sorted(storm.random.randrange(len(undisturbed.windows) * 19 // 20) for _ in range(FAULTS))
    for moment in moments:
        while len(storm.committed) + storm.given_up < moment and not storm.is_over:
            storm.until(lambda event: isinstance(event, ev.BatchDone | ev.GapLeft))
        if storm.is_over:
            break
        storm.strike()
    storm.finish()

    state = fold_all(scene.events()).job(1).state
    assert isinstance(state, Done)
    assert storm.done.total() == FAULTS, storm.done
    gaps = scene.gaps()
    assert state.gaps == sum(gap.length for gap in gaps)
    assert set(storm.committed) <= set(scene.covered()), "what was told as committed is gone"
    assert set(storm.committed.values()) == {1}, "a window was committed twice"
    check_none_begun_again(scene)
    scene.check(undisturbed, gaps)
    outcomes = Counter(each["outcome"] for each in scene.attempts())
    print(f"faults {storm.done}, sittings {len(list(sittings(scene.events())))}, attempts {outcomes}, gaps {gaps}")


def check_none_begun_again(scene: Scene) -> None:
    """Prove that no window was decoded again once it was committed."""
    committed: set[Span] = set()
    for entry in scene.events():
        if isinstance(entry.event, ev.BatchStarted):
            assert not committed & set(entry.event.spans)
        elif isinstance(entry.event, ev.BatchDone):
            committed.update(entry.event.spans)
