"""How a ``run`` at the host ends: by its files, by the user, or by the host."""

import asyncio
import signal

import pytest

from engine import events as ev
from engine.commands import Options, Pause
from engine.states import Done, Paused, Running
from tests.tui.scenes import NOW
from tests.tui.test_errand import Queue
from tui import headless
from tui.reporter import Reporter


class Host(Queue):
    """A connection to a host, played."""

    goodbye = "scribetui was stopped."
    is_failure = False


class Attending:
    """A ``run`` of one file that is waited for."""

    def __init__(self) -> None:
        self.host = Host((1, "/media/theirs.mkv"))
        self.interruptions = headless._Interruptions(())
        files = [("/media/a.mkv", Options())]
        self.status = asyncio.create_task(
            headless.attend(self.host, files, Reporter(as_json=False), self.interruptions)
        )

    async def settled(self) -> None:
        for _ in range(30):
            await asyncio.sleep(0)


@pytest.fixture
async def attending() -> Attending:
    attending = Attending()
    await attending.settled()
    attending.host.become(2, Running(NOW))
    await attending.settled()
    assert not attending.status.done()
    return attending


async def test_it_ends_with_its_files(attending):
    attending.host.become(2, Done(NOW))
    assert await attending.status == headless.DONE


async def test_a_host_that_does_not_answer_can_be_left(attending, monkeypatch, capsys):
    """Its disk is full, say: it tells so, and the second interruption waits for no answer."""

    async def never(_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(attending.host, "submit", never)
    interruptions = headless._Interruptions(())
    files = [("/media/b.mkv", Options())]
    status = asyncio.create_task(headless.attend(attending.host, files, Reporter(as_json=False), interruptions))
    await attending.settled()
    attending.host.say(ev.Notice("The disk is full."))
    await attending.settled()
    assert "The disk is full." in capsys.readouterr().err
    interruptions._interrupt()
    await attending.settled()
    assert "interrupt again to leave at once" in capsys.readouterr().err
    assert not status.done()
    interruptions._interrupt()
    assert await status == headless.INTERRUPTED


async def test_an_interruption_waits_for_the_rest(attending, capsys):
    attending.interruptions.first.set()
    await attending.settled()
    assert attending.host.commands[-1] == Pause(2, "park")
    assert not attending.status.done()
    attending.host.become(2, Paused(NOW, "parked"))
    assert await attending.status == headless.INTERRUPTED
    assert "interrupt again to leave at once" in capsys.readouterr().err


async def test_a_second_interruption_waits_for_nothing(attending):
    attending.interruptions._interrupt()
    attending.interruptions._interrupt()
    assert await attending.status == headless.INTERRUPTED


async def test_a_closed_terminal_leaves_the_jobs_alone(attending):
    signal.raise_signal(signal.SIGHUP)
    assert await attending.status == headless.INTERRUPTED
    assert not [each for each in attending.host.commands if isinstance(each, Pause)]


@pytest.mark.parametrize(("is_failure", "status"), [(False, headless.INTERRUPTED), (True, headless.FAILED)])
async def test_the_end_of_the_host_is_told(attending, capsys, is_failure, status):
    attending.host.is_failure = is_failure
    attending.host.end()
    assert await attending.status == status
    err = capsys.readouterr().err
    assert "a.mkv: stopped at 0%; run it again to go on from there" in err
    assert "scribetui was stopped." in err


async def test_a_fault_in_following_is_no_success(attending, monkeypatch):
    monkeypatch.setattr(Reporter, "tell", lambda *_: 1 / 0)
    attending.host.become(2, Done(NOW))
    with pytest.raises(ZeroDivisionError):
        await attending.status
