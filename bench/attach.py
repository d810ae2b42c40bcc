"""How soon the screen is there again, on a host that has been at work for a while."""

import asyncio
import os
import pty
import re
import select
import signal
import statistics
import struct
import tempfile
import time
from collections.abc import Sequence
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ

from bench.processes import BenchError
from bench.programs import SCRIBETUI, SETTINGS
from bench.recordings import Recording
from bench.report import Report, Row, spread, tell
from engine.api import follow
from engine.commands import Add
from engine.events import Line
from engine.home import Home
from engine.remote import Remote
from engine.settings import load, resolve

ALLOWED = 0.5
"""Seconds from the command to the whole state on the screen."""
PATIENCE = 20.0
ENOUGH = 8
"""Lines of text that there are when the screen comes back."""
LINES, COLUMNS = 40, 120

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9]|[=>])")


def measure(report: Report, recording: Recording, model: str, runs: int) -> None:
    """Attach to a host at work, so many times.

    Raises:
        BenchError: the screen did not show the job.
    """
    seconds = asyncio.run(_attach(recording.path, model, runs))
    tell(f"attach: {spread(seconds)} s")
    median = statistics.median(seconds)
    report.rows.append(
        Row(
            "`scribetui` attaching to a host at work, to the job and its last text on the screen, seconds",
            spread(seconds),
            "",
            "",
            f"under {ALLOWED}",
            median < ALLOWED,
        )
    )
    report.data["attach"] = seconds


async def _attach(audio: Path, model: str, runs: int) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        home = Home(Path(folder, "home"))
        home.create()
        home.settings.write_text(SETTINGS)
        async with await Remote.attach(home) as remote:
            view, stream = remote.subscribe()
            options = resolve(load(home.settings), {"model": model, "out": str(Path(folder, "out"))})
            number = await remote.submit(Add(path=str(audio), options=options))
            assert number is not None
            look, seconds = _Look(home, audio.name), []
            taking: asyncio.Task[float] | None = None
            async for news in stream:
                view = follow(view, news)
                if (job := view.job(number)) is None or len(job.lines) < ENOUGH:
                    continue
                look.lines = job.lines
                if taking is None or taking.done():
                    seconds += [] if taking is None else [taking.result()]
                    if len(seconds) == runs:
                        break
                    taking = asyncio.create_task(asyncio.to_thread(look.take))
            await remote.stop(now=True)
            async for _ in stream:
                pass
    return seconds


class _Look:
    """A screen in a terminal of its own."""

    def __init__(self, home: Home, name: str) -> None:
        self._home = home
        self._name = name.encode()
        self.lines: Sequence[Line] = ()
        """What was said last; changed while the screen opens."""

    def take(self) -> float:
        """Open it, wait until it shows the job and its text, and close it without a word; the seconds."""
        began = time.monotonic()
        pid, terminal = pty.fork()
        if not pid:
            environment = os.environ | {"SCRIBETUI_HOME": str(self._home.path), "TERM": "xterm-256color"}
            os.execve(SCRIBETUI, [str(SCRIBETUI)], environment)
        ioctl(terminal, TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        seen = b""
        try:
            while not self._is_shown(_ESCAPES.sub(b"", seen)):
                if time.monotonic() > began + PATIENCE or not select.select([terminal], [], [], PATIENCE)[0]:
                    raise BenchError(f"The screen never showed the job: {_ESCAPES.sub(b'', seen)[-3000:]!r}")
                seen += os.read(terminal, 65_536)
            return time.monotonic() - began
        except OSError as error:
            raise BenchError(f"The screen ended: {_ESCAPES.sub(b'', seen)[-300:]!r}") from error
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)

    def _is_shown(self, seen: bytes) -> bool:
        said = (" ".join(line.text.split()[:2]).encode() for line in self.lines)
        return self._name in seen and any(words in seen for words in said)
