"""The service managers that can run the host for a user: launchd on macOS, systemd on Linux."""

import contextlib
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from engine.home import Home
from engine.service.files import LABEL, STOPPING, UNIT, agent, unit

KEPT = ("PATH", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME")
"""Variables that the host needs as the user has them: to find the user's programs and models."""

Word = Literal["launchd", "systemd"]


class Ran(msgspec.Struct, frozen=True):
    """A program that has ended."""

    status: int
    """127 when there is no such program."""
    out: str = ""
    err: str = ""

    @property
    def why(self) -> str:
        """What it said, in short."""
        said = (self.err.strip() or self.out.strip()).splitlines()
        return said[-1].rstrip(".") if said else f"status {self.status}"


Runner = Callable[[Sequence[str]], Ran]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """All that a service depends on."""

    home: Home
    user: int
    folder: Path
    """The user's own."""
    program: Path
    environment: Mapping[str, str]

    @classmethod
    def here(cls, home: Home) -> "Place":
        """This user on this machine."""
        program = Path(sys.executable).absolute().with_name("scribetui")
        return cls(home=home, user=os.getuid(), folder=Path.home(), program=program, environment=os.environ)

    @property
    def command(self) -> tuple[str, ...]:
        """What the service runs."""
        return (str(self.program), "host", "--foreground", "--go-on")

    @property
    def variables(self) -> dict[str, str]:
        """What the service has to be told of the user's environment."""
        told = {name: self.environment[name] for name in KEPT if self.environment.get(name)}
        if self.environment.get("SCRIBETUI_HOME") or self.environment.get("XDG_DATA_HOME"):
            told["SCRIBETUI_HOME"] = str(self.home.path)
        return told


class Manager(Protocol):
    """What launchd and systemd have in common."""

    word: Word
    path: Path
    run: Runner

    def text(self) -> bytes:
        """The file's content."""
        ...

    def is_reachable(self) -> bool:
        """Whether the manager answers."""
        ...

    def pid(self) -> int | None:
        """The process it runs for the service."""
        ...

    def is_enabled(self) -> bool | None:
        """Whether the service starts with the user's session; None when that cannot be said."""
        ...

    def lingers(self) -> bool | None:
        """Whether the service goes on after logging out; None when that cannot be said."""
        ...

    def to_start(self, *, is_changed: bool) -> list[list[str]]:
        """The commands that have the service run, by a file that is new or ``is_changed``."""
        ...

    def to_stop(self) -> list[list[str]]:
        """The commands that end the service and its starting by itself."""
        ...

    def forget(self) -> list[list[str]]:
        """Remove what else was left on disk; the commands for after the file is gone."""
        ...

    def by_hand(self) -> str:
        """How the user starts it where we could not, to end a sentence."""
        ...


class Systemd:
    """The systemd of the user's session.

    Args:
        place: what the service depends on.
        run: runs a program.
    """

    word: Word = "systemd"

    def __init__(self, place: Place, run: Runner) -> None:
        configuration = place.environment.get("XDG_CONFIG_HOME") or ""
        folder = Path(configuration) if configuration.startswith("/") else place.folder / ".config"
        self.path = folder / "systemd" / "user" / UNIT
        self._place = place
        self.run = run

    def text(self) -> bytes:
        """The unit."""
        return unit(self._place.command, self._place.variables)

    def is_reachable(self) -> bool:
        """Whether there is a bus to the user's manager."""
        return self.run([*_SYSTEMCTL, "show-environment"]).status == 0

    def pid(self) -> int | None:
        """The unit's main process."""
        said = self.run([*_SYSTEMCTL, "show", "--property=MainPID", "--value", UNIT]).out.strip()
        return int(said) or None if said.isdigit() else None

    def is_enabled(self) -> bool | None:
        """Whether the unit is wanted by the session."""
        said = self.run([*_SYSTEMCTL, "is-enabled", UNIT])
        return None if said.status == 127 else said.out.strip() == "enabled"

    def lingers(self) -> bool | None:
        """Whether the user's manager goes on after logging out."""
        said = self.run(["loginctl", "show-user", str(self._place.user), "--property=Linger", "--value"])
        return {"yes": True, "no": False}.get(said.out.strip()) if said.status == 0 else None

    def to_start(self, *, is_changed: bool) -> list[list[str]]:
        """Read the unit, and start it; one that runs by an old unit begins anew."""
        read = [*_SYSTEMCTL, "daemon-reload"]
        if is_changed and self.pid():
            return [read, [*_SYSTEMCTL, "enable", UNIT], [*_SYSTEMCTL, "restart", UNIT]]
        return [read, [*_SYSTEMCTL, "enable", "--now", UNIT]]

    def to_stop(self) -> list[list[str]]:
        """Stop and disable the unit."""
        return [[*_SYSTEMCTL, "disable", "--now", UNIT]]

    def forget(self) -> list[list[str]]:
        """Remove the link by which it is enabled, which nobody did where no manager was there."""
        link = self.path.parent / "default.target.wants" / UNIT
        with contextlib.suppress(OSError):
            if link.is_symlink():
                link.unlink()
        return [[*_SYSTEMCTL, "daemon-reload"]]

    def by_hand(self) -> str:
        """The commands for a session that has a manager."""
        return f"systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"


_SYSTEMCTL = ("systemctl", "--user")


class Launchd:
    """The launchd of the user's desktop session.

    Args:
        place: what the service depends on.
        run: runs a program.
    """

    word: Word = "launchd"

    def __init__(self, place: Place, run: Runner) -> None:
        self.path = place.folder / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._place = place
        self.run = run
        self._domain = f"gui/{place.user}"
        self._target = f"{self._domain}/{LABEL}"

    def text(self) -> bytes:
        """The agent."""
        return agent(self._place.command, self._place.variables, self._place.home.logs / "service.log")

    def is_reachable(self) -> bool:
        """Whether the user has a session at the desktop."""
        return self.run(["launchctl", "print", self._domain]).status == 0

    def pid(self) -> int | None:
        """The agent's process."""
        for line in self.run(["launchctl", "print", self._target]).out.splitlines():
            name, _, value = line.partition("=")
            if name.strip() == "pid" and value.strip().isdigit():
                return int(value)
        return None

    def is_enabled(self) -> bool | None:
        """Whether the agent is loaded: it then starts with each session."""
        said = self.run(["launchctl", "print", self._target])
        return None if said.status == 127 else said.status == 0

    def lingers(self) -> bool | None:
        """Nothing that launchd knows."""
        return None

    def to_start(self, *, is_changed: bool) -> list[list[str]]:
        """Load the agent; one that is loaded from an old file is unloaded before."""
        is_loaded = bool(self.is_enabled())
        if is_loaded and not is_changed:
            return []
        load = [["launchctl", "enable", self._target], ["launchctl", "bootstrap", self._domain, str(self.path)]]
        return [["launchctl", "bootout", self._target], *load] if is_loaded else load

    def to_stop(self) -> list[list[str]]:
        """Unload the agent, where it is loaded."""
        return [["launchctl", "bootout", self._target]] if self.is_enabled() else []

    def forget(self) -> list[list[str]]:
        """Nothing else is left."""
        return []

    def by_hand(self) -> str:
        """The command for a session at the desktop, where it also starts by itself with the next one."""
        return f"launchctl bootstrap {self._domain} {shlex.quote(str(self.path))}"


def run(command: Sequence[str]) -> Ran:
    """Run a program to its end, which may take as long as a host needs for its own."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=STOPPING + 30,
            check=False,
        )
    except FileNotFoundError:
        return Ran(127, err=f"there is no {command[0]}")
    except subprocess.TimeoutExpired:
        return Ran(124, err=f"{command[0]} has not ended in {STOPPING + 30} s")
    except OSError as error:
        return Ran(126, err=error.strerror or str(error))
    return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def manager(place: Place, runner: Runner = run, platform: str = sys.platform) -> Manager | None:
    """The manager of this system; None where we know none."""
    if platform == "darwin":
        return Launchd(place, runner)
    return Systemd(place, runner) if platform.startswith("linux") else None
