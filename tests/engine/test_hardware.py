"""What the machine has, with a container's limits counted in."""

from pathlib import Path

import psutil
import pytest

from engine import hardware

TOTAL = psutil.virtual_memory().total


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, TOTAL),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000000\n"}, 1_000_000),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "2000000\n"}, 2_000_000),
        ({"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n"}, TOTAL),
        ({"proc/self/cgroup": "0::/host/path\n", "sys/fs/cgroup/memory.max": "3000000\n"}, 3_000_000),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n2:cpu:/\n0::/\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "4000000\n",
            },
            4_000_000,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
            },
            TOTAL,
        ),
    ],
)
def test_memory(tmp_path: Path, files, expected):
    assert hardware.memory(write(tmp_path, files)) == expected


def test_memory_of_this_machine():
    assert 0 < hardware.memory() <= TOTAL


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 8), ("200000 100000", 2), ("150000 100000", 1), ("50000 100000", 1)]
)
def test_cores(tmp_path: Path, monkeypatch, quota, expected):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(hardware.sys, "platform", "elsewhere")
    files = {"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": f"{quota}\n"}
    assert hardware.cores(write(tmp_path, files)) == expected


def test_cores_of_this_machine():
    assert hardware.cores() >= 1


def test_a_card_needs_its_driver_and_cublas(tmp_path: Path, monkeypatch):
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    assert not hardware.has_cuda(tmp_path)
    write(tmp_path, {"proc/driver/nvidia/version": "NVRM"})
    assert not hardware.has_cuda(tmp_path)
    write(tmp_path, {"own/libcublas.so.12": ""})
    monkeypatch.setenv("LD_LIBRARY_PATH", f"/nowhere:{tmp_path}/own")
    assert hardware.has_cuda(tmp_path)
    monkeypatch.delenv("LD_LIBRARY_PATH")
    write(tmp_path, {"usr/lib64/libcublas.so.12": ""})
    assert hardware.has_cuda(tmp_path)


# ---- Apple silicon


@pytest.mark.parametrize(
    ("platform", "machine", "expected"),
    [("darwin", "arm64", True), ("darwin", "x86_64", False), ("linux", "arm64", False)],
)
def test_what_is_apple_silicon(monkeypatch, platform, machine, expected):
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert hardware.is_apple() is expected


@pytest.mark.parametrize(
    ("code", "expected"), [("pass", True), ("raise RuntimeError('no device')", False), ("import os; os.abort()", False)]
)
def test_metal_is_tried_where_it_can_do_no_harm_and_once(monkeypatch, code, expected):
    hardware.has_metal.cache_clear()
    monkeypatch.setattr(hardware, "METAL", code)
    assert hardware.has_metal() is expected
    monkeypatch.setattr("subprocess.run", None)
    assert hardware.has_metal() is expected
    hardware.has_metal.cache_clear()


def test_free_memory_is_never_more_than_there_is(monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 5)
    assert hardware.free() == 5
