"""The engine's API from the other end of the host's socket."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Self

import msgspec

from engine.answers import Answers
from engine.api import Lost, News
from engine.audience import LIMIT
from engine.commands import Add, Command, CommandError
from engine.home import Home, HomeBusy, HomeError
from engine.intake import check_name
from engine.serving.protocol import (
    Answered,
    Ask,
    FromClient,
    FromHost,
    Goodbye,
    Refused,
    Snapshot,
    Stop,
    Subscribe,
    Told,
    Welcome,
    line,
)
from engine.serving.reach import Gone, HostRefused, NoHost, hear, reach
from engine.view import View
from engine.wire import Wire

__all__ = ["HostRefused", "NoHost", "Remote"]

_log = logging.getLogger(__name__)

WAIT = 0.05, 1.0
"""The first wait in seconds before a lost host is looked for again, which doubles; and the longest."""
STARTS = 3
"""Hosts that are started at most in place of lost ones, while none of them lasts for ``LASTS`` seconds."""
LASTS = 60.0


class Remote:
    """A connection to the host of a home; implements ``engine.api.EngineAPI``.

    Made by ``attach``. A connection that breaks is made anew, and a host that died is replaced; one that ended in
    order is not.
    """

    def __init__(self, home: Home, *, starts: bool, subscribes: bool, tell: Callable[[str], None]) -> None:
        self._home = home
        self._starts = starts
        self._subscribes = subscribes
        self._tell = tell
        self._wire: Wire | None = None
        self._view: View | None = None
        self._news: deque[News] = deque()
        self._changed = asyncio.Event()
        self._is_behind = False
        self._has_ended = False
        self._answers = Answers()
        self._started: list[float] = []
        self._reading: asyncio.Task[None] | None = None
        self.pid = 0
        """The host's process."""
        self.version = ""
        """The host's version."""
        self.goodbye = ""
        """Why the host ended, in one sentence, once it has."""
        self.is_failure = False
        """Whether it had to end, or cannot be had any more, though nobody asked for that."""

    @classmethod
    async def attach(
        cls,
        home: Home,
        *,
        starts: bool = True,
        subscribes: bool = True,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Connect to the host of a home.

        Args:
            home: where all state lies.
            starts: start a host where none runs.
            subscribes: have the view and all news sent.
            tell: called with a sentence where the user has to wait.

        Raises:
            NoHost: none runs, and none was to be started.
            HomeError: it cannot be had; one clear sentence for the user.
        """
        remote = cls(home, starts=starts, subscribes=subscribes, tell=tell)
        await remote._connect()
        remote._reading = asyncio.create_task(remote._read(), name="remote")
        return remote

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave the host alone; the work goes on."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._wire is not None:
            self._wire.close()
        self._end()

    # ---- its API

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        """The view as it was first told, and all news after it; to be called once, before anything else is awaited."""
        assert self._view is not None
        return self._view, self._read_news()

    async def _read_news(self) -> AsyncIterator[News]:
        while True:
            while self._news:
                yield self._news.popleft()
            if self._has_ended:
                return
            if self._is_behind and self._wire is not None:
                self._wire.say(line(Subscribe()))
            self._changed.clear()
            await self._changed.wait()

    async def submit(self, command: Command) -> int | None:
        """Ask for something; the number of the job it concerns.

        Raises:
            CommandError: it cannot be done; the message is one sentence for the user.
        """
        if isinstance(command, Add):
            command = msgspec.structs.replace(command, path=_whole(command.path))
            check_name(command.path, "file")
            check_name(command.options.out or "", "folder")
        return await self._ask(lambda token: Ask(token, command))

    async def stop(self, *, now: bool = False) -> None:
        """Have the host end: after the batches under way, or at once.

        Raises:
            CommandError: it cannot be reached.
        """
        await self._ask(lambda token: Stop(token, now))

    async def _ask(self, message: Callable[[int], FromClient]) -> int | None:
        if self._wire is None or self._has_ended:
            reason = self.goodbye or "The host cannot be reached at present; try again in a moment."
            raise CommandError(reason, is_passing=True)
        token, answer = self._answers.ask()
        try:
            said = line(message(token))
        except UnicodeEncodeError as error:
            answer.cancel()
            raise CommandError(f"{error.object!a} is not valid UTF-8.") from error
        self._wire.say(said)
        return await answer

    # ---- the connection

    async def _connect(self) -> None:
        """Reach a host.

        Raises:
            HomeError: it cannot be had.
        """
        contact = await reach(self._home, starts=self._starts, subscribes=self._subscribes, tell=self._tell)
        if contact.was_started:
            self._started.append(asyncio.get_running_loop().time())
        self._wire, self._view = contact.wire, contact.view
        self.pid, self.version = contact.host.pid, contact.host.version

    async def _read(self) -> None:
        """Take in all that the host says, for as long as there is one."""
        try:
            while not self._has_ended:
                assert self._wire is not None
                try:
                    while not self._take_in(await hear(self._wire)):
                        pass
                    break
                except Gone:
                    await self._find_again()
        except Exception as error:
            _log.exception("a fault in listening to the host")
            self.goodbye = f"A fault in scribetui broke the connection to the host ({type(error).__name__}: {error})."
            self.is_failure = True
        finally:
            self._end()

    def _take_in(self, message: FromHost) -> bool:
        """Take in one thing that it says; whether that was the last."""
        match message:
            case Told(entry):
                if not self._is_behind:
                    self._news.append(entry)
                if len(self._news) > LIMIT:
                    self._news.clear()
                    self._is_behind = True
            case Snapshot(view):
                self._news.clear()
                self._news.append(view)
                self._is_behind = False
            case Answered():
                reasons = {"is_known": message.is_known, "is_passing": message.is_passing}
                error = None if message.error is None else CommandError(message.error, **reasons)
                self._answers.settle(message.token, message.job, error)
            case Goodbye(reason, is_failure):
                self.goodbye, self.is_failure = reason, is_failure
                return True
            case Refused(reason):
                _log.warning("the host refuses: %s", reason)
                self._answers.refuse(reason)
            case Welcome():
                pass
        self._changed.set()
        return False

    async def _find_again(self) -> None:
        """The host is lost: say so, look for it until it is there or cannot be had, and have the view told anew."""
        assert self._wire is not None
        self._wire.close()
        self._wire = None
        lost = "The connection to the host is lost."
        self._answers.refuse(f"{lost} Whether that was still done will show; ask again if not.")
        self._news.append(Lost(f"{lost} It is looked for."))
        self._changed.set()
        loop, wait = asyncio.get_running_loop(), WAIT[0]
        while True:
            await asyncio.sleep(wait)
            wait = min(WAIT[1], 2 * wait)
            try:
                self._started = [at for at in self._started if at > loop.time() - LASTS]
                if len(self._started) >= STARTS:
                    raise HomeError(
                        f"The host ended {STARTS} times within a minute; {self._home.logs / 'host.log'} and "
                        f"{self._home.logs / 'engine.log'} may tell why."
                    )
                await self._connect()
            except HomeBusy:
                continue
            except HomeError as error:
                self.goodbye, self.is_failure, self._has_ended = str(error), True, True
            else:
                if self._view is not None:
                    self._news.append(self._view)
                    self._is_behind = False
                    self._changed.set()
            return

    def _end(self) -> None:
        self._has_ended = True
        self._answers.refuse(self.goodbye or "The connection to the host was closed.")
        self._changed.set()


def _whole(path: str) -> str:
    """The full path: the host stands in another folder.

    Raises:
        CommandError: there is none.
    """
    try:
        return os.path.abspath(os.path.expanduser(path))
    except FileNotFoundError:
        raise CommandError(f"{path}: the folder you are in was deleted; go to another one.") from None
