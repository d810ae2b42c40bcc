"""The host's clients: what each may ask, and how each is told what happens, however badly it behaves."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterable
from importlib.metadata import version

import msgspec

from engine.audience import Listener
from engine.commands import Command, CommandError
from engine.engine import Engine
from engine.events import Entry
from engine.serving.protocol import (
    MESSAGE_LIMIT,
    PROTOCOL,
    Answered,
    Ask,
    FromClient,
    FromHost,
    Goodbye,
    Hello,
    Refused,
    Snapshot,
    Stop,
    Subscribe,
    Told,
    Welcome,
    line,
)
from engine.serving.sockets import peer
from engine.view import View
from engine.wire import UNREADABLE, TooLong, Wire

_log = logging.getLogger(__name__)

MOST = 100
"""Clients at a time."""
INTRODUCTION = 10.0
"""Seconds within which a client has to say who it is."""
BUNDLE = 0.05
"""Seconds between two bundles of news for a client: nobody sees them, and twenty clients take far less time."""
PARTING = 2.0
"""Seconds that clients get to hear the last news when the host ends."""

_to_message = msgspec.json.Decoder[FromClient](FromClient).decode


class Clients:
    """Everyone who is connected.

    Args:
        engine: what they ask.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._talks: set[asyncio.Task[None]] = set()
        self.has_ended = asyncio.Event()
        """Whether the engine has ended, so that there is nothing more to talk about."""
        self.goodbye = "scribetui was stopped."
        """What is said to everyone in the end."""

    def __len__(self) -> int:
        """How many are connected."""
        return len(self._talks)

    def welcome(self, connection: socket.socket) -> None:
        """Talk to whoever has connected, until one of the two leaves."""
        talk = asyncio.create_task(self._talk(connection), name="client")
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def part(self) -> None:
        """Tell everyone the last news and say goodbye; who does not listen is left."""
        self.has_ended.set()
        if talks := set(self._talks):
            await asyncio.wait(talks, timeout=PARTING)
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)

    async def _talk(self, connection: socket.socket) -> None:
        wire = Wire(connection, MESSAGE_LIMIT)
        try:
            if objection := self._objection(connection):
                await say(wire, Refused(objection))
            else:
                await _Client(self._engine, wire, self).talk()
        except OSError as error:
            _log.info("a client is gone: %s", error)
        except Exception:  # whatever is wrong with one client concerns no other, nor the work
            _log.exception("a fault in talking to a client")
        finally:
            wire.close()

    def _objection(self, connection: socket.socket) -> str:
        """Why not to talk to someone; nothing where there is no reason."""
        if peer(connection) not in (os.geteuid(), 0):
            return "This scribetui belongs to another user."
        if len(self._talks) > MOST:
            return f"{MOST} programs look at this scribetui already; close one of them."
        return ""


class _Client:
    """The talk with one client: what it says is taken in turn, and what happens is told beside that."""

    def __init__(self, engine: Engine, wire: Wire, everyone: Clients) -> None:
        self._engine = engine
        self._wire = wire
        self._everyone = everyone
        self._hearing: asyncio.Task[None] | None = None
        self._listener: Listener | None = None
        self._telling: asyncio.Task[None] | None = None

    async def talk(self) -> None:
        """Until it leaves, or there is nothing more to tell."""
        if not await self._is_introduced():
            return
        self._hearing = asyncio.create_task(self._hear(), name="client-hears")
        ending = asyncio.create_task(self._everyone.has_ended.wait(), name="client-parts")
        try:
            await asyncio.wait((self._hearing, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                if self._telling is not None:
                    await asyncio.wait((self._telling,))
                await say(self._wire, Goodbye(self._everyone.goodbye, self._engine.error is not None))
            else:
                self._hearing.result()
        finally:
            if self._listener is not None:
                self._engine.leave(self._listener)
            tasks = [each for each in (self._hearing, ending, self._telling) if each is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _is_introduced(self) -> bool:
        """Hear who it is; whether to talk to it."""
        try:
            async with asyncio.timeout(INTRODUCTION):
                message = await self._message()
        except TimeoutError:
            message = Refused(f"Nothing was said within {INTRODUCTION:.0f} seconds.")
        match message:
            case Hello(protocol=protocol) if protocol == PROTOCOL:
                is_ending = self._engine.is_asked_to_stop.is_set()
                await say(self._wire, Welcome(version("scribetui"), os.getpid(), is_ending))
                return True
            case Hello(version=theirs):
                await say(
                    self._wire,
                    Refused(
                        f"The host at work is of scribetui {version('scribetui')}, this program of {theirs[:40]}, and "
                        "the two do not go together; 'scribetui stop' ends the host after the batches under way, "
                        "and the next start goes on with its jobs."
                    ),
                )
            case Refused():
                await say(self._wire, message)
            case None:
                pass
            case _:
                await say(self._wire, Refused("A client has to say who it is before anything else."))
        return False

    async def _hear(self) -> None:
        """Do what it asks until it leaves."""
        while (message := await self._message()) is not None:
            match message:
                case Ask(token, command):
                    answer = await self._answer(token, command)
                    if self._listener is not None:
                        # Whoever has the answer has been told what the command did.
                        self._wire.say(_lines(self._listener.take_at_once()))
                    await say(self._wire, answer)
                case Stop(token, now):
                    await say(self._wire, Answered(token))
                    await self._engine.stop(now=now)
                case Subscribe():
                    self._subscribe()
                case Refused():
                    await say(self._wire, message)
                case Hello():
                    await say(self._wire, Refused("We know each other already."))

    async def _message(self) -> FromClient | Refused | None:
        """What it says next, or why that cannot be accepted; None once it has left."""
        try:
            said = await self._wire.hear()
        except TooLong:
            if not await self._wire.skip():
                return None
            return Refused(f"A message may have at most {MESSAGE_LIMIT // 2**20} MB.")
        if not said.endswith(b"\n"):
            return None
        try:
            message: FromClient = _to_message(said)
        except UNREADABLE as error:
            return Refused(f"This is no message: {str(error)[:200]}.")
        return message

    async def _answer(self, token: int, command: Command) -> Answered:
        try:
            job = await self._engine.submit(command)
        except CommandError as error:
            return Answered(token, error=str(error), is_known=error.is_known, is_passing=error.is_passing)
        except Exception as error:
            _log.exception("a fault in carrying out %r", command)
            return Answered(token, error=f"A fault in scribetui prevents that ({type(error).__name__}: {error}).")
        return Answered(token, job)

    def _subscribe(self) -> None:
        """Tell it the view and all that follows; once more, the view anew."""
        if self._listener is not None:
            self._listener.fall_behind()
            return
        self._listener = self._engine.join()
        self._wire.say(line(Snapshot(self._engine.view)))
        self._telling = asyncio.create_task(self._tell(self._listener), name="client-is-told")

    async def _tell(self, listener: Listener) -> None:
        try:
            while news := await listener.take():
                self._wire.say(_lines(news))
                await self._wire.sent()
                # Every bundle wakes up the client; what happens meanwhile comes together, or before the next answer.
                await asyncio.sleep(BUNDLE)
        except Exception:
            _log.exception("a fault in telling a client")
            if self._hearing is not None:
                self._hearing.cancel()


def _lines(news: Iterable[Entry | View]) -> bytes:
    return b"".join(line(Snapshot(each) if isinstance(each, View) else Told(each)) for each in news)


async def say(wire: Wire, message: FromHost) -> None:
    """Say something, and wait until it is on its way."""
    wire.say(line(message))
    await wire.sent()
