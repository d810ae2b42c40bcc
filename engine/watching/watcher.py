"""Watching folders: recordings that appear there, and have stopped growing, are queued by themselves.

The folders are looked at again and again, because no disk of another computer tells what changes on it. Only what has
happened since the start is remembered: what was done before is known to the ledger by its content.
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from engine.api import EngineAPI
from engine.commands import Add, CommandError, Options
from engine.files import shown
from engine.intake import check_name
from engine.settings.groups import Settings, Watch
from engine.watching.scan import endings, mark_of, scan
from engine.watching.sightings import Mark, Sightings

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Found(msgspec.Struct, frozen=True, tag=True):
    """A recording was found and queued, as that job."""

    path: str
    job: int


class PassedOver(msgspec.Struct, frozen=True, tag=True):
    """A recording was found and is not queued, and why; it is tried again only once it has changed.

    ``is_known``: its content was, or is being, done already.
    """

    path: str
    reason: str
    is_known: bool = False


class FolderLost(msgspec.Struct, frozen=True, tag=True):
    """A watched folder is not there, as when a disk was unplugged, and why; it is waited for."""

    folder: str
    reason: str


class FolderBack(msgspec.Struct, frozen=True, tag=True):
    """A watched folder that was lost is there again."""

    folder: str


class FolderClosed(msgspec.Struct, frozen=True, tag=True):
    """A folder below a watched one cannot be read, and why; it is left out."""

    folder: str
    reason: str


class Held(msgspec.Struct, frozen=True, tag=True):
    """Nothing can be queued for the moment, and why; what was found is tried again with every look."""

    reason: str


Report = Found | PassedOver | FolderLost | FolderBack | FolderClosed | Held
"""What a watcher has to tell."""


def sentence(report: Report) -> str:
    """A report in one sentence."""
    match report:
        case Found(path, job):
            return f"{_shown(path)}: found, and queued as job {job}."
        case PassedOver(path, reason):
            return reason if _shown(path) in reason or path in reason else f"{_shown(path)}: {reason}"
        case FolderLost(folder, reason):
            return f"{_shown(folder)}: the folder cannot be looked at ({reason}); it is waited for."
        case FolderBack(folder):
            return f"{_shown(folder)}: the folder is back, and watched again."
        case FolderClosed(folder, reason):
            return f"{_shown(folder)}: the folder cannot be read ({reason}), so nothing is taken from it."
        case Held(reason):
            return f"Nothing can be queued for the moment, so it is tried again and again: {reason}"


def log(report: Report) -> None:
    """Note a report in the log: what is amiss as a warning."""
    is_amiss = isinstance(report, FolderLost | FolderClosed | Held)
    is_amiss |= isinstance(report, PassedOver) and not report.is_known
    _log.log(logging.WARNING if is_amiss else logging.INFO, "%s", sentence(report))


class Watcher:
    """Queues what appears in folders.

    Args:
        api: the engine.
        folders: the folders that are watched, with all below them.
        settings: what is taken, and when.
        make_options: how a file of that path is to be done; may raise a ``CommandError``, and is asked again then.
        report: is told what happens.
        clock: seconds that never go back.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        api: EngineAPI,
        folders: Iterable[str],
        settings: Watch,
        make_options: Callable[[str], Options],
        report: Callable[[Report], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._folders = tuple(dict.fromkeys(whole(folder) for folder in folders))
        self._settings = settings
        self._endings = endings(settings.extensions)
        self._make_options = make_options
        self._report = report
        self._clock = clock
        self._sleep = sleep
        self._sightings = Sightings()
        self._held: str | None = None

    async def run(self, *, once: bool = False) -> None:
        """Look again and again until cancelled; with ``once``, until all that is there has been dealt with."""
        while True:
            began = self._clock()
            await self.look()
            if once and self._sightings.is_settled:
                return
            # A disk that is slow to look at is left alone at least as long as the look took.
            await self._sleep(max(self._settings.every, self._clock() - began))

    async def look(self) -> None:
        """Look once, and queue what has stood still long enough."""
        ended = threading.Event()
        try:
            seen = await _in_background(partial(scan, self._folders, self._endings, ended.is_set))
        finally:
            ended.set()
        self._sightings, findings = self._sightings.after(seen, self._clock(), self._settings.settle)
        for folder, reason in findings.lost.items():
            self._report(FolderLost(folder, reason))
        for folder in findings.back:
            self._report(FolderBack(folder))
        for folder, reason in findings.closed.items():
            self._report(FolderClosed(folder, reason))
        taken: dict[str, Mark] = {}
        try:
            for path, mark in findings.due:
                taken |= await self._take(path, mark)
            self._held = None
        except _NotNowError as error:
            if str(error) != self._held:
                self._held = str(error)
                self._report(Held(self._held))
        finally:
            self._sightings = self._sightings.done_with(taken)

    async def _take(self, path: str, mark: Mark) -> dict[str, Mark]:
        """Queue a file; what was dealt with by that: nothing, if the file is not what it was any more.

        Raises:
            _NotNowError: it cannot be done at the moment.
        """
        if not await self._is_still(path, mark):
            return {}
        try:
            check_name(path, "file")
            job = await self._api.submit(Add(path=path, options=self._options(path), is_found=True))
        except CommandError as error:
            if error.is_passing:
                raise _NotNowError(str(error)) from error
            if not await self._is_still(path, mark):
                return {}
            self._report(PassedOver(path, str(error), error.is_known))
        else:
            if job is not None:
                self._report(Found(path, job))
        return {path: mark}

    def _options(self, path: str) -> Options:
        try:
            options = self._make_options(path)
        except CommandError as error:  # the settings are at fault, not the file
            raise _NotNowError(str(error)) from error
        return msgspec.structs.replace(options, min_duration_ms=round(self._settings.min_duration * 1000))

    async def _is_still(self, path: str, mark: Mark) -> bool:
        """Whether a file is still there and as it was: the look may have taken long, and so may those before it."""
        return await _in_background(partial(mark_of, path)) == mark


def watching(
    api: EngineAPI,
    settings: Settings,
    make_options: Callable[[str], Options],
    report: Callable[[Report], None] = log,
) -> Watcher | None:
    """The watcher that the settings want; None where they name no folders."""
    folders = settings.watch.folders
    return Watcher(api, folders, settings.watch, make_options, report) if folders else None


def whole(folder: str) -> str:
    """A folder's whole path."""
    return os.path.abspath(os.path.expanduser(folder))


class _NotNowError(Exception):
    """Nothing can be queued for the moment, and why."""


def _shown(path: str) -> str:
    return shown(Path(path))


async def _in_background(work: Callable[[], T]) -> T:
    """Do something in a thread that nobody waits for at the end: a dead network disk may hold it for ever."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T) -> None:
        if not result.done():
            result.set_result(value)

    def fail(error: Exception) -> None:
        if not result.done():
            result.set_exception(error)

    def run() -> None:
        with suppress(RuntimeError):  # by the time it is done, the loop may have ended
            try:
                value = work()
            except Exception as error:
                loop.call_soon_threadsafe(fail, error)
            else:
                loop.call_soon_threadsafe(settle, value)

    threading.Thread(target=run, name="watch", daemon=True).start()
    return await result
