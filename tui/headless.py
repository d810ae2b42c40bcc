"""The work with no screen: progress on stderr, events as JSON lines on stdout, an exit status at the end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import typer

from engine.commands import Add, CommandError
from engine.engine import Engine
from engine.home import Home
from engine.notices.notifier import Notifier
from engine.remote import Remote
from tui import listing
from tui.errand import DONE, FAILED, INTERRUPTED, Errand, File
from tui.reporter import Reporter
from tui.text import name_of

WITH_TERMINAL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IN_HAND = (signal.SIGINT, signal.SIGTERM)
"""Signals by which the user wants the work to stop, where the work itself does not live in a terminal."""


class _Interruptions:
    """Signals as events: the first asks for an end in good order, the second for one at once."""

    def __init__(self, numbers: Sequence[signal.Signals], at_once: Callable[[], None] | None = None) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.closed = asyncio.Event()
        """The terminal was closed, where that is no reason to stop."""
        self._at_once = at_once
        loop = asyncio.get_running_loop()
        for number in numbers:
            loop.add_signal_handler(number, self._interrupt)
        if signal.SIGHUP not in numbers and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGHUP, self.closed.set)

    def _interrupt(self) -> None:
        if self.first.is_set():
            self.second.set()
            if self._at_once is not None:
                self._at_once()
        self.first.set()


async def in_foreground(
    engine: Engine, files: Sequence[File], *, as_json: bool, notifier: Notifier | None = None
) -> int:
    """Queue the files in an engine of one's own, do them, and say how it went; the exit status.

    The first interruption lets the batches under way finish; a second one does not.

    Args:
        engine: not yet entered.
        files: what to do, and how.
        as_json: whether to write every event to stdout.
        notifier: runs the user's command when a job ends; it is waited for.
    """
    interruptions = _Interruptions(WITH_TERMINAL, engine.kill)
    with Reporter(as_json=as_json) as reporter:
        errand = Errand(engine, reporter, is_shared=False)
        following = asyncio.create_task(errand.follow())
        async with engine:
            notifying = asyncio.create_task(notifier.run()) if notifier is not None else None
            await errand.queue(files, interruptions.first)
            await _first_of(engine.wait(), interruptions.first.wait(), engine.is_asked_to_stop.wait())
            if interruptions.first.is_set():
                reporter.say("Stopping after the batches under way; interrupt again to stop at once.")
        await following
        if notifying is not None:
            await notifying
        if engine.error is not None:
            reporter.say(engine.error, "red")
            return FAILED
        status = errand.conclude()
        return INTERRUPTED if interruptions.first.is_set() else status


async def through_host(home: Home, files: Sequence[File], *, as_json: bool) -> int:
    """Queue the files at the host, wait until they are done, and say how it went; the exit status.

    An interruption pauses them and gives their memory back; a second one does not wait for that. When the terminal is
    closed, they go on.

    Raises:
        HomeError: there is no host, and none can be started.
    """
    with Reporter(as_json=as_json) as reporter:
        interruptions = _Interruptions(IN_HAND)
        attaching = asyncio.ensure_future(Remote.attach(home, tell=reporter.say))
        await _first_of(asyncio.wait((attaching,)), interruptions.first.wait())
        if not attaching.done():
            attaching.cancel()
            return INTERRUPTED
        async with attaching.result() as remote:
            return await attend(remote, files, reporter, interruptions)


async def attend(remote: Remote, files: Sequence[File], reporter: Reporter, interruptions: _Interruptions) -> int:
    """Queue the files at a host, and stay until they are over or the user has enough; the exit status."""
    errand = Errand(remote, reporter, is_shared=True)
    following = asyncio.create_task(errand.follow())
    try:
        if not await _is_queued(errand, files, reporter, interruptions):
            return INTERRUPTED
        leaving = (interruptions.first.wait(), interruptions.closed.wait())
        await _first_of(errand.wait(), asyncio.wait((following,)), *leaving)
        if interruptions.closed.is_set():
            return INTERRUPTED
        if interruptions.first.is_set():
            return await _park(errand, following, reporter, interruptions)
        status = errand.conclude()
        if following.done():
            following.result()
        if errand.unfinished():
            reporter.say(remote.goodbye, "red" if remote.is_failure else "yellow")
            return FAILED if remote.is_failure else INTERRUPTED
        return status
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _is_queued(errand: Errand, files: Sequence[File], reporter: Reporter, interruptions: _Interruptions) -> bool:
    """Queue the files; whether it came to an end, for a host may answer late, as when its disk is full."""
    queueing = asyncio.create_task(errand.queue(files, interruptions.first))
    try:
        await _first_of(asyncio.wait((queueing,)), interruptions.first.wait())
        if not queueing.done():
            reporter.say("Stopping once the host has answered; interrupt again to leave at once.")
            await _first_of(asyncio.wait((queueing,)), interruptions.second.wait())
        if queueing.done():
            queueing.result()
        return queueing.done()
    finally:
        queueing.cancel()
        await asyncio.gather(queueing, return_exceptions=True)


async def _park(
    errand: Errand, following: asyncio.Task[None], reporter: Reporter, interruptions: _Interruptions
) -> int:
    if errand.unfinished():
        reporter.say("Stopping after the batches under way; interrupt again to leave at once.")
    await _first_of(errand.park(), asyncio.wait((following,)), interruptions.second.wait(), interruptions.closed.wait())
    errand.conclude()
    return INTERRUPTED


async def detach(home: Home, files: Sequence[File], *, as_json: bool) -> int:
    """Queue the files at the host, say which jobs they are, and leave; the exit status.

    Raises:
        HomeError: there is no host, and none can be started.
    """
    jobs: list[int] = []
    errors: list[dict[str, str]] = []
    reporter = Reporter(as_json=False)
    async with await Remote.attach(home, subscribes=False, tell=reporter.say) as remote:
        for path, options in dict.fromkeys(files):
            try:
                job = await remote.submit(Add(path=path, options=options))
            except CommandError as error:
                errors.append({"path": path, "error": str(error)})
                reporter.say(str(error), "red")
                continue
            if job is not None and job not in jobs:
                jobs.append(job)
                if not as_json:
                    typer.echo(f"{name_of(path)} is job {job}.")
    if as_json:
        view = await listing.asked(home)
        told = [job for job in view.jobs if job.id in jobs]
        data = {"jobs": listing.rows(told, listing.now_ms()), "errors": errors}
        typer.echo(msgspec.json.encode(data).decode())
    return FAILED if errors else DONE


async def _first_of(*waits: Awaitable[object]) -> None:
    """Wait until one of them is over; the others are given up. What one of them raises is raised."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        over, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in over:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
