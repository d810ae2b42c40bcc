"""The state folder: where it is, who may see it, and that only one process can hold it."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.home import Home, HomeBusy, HomeError

HOLD = "import sys; from pathlib import Path; from engine.home import Home\nwith Home(Path(sys.argv[1])).lock():\n"
HOLD += "    print('held', flush=True); sys.stdin.read()\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "deep" / "state")


@pytest.fixture
def other(home: Home):
    """Another process that holds the home."""
    command = [sys.executable, "-c", HOLD, str(home.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert Home.find({"SCRIBETUI_HOME": "state"}).path == tmp_path / "state"
    assert Home.find({"SCRIBETUI_HOME": "~/state"}).path == tmp_path / "me" / "state"
    assert Home.find({}).path.name == "scribetui"
    assert Home.find({"SCRIBETUI_HOME": ""}) == Home.find({})
    assert Home.find({}).path.is_absolute()


def test_finding_creates_nothing(home: Home):
    assert Home.find({"SCRIBETUI_HOME": str(home.path)}) == home
    assert not home.path.exists()
    assert home.holder() is None
    assert home.disk_free() > 0
    assert not home.path.parent.exists()


def test_only_the_user_may_look_inside(home: Home):
    home.create()
    home.create()
    for folder in (home.path, home.cache, home.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with home.lock():
        assert stat.S_IMODE(home.lock_file.stat().st_mode) == 0o600


def test_a_second_process_is_told_who_holds_it(home: Home, other):
    assert home.holder() == other.pid
    with pytest.raises(HomeBusy, match=rf"\(process {other.pid}\) is at work in {home.path};") as raised, home.lock():
        pass
    assert raised.value.pid == other.pid


def test_the_same_process_cannot_hold_it_twice(home: Home):
    with home.lock(), pytest.raises(HomeBusy, match=f"process {os.getpid()}"), home.lock():
        pass
    assert home.holder() is None


def test_the_lock_ends_with_the_process_however_it_ends(home: Home, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert home.holder() is None
    with home.lock():
        assert home.holder() == os.getpid()


def test_a_child_does_not_inherit_the_lock(home: Home):
    with home.lock():
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert home.holder() is None
    finally:
        child.communicate(b"")


def test_a_glance_does_not_keep_an_engine_out(home: Home):
    home.create()
    home.lock_file.touch()
    stop = threading.Event()

    def glance():
        while not stop.is_set():
            home.holder()

    thread = threading.Thread(target=glance)
    thread.start()
    try:
        for _ in range(50):
            with home.lock():
                pass
    finally:
        stop.set()
        thread.join()


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(HomeError, match=rf"^The state folder {path} cannot be used \(.*\); set SCRIBETUI_HOME to"):
            Home(path).create()


def test_a_folder_that_may_not_be_written_is_one_sentence(home: Home, monkeypatch):
    home.create()
    monkeypatch.setattr("engine.home.os.access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(HomeError, match="Permission denied"), home.lock():
        pass


def test_a_lock_file_with_nonsense_in_it_still_locks(home: Home, other):
    home.lock_file.write_text("nobody")
    assert home.holder() == 0
    with pytest.raises(HomeBusy, match=r"\(another process\)") as raised, home.lock():
        pass
    assert raised.value.pid is None
