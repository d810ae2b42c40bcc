"""The host: the engine as a background process, behind a Unix socket in its home.

``python -m engine.host`` runs one over the home that SCRIBETUI_HOME names. It says on stdout, in one line, whether it
is ready, and from then on belongs to no terminal.
"""

import asyncio
import errno
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from engine.assembly import assemble
from engine.commands import CommandError, Options
from engine.engine import Engine
from engine.home import Home, HomeBusy, HomeError
from engine.ledger import LedgerError
from engine.models import ModelMissing
from engine.notices.notifier import notifying
from engine.serving.clients import Clients
from engine.serving.launch import Failed, Ready, Report
from engine.serving.sockets import Door
from engine.settings import Settings, SettingsError, load, resolve
from engine.states import ENDED
from engine.watching import watcher as watch

_log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks whether the host is still needed."""
FIRST = 10.0
"""Seconds that a host waits at least for its first client."""
BREATHER = 1.0
"""Seconds of rest where no connection can be accepted, as when there are no descriptors left."""


class Helper(Protocol):
    """Something that runs beside the engine."""

    async def run(self) -> None:
        """Do it."""


@dataclass
class Host:
    """Serves an engine to clients until it is no longer wanted.

    Args:
        engine: not yet entered.
        door: where clients connect.
        idle: seconds with no client and nothing to do after which it ends; None for never.
        watcher: looks for new recordings while the engine runs.
        notifier: tells the user what happens; ends by itself once the engine has.
    """

    engine: Engine
    door: Door
    idle: float | None
    watcher: Helper | None = None
    notifier: Helper | None = None

    def __post_init__(self) -> None:
        self.clients = Clients(self.engine)
        self._trouble = ""

    async def serve(self) -> None:
        """Until somebody stops it, nobody needs it, or the engine cannot go on."""
        self._obey_signals()
        self._accepting = asyncio.create_task(self._accept(), name="accept")
        try:
            async with self.engine:
                watching = asyncio.create_task(_beside(self.watcher), name="watcher")
                notifying = asyncio.create_task(_beside(self.notifier), name="notifier")
                await self._until_unwanted()
                # Whoever connects from now on is told that this is the end.
                await self.engine.stop()
                watching.cancel()
            await asyncio.wait((watching, notifying))
        except Exception as error:
            _log.exception("a fault of the host")
            self.engine.error = f"A fault in scribetui ended the host ({type(error).__name__}: {error})."
        finally:
            await self._accept_no_more()
            self.clients.goodbye = self._goodbye()
            await self.clients.part()

    def _goodbye(self) -> str:
        """Why it ends, and what can go on later."""
        if self.engine.error is not None:
            return self.engine.error
        left = sum(not isinstance(job.state, ENDED) for job in self.engine.view.jobs)
        more = f" {left} job{'s' * (left > 1)} can go on at the next start." if left else ""
        return self.clients.goodbye + more

    def _obey_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        # The terminal of whoever started it is of no interest.
        loop.add_signal_handler(signal.SIGHUP, lambda: None)

    def _signalled(self) -> None:
        """The first signal lets the batches under way finish; a second one does not."""
        is_second = self.engine.is_asked_to_stop.is_set()
        self._stopping = asyncio.ensure_future(self.engine.stop(now=is_second))

    async def _until_unwanted(self) -> None:
        needed_at, patience = time.monotonic(), FIRST
        while self.engine.error is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self.engine.is_asked_to_stop.wait()
                return
            await self._mend_door()
            if self.clients:
                patience = 0.0
            if self.clients or not self.engine.is_idle:
                needed_at = time.monotonic()
            elif self.idle is not None and time.monotonic() - needed_at >= max(self.idle, patience):
                self.clients.goodbye = "The host had nothing to do and has ended."
                return

    async def _mend_door(self) -> None:
        """See to it that clients can find us, whoever tidies up the folder."""
        if not self.door.is_gone:
            return
        await self._accept_no_more()
        try:
            self.door.renew()
            trouble = ""
        except OSError as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            _log.warning("the socket is gone and cannot be put back yet: %s", trouble)
        self._trouble = trouble
        self._accepting = asyncio.create_task(self._accept(), name="accept")

    async def _accept_no_more(self) -> None:
        self._accepting.cancel()
        await asyncio.gather(self._accepting, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self.door.listener)
            except OSError as error:
                _log.warning("a client cannot be accepted: %s", error)
                if error.errno != errno.ECONNABORTED:
                    await asyncio.sleep(BREATHER)
            else:
                self.clients.welcome(connection)


async def _beside(helper: Helper | None) -> None:
    """Run what may fail without the work's being the worse for it."""
    if helper is None:
        return
    try:
        await helper.run()
    except Exception:
        _log.exception("a fault in %s; the work goes on without it", type(helper).__name__)


def serve(
    home: Home,
    settings: Settings,
    *,
    go_on: bool,
    idle: float | None,
    ready: Callable[[], None] = lambda: None,
) -> str | None:
    """Run the host of a home in this process, until its end; why the engine had to end, if it had to.

    Args:
        home: where all state lies.
        settings: the user's.
        go_on: take up unfinished jobs of earlier sittings at once.
        idle: seconds with no client and nothing to do after which it ends; None for never.
        ready: called once clients can connect and the ledger is open.

    Raises:
        HomeError: another process holds the home, or it cannot be used.
        LedgerError: the ledger cannot be used.
    """
    with home.lock():
        try:
            # First of all: who comes meanwhile waits, and does not start another host.
            door = Door(home.socket)
        except OSError as error:
            raise HomeError(f"The socket {home.socket} cannot be made ({error.strerror or error}).") from error
        try:
            engine = assemble(home, settings, go_on=go_on)
            watcher = watch.watching(engine, settings, lambda _: _options(home), partial(_tell, engine))
            notifier = notifying(engine, home, settings, tell=engine.notice)
            host = Host(engine, door, idle, watcher, notifier)
            ready()
            asyncio.run(host.serve())
            return engine.error
        finally:
            door.close()


def _tell(engine: Engine, report: watch.Report) -> None:
    """Tell what became of a look at the watched folders, where the user does not know it already."""
    if not isinstance(report, watch.Found) and not (isinstance(report, watch.PassedOver) and report.is_known):
        engine.notice(watch.sentence(report))


def _options(home: Home) -> Options:
    """How a recording that was found is to be done, by the settings as they are now."""
    try:
        return resolve(load(home.settings))
    except (SettingsError, ModelMissing) as error:
        raise CommandError(str(error)) from error


def main() -> None:
    """Become a process that is nobody's child, run the host, and report on stdout how that begins."""
    if os.fork():
        os._exit(0)
    home = Home.find()
    try:
        settings = load(home.settings)
        go_on = settings.host.go_on == "always"
        serve(home, settings, go_on=go_on, idle=settings.host.idle, ready=lambda: _report(Ready(os.getpid())))
    except HomeBusy as error:
        _report(Failed(str(error), is_busy=True))
    except (HomeError, LedgerError, SettingsError) as error:
        _report(Failed(str(error)))


def _report(report: Report) -> None:
    """Say how it goes to whoever started this process; from then on, what is printed goes to the log."""
    with suppress(OSError):  # who wanted to know may be gone; those who come next find us all the same
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    main()
