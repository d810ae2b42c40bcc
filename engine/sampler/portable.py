"""Reading any system through psutil, where nothing better is known."""

import contextlib
import os

import psutil

from engine.events import Pressure
from engine.sampler.kin import Kin


class Portable:
    """Reads what psutil knows everywhere."""

    def processes(self) -> dict[int, Kin]:
        """Every process there is, by its number."""
        found: dict[int, Kin] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                session = 0
                with contextlib.suppress(OSError):
                    session = os.getsid(process.pid)
                found[process.pid] = Kin(process.ppid(), session)
        return found

    def memory(self, pid: int) -> int:
        """What a process has for itself alone, in bytes, or else its resident size; 0 for one that is gone."""
        try:
            process = psutil.Process(pid)
            try:
                return int(process.memory_full_info().uss)
            except psutil.AccessDenied:
                return int(process.memory_info().rss)
        except psutil.Error:
            return 0

    def available(self) -> int:
        """What programs can still take without the system swapping, in bytes."""
        return int(psutil.virtual_memory().available)

    def swap(self) -> int:
        """Swap space in use, in bytes."""
        return int(psutil.swap_memory().used)

    def pressure(self) -> Pressure:
        """Nothing is known: no shortage."""
        return "normal"
