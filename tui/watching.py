"""``scribetui watch``: queue what appears in folders, and tell what becomes of it, until interrupted."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

import msgspec

from engine.api import EngineAPI, Lost, follow
from engine.commands import CommandError, Options, Resume
from engine.events import Entry
from engine.home import Home
from engine.remote import Remote
from engine.settings.groups import Watch
from engine.states import ENDED, Cancelled, Done, Failed, Stopped
from engine.view import JobView, View
from engine.watching.watcher import FolderClosed, FolderLost, Found, Held, PassedOver, Report, Watcher, sentence
from tui.statewords import state_words
from tui.text import name_of, plain

DONE, FAILED, INTERRUPTED = 0, 1, 130
"""Exit statuses, as the command line promises them."""
TROUBLES = (FolderLost, FolderClosed, Held)
"""Reports of what is amiss; so is a recording that is passed over, unless its content is known."""


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A job that was found here has ended; ``gaps`` are seconds of speech without text."""

    path: str
    job: int
    state: str
    gaps: float = 0.0
    error: str | None = None
    outputs: tuple[str, ...] = ()


class Teller:
    """Tells what happens: a line each on stdout, what is amiss on stderr; or all of it as JSON on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        for stream in (sys.stdout, sys.stderr):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors="backslashreplace")

    def report(self, report: Report) -> None:
        """Something that the watcher has to tell."""
        if self._as_json:
            self._tell(report)
        elif isinstance(report, TROUBLES) or (isinstance(report, PassedOver) and not report.is_known):
            self.say(sentence(report))
        else:
            self._write(sys.stdout, plain(sentence(report)))

    def ended(self, job: JobView) -> None:
        """A job has ended."""
        if self._as_json:
            self._tell(_ended(job))
        else:
            self._write(sys.stdout, f"{name_of(job.path)}: {state_words(job.state)} (job {job.id}){_why(job)}")

    def say(self, text: str) -> None:
        """A sentence for the user, who may not be reading stdout."""
        self._write(sys.stderr, plain(text))

    def _tell(self, data: msgspec.Struct) -> None:
        # Not msgspec: the name of a file may be no text, and is then told by its bytes, as Python reads them.
        self._write(sys.stdout, json.dumps(msgspec.to_builtins(data)))

    def _write(self, stream: TextIO, line: str) -> None:
        """Write a line; once its reader is gone, to nowhere, so that the watching goes on."""
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Jobs:
    """The jobs that were found here: each one's end is told once."""

    def __init__(self, api: EngineAPI, teller: Teller) -> None:
        self._api = api
        self._teller = teller
        self._open: set[int] = set()
        self._is_cut_off = False
        self._view, self._news = api.subscribe()

    def add(self, job: int) -> None:
        """A job was found here; the news of its end may have come before that of its being ours."""
        self._open.add(job)
        self._look(job)

    async def follow(self) -> None:
        """Take in all news until the engine ends."""
        async for news in self._news:
            self._view = follow(self._view, news)
            match news:
                case Lost(reason):
                    if not self._is_cut_off:
                        self._teller.say(reason)
                    self._is_cut_off = True
                case View():
                    if self._is_cut_off:
                        self._teller.say("scribetui is back at work.")
                    self._is_cut_off = False
                    for number in sorted(self._open):
                        self._look(number)
                    await self._insist()
                case Entry(event=event):
                    self._look(getattr(event, "job", None))

    def _look(self, number: int | None) -> None:
        job = self._view.job(number) if number in self._open and number is not None else None
        if job is not None and isinstance(job.state, ENDED):
            self._open.discard(job.id)
            self._teller.ended(job)

    async def _insist(self) -> None:
        """An engine that took the place of a lost one does not know that our jobs are to go on."""
        for job in self._view.jobs:
            if job.id in self._open and isinstance(job.state, Stopped):
                try:
                    await self._api.submit(Resume(job.id))
                except CommandError as error:
                    self._teller.say(str(error))


async def watch(
    home: Home, settings: Watch, folders: Sequence[str], options: Options, *, once: bool, as_json: bool
) -> int:
    """Watch the folders by way of the host, which is started where there is none; the exit status.

    Raises:
        HomeError: no host can be had.
    """
    teller = Teller(as_json=as_json)
    end_when_told()
    try:
        async with await Remote.attach(home, tell=teller.say) as remote:
            return await attend(remote, settings, folders, options, teller, once=once, goodbye=lambda: remote.goodbye)
    except asyncio.CancelledError:
        teller.say("Watching has ended; jobs that are not finished go on in the background.")
        return INTERRUPTED


def end_when_told() -> None:
    """Have ctrl+C, SIGTERM and the end of the terminal cancel this task; but not the last one under ``nohup``."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def attend(
    api: EngineAPI,
    settings: Watch,
    folders: Sequence[str],
    options: Options,
    teller: Teller,
    *,
    once: bool,
    goodbye: Callable[[], str] = str,
) -> int:
    """Watch the folders until cancelled, or the engine ends, or with ``once`` until all that is there is queued.

    With ``once`` nobody is waited for: what cannot be queued now, or looked at, makes the exit status 1.

    Args:
        api: the engine.
        settings: what is taken, and when.
        folders: the folders that are watched.
        options: how every job is to be done.
        teller: is told what happens.
        once: whether to look only until everything there is queued.
        goodbye: why the engine has ended, in a sentence, once it has.
    """
    jobs = Jobs(api, teller)
    is_amiss = asyncio.Event()
    is_held = asyncio.Event()

    def report(each: Report) -> None:
        teller.report(each)
        if isinstance(each, Found):
            jobs.add(each.job)
        elif isinstance(each, FolderLost | FolderClosed) or (isinstance(each, PassedOver) and not each.is_known):
            is_amiss.set()
        elif isinstance(each, Held):
            is_held.set()

    watcher = Watcher(api, folders, settings, lambda _: options, report)
    looking = asyncio.create_task(watcher.run(once=once))
    learning = asyncio.create_task(jobs.follow())
    holding = asyncio.create_task(is_held.wait())
    tasks: list[asyncio.Task[Any]] = [looking, learning, *([holding] if once else [])]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        finished = [task for task in tasks if task.done()]
        for task in (looking, learning, holding):
            task.cancel()
        await asyncio.gather(looking, learning, holding, return_exceptions=True)
    for task in finished:
        task.result()
    if looking in finished:
        return FAILED if is_amiss.is_set() else DONE
    if learning in finished:
        teller.say(f"{goodbye()} Watching has ended.".strip())
        return INTERRUPTED
    return FAILED


def _ended(job: JobView) -> Ended:
    state = job.state
    return Ended(
        path=job.path,
        job=job.id,
        state=type(state).__name__.lower(),
        gaps=state.gaps / 1000 if isinstance(state, Done) else 0.0,
        error=state.error if isinstance(state, Failed) else None,
        outputs=job.outputs,
    )


def _why(job: JobView) -> str:
    """Why a job was cancelled, where it was not by the user."""
    return f": {plain(job.warnings[-1])}" if isinstance(job.state, Cancelled) and job.warnings else ""
