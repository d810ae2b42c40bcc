"""Figures as a Markdown table, and all that is needed to judge and to repeat them."""

import contextlib
import importlib.metadata
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.processes import ROOT

PACKAGES = ("scribetui", "faster-whisper", "ctranslate2", "onnxruntime", "av", "textual")
MAYBE = ("whisperx", "torch", "mlx", "mlx-whisper", "numba")
"""What is measured against, where it is installed."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    ours: str
    other: str = ""
    """The same of what it is compared with."""
    ratio: str = ""
    asked: str = ""
    met: bool | None = None
    """Whether it is as asked; None where nothing is asked."""


@dataclass
class Report:
    """The rows of all measurements, with what is to be said about them and every single figure."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """How each figure came about, a sentence or two a line."""
    data: dict[str, Any] = field(default_factory=dict)
    """Every single measurement, by the name of its part."""

    def markdown(self, machine: dict[str, Any]) -> str:
        """The table, with the machine below it."""
        head = ["measured", "scribetui", "compared with", "ratio", "asked", ""]
        body = [
            [row.what, row.ours, row.other, row.ratio, row.asked, {None: "", True: "met", False: "**missed**"}[row.met]]
            for row in self.rows
        ]
        lines = ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *body)]
        lines += ["", *(f"- {note}" for note in self.notes)]
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        lines += [
            f"- {machine['date']}, {machine['processor']} with {machine['cores']} cores and {machine['memory_gb']} GB, "
            f"{machine['system']}, Python {machine['python']}; {versions}; commit {machine['commit']}.",
        ]
        return "\n".join(lines) + "\n"


class Others:
    """How much of the machine other programs take while a measurement runs: the noise in its figures."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy = _busy()
        self._own = time.process_time()

    def share(self, measured: float) -> float:
        """The part of all cores' time that went elsewhere.

        Args:
            measured: processor seconds that the measured programs took.
        """
        own = time.process_time() - self._own
        spent = (time.monotonic() - self._began) * (psutil.cpu_count() or 1)
        return max(0.0, (_busy() - self._busy - own - measured) / spent)


def _busy() -> float:
    times = psutil.cpu_times()
    return sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq", "steal"))


def machine() -> dict[str, Any]:
    """What this machine is, and the versions that are measured."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "cores": psutil.cpu_count(logical=False) or psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "commit": _commit(),
    }


def _versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    for name in MAYBE:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _processor() -> str:
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _commit() -> str:
    asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def tell(text: str) -> None:
    """A line of progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def spread(values: Sequence[float], digits: int = 2, unit: str = "") -> str:
    """The median, with the least and the most behind it."""
    middle = f"{statistics.median(values):.{digits}f}{unit}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def megabytes(size: float) -> str:
    """A size for people."""
    return f"{size / 2**20:.0f} MB"
