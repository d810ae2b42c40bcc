"""Processes that a worker started and that fled from its group, found by a mark in their environment."""

import contextlib
import os
import time

import psutil

MARK = "SCRIBETUI_WORKER"
"""The environment variable that names whose process this is; children inherit it."""
PASSES = 5
"""How often to look again for what was started while we looked."""
PATIENCE = 3.0
"""Seconds that the system may take to remove a killed process."""


def end_strays(mark: str, *, prefix: bool = False) -> int:
    """Kill every process with a mark, and wait until it is gone.

    It looks at all processes, which takes some milliseconds each hundred: call it in a thread.

    Args:
        mark: the value of ``MARK``.
        prefix: whether any mark that begins so is meant.

    Returns:
        How many were killed.
    """
    killed = 0
    for _ in range(PASSES):
        strays = [process for process in _others() if _is_marked(process, mark, prefix)]
        if not strays:
            break
        for process in strays:
            with contextlib.suppress(psutil.Error):
                process.kill()
        _wait(strays)
        killed += len(strays)
    return killed


def _wait(processes: list[psutil.Process]) -> None:
    # Not psutil's own waiting: who inherited them may take its time to collect them.
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not all(map(_is_over, processes)):
        time.sleep(0.01)


def _is_over(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _others() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in psutil.pids():
        if pid != os.getpid():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(pid))
    return found


def _is_marked(process: psutil.Process, mark: str, prefix: bool) -> bool:
    try:
        value = process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return False  # it is gone, or another user's
    return value.startswith(mark) if prefix else value == mark
