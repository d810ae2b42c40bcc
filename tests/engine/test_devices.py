"""What libraries hold on devices, by stand-ins in ``sys.modules``."""

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from engine import devices
from engine.executors.subprocess import ALLOCATION


class Library:
    """A module that answers by a table and remembers what it was asked; an answer may be an exception."""

    def __init__(self, answers: dict):
        self.answers, self.asked = answers, []

    def __getattr__(self, name):
        if name.startswith("_") or name not in self.answers:
            raise AttributeError(name)

        def call(*arguments):
            self.asked.append((name, *arguments))
            if isinstance(self.answers[name], Exception):
                raise self.answers[name]
            return self.answers[name]

        return call


@pytest.fixture
def load(monkeypatch):
    for name in ("mlx.core", "torch.mps", "torch.cuda", "torch.backends.mps"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def load(name, **answers):
        library = Library(answers)
        monkeypatch.setitem(sys.modules, name, library)
        return library

    return load


def mlx(load, **answers):
    known = {"get_active_memory": 100, "get_cache_memory": 20, "set_cache_limit": 0, "clear_cache": None}
    return load("mlx.core", **(known | answers))


def cuda(load, **answers):
    known = {"is_initialized": True, "device_count": 2, "memory_reserved": 3, "empty_cache": None}
    return load("torch.cuda", **(known | answers))


def mps(load, available=True, **answers):
    load("torch.backends.mps", is_available=available)
    return load("torch.mps", **({"driver_allocated_memory": 4_000, "empty_cache": None} | answers))


def test_without_libraries_there_is_nothing_and_nothing_is_loaded(load):
    before = set(sys.modules)
    devices.limit()
    devices.tidy()
    assert devices.memory() == 0
    assert set(sys.modules) == before


def test_what_all_hold_is_added_up(load):
    mlx(load)
    cuda(load)
    mps(load)
    assert devices.memory() == 120 + 2 * 3 + 4_000


def test_what_is_not_in_use_is_not_asked(load):
    unused = cuda(load, is_initialized=False)
    absent = mps(load, available=False)
    assert devices.memory() == 0
    devices.tidy()
    assert (unused.asked, absent.asked) == ([("is_initialized",)] * 2, [])


def test_faults_and_missing_calls_count_nothing(load):
    mlx(load, get_active_memory=RuntimeError("no Metal device"))
    del cuda(load).answers["memory_reserved"]
    mps(load, driver_allocated_memory=None)
    assert devices.memory() == 20
    mlx(load, clear_cache=RuntimeError("no Metal device"), set_cache_limit=ValueError())
    devices.limit()
    devices.tidy()


def test_a_library_that_another_thread_is_loading_is_not_asked(load):
    half = mlx(load)
    half.__spec__ = ModuleSpec("mlx.core", None)
    half.__spec__._initializing = True
    assert devices.memory() == 0
    half.__spec__._initializing = False
    assert devices.memory() == 120


def test_the_cache_is_bounded_and_cleared(load):
    library, card, metal = mlx(load), cuda(load), mps(load)
    devices.limit()
    devices.tidy()
    assert ("set_cache_limit", 32 * 2**20) in library.asked
    assert all(("clear_cache",) in each.asked or ("empty_cache",) in each.asked for each in (library, card, metal))


def test_on_metal_more_may_be_kept(load):
    library = mlx(load)
    library.metal = load("mlx.core.metal", is_available=True)
    devices.limit()
    assert ("set_cache_limit", 256 * 2**20) in library.asked


def test_the_environment_is_set_where_the_user_has_not():
    environment = {"PYTORCH_ENABLE_MPS_FALLBACK": "0"}
    devices.prepare(environment)
    assert environment["PYTORCH_ENABLE_MPS_FALLBACK"] == "0"
    assert environment["PYANNOTE_METRICS_ENABLED"] == "0"
    high, low = (float(environment[name]) for name in devices.MPS_WATERMARKS)
    assert 0 < low <= high < 1


@pytest.mark.parametrize("name", devices.MPS_WATERMARKS)
def test_one_watermark_of_the_users_is_left_alone_with_the_other(name):
    environment = {name: "0.3"}
    devices.prepare(environment)
    assert [environment.get(each) for each in devices.MPS_WATERMARKS if each != name] == [None]


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be told to give memory back")
def test_freed_memory_goes_back_to_the_system():
    """In a process told, as workers are, to keep what it has freed."""
    script = (
        "import numpy as np\n"
        "from engine import devices\n"
        "from engine.executors.outbox import memory_readers\n"
        "held = memory_readers()[0]\n"
        "arrays = [np.ones(1_000_000) for _ in range(20)]\n"
        "full = held()\n"
        "del arrays\n"
        "kept = held()\n"
        "devices.trim()\n"
        "print(full, kept, held())\n"
    )
    environment = ALLOCATION | os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    full, kept, tidied = map(int, done.stdout.split())
    if kept < full - 50_000_000:
        pytest.skip("this C library is not glibc: it keeps nothing")
    assert tidied < full - 100_000_000


def test_the_peak_of_mlx_is_told_once(load):
    library = mlx(load, get_peak_memory=900, reset_peak_memory=None)
    assert devices.peak() == 900
    assert ("reset_peak_memory",) in library.asked


def test_without_mlx_no_peak_is_told(load):
    assert devices.peak() == 0
    cuda(load, max_memory_reserved=5)
    assert devices.peak() == 0
