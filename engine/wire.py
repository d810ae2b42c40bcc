"""Our end of a socket: lines both ways, and whatever the other end said before it was gone is read."""

import asyncio
import socket
from collections import deque

import msgspec

RECEIVED = 2**16
"""Bytes read at once."""
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding a line may raise that is no message: msgspec lets the last two through."""


class TooLong(Exception):
    """A line that is longer than any message."""


class Wire:
    """A socket that speaks in lines.

    asyncio's own streams drop what they have read, and what they have not, as soon as a write fails or the other end
    is reset: so the last batch of a worker that dies would be lost, or the last words of a host. Here reading and
    writing know nothing of each other.

    Args:
        connection: a connected stream socket; closed with this.
        limit: bytes of the longest line.
    """

    def __init__(self, connection: socket.socket, limit: int) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._limit = limit
        self._received = bytearray()
        self._searched = 0
        self._unsent: deque[bytes] = deque()
        self._sending: asyncio.Task[None] | None = None
        self._is_deaf = False

    def say(self, line: bytes) -> None:
        """Send a line, in its turn; nothing happens once the other end is gone."""
        if self._is_deaf or not line:
            return
        self._unsent.append(line)
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send(), name="wire")

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._unsent:
                await loop.sock_sendall(self._connection, self._unsent.popleft())
        except OSError:
            self._is_deaf = True
            self._unsent.clear()
        finally:
            self._sending = None

    async def sent(self) -> None:
        """Wait until all that was said is with the other end, or that end is gone."""
        while self._sending is not None:
            await asyncio.wait((self._sending,))

    async def skip(self) -> bool:
        """Pass over a line that is too long; whether its end came."""
        loop = asyncio.get_running_loop()
        while (end := self._received.find(b"\n")) < 0:
            try:
                self._received[:] = await loop.sock_recv(self._connection, RECEIVED)
            except ConnectionError:
                self._received.clear()
            if not self._received:
                self._searched = 0
                return False
        self._take(end + 1)
        return True

    async def hear(self) -> bytes:
        """The next line with its end; without it, what was left at the end; nothing after that.

        Raises:
            TooLong: the line has no end within the limit.
        """
        loop = asyncio.get_running_loop()
        while True:
            end = self._received.find(b"\n", self._searched)
            if end >= 0:
                return self._take(end + 1)
            self._searched = len(self._received)
            if self._searched > self._limit:
                raise TooLong
            try:
                received = await loop.sock_recv(self._connection, RECEIVED)
            except ConnectionError:
                received = b""  # told only once all that was sent has been read
            if not received:
                return self._take(len(self._received))
            self._received += received

    def _take(self, size: int) -> bytes:
        line = bytes(self._received[:size])
        del self._received[:size]
        self._searched = 0
        return line

    def close(self) -> None:
        """Hear and say nothing more."""
        self._is_deaf = True
        if self._sending is not None:
            self._sending.cancel()
        self._connection.close()
