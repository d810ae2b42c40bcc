"""Reading Linux: ``/proc``, and the control groups that a container or a service puts a limit on."""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from engine.events import Pressure
from engine.hardware import ROOT, control_groups
from engine.sampler.kin import Kin

PAGE = os.sysconf("SC_PAGE_SIZE")

SOME_STALLED = 10.0
"""Percent of the last 10 s in which some task waited for memory, from which on it is a warning: what systemd takes by
default to tell services that they should give memory back (200 ms in 2 s; systemd.io/MEMORY_PRESSURE)."""
ALL_STALLED = 10.0
"""Percent of the last 10 s in which every task waited, from which on it is critical: a sixth of what systemd-oomd kills
at (oomd.conf: 60 % for 30 s), since we want to be quicker; twice what GLib calls critical within 2 s
(GMemoryMonitorPsi: 100 ms), since a short spike passes by itself."""
SCARCE = 0.10
"""Share of the memory left, with as little swap, below which it is a warning: where earlyoom asks programs to end."""
SPENT = 0.05
"""Share of the memory left, with as little swap, below which it is critical: where earlyoom kills."""


class _Group(NamedTuple):
    """A control group with a limit: the limit, and what is left of it, in bytes."""

    limit: int
    left: int


class Linux:
    """Reads ``/proc`` and ``/sys/fs/cgroup``.

    Args:
        root: the folder that holds both.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._proc = str(root / "proc")

    def processes(self) -> dict[int, Kin]:
        """Every process there is, by its number."""
        found: dict[int, Kin] = {}
        for name in os.listdir(self._proc):
            if name.isdecimal():
                with contextlib.suppress(OSError, ValueError, IndexError):  # it has just ended
                    # The name in brackets may hold anything, brackets and spaces included.
                    _, _, rest = _content(f"{self._proc}/{name}/stat").rpartition(b")")
                    fields = rest.split(None, 4)
                    found[int(name)] = Kin(int(fields[1]), int(fields[3]))
        return found

    def memory(self, pid: int) -> int:
        """A process's proportional set size and its share of the swap, in bytes; 0 for one that is gone.

        Where that may not be read, the resident size, which counts shared memory more than once.
        """
        try:
            lines = _content(f"{self._proc}/{pid}/smaps_rollup").splitlines()
        except OSError:
            lines = []
        shares = [int(line.split()[1]) for line in lines if line.startswith((b"Pss:", b"SwapPss:"))]
        if shares:
            return sum(shares) * 1024
        try:
            return int(_content(f"{self._proc}/{pid}/statm").split()[1]) * PAGE
        except (OSError, IndexError):
            return 0

    def available(self) -> int:
        """What programs can still take without the system swapping, within the control group's limit."""
        return min([self._system()["MemAvailable"], *(group.left for group in self._groups())])

    def swap(self) -> int:
        """Swap space in use, in bytes."""
        system = self._system()
        return system["SwapTotal"] - system["SwapFree"]

    def pressure(self) -> Pressure:
        """How short of memory the system or the group is: by how long tasks wait for it, and by what is left."""
        system = self._system()
        shares = [group.left / group.limit for group in self._groups()]
        shares.append(max(_share(system, "MemAvailable", "MemTotal"), _share(system, "SwapFree", "SwapTotal")))
        some, full = self._stalls()
        if full >= ALL_STALLED or min(shares) < SPENT:
            return "critical"
        return "warning" if some >= SOME_STALLED or min(shares) < SCARCE else "normal"

    def _system(self) -> dict[str, int]:
        """``/proc/meminfo`` in bytes."""
        figures = dict.fromkeys(("MemTotal", "MemAvailable", "SwapTotal", "SwapFree"), 0)
        for line in _content(f"{self._proc}/meminfo").decode().splitlines():
            name, _, value = line.partition(":")
            if name in figures:
                figures[name] = int(value.split()[0]) * 1024
        return figures

    def _groups(self) -> list[_Group]:
        """The limited control groups this process is in. Cached files count as left: the kernel drops them first."""
        found: list[_Group] = []
        for folder, is_unified in control_groups("memory", self._root):
            prefix = "" if is_unified else "total_"
            try:
                limit = _content(folder / ("memory.max" if is_unified else "memory.limit_in_bytes"))
                used = int(_content(folder / ("memory.current" if is_unified else "memory.usage_in_bytes")))
                stat = dict(line.split(" ", 1) for line in _content(folder / "memory.stat").decode().splitlines())
                cached = int(stat[f"{prefix}inactive_file"]) + int(stat[f"{prefix}active_file"])
            except (OSError, ValueError, KeyError):
                continue  # no such controller here, or a root group, which has no limit
            if limit.strip() not in (b"max", b"0"):
                found.append(_Group(int(limit), max(0, int(limit) - used + cached)))
        return found

    def _stalls(self) -> tuple[float, float]:
        """Percent of the last 10 s in which some task and every task waited for memory, here or in the whole system."""
        files = [self._root / "proc/pressure/memory"]
        files += [group.folder / "memory.pressure" for group in control_groups("memory", self._root)]
        some, full = 0.0, 0.0
        for file in files:
            # Kernels without PSI have no such file, or refuse to read it.
            with contextlib.suppress(OSError, ValueError, IndexError):
                shares = [float(line.split()[1].removeprefix(b"avg10=")) for line in _content(file).splitlines()]
                some, full = max(some, shares[0]), max(full, shares[1])
        return some, full


def _share(figures: dict[str, int], part: str, whole: str) -> float:
    return figures[part] / figures[whole] if figures[whole] else 0.0


def _content(path: str | Path) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()
