"""Reading the machine: the process tree, the control group's limit, the pressure, and macOS by a stand-in."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sampler import Kin, Sampler, families, this_system
from engine.sampler.linux import PAGE, Linux
from engine.sampler.macos import PRESSURE_LEVEL, RUSAGE_INFO_V2, MacOS, Usage
from engine.sampler.portable import Portable

MB = 2**20
GB = 2**30

# ---- who belongs together


@given(
    st.dictionaries(st.integers(1, 12), st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=12),
    st.integers(1, 12),
    st.lists(st.integers(1, 12), unique=True, max_size=3),
)
def test_the_tree_is_all_below_and_each_worker_has_its_session_too(table, own, workers):
    processes = {pid: Kin(*kin) for pid, kin in table.items()}

    def is_below(pid, roots):
        seen = set()
        while pid in processes and pid not in seen:
            if pid in roots:
                return True
            seen.add(pid)
            pid = processes[pid].parent
        return False

    tree, households = families(processes, own, workers)
    for worker in workers:
        roots = {worker} | {pid for pid, kin in processes.items() if kin.session == worker}
        assert households[worker] == {pid for pid in processes if is_below(pid, roots)}
    assert tree == {pid for pid in processes if is_below(pid, {own})}.union(*households.values())


class Fake:
    """A system made of data."""

    def __init__(self, processes, memory):
        self._processes, self._memory = processes, memory

    def processes(self):
        return self._processes

    def memory(self, pid):
        return self._memory[pid]

    def available(self):
        return 5

    def swap(self):
        return 6

    def pressure(self):
        return "warning"


def test_a_reading_adds_up_and_counts_nothing_twice():
    processes = {1: Kin(0, 1), 10: Kin(1, 1), 20: Kin(10, 20), 21: Kin(20, 20), 22: Kin(1, 20), 30: Kin(1, 30)}
    memory = {1: 10_000, 10: 1, 20: 10, 21: 100, 22: 1_000, 30: 10_000}
    reading = Sampler(Fake(processes, memory), own=10).read({7: 20, 8: 99})
    assert (reading.tree, reading.workers) == (1_111, {7: 1_110, 8: 0})
    assert (reading.available, reading.swap, reading.pressure) == (5, 6, "warning")


# ---- this machine


def test_this_machine_with_a_worker_and_what_it_left_behind():
    """The worker's child starts a grandchild and ends, so that the grandchild gets another parent."""
    hold = "import sys, threading; held = bytes(64 << 20).replace(b'\\0', b'x'); {} print('ready', flush=True);"
    grandchild = hold.format("") + "threading.Event().wait()"
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {grandchild!r}])"
    code = hold.format(f"import subprocess; subprocess.run([sys.executable, '-c', {child!r}]);") + "sys.stdin.read()"
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert [worker.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        reading = Sampler().read({3: worker.pid})
        assert 128 * MB < reading.workers[3] < 300 * MB
        assert reading.tree > reading.workers[3]
        assert 0 < reading.available <= psutil.virtual_memory().total
        assert reading.swap >= 0
        assert reading.pressure in ("normal", "warning", "critical")
    finally:
        os.killpg(worker.pid, 9)
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()
    assert Sampler().read({3: worker.pid}).workers[3] < 128 * MB


def test_the_portable_reader_agrees_about_this_process():
    portable = Portable()
    me = portable.processes()[os.getpid()]
    assert me == Kin(os.getppid(), os.getsid(0))
    assert 5 * MB < portable.memory(os.getpid()) <= psutil.Process().memory_info().rss
    assert portable.memory(2**22 + 1) == 0
    assert portable.available() > 0
    assert portable.pressure() == "normal"
    assert type(this_system("plan9")) is Portable


def test_a_process_that_may_not_be_looked_into_counts_with_what_is_resident(monkeypatch):
    def refuse(_):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    assert Portable().memory(os.getpid()) > 5 * MB


# ---- Linux, by files

MEMINFO = """MemTotal: {total} kB
MemFree: 1 kB
MemAvailable: {available} kB
SwapTotal: {swap} kB
SwapFree: {swap_free} kB
HugePages_Total: 0
"""


@pytest.fixture
def machine(tmp_path):
    """A machine of files; call it with the memory's figures in MB, and with further files."""

    def make(total=1_000, available=500, swap=0, swap_free=0, **files) -> Linux:
        figures = {"total": total, "available": available, "swap": swap, "swap_free": swap_free}
        write("proc/meminfo", MEMINFO.format(**{name: each * 1024 for name, each in figures.items()}))
        for name, text in files.items():
            write(name, text)
        return Linux(tmp_path)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return make


def unified(limit, used, cached=0, folder="sys/fs/cgroup/a/b"):
    return {
        "proc/self/cgroup": "0::/a/b\n",
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 1\ninactive_file {cached}\nactive_file 1\n",
    }


def legacy(limit, used, cached=0):
    folder = "sys/fs/cgroup/memory/a"
    return {
        "proc/self/cgroup": "4:memory:/a\n2:cpu:/\n0::/\n",
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{used}\n",
        f"{folder}/memory.stat": f"inactive_file 7\ntotal_inactive_file {cached}\ntotal_active_file 1\n",
    }


def test_processes_are_read_whatever_their_names(machine):
    linux = machine(
        **{
            "proc/10/stat": "10 (python) S 1 10 10 0 -1\n",
            "proc/11/stat": "11 (a) R 7 (b) S 10 11 12 0 -1\n",
            "proc/12/stat": "",
            "proc/sys/stat": "no process",
        }
    )
    assert linux.processes() == {10: Kin(1, 10), 11: Kin(10, 12)}


def test_memory_is_the_proportional_share_with_its_swap_or_else_what_is_resident(machine):
    rollup = "0000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 300 kB\nPss_Anon: 5 kB\nSwapPss: 20 kB\n"
    linux = machine(
        **{"proc/10/smaps_rollup": rollup, "proc/10/statm": "9 8 7", "proc/11/statm": "900 30 10 0 0 0 0\n"}
    )
    assert linux.memory(10) == 320 * 1024
    assert linux.memory(11) == 30 * PAGE
    assert linux.memory(12) == 0


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 500 * MB),
        (unified(100 * MB, 70 * MB), 30 * MB + 1),
        (unified(100 * MB, 70 * MB, cached=20 * MB), 50 * MB + 1),
        (unified(100 * MB, 70 * MB, folder="sys/fs/cgroup/a"), 30 * MB + 1),
        (unified(100 * MB, 120 * MB), 0),
        (unified("max", 70 * MB), 500 * MB),
        (unified(10 * GB, 70 * MB), 500 * MB),
        (legacy(100 * MB, 70 * MB, cached=10 * MB), 40 * MB + 1),
        (legacy(9223372036854771712, 70 * MB), 500 * MB),
    ],
)
def test_what_is_available_respects_the_control_group(machine, files, expected):
    assert machine(**files).available() == expected


