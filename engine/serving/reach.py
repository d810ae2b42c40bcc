"""Reaching the host of a home: one that runs, or one that is started for it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from engine.home import Home, HomeError
from engine.serving.launch import Failed, start
from engine.serving.protocol import (
    PROTOCOL,
    SNAPSHOT_LIMIT,
    FromHost,
    Hello,
    Refused,
    Snapshot,
    Subscribe,
    Welcome,
    line,
)
from engine.serving.sockets import connect
from engine.view import View
from engine.wire import UNREADABLE, Wire

ANSWER = 60.0
"""Seconds within which a host has to welcome us; one that mends its ledger takes a while."""
GLANCE = 5.0
"""The same for one who only looks."""
BUSY = 5.0
"""Seconds within which whoever holds the home has to be reachable, if it is a host."""
AGAIN = 0.05
"""Seconds between two tries."""

_to_message = msgspec.json.Decoder[FromHost](FromHost).decode


class NoHost(HomeError):
    """No host runs, and none was to be started; one clear sentence for the user."""


class HostRefused(HomeError):
    """The host does not talk to this program; one clear sentence for the user."""


class Gone(Exception):
    """The host is gone, or was never there."""


@dataclass(frozen=True)
class Contact:
    """A host that was reached: the connection, what it said of itself, and the view if that was asked for."""

    wire: Wire
    host: Welcome
    view: View | None
    was_started: bool


async def reach(home: Home, *, starts: bool, subscribes: bool, tell: Callable[[str], None]) -> Contact:
    """Reach the host of a home.

    Args:
        home: where all state lies.
        starts: start a host where none runs.
        subscribes: have the view and all news sent.
        tell: called with a sentence where the user has to wait.

    Raises:
        NoHost: none runs, and none was to be started.
        HomeError: it cannot be had; one clear sentence for the user.
    """
    loop = asyncio.get_running_loop()
    deadline, was_started = loop.time() + BUSY, False
    while True:
        try:
            with _telling_of_a_wait(home, tell):
                wire, host, view = await _greet(home, subscribes, ANSWER if starts else GLANCE)
            if not (host.is_ending and starts):
                return Contact(wire, host, view, was_started)
            tell("The host at work is ending; a new one is started then.")
            await _until_gone(wire)
            deadline = loop.time() + BUSY
        except Gone:
            if home.holder() is None:
                if not starts:
                    raise NoHost(f"No scribetui is at work in {home.path}.") from None
                was_started |= await _start(home)
                continue
        if loop.time() > deadline:
            # Somebody holds the home, and is no host: this says who.
            with home.lock():
                pass
        await asyncio.sleep(AGAIN)


@contextmanager
def _telling_of_a_wait(home: Home, tell: Callable[[str], None]) -> Iterator[None]:
    """Say what is waited for once it has taken longer than a glance."""

    def say() -> None:
        tell(f"Waiting for the host (process {home.holder()}) to answer.")

    later = asyncio.get_running_loop().call_later(GLANCE, say)
    try:
        yield
    finally:
        later.cancel()


async def hear(wire: Wire) -> FromHost:
    """The host's next message.

    Raises:
        Gone: there is none, and will be none.
    """
    said = await wire.hear()
    if not said.endswith(b"\n"):
        raise Gone("the host is gone")
    try:
        message: FromHost = _to_message(said)
    except UNREADABLE as error:
        raise Gone(f"the host says what is no message: {error}") from error
    return message


async def _start(home: Home) -> bool:
    """Start a host; False where another one was quicker."""
    report = await start(home)
    if not isinstance(report, Failed):
        return True
    if report.is_busy:
        return False
    raise HomeError(report.error)


async def _greet(home: Home, subscribes: bool, patience: float) -> tuple[Wire, Welcome, View | None]:
    """Connect, say who we are, and have the view sent.

    Raises:
        Gone: nobody is there.
        HostRefused: the host does not talk to us, or not at all.
    """
    try:
        connection = connect(home.socket)
    except OSError as error:
        raise Gone(str(error)) from error
    wire, view = Wire(connection, SNAPSHOT_LIMIT), None
    try:
        wire.say(line(Hello(PROTOCOL, version("scribetui"))))
        async with asyncio.timeout(patience):
            host = await hear(wire)
            if isinstance(host, Refused):
                raise HostRefused(host.reason)
            if not isinstance(host, Welcome):
                raise HostRefused("The host says what no host should; 'scribetui stop' ends it.")
            if subscribes:
                wire.say(line(Subscribe()))
                snapshot = await hear(wire)
                if not isinstance(snapshot, Snapshot):
                    raise Gone("no view was sent")
                view = snapshot.view
    except TimeoutError:
        wire.close()
        raise HostRefused(f"The host (process {home.holder()}) does not answer; 'scribetui stop' ends it.") from None
    except BaseException:
        wire.close()
        raise
    return wire, host, view


async def _until_gone(wire: Wire) -> None:
    """Wait until the host has left us."""
    try:
        with suppress(Gone):
            while True:
                await hear(wire)
    finally:
        wire.close()
