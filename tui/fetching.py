"""A download on the command line: done by a child process, told in one line that changes, or in a few lines."""

import json
import subprocess
import sys
import time
from typing import IO

from tui.text import plain

STEP = 10
"""Per cent between two lines where there is no terminal."""
INTERRUPTED = 130


def fetch(model: str, backend: str) -> int:
    """Fetch a model in a child process and tell on stderr how far it is; the exit status, 0 when it is there.

    The child loads what this program need not, and is ended with it.
    """
    command = [sys.executable, "-m", "engine.models.fetch", model, backend]
    meter = Meter(model, sys.stderr)
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            error = _follow(child, meter)
        except KeyboardInterrupt:
            child.kill()
            meter.end()
            _say(f"What has arrived is kept; 'scribetui models get {model}' goes on from there.")
            return INTERRUPTED
    meter.end()
    if child.returncode == 0:
        return 0
    _say(error or f'The download of the model "{model}" ended by itself; try again, which goes on from there.')
    return 1


class Meter:
    """How far it is: on a terminal one line that is written over, elsewhere a line every 10 %."""

    def __init__(self, model: str, out: IO[str]) -> None:
        self._model, self._out = plain(model), out
        self._is_terminal = out.isatty()
        self._began: tuple[float, int] | None = None
        self._next = 0
        self._width = 0

    def show(self, done: int, total: int) -> None:
        """Show that so many of so many bytes are there."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        percent = 100 * done // total if total else 0
        if not self._is_terminal and percent < self._next:
            return
        self._next = percent - percent % STEP + STEP
        text = f"{self._model}: {percent}% of {total / 1e6:,.0f} MB{self._left(done, total, now)}"
        if self._is_terminal:
            self._out.write(f"\r{text:<{self._width}}")
            self._width = len(text)
        else:
            self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line."""
        if self._is_terminal and self._width:
            self._out.write("\n")
            self._out.flush()
            self._width = 0

    def _left(self, done: int, total: int, now: float) -> str:
        began, before = self._began or (now, done)
        if done <= before or now - began < 1:
            return ""
        seconds = round((total - done) * (now - began) / (done - before))
        return f", {seconds // 60}:{seconds % 60:02d} left"


def _follow(child: "subprocess.Popen[bytes]", meter: Meter) -> str:
    """Show what the child says until it ends; its sentence on what went wrong, if there was anything."""
    error = ""
    for line in child.stdout or ():
        said = json.loads(line)
        if said.get("total"):
            meter.show(said["done"], said["total"])
        error = said.get("error", error)
    return error


def _say(sentence: str) -> None:
    print(plain(sentence), file=sys.stderr)
