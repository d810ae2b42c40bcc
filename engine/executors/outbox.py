"""What a worker says to its engine: whole lines, and signs of life."""

import contextlib
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable

import msgspec

from engine import devices
from engine.executors.crew import Mate, together
from engine.messages import Heartbeat, Up

HEARTBEAT = 1.0
"""Seconds between two signs of life."""
GLANCE = 0.1
"""Seconds between two looks at the memory."""
RISE = 32 * 2**20
"""Bytes by which the memory may rise before that is told at once."""


class Outbox:
    """The way up: whole lines, whichever thread speaks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def say(self, message: Up) -> None:
        """Send a message; without an engine to hear it there is nothing left to do."""
        line = msgspec.json.encode(message) + b"\n"
        with self._lock:
            try:
                self._connection.sendall(line)
            except OSError:
                os._exit(0)


def beat(out: Outbox, mates: Iterable[Mate] = ()) -> None:
    """Give signs of life for ever: regularly, and at once when the memory rises.

    Args:
        out: where to say them.
        mates: processes whose memory counts as this one's; there may be more of them later.
    """
    held, most = memory_readers()
    told, peak, at = 0, 0, 0.0
    while True:
        # A lack of memory is told by the lanes, and must not look like a hang.
        with contextlib.suppress(MemoryError):
            own, now = held(), time.monotonic()
            memory = own + sum(mate.heartbeat.memory for mate in mates)
            if now - at >= HEARTBEAT or memory - told > RISE:
                peak = max(peak, own, most())
                out.say(together(Heartbeat(peak, devices.memory(), own, devices.peak()), mates))
                told, at = memory, now
        time.sleep(GLANCE)


def memory_readers(platform: str = sys.platform) -> tuple[Callable[[], int], Callable[[], int]]:
    """Two quick readers: how many bytes this process holds for itself, and the most it was resident with."""
    if platform == "linux":
        return _linux_readers()
    unit = 1 if platform == "darwin" else 1024

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    if platform == "darwin":
        from engine.sampler.macos import MacOS

        system = MacOS()
        return lambda: system.footprint(os.getpid()), most
    return most, most


def _linux_readers() -> tuple[Callable[[], int], Callable[[], int]]:
    # Opened once: a stage that leaks descriptors must not silence the heart.
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    status = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    page = os.sysconf("SC_PAGE_SIZE")

    def held() -> int:
        # size resident shared ...; shared are the pages of files, which the kernel drops when it must.
        _, resident, shared, *_ = os.pread(statm, 256, 0).split()
        return (int(resident) - int(shared)) * page

    def most() -> int:
        # ru_maxrss will not do: a child's begins with its parent's.
        _, _, rest = os.pread(status, 8192, 0).partition(b"VmHWM:")
        return int(rest.split(None, 1)[0]) * 1024

    return held, most
