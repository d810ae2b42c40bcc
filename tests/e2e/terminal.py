"""A real terminal for tests: tmux, driven by keys and read off its screen."""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from tests.e2e.program import PATIENCE, until

CONFIGURATION = """\
set -g remain-on-exit on
set -g status off
set -s escape-time 0
set -g history-limit 1000
"""


class Terminal:
    """A terminal of so many columns and lines with one program in it.

    Args:
        folder: where tmux keeps its socket; its path has to be short.
    """

    def __init__(self, folder: Path, columns: int, lines: int) -> None:
        self._tmux = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", str(folder / "tmux.conf")]
        self._size = ("-x", str(columns), "-y", str(lines))
        (folder / "tmux.conf").write_text(CONFIGURATION)

    def run(self, command: Sequence[str], env: dict[str, str]) -> None:
        """Start a program in it, in place of one that has ended."""
        self.close()
        assignments = [f"{name}={value}" for name, value in env.items()]
        line = shlex.join(["env", "-i", *assignments, "TERM=screen-256color", *command])
        self._call("new-session", "-d", *self._size, line)

    def close(self) -> None:
        """End the terminal, and the program with it."""
        asked = subprocess.run([*self._tmux, "display-message", "-p", "#{pid}"], check=False, capture_output=True)
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)
        if asked.returncode == 0:
            # A new server must not meet the old one on its way out.
            until(lambda: not psutil.pid_exists(int(asked.stdout)), "the end of tmux")

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names for them."""
        self._call("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self._call("send-keys", "-l", text)

    def resize(self, columns: int, lines: int) -> None:
        """Make the terminal larger or smaller."""
        self._call("resize-window", "-x", str(columns), "-y", str(lines))

    @property
    def screen(self) -> str:
        """What is to be seen."""
        return self._call("capture-pane", "-p")

    @property
    def everything(self) -> str:
        """What was ever to be seen, with wrapped lines joined."""
        return self._call("capture-pane", "-p", "-J", "-S", "-")

    @property
    def title(self) -> str:
        """The title that the program gave the terminal."""
        return self._call("display-message", "-p", "#{pane_title}").rstrip("\n")

    @property
    def pid(self) -> int:
        """The program's process."""
        return int(self._call("display-message", "-p", "#{pane_pid}"))

    @property
    def is_dead(self) -> bool:
        """Whether the program has ended."""
        return self._call("display-message", "-p", "#{pane_dead}").strip() == "1"

    def wait_for(self, *texts: str, seconds: float = PATIENCE) -> str:
        """Look at the screen until it shows all these texts; the screen."""
        seen = ""

        def shows() -> bool:
            nonlocal seen
            seen = self.screen
            return all(text in seen for text in texts)

        try:
            until(shows, f"{texts} on the screen", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{seen}") from None
        return seen

    def wait_for_row(self, name: str, *texts: str) -> str:
        """Look at the screen until the first line with that name shows all these texts, too; the screen."""
        seen = ""

        def shows() -> bool:
            nonlocal seen
            seen = self.screen
            row = next((line for line in seen.splitlines() if name in line), "")
            return all(text in row for text in texts)

        try:
            until(shows, f"{texts} in the line of {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{seen}") from None
        return seen

    def wait_until_gone(self, *texts: str, seconds: float = PATIENCE) -> str:
        """Look at the screen until it shows none of these texts; the screen."""
        until(lambda: not any(text in self.screen for text in texts), f"{texts} off the screen", seconds)
        return self.screen

    def wait_for_end(self) -> None:
        """Wait until the program has ended."""
        until(lambda: self.is_dead, f"the end of the program\n{self.screen}")

    def _call(self, *args: str) -> str:
        done = subprocess.run([*self._tmux, *args], check=True, capture_output=True, timeout=PATIENCE)
        return done.stdout.decode()


@contextlib.contextmanager
def terminal(columns: int, lines: int) -> Iterator[Terminal]:
    """A terminal; closed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="st", dir="/tmp"))
    made = Terminal(folder, columns, lines)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def tmux_is_missing() -> str | None:
    """Why no terminal can be had here; None if one can."""
    if shutil.which("tmux") is None:
        return "tmux is not installed"
    done = subprocess.run(["tmux", "-V"], check=False, capture_output=True, env=os.environ)
    return None if done.returncode == 0 else "tmux does not run"
