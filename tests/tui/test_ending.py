"""Asking whoever is at work to end: by its socket, else by a signal, but only where that is the right process."""

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from engine.home import Home
from engine.serving.protocol import Refused
from engine.serving.sockets import listen
from engine.states import Done, Running
from tests.tui.scenes import Scene
from tui import ending


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def signals(monkeypatch) -> list[tuple[int, int]]:
    """The signals that were sent; none of them is."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(ending, "TWICE", 0.0)
    return sent


def test_nobody_is_at_work(home, signals):
    assert ending.stop(home, now=False, say=print) is None
    assert signals == []


def test_a_host_of_another_version_is_asked_by_a_signal(home, signals):
    """It does not talk to us, but every version ends in good order when it is told to."""

    def refuse() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.makefile("rb").readline()
            connection.sendall(msgspec.json.encode(Refused("We do not go together.")) + b"\n")

    with home.lock(), listen(home.socket) as listener, ThreadPoolExecutor() as pool:
        listener.setblocking(True)
        refusing = pool.submit(refuse)
        assert not asyncio.run(ending._is_asked(home, False, print))
        refusing.result()
        assert asyncio.run(ending._is_signalled(home, os.getpid(), False))
    assert signals == [(os.getpid(), signal.SIGTERM)]


def test_at_once_is_the_second_signal(home, signals):
    with home.lock():
        assert asyncio.run(ending._is_signalled(home, os.getpid(), True))
    assert signals == [(os.getpid(), signal.SIGTERM)] * 2


def test_a_process_of_another_computer_is_left_alone(home, signals):
    """The same number means another process here."""
    with home.lock():
        home.lock_file.write_text(f"{os.getpid()}\nelsewhere\n")
        with pytest.raises(ending.StopError, match=rf"Process {os.getpid()} on elsewhere is at work .* stop it there"):
            ending.stop(home, now=False, say=print)
    assert signals == []


def test_a_holder_that_does_not_say_who_it_is(home, signals):
    with home.lock():
        home.lock_file.write_text("")
        with pytest.raises(ending.StopError, match="does not say which"):
            ending.stop(home, now=False, say=print)
    assert signals == []


def test_a_process_of_another_user(home, monkeypatch):
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    with home.lock(), pytest.raises(ending.StopError, match="belongs to another user"):
        ending.stop(home, now=False, say=print)


def test_one_that_has_ended_meanwhile_needs_no_signal(home, signals):
    assert not asyncio.run(ending._is_signalled(home, 4711, False))
    assert signals == []


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        (0, "Stopped."),
        (1, "Stopped; 1 job is unfinished: 'scribetui resume --all' goes on from there."),
        (2, "Stopped; 2 jobs are unfinished: 'scribetui resume --all' goes on from there."),
    ],
)
def test_what_is_left_over_is_counted(jobs: int, told: str):
    scene = Scene()
    for job in range(1, jobs + 1):
        scene.add(job, f"/media/{job}.mkv", state=Running(1))
    assert ending.told_of(list(scene.view.jobs)) == told


def test_what_has_ended_is_not_left_over(home, monkeypatch):
    view = Scene().add(1, "/a.mkv", state=Done(1)).add(2, "/b.mkv").view
    monkeypatch.setattr(ending.listing, "from_ledger", lambda _: view)
    assert [job.id for job in ending.left_over(home)] == [2]
