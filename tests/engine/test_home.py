"""The state folder: where it is, who may see it, and that only one process can hold it."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

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


def test_deleting_the_lock_file_lets_nobody_in(home: Home, other):
    home.lock_file.unlink()
    assert home.holder() == 0
    with pytest.raises(HomeBusy, match="at work in"), home.lock():
        pass
    home.lock_file.unlink()
    other.kill()
    other.wait()
    with home.lock():
        assert home.holder() == os.getpid()


def test_another_name_for_the_folder_is_the_same_folder(home: Home, other, tmp_path: Path):
    (tmp_path / "link").symlink_to(home.path)
    with pytest.raises(HomeBusy, match=rf"process {other.pid}"), Home(tmp_path / "link").lock():
        pass


def test_a_home_that_was_moved_while_held_is_held_where_it_is(home: Home, other, tmp_path: Path):
    home.path.rename(tmp_path / "moved")
    assert Home(tmp_path / "moved").holder() == other.pid
    with pytest.raises(HomeBusy), Home(tmp_path / "moved").lock():
        pass
    with home.lock():  # a new one; the ledger of the moved one notices
        assert home.holder() == os.getpid()


FORK = """
import os, signal, sys
from pathlib import Path
from engine.home import Home

home = Home(Path(sys.argv[1]))
lock = home.lock()
lock.__enter__()
forked, tell = os.pipe()
child = os.fork()
if child == 0:
    lock.__exit__(None, None, None)  # what was closed already is not closed again
    os.write(tell, b"!")
    signal.pause()
os.read(forked, 1)
print(child, flush=True)
sys.stdin.read()
os._exit(0)
"""


def test_a_forked_child_does_not_hold_the_lock(home: Home):
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(home.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        child = int(process.stdout.readline())
        try:
            assert home.holder() == process.pid, "the child gave the parent's lock away"
            process.stdin.close()
            process.wait()
            os.kill(child, 0)
            assert home.holder() is None
            with home.lock():
                pass
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("code", [errno.EBADF, errno.ENOTSUP])
def test_a_file_system_that_locks_no_folders_locks_the_file(home: Home, monkeypatch, code):
    real = fcntl.flock

    def flock(descriptor, operation):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        real(descriptor, operation)

    monkeypatch.setattr("engine.home.fcntl.flock", flock)
    with home.lock():
        assert home.holder() == os.getpid()
        with pytest.raises(HomeBusy), home.lock():
            pass
    assert home.holder() is None


def test_a_file_system_with_no_locks_at_all_is_refused(home: Home, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("engine.home.fcntl.flock", flock)
    with pytest.raises(HomeError, match=r"cannot be used \(No locks available\)"), home.lock():
        pass


@pytest.mark.parametrize(("kind", "is_refused"), [("nfs4", True), ("smbfs", True), ("ext4", False), ("apfs", False)])
def test_where_a_lock_may_not_reach_another_computer_its_word_counts(home: Home, monkeypatch, kind, is_refused):
    home.create()
    home.lock_file.write_text("77\nthe other one\n")
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4"), SimpleNamespace(mountpoint=str(home.path), fstype=kind)]
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: mounts)
    if is_refused:
        with pytest.raises(HomeBusy, match=r"\(process 77 on the other one\) .* delete .*lock\.$"), home.lock():
            pass
        home.lock_file.unlink()
    with home.lock():
        pass
    assert home.lock_file.read_text() == "", "who ends in order says so"
    home.lock_file.write_text(f"77\n{os.uname().nodename}\n")
    with home.lock():
        pass


def test_a_lock_file_with_nonsense_in_it_still_locks(home: Home, other):
    home.lock_file.write_text("nobody")
    assert home.holder() == 0
    with pytest.raises(HomeBusy, match=r"\(another process\)") as raised, home.lock():
        pass
    assert raised.value.pid is None


def test_a_home_whose_name_is_no_text_is_refused(tmp_path):
    home = Home(tmp_path / "home\udcff")
    with pytest.raises(HomeError, match="its name is not valid UTF-8"), home.lock():
        pass
    assert not home.path.exists()
