"""Reading macOS: the physical footprint of processes, and the kernel's own word on how short memory is.

The resident size misleads there: it leaves compressed pages out and counts mapped files. The footprint is what the
Activity Monitor calls memory, with what the graphics processor holds for the process.
"""

import ctypes

from engine.events import Pressure
from engine.sampler.portable import Portable

RUSAGE_INFO_V2 = 2
"""The flavour of ``proc_pid_rusage`` (<sys/resource.h>) that fills ``Usage``."""
PRESSURE_LEVEL = b"kern.memorystatus_vm_pressure_level"
LEVELS: dict[int, Pressure] = {1: "normal", 2: "warning", 4: "critical"}
"""``kern.memorystatus_vm_pressure_level`` takes the values of dispatch's memory-pressure source."""


class Usage(ctypes.Structure):
    """``struct rusage_info_v2`` of <sys/resource.h>."""

    _fields_ = (
        ("ri_uuid", ctypes.c_uint8 * 16),
        ("ri_user_time", ctypes.c_uint64),
        ("ri_system_time", ctypes.c_uint64),
        ("ri_pkg_idle_wkups", ctypes.c_uint64),
        ("ri_interrupt_wkups", ctypes.c_uint64),
        ("ri_pageins", ctypes.c_uint64),
        ("ri_wired_size", ctypes.c_uint64),
        ("ri_resident_size", ctypes.c_uint64),
        ("ri_phys_footprint", ctypes.c_uint64),
        ("ri_proc_start_abstime", ctypes.c_uint64),
        ("ri_proc_exit_abstime", ctypes.c_uint64),
        ("ri_child_user_time", ctypes.c_uint64),
        ("ri_child_system_time", ctypes.c_uint64),
        ("ri_child_pkg_idle_wkups", ctypes.c_uint64),
        ("ri_child_interrupt_wkups", ctypes.c_uint64),
        ("ri_child_pageins", ctypes.c_uint64),
        ("ri_child_elapsed_abstime", ctypes.c_uint64),
        ("ri_diskio_bytesread", ctypes.c_uint64),
        ("ri_diskio_byteswritten", ctypes.c_uint64),
    )


class MacOS(Portable):
    """Reads macOS.

    Args:
        library: the system's C library; the real one by default.
    """

    def __init__(self, library: ctypes.CDLL | None = None) -> None:
        library = library or ctypes.CDLL("/usr/lib/libSystem.B.dylib")
        self._rusage = library.proc_pid_rusage
        self._rusage.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        self._rusage.restype = ctypes.c_int
        self._sysctl = library.sysctlbyname
        self._sysctl.argtypes = (
            ctypes.c_char_p,
            ctypes.c_void_p,
            ctypes.POINTER(ctypes.c_size_t),
            ctypes.c_void_p,
            ctypes.c_size_t,
        )
        self._sysctl.restype = ctypes.c_int

    def memory(self, pid: int) -> int:
        """A process's physical footprint in bytes; 0 for one that is gone."""
        return self.footprint(pid) or super().memory(pid)

    def footprint(self, pid: int) -> int:
        """A process's physical footprint in bytes; 0 where it cannot be read."""
        usage = Usage()
        if self._rusage(pid, RUSAGE_INFO_V2, ctypes.byref(usage)) != 0:
            return 0
        return int(usage.ri_phys_footprint)

    def pressure(self) -> Pressure:
        """What the kernel tells everybody who wants to know; normal where it does not."""
        level = ctypes.c_int(0)
        size = ctypes.c_size_t(ctypes.sizeof(level))
        if self._sysctl(PRESSURE_LEVEL, ctypes.byref(level), ctypes.byref(size), None, 0) != 0:
            return "normal"
        return LEVELS.get(level.value, "normal")
