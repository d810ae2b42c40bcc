"""``scribetui stop``: the end of whoever is at work, in good order, and the wait for it."""

import asyncio
import os
import signal
from collections.abc import Callable

from engine.commands import CommandError
from engine.home import Home, HomeError
from engine.remote import Remote
from engine.states import ENDED
from engine.view import JobView
from tui import listing
from tui.status import is_at_work
from tui.text import count, name_of

ANSWER = 5.0
"""Seconds within which a host has to take the request; then it is asked by a signal."""
LOOK = 0.1
"""Seconds between two looks whether it has ended."""
LONG = 30.0
"""Seconds after which it is said how to end it by force."""
TWICE = 0.5
"""Seconds between two signals: the second one means at once."""


class StopError(HomeError):
    """Whoever is at work cannot be told to stop; one clear sentence for the user."""


def stop(home: Home, *, now: bool, say: Callable[[str], None]) -> int | None:
    """Have whoever is at work end, and wait until it has; its process, None where nobody is at work.

    Args:
        home: where it is at work.
        now: whether to give up the batches under way.
        say: called with a sentence about what is waited for.

    Raises:
        StopError: it cannot be told.
    """
    pid = home.holder()
    if pid is not None:
        asyncio.run(_stop(home, pid, now, say))
    return pid


async def _stop(home: Home, pid: int, now: bool, say: Callable[[str], None]) -> None:
    if not (listing.has_host(home) and await _is_asked(home, now, say)):
        if not await _is_signalled(home, pid, now):
            return
        say(f"Waiting for process {pid} to finish the batches under way." if not now else f"Ending process {pid}.")
    loop = asyncio.get_running_loop()
    told_at: float | None = loop.time() + LONG
    while home.holder() == pid:
        await asyncio.sleep(LOOK)
        if told_at is not None and loop.time() > told_at:
            told_at = None
            say(f"Process {pid} takes long; 'kill -9 {pid}' ends it at once and costs the batches under way at most.")


async def _is_asked(home: Home, now: bool, say: Callable[[str], None]) -> bool:
    """Ask the host; whether it will end."""
    try:
        async with asyncio.timeout(ANSWER), await Remote.attach(home, starts=False) as remote:
            view, _ = remote.subscribe()
            await remote.stop(now=now)
    except (HomeError, CommandError, TimeoutError):
        return False
    busy = [f"job {job.id} ({name_of(job.path)})" for job in view.jobs if is_at_work(job.state)]
    if busy and not now:
        say(f"Waiting for the batches under way of {', '.join(busy)}.")
    return True


async def _is_signalled(home: Home, pid: int, now: bool) -> bool:
    """Ask it by a signal; whether there was anybody to ask."""
    if home.holder() != pid:
        return False
    if not pid:
        raise StopError(f"Another process is at work in {home.path} and does not say which; end that one.")
    computer = home.holder_computer()
    if computer not in ("", os.uname().nodename):
        raise StopError(f"Process {pid} on {computer} is at work in {home.path}; stop it there.")
    try:
        os.kill(pid, signal.SIGTERM)
        if now:
            await asyncio.sleep(TWICE)
            os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise StopError(f"Process {pid} is at work in {home.path} and belongs to another user.") from error
    return True


def left_over(home: Home) -> list[JobView]:
    """The jobs that are not finished.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    return [job for job in listing.from_ledger(home).jobs if not isinstance(job.state, ENDED)]


def told_of(jobs: list[JobView]) -> str:
    """What is said once nobody is at work any more."""
    if not jobs:
        return "Stopped."
    are = "is" if len(jobs) == 1 else "are"
    return f"Stopped; {count(len(jobs), 'job')} {are} unfinished: 'scribetui resume --all' goes on from there."
