"""Reading the machine: the memory of the process tree and of each worker in it, and what the system has left."""

import os
import sys
from collections.abc import Mapping
from typing import Protocol

import msgspec

from engine.events import Pressure
from engine.sampler.kin import Kin, families


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the machine tells; all but the pressure in bytes."""

    tree: int
    """This process, all below it, and all that workers left behind."""
    workers: dict[int, int]
    """By the worker's number: its process and all that it started."""
    available: int
    """What programs can still take without the system swapping, within the control group's limit."""
    swap: int
    """Swap space in use by the whole system."""
    pressure: Pressure


class System(Protocol):
    """What a platform tells about its processes and its memory."""

    def processes(self) -> dict[int, Kin]:
        """Every process there is, by its number."""
        ...

    def memory(self, pid: int) -> int:
        """What a process holds, in bytes, shared memory counted once over all that share it; 0 for one that is gone."""
        ...

    def available(self) -> int:
        """What programs can still take without the system swapping, in bytes."""
        ...

    def swap(self) -> int:
        """Swap space in use, in bytes."""
        ...

    def pressure(self) -> Pressure:
        """How short of memory the system is."""
        ...


class Sampler:
    """Reads the machine, as often as it is asked to.

    Args:
        system: where to read; the platform this runs on by default.
        own: the process whose tree is read; this one by default.
    """

    def __init__(self, system: System | None = None, own: int | None = None) -> None:
        self._system = system or this_system()
        self._own = own or os.getpid()

    def read(self, workers: Mapping[int, int]) -> Reading:
        """Read everything once; it takes some milliseconds, so call it in a thread.

        Args:
            workers: the process number of each worker, by the worker's number.

        Raises:
            OSError: the system cannot be read.
            psutil.Error: the system cannot be read (elsewhere than on Linux).
        """
        tree, households = families(self._system.processes(), self._own, list(workers.values()))
        memory = {pid: self._system.memory(pid) for pid in tree}
        return Reading(
            tree=sum(memory.values()),
            workers={number: sum(memory[each] for each in households[pid]) for number, pid in workers.items()},
            available=self._system.available(),
            swap=self._system.swap(),
            pressure=self._system.pressure(),
        )


def this_system(platform: str = sys.platform) -> System:
    """The reader for a platform."""
    if platform == "linux":
        from engine.sampler.linux import Linux

        return Linux()
    if platform == "darwin":
        from engine.sampler.macos import MacOS

        return MacOS()
    from engine.sampler.portable import Portable

    return Portable()
