"""A client of a host for tests that reads what it is told, and keeps it, even when host and all are gone at once."""

import socket
import time
from collections.abc import Callable
from importlib.metadata import version

import msgspec

from engine import events as ev
from engine.commands import Command
from engine.events import Entry
from engine.serving.protocol import PROTOCOL, Answered, Ask, FromHost, Hello, Snapshot, Subscribe, Told, Welcome
from engine.serving.sockets import connect
from engine.states import ENDED, Paused
from engine.view import fold
from tests.e2e.program import PATIENCE, Program, until

to_message = msgspec.json.Decoder(FromHost).decode


class Witness:
    """A client that is told what happens, until there is nobody who tells.

    Args:
        program: whose host it is, running by now or soon.
        failed: says why none will come; empty as long as one may.
    """

    def __init__(self, program: Program, failed: Callable[[], str]) -> None:
        def found() -> socket.socket | None:
            assert not (why := failed()), why
            return _connected(program)

        self._socket = until(found, "a host")
        self._heard = b""
        self._token = 0
        self.entries: list[Entry] = []
        self._seen = 0
        self.answers: dict[int, Answered] = {}
        self._say(Hello(PROTOCOL, version("scribetui")))
        assert isinstance(self._hear(PATIENCE), Welcome)
        self._say(Subscribe())
        snapshot = self._hear(PATIENCE)
        assert isinstance(snapshot, Snapshot)
        self.view = snapshot.view

    def ask(self, command: Command) -> int:
        """Ask for something; the number the answer will have."""
        self._token += 1
        self._say(Ask(self._token, command))
        return self._token

    def answer(self, command: Command) -> Answered:
        """Ask for something, and wait for the answer."""
        token = self.ask(command)
        while token not in self.answers:
            assert self._take_in(PATIENCE), "no answer"
        return self.answers[token]

    def until(self, condition: Callable[[ev.Event], bool]) -> ev.Event | None:
        """Look at one event after the other until one fits; it, or None where nothing goes on any more."""
        while True:
            while self._seen < len(self.entries):
                self._seen += 1
                if condition(event := self.entries[self._seen - 1].event):
                    return event
            if all(isinstance(job.state, (*ENDED, Paused)) for job in self.view.jobs):
                return None
            assert self._take_in(PATIENCE) is not None, "the host is silent, or gone"

    def listen(self, seconds: float) -> None:
        """Take in what is told for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._take_in(left) is None:
                return

    def close(self) -> None:
        """Take in what was told before the end."""
        while self._take_in(PATIENCE):
            pass
        self._socket.close()

    def said(self, kind: type) -> list:
        """The events of one kind that were told."""
        return [entry.event for entry in self.entries if isinstance(entry.event, kind)]

    def _say(self, message: object) -> None:
        self._socket.sendall(msgspec.json.encode(message) + b"\n")

    def _take_in(self, seconds: float) -> FromHost | None:
        message = self._hear(seconds)
        match message:
            case Told(entry):
                self.entries.append(entry)
                self.view = fold(self.view, entry)
            case Snapshot(view):
                self.view = view
            case Answered(token):
                self.answers[token] = message
        return message

    def _hear(self, seconds: float) -> FromHost | None:
        """The next message; None when there is none for so long, or will be none."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._heard:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                more = self._socket.recv(2**18)
            except (TimeoutError, ConnectionResetError):
                return None
            if not more:
                return None
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        return to_message(line)


def _connected(program: Program) -> socket.socket | None:
    try:
        return connect(program.home.socket)
    except OSError:
        return None