def test_swap_in_use(machine):
    assert machine(swap=300, swap_free=100).swap() == 200 * MB


def stalls(some, full):
    return f"some avg10={some} avg60=99.00 avg300=99.00 total=1\nfull avg10={full} avg60=99.00 avg300=99.00 total=1\n"


@pytest.mark.parametrize(
    ("figures", "files", "expected"),
    [
        ({}, {}, "normal"),
        ({}, {"proc/pressure/memory": stalls(9.99, 9.99)}, "normal"),
        ({}, {"proc/pressure/memory": stalls(10.0, 9.99)}, "warning"),
        ({}, {"proc/pressure/memory": stalls(10.0, 10.0)}, "critical"),
        ({}, {"proc/pressure/memory": "nonsense"}, "normal"),
        ({}, unified("max", 1) | {"sys/fs/cgroup/a/memory.pressure": stalls(12.5, 0)}, "warning"),
        ({}, unified("max", 1) | {"sys/fs/cgroup/a/b/memory.pressure": stalls(80, 60)}, "critical"),
        ({}, unified(100 * MB, 89 * MB), "normal"),
        ({}, unified(100 * MB, 91 * MB), "warning"),
        ({}, unified(100 * MB, 91 * MB, cached=50 * MB), "normal"),
        ({}, unified(100 * MB, 96 * MB), "critical"),
        ({}, legacy(100 * MB, 96 * MB), "critical"),
        ({"available": 101}, {}, "normal"),
        ({"available": 99}, {}, "warning"),
        ({"available": 49}, {}, "critical"),
        ({"available": 49, "swap": 1_000, "swap_free": 900}, {}, "normal"),
        ({"available": 49, "swap": 1_000, "swap_free": 80}, {}, "warning"),
    ],
)
def test_pressure(machine, figures, files, expected):
    assert machine(**figures, **files).pressure() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_real_files_can_be_read():
    linux = Linux()
    assert linux.processes()[os.getpid()] == Kin(os.getppid(), os.getsid(0))
    resident = psutil.Process().memory_info().rss
    assert resident / 4 < linux.memory(os.getpid()) <= resident * 1.1
    assert 0 < linux.available() <= psutil.virtual_memory().total
    assert type(this_system()) is Linux
    assert Path("/proc/self/smaps_rollup").exists()


# ---- macOS, by a stand-in for its library


def library(footprints, level):
    """Answers as libSystem does; None for what cannot be read."""

    def proc_pid_rusage(pid, flavor, buffer):
        assert flavor == RUSAGE_INFO_V2
        if footprints.get(pid) is None:
            return -1
        buffer._obj.ri_resident_size = 1
        buffer._obj.ri_phys_footprint = footprints[pid]
        return 0

    def sysctlbyname(name, old, size, new, length):
        assert (name, size._obj.value, new, length) == (PRESSURE_LEVEL, 4, None, 0)
        if level is None:
            return -1
        old._obj.value = level
        return 0

    return SimpleNamespace(proc_pid_rusage=proc_pid_rusage, sysctlbyname=sysctlbyname)


def test_the_layout_of_the_struct_is_the_headers():
    """Sixteen bytes of UUID, then 64-bit numbers; <sys/resource.h> has eighteen of them in the second version."""
    assert ctypes.sizeof(Usage) == 160
    assert Usage.ri_user_time.offset == 16
    assert Usage.ri_resident_size.offset == 64
    assert Usage.ri_phys_footprint.offset == 72
    assert Usage.ri_proc_start_abstime.offset == 80
    assert Usage.ri_diskio_byteswritten.offset == 152


def test_the_footprint_is_read_or_else_what_psutil_knows():
    system = MacOS(library({10: 5 * GB, os.getpid(): None}, 1))
    assert system.memory(10) == 5 * GB
    assert system.memory(os.getpid()) > 5 * MB
    assert system.memory(2**22 + 1) == 0


@pytest.mark.parametrize(
    ("level", "expected"), [(1, "normal"), (2, "warning"), (4, "critical"), (3, "normal"), (None, "normal")]
)
def test_the_kernels_own_word_on_pressure(level, expected):
    assert MacOS(library({}, level)).pressure() == expected


@pytest.mark.skipif(sys.platform != "darwin", reason="needs macOS")
def test_the_real_library_answers():
    system = this_system()
    assert isinstance(system, MacOS)
    assert system.footprint(os.getpid()) > 5 * MB
    assert system.pressure() in ("normal", "warning", "critical")
