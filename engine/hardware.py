"""What this machine has: memory, processor cores, a graphics card. A container's limits count as the machine's own."""

import functools
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

ROOT = Path("/")
PROBE_TIMEOUT = 20
"""Seconds a child process has to say whether a graphics card works."""
METAL = "import mlx.core as mx; mx.eval(mx.ones(1) + 1); assert mx.metal.is_available()"


class Group(NamedTuple):
    """A control group's folder, and whether it is of the unified hierarchy (v2) or of a controller's own (v1)."""

    folder: Path
    is_unified: bool


def memory(root: Path = ROOT) -> int:
    """Memory in bytes: the machine's, or the control group's limit where that is lower (Linux)."""
    total = int(psutil.virtual_memory().total)
    limits = [int(text) for text in _limits(root, "memory", "memory.max", "memory.limit_in_bytes")]
    return min([total, *(limit for limit in limits if limit > 0)])


def cores(root: Path = ROOT) -> int:
    """Processor cores to compute on, at least 1.

    Physical ones, since two hyper-threads of a core share its arithmetic; no more than this process may use.
    """
    counts = [psutil.cpu_count(logical=False) or os.cpu_count() or 1]
    if sys.platform == "linux":
        counts.append(len(os.sched_getaffinity(0)))
    for quota in _limits(root, "cpu", "cpu.max", ""):
        allowed, _, period = quota.partition(" ")
        counts.append(int(allowed) // int(period))
    return max(1, min(counts))


def has_cuda(root: Path = ROOT) -> bool:
    """Whether CTranslate2 can run on an NVIDIA card: its driver is loaded, and cuBLAS 12 is where it looks.

    A card without the library would end the worker, so in doubt the answer is no.
    """
    if not (root / "proc/driver/nvidia/version").exists():
        return False
    folders = ("usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/cuda/lib64")
    listed = [Path(each) for each in os.environ.get("LD_LIBRARY_PATH", "").split(":") if each]
    return any((folder / "libcublas.so.12").exists() for folder in (*listed, *(root / each for each in folders)))


def free() -> int:
    """Memory in bytes that can be had without anything being swapped out, never more than there is."""
    return min(memory(), int(psutil.virtual_memory().available))


def is_apple() -> bool:
    """Whether this is a Mac with Apple's own processor."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


@functools.cache
def has_metal() -> bool:
    """Whether MLX can compute on Metal: tried in a process of its own, where it may crash or hang.

    Without a session of a user, as in some that come by ssh, there may be no Metal; so the answer is asked anew by each
    process.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-c", METAL],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def control_groups(controller: str, root: Path = ROOT) -> Iterator[Group]:
    """The control groups that this process is in for a controller, the innermost first (Linux; elsewhere none)."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            base = root / "sys/fs/cgroup" / controllers
        else:
            continue
        group = base / path.strip("/")
        # In a container the path may be the host's: then only the root of the mount can be read.
        for folder in (group, *group.parents):
            if not folder.is_relative_to(base):
                break
            yield Group(folder, controllers == "")


def _limits(root: Path, controller: str, unified: str, legacy: str) -> list[str]:
    """The limits set for this process's control group and those above it, as text; unlimited ones are left out."""
    limits: list[str] = []
    for group in control_groups(controller, root):
        if name := unified if group.is_unified else legacy:
            limits += _read(group.folder / name)
    return limits


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text().strip()
    except OSError:
        return []
    return [] if text.startswith(("max", "-1")) else [text]
