"""Keeping the machine awake: by wakepy, by a stand-in for systemd-inhibit, or not at all."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from engine import awake
from engine.awake import Awake

INHIBIT = """#!/bin/sh
echo "$@" >> {told}
case "$1" in --what={granted}) ;; *) exit 1 ;; esac
echo $$ > {told}.pid
while [ $# -gt 1 ]; do shift; done
exec "$1"
"""


@pytest.fixture
def kept():
    """An Awake that lets go in the end."""
    kept = Awake()
    yield kept
    kept.close()


@pytest.fixture
def nothing(monkeypatch, tmp_path):
    """Neither wakepy nor systemd can help here."""
    monkeypatch.setenv("WAKEPY_FORCE_FAILURE", "1")
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def systemd(nothing, monkeypatch, tmp_path):
    """A systemd-inhibit that grants some locks; the file in which it notes how it was called."""

    def make(granted: str) -> Path:
        told = tmp_path / "told"
        program = tmp_path / "systemd-inhibit"
        program.write_text(INHIBIT.format(told=told, granted=granted))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
        return told

    return make


def until(condition):
    """Wait until something another thread or process does is done."""
    pause, end = threading.Event(), time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        pause.wait(0.01)


def is_there(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_wakepy_holds_until_let_go(kept, monkeypatch):
    monkeypatch.setenv("WAKEPY_FAKE_SUCCESS", "1")
    import wakepy

    kept.hold()
    kept.hold()
    assert kept.is_wanted
    until(lambda: wakepy.modecount() == 1)
    kept.let_go()
    kept.let_go()
    assert not kept.is_wanted
    until(lambda: wakepy.modecount() == 0)
    kept.hold()
    until(lambda: wakepy.modecount() == 1)
    kept.close()
    assert wakepy.modecount() == 0


def test_of_many_orders_the_last_one_counts(kept, monkeypatch):
    monkeypatch.setenv("WAKEPY_FAKE_SUCCESS", "1")
    import wakepy

    for _ in range(1_000):
        kept.hold()
        kept.let_go()
    kept.hold()
    until(lambda: wakepy.modecount() == 1)
    kept.close()
    assert wakepy.modecount() == 0


def test_holding_takes_no_time_of_the_callers(kept, monkeypatch):
    found = threading.Event()
    monkeypatch.setattr(awake, "_by_wakepy", lambda: contextlib.ExitStack() if found.wait(30) else None)
    kept.hold()
    kept.let_go()
    found.set()


@pytest.mark.parametrize(("granted", "tries"), [("idle:sleep", 1), ("idle", 2)])
def test_systemd_holds_where_wakepy_cannot_and_ends_with_it(kept, systemd, granted, tries):
    told = systemd(granted)
    kept.hold()
    until(told.with_suffix(".pid").exists)
    until(lambda: told.with_suffix(".pid").read_text())
    pid = int(told.with_suffix(".pid").read_text())
    assert is_there(pid)
    assert len(told.read_text().splitlines()) == tries
    kept.close()
    assert not is_there(pid)


def test_a_helper_that_will_not_end_is_ended(monkeypatch):
    helper = subprocess.Popen(
        [sys.executable, "-c", "import threading; threading.Event().wait()"], stdin=subprocess.PIPE
    )
    monkeypatch.setattr(awake, "PATIENCE", 0.1)
    awake._end(helper)
    assert helper.returncode == -9


def test_the_helper_ends_when_we_are_killed(systemd, tmp_path):
    told = systemd("idle:sleep").with_suffix(".pid")
    code = "import threading\nfrom engine.awake import Awake\nAwake().hold()\nthreading.Event().wait()"
    ours = subprocess.Popen([sys.executable, "-c", code])
    try:
        until(lambda: told.exists() and told.read_text())
        pid = int(told.read_text())
        assert is_there(pid)
    finally:
        ours.kill()
        ours.wait()
    until(lambda: not is_there(pid))


def test_where_nothing_works_that_is_said_once_and_work_goes_on(kept, nothing, caplog):
    kept.hold()
    until(lambda: "nothing here can keep the machine awake" in caplog.text)
    kept.let_go()
    kept.hold()
    until(kept._orders.empty)
    kept.close()
    assert len(caplog.records) == 1


def test_whatever_goes_wrong_is_not_raised(kept, nothing, monkeypatch, caplog):
    def broken():
        raise RuntimeError("the bus is on fire")

    monkeypatch.setattr(awake, "_by_wakepy", broken)
    kept.hold()
    until(lambda: "nothing here can keep the machine awake" in caplog.text)


def test_letting_go_that_fails_is_not_raised(kept, monkeypatch):
    stack, taken, tried = contextlib.ExitStack(), threading.Event(), threading.Event()
    stack.callback(lambda: 1 / 0)
    stack.callback(tried.set)
    monkeypatch.setattr(awake, "_by_wakepy", lambda: taken.set() or stack)
    kept.hold()
    assert taken.wait(30)
    kept.close()
    assert tried.is_set()


def test_wakepy_is_loaded_only_when_it_is_needed():
    code = "import sys, engine.awake; engine.awake.Awake(); sys.exit('wakepy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_closing_what_was_never_held_does_nothing(kept):
    kept.close()
    kept.close()
    assert not kept.is_wanted
