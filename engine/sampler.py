"""Reading the machine: the memory of the whole process tree, and what the system has left."""

import sys

import psutil


def tree_memory() -> int:
    """Memory of this process and all below it, in bytes.

    On Linux the proportional set size, so that what processes share is counted once; elsewhere what each has for
    itself alone. A process that ends meanwhile counts nothing.
    """
    me = psutil.Process()
    return sum(_memory(process) for process in [me, *me.children(recursive=True)])


def _memory(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return 0
    return int(info.pss if sys.platform == "linux" else info.uss)


def available_memory() -> int:
    """What programs can still take without the system swapping, in bytes."""
    return int(psutil.virtual_memory().available)
