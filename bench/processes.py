"""Running a program and watching it from outside: its time, its processor time, its memory and what it says when."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds a program may take to end once it was asked to."""


class BenchError(Exception):
    """A measurement cannot be made; one clear sentence."""


@dataclass(frozen=True)
class Peak:
    """The moment at which a process tree took the most memory."""

    total: int
    """Bytes: proportional set size on Linux, unique set size elsewhere."""
    at: float
    """Seconds since the program was started."""
    parts: tuple[tuple[str, int], ...]
    """Each process and its bytes then."""
    samples: int
    """How often the memory was read in all."""


@dataclass(frozen=True)
class Outcome:
    """What came of one run of a program."""

    seconds: float
    """From just before the process is started to its end, so start-up counts."""
    cpu: float
    """Processor seconds of the process and of all below it that it has waited for."""
    began: float
    """Unix time of the start, in seconds."""
    lines: tuple[tuple[float, str], ...]
    """Each line of standard output, with the seconds after which it came."""
    peak: Peak | None = None
    """The most memory that was seen; None when it was not watched."""


class MemoryWatch:
    """Reads the memory of a process and all below it again and again, in a thread, and keeps the highest.

    With ``alone``, that of the process itself.
    """

    def __init__(self, pid: int, began: float, interval: float, *, alone: bool = False) -> None:
        self._alone = alone
        self._root = psutil.Process(pid)
        self._began = began
        self._interval = interval
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._peak = Peak(0, 0.0, (), 0)
        self._samples = 0
        self._thread.start()

    def stop(self) -> Peak:
        """End, and tell the highest."""
        self._ending.set()
        self._thread.join()
        return Peak(self._peak.total, self._peak.at, self._peak.parts, self._samples)

    def _watch(self) -> None:
        while not self._ending.is_set():
            now = time.monotonic()
            try:
                processes = [self._root, *([] if self._alone else self._root.children(recursive=True))]
            except psutil.NoSuchProcess:
                return
            parts = tuple((_role(each), _memory(each)) for each in processes)
            total = sum(size for _, size in parts)
            self._samples += 1
            if total > self._peak.total:
                self._peak = Peak(total, now - self._began, parts, 0)
            self._ending.wait(max(0.0, now + self._interval - time.monotonic()))


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0
    return int(info.pss if sys.platform == "linux" else info.uss)


def _role(process: psutil.Process) -> str:
    try:
        return " ".join(Path(part).name for part in process.cmdline()[1:4])
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return "ended"


def run(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    interval: float | None = None,
    until: Callable[[str], bool] | None = None,
) -> Outcome:
    """Run a program to its end, or until it has said something.

    Args:
        command: the program and its arguments.
        environment: variables it gets besides this process's own.
        interval: seconds between two looks at its memory; None for none.
        until: says of a line of its standard output whether the program is no longer needed after it.

    Raises:
        BenchError: it failed; the message ends with the last it said.
    """
    with tempfile.TemporaryFile() as errors:
        began, monotonic = time.time(), time.monotonic()
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | dict(environment or {}),
            cwd=ROOT,
        )
        watch = MemoryWatch(process.pid, monotonic, interval) if interval else None
        lines: list[tuple[float, bytes]] = []
        is_stopped = False
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append((time.monotonic() - monotonic, line))
                if until is not None and not is_stopped and until(line.decode()):
                    is_stopped = True
                    _end_soon(process)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.monotonic() - monotonic
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            peak = watch.stop() if watch else None
            if process.returncode is None:
                process.terminate()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode != 0 and not is_stopped:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            raise BenchError(f"{Path(command[0]).name} ended with {process.returncode}: {' | '.join(said[-5:])}")
    return Outcome(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        began=began,
        lines=tuple((at, line.decode()) for at, line in lines),
        peak=peak,
    )


def _end_soon(process: "subprocess.Popen[bytes]") -> None:
    """Ask a program to end, and make it if it does not."""
    process.send_signal(signal.SIGTERM)
    killer = threading.Timer(PATIENCE, process.kill)
    killer.daemon = True
    killer.start()
