"""A host for tests: in this process or in one of its own, and a client that may say anything."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from importlib.metadata import version

import msgspec
import psutil

from engine.api import News, follow
from engine.engine import Engine
from engine.home import Home
from engine.host import Host
from engine.recipe import Policy
from engine.serving import sockets
from engine.serving.launch import Ready, start
from engine.serving.protocol import PROTOCOL, FromHost, Hello, Welcome
from engine.view import View

PATIENCE = 60.0
STAGES = {"listen": "tests.stages:Listen"}
to_message = msgspec.json.Decoder(FromHost).decode


async def true(condition: Callable[[], object], what: str = "it never came to that") -> None:
    """Look again and again until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is looked at knows no events
            await asyncio.sleep(0.01)


class Client:
    """A bare connection: says any bytes, and hears what the host says."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, home: Home) -> "Client":
        return await cls.over(sockets.connect(home.socket))

    @classmethod
    async def over(cls, connection: socket.socket) -> "Client":
        """One that takes over a connection."""
        return cls(*await asyncio.open_unix_connection(sock=connection, limit=2**30))

    @staticmethod
    def line(message: object) -> bytes:
        """A message as it is sent."""
        return msgspec.json.encode(message) + b"\n"

    @classmethod
    async def welcomed(cls, home: Home) -> "Client":
        client = await cls.connect(home)
        await client.say(Hello(PROTOCOL, version("scribetui")))
        assert isinstance(await client.hear(), Welcome)
        return client

    async def say(self, message: object) -> None:
        await self.send(self.line(message))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def hear(self) -> FromHost | None:
        """The next message; None at the end."""
        async with asyncio.timeout(PATIENCE):
            line = await self._reader.readline()
        return to_message(line) if line else None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


@contextlib.asynccontextmanager
async def hosted(home: Home, *, idle: float | None = None, **engine) -> AsyncIterator[Host]:
    """A host in this process, with quick stages."""
    with home.lock(), contextlib.closing(sockets.Door(home.socket)) as door:
        engine = {"policy": Policy(retries=2, retry_delay_ms=1, partial_every_ms=0), "stages": STAGES} | engine
        host = Host(Engine(home, keep_awake=False, **engine), door, idle)
        serving = asyncio.create_task(host.serve())
        try:
            await true(lambda: host.engine.view.seq or serving.done())
            yield host
        finally:
            await host.engine.stop(now=True)
            await serving


@contextlib.asynccontextmanager
async def running(home: Home) -> AsyncIterator[psutil.Process]:
    """A host in a process of its own, as the program starts it; ended in the end, whatever it does."""
    report = await start(home)
    assert isinstance(report, Ready), report
    process = psutil.Process(report.pid)
    try:
        yield process
    finally:
        await end(process)


async def end(process: psutil.Process) -> None:
    """Kill a process and all below it; nothing happens where it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (*process.children(recursive=True), process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        await true(lambda: not process.is_running())


async def folded(view: View, news: AsyncIterator[News], until: Callable[[View], object]) -> View:
    """Fold news until the view is as wanted; it."""
    async with asyncio.timeout(PATIENCE):
        while not until(view):
            view = follow(view, await anext(news))
    return view
