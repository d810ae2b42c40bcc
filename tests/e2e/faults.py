"""Stages from elsewhere that are the real ones, except that they misbehave where orders tell them to."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.messages import Finding, Heard, Work
from engine.recipe import Recipe
from engine.stages.asr.faster_whisper import FasterWhisper
from engine.stages.listen import Listen
from tests.e2e.orders import Orders

STEP = 32 * 2**20
"""Bytes by which the memory hog grows at a time."""
MOST = 6 * 2**30
"""Bytes at which it gives up: nobody has stopped it."""
FLOOD = 20 * 2**20
"""Bytes of each of the two floods of print."""


class Recognition(FasterWhisper):
    """Faster-whisper, with faults: they strike once a batch is begun and before anything came of it, or afterwards."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(msgspec.structs.replace(recipe, backend="faster-whisper"))

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        for kind, order in Orders(work.media).take("transcribe", work.spans[-1].start):
            FAULTS[kind](order)
        for span in work.spans:
            if Path(f"{work.media}.poison-{span.start}").exists():
                raise RuntimeError("this window is poison")
        yield from super().run(work)
        for kind, order in Orders(work.media).take("afterwards", work.spans[-1].start):
            FAULTS[kind](order)


class Listening(Listen):
    """The listener, with faults: they strike when it has told all up to there."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        for found in super().run(work):
            yield found
            for heard in found:
                if isinstance(heard, Heard):
                    for kind, order in Orders(work.media).take("listen", heard.span.end):
                        FAULTS[kind](order)


# ---- the faults


def _raise(order: Path) -> None:
    raise ValueError("a fault that was ordered")


def _lack(order: Path) -> None:
    raise MemoryError("a lack that was ordered")


def _die(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    for_ever()


def for_ever() -> None:
    """Never come back."""
    threading.Event().wait()


def _spin(order: Path) -> None:
    while True:
        pass


def _hog(order: Path) -> None:
    """Take more and more memory, and touch every page of it."""
    held: list[bytes] = []
    pace = threading.Event()
    while len(held) * STEP < MOST:
        held.append(b"\xff" * STEP)
        pace.wait(0.04)
    raise RuntimeError("nobody stopped the hog")


def _garbage(order: Path) -> None:
    os.write(int(sys.argv[1]), b"\x1b[2Jthis is no message\xff\n")
    for_ever()


def _flood(order: Path) -> None:
    line = b"o" * 4_095 + b"\n"
    for descriptor in (1, 2):
        for _ in range(FLOOD // len(line)):
            os.write(descriptor, line)


def _leave_children(order: Path) -> None:
    """Leave a child in one's own group, and one in a session of its own."""
    code = [sys.executable, "-c", "import threading; threading.Event().wait()"]
    children = [subprocess.Popen(code), subprocess.Popen(code, start_new_session=True)]
    order.write_text(" ".join(str(child.pid) for child in children))


def _hold(order: Path) -> None:
    """Wait until the test takes the order's file away."""
    pace = threading.Event()
    while order.exists():
        pace.wait(0.01)


FAULTS = {
    "raise": _raise,
    "lack": _lack,
    "segv": lambda order: _die(signal.SIGSEGV),
    "kill": lambda order: _die(signal.SIGKILL),
    "stop": lambda order: _die(signal.SIGSTOP),
    "spin": _spin,
    "hog": _hog,
    "garbage": _garbage,
    "flood": _flood,
    "children": _leave_children,
    "hold": _hold,
}
