"""Lanes that cannot share a process: each but the first has a worker of its own below the worker.

The worker is to it what the engine is to the worker: it says ``Load``, and one ``Run`` for each batch. To the engine
nothing of this shows. What is below belongs to the worker's session and group, so it is frozen, thawed, killed and
counted with it; and when it dies, so does the worker, in the same way.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue

import msgspec

from engine.messages import Batch, Down, Failed, Fetching, Finding, Finished, Heartbeat, Load, Loaded, Run, Up, Work
from engine.recipe import FailureKind

PATIENCE = 1.0
"""Seconds between a mate's last sensible word and its end."""
DIED = 128
"""What shells add to a signal's number for the status of a process that it ended."""

_to_up = msgspec.json.Decoder(Up).decode


class Relayed(Exception):
    """A mate failed; it has judged by itself how, and printed where."""

    def __init__(self, kind: FailureKind, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


class Mate:
    """A stage in a process of its own, to be used by one lane as any other stage.

    Start it from a thread that lives as long as the worker: Linux ends it with the thread that started it.

    Args:
        load: what it is to load; one lane is enough.
        fetching: told of the downloading of its model.

    Raises:
        OSError: the system has no room for another process.
    """

    def __init__(self, load: Load, fetching: Callable[[Fetching], None]) -> None:
        self.heartbeat = Heartbeat(0)
        """What it said last of its memory."""
        self.is_ready = threading.Event()
        """Set once its model is in memory."""
        self._fetching = fetching
        self._said: SimpleQueue[Up] = SimpleQueue()
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "engine.executors.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._say(load)
        threading.Thread(target=self._listen, daemon=True).start()

    def wait(self) -> None:
        """Wait until its model is in memory.

        Raises:
            Relayed: it cannot be loaded.
        """
        match self._said.get():
            case Loaded():
                self.is_ready.set()
            case Failed(kind=kind, reason=reason):
                raise Relayed(kind, reason)

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Have it do the work; what it finds, as it comes.

        Raises:
            Relayed: it failed to.
        """
        self._say(Run(work=work))
        while True:
            match self._said.get():
                case Batch(found=found):
                    yield found
                case Finished():
                    return
                case Failed(kind=kind, reason=reason):
                    raise Relayed(kind, reason)

    def _say(self, message: Down) -> None:
        try:
            self._connection.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            threading.Event().wait()  # it is gone, and whoever listens ends this process

    def _listen(self) -> None:
        """Take in what it says until it is gone, and then end as it did."""
        is_loaded = True
        try:
            with self._connection.makefile("rb") as lines:
                for line in lines:
                    message = _to_up(line)
                    if isinstance(message, Heartbeat):
                        self.heartbeat = message
                    elif isinstance(message, Fetching):
                        self._fetching(message)
                    else:
                        is_loaded = not (isinstance(message, Failed) and not message.spans)
                        self._said.put(message)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            traceback.print_exc()  # half a message, if it died speaking; else it is ended
        if is_loaded:
            end_as(self._end())

    def _end(self) -> int:
        """How its process ended, as ``Popen`` tells it; one that lives on without a word is ended."""
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return 1


def end_as(code: int) -> None:
    """End this process as another did, so that whoever waits for it takes it for what befell the other.

    Args:
        code: the exit status, or less than 0 the signal.
    """
    if code < 0:
        signal.raise_signal(-code)  # to this very thread: of others it would not be waited for
        code = DIED - code  # the signal is held off here
    os._exit(code or 1)


def together(own: Heartbeat, mates: Iterable[Mate]) -> Heartbeat:
    """What a worker and its mates hold in all; peaks that did not meet are added, too."""
    beats = [own, *(mate.heartbeat for mate in mates)]
    sums = (sum(values) for values in zip(*map(msgspec.structs.astuple, beats), strict=True))
    return Heartbeat(*sums)
