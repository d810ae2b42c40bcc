"""Workers as child processes of this machine, each in a session of its own, spoken to over a socket pair."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from engine.executors.base import Deliver
from engine.executors.logs import LOG_LIMIT, Logs
from engine.executors.strays import MARK, end_strays
from engine.machine.stimuli import FromWorker, WorkerGone
from engine.messages import Down, Load, Release, Up
from engine.recipe import FailureKind
from engine.wire import UNREADABLE, TooLong, Wire

_log = logging.getLogger(__name__)

LINE_LIMIT = 8 * 2**20
"""Longest message in bytes; a batch of words is some 100 kB, so what is longer is no message."""
PATIENCE = 5.0
"""Seconds between a worker's last word and its end, either way round, before its end is made sure of."""

ALLOCATION = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "OPENBLAS_NUM_THREADS": "1",
}
"""How a worker's C library (glibc) hands out memory, unless the user says otherwise.

An encoder's temporaries are tens of megabytes each. By default glibc maps and unmaps every one, which costs a tenth of
the processor's time in page faults, and keeps a heap for each lane; numpy starts a thread a core that only waits.
"""

_to_up = msgspec.json.Decoder(Up).decode


class _Nonsense(Exception):
    """A worker said something that is no message; one sentence."""


class _BrokenOff(_Nonsense):
    """A worker's last message has no end, as happens to one that dies; one sentence."""


@dataclass
class _Worker:
    """A worker from the order to start it until its end is reported."""

    mark: str
    """What its environment is marked with, and that of all it starts."""
    unsaid: list[Down] = field(default_factory=list)
    """What is to be said once it is there."""
    wire: Wire | None = None
    pid: int | None = None
    is_doomed: bool = False
    is_frozen: bool = False
    life: asyncio.Task[None] | None = None

    def signal(self, number: signal.Signals) -> None:
        """Signal its group, if there is one."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


class SubprocessExecutor:
    """Starts ``python -m engine.executors.worker`` for each worker.

    Args:
        logs: the folder where what a worker prints goes, one file a stage. One engine at a time may use it: what
            another left running is ended before the first worker starts.
        grace: seconds a worker may take to finish its batch when the executor closes.
        log_limit: bytes after which a log is begun anew, its end being kept.
    """

    def __init__(self, logs: Path, grace: float = 60.0, log_limit: int = LOG_LIMIT) -> None:
        self._logs = Logs(logs, log_limit)
        self._grace = grace
        self._workers: dict[int, _Worker] = {}
        self._place = f"{logs.absolute()}:"
        self._sitting = secrets.token_hex(4)
        self._sweep: asyncio.Task[None] | None = None
        self._trouble = ""

    def start(self, worker: int, load: Load, deliver: Deliver) -> None:
        """Start a process and have it load; failing to is reported as its end."""
        if self._sweep is None:
            self._sweep = asyncio.create_task(self._end_strays(self._place, prefix=True), name="sweep")
        born = self._workers[worker] = _Worker(f"{self._place}{self._sitting}:{worker}", [load])
        born.life = asyncio.create_task(self._live(worker, born, load, deliver), name=f"worker-{worker}")

    def send(self, worker: int, message: Down) -> None:
        """Say something to a worker, or once it is there; nothing happens when it is gone."""
        if (told := self._workers.get(worker)) is None:
            return
        if told.wire is None:
            told.unsaid.append(message)
        else:
            told.wire.say(msgspec.json.encode(message) + b"\n")

    def kill(self, worker: int) -> None:
        """End a worker's whole process group at once, frozen or not."""
        if (doomed := self._workers.get(worker)) is not None:
            doomed.is_doomed = True
            doomed.signal(signal.SIGKILL)

    def freeze(self, worker: int) -> None:
        """Stop a worker's process group where it is; one that is being started, once it is there."""
        if (cold := self._workers.get(worker)) is not None and not cold.is_frozen:
            cold.is_frozen = True
            cold.signal(signal.SIGSTOP)

    def thaw(self, worker: int) -> None:
        """Let a frozen worker go on; nothing happens when it is not frozen."""
        if (warm := self._workers.get(worker)) is not None and warm.is_frozen:
            warm.is_frozen = False
            warm.signal(signal.SIGCONT)

    def pids(self) -> dict[int, int]:
        """The process number of each living worker, by the worker's number."""
        return {number: each.pid for number, each in self._workers.items() if each.pid is not None}

    def trim_logs(self) -> None:
        """Begin the logs anew that outgrew their limit; what cannot be done now is tried again."""
        trouble = ""
        try:
            self._logs.trim()
        except OSError as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            _log.warning("a worker's log cannot be cut: %s", trouble)
        self._trouble = trouble

    async def close(self) -> None:
        """Let every worker finish its batch, frozen ones too, end those that take too long, and wait for all.

        What is left of workers after that is ended too: an engine that found all its work done has started none, so
        nobody looked yet for what an earlier one left; and a child is not seen in the instant it begins its program.
        """
        for worker in list(self._workers):
            self.thaw(worker)
            self.send(worker, Release())
        lives = [each.life for each in self._workers.values() if each.life is not None]
        if lives:
            _, late = await asyncio.wait(lives, timeout=self._grace)
            for worker in list(self._workers):
                self.kill(worker)
            if late:
                await asyncio.wait(late)
        await self._end_strays(self._place, prefix=True)

    async def _live(self, number: int, worker: _Worker, load: Load, deliver: Deliver) -> None:
        """A worker's whole life, from its start to the report of its end."""
        kind, reason = FailureKind.ERROR, ""
        try:
            if self._sweep is not None:
                await self._sweep
            kind, reason = await self._talk(number, worker, load, deliver)
        except OSError as error:
            reason = f"The worker could not be started: {error.strerror or error}."
        except RuntimeError as error:  # the system has no thread left to wait for it with
            reason = f"The worker could not be started: {error}."
        except Exception as error:  # whatever it is, whoever waits for the worker has to hear of its end
            _log.exception("a fault in talking to worker %d", number)
            reason = f"A fault in scribetui ended the worker ({type(error).__name__}: {error})."
        finally:
            worker.pid = None
            del self._workers[number]
            if worker.wire is not None:
                worker.wire.close()
        deliver(WorkerGone(number, kind, reason))

    async def _talk(self, number: int, worker: _Worker, load: Load, deliver: Deliver) -> tuple[FailureKind, str]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await self._spawn(worker, load, theirs)
                worker.pid = process.pid
                wire = worker.wire = Wire(ours, LINE_LIMIT)
            except BaseException:
                worker.signal(signal.SIGKILL)
                ours.close()
                raise
        for message in worker.unsaid:
            self.send(number, message)
        if worker.is_frozen:
            worker.signal(signal.SIGSTOP)
        if worker.is_doomed:
            worker.signal(signal.SIGKILL)
        listening = asyncio.create_task(_listen(number, wire, deliver), name=f"worker-{number}-listens")
        ending = asyncio.create_task(process.wait(), name=f"worker-{number}-ends")
        # A child may hold the socket open after the worker's end, and a worker may live on without a word.
        await asyncio.wait((listening, ending), return_when=asyncio.FIRST_COMPLETED)
        if listening.done() and isinstance(listening.exception(), _BrokenOff | None):
            await asyncio.wait((ending,), timeout=PATIENCE)
        was_alive = not ending.done()
        # What a stage started must not outlive its worker.
        worker.signal(signal.SIGKILL)
        code = await ending
        worker.pid = None
        await self._end_strays(worker.mark)
        await asyncio.wait((listening,), timeout=PATIENCE)
        listening.cancel()
        nonsense = await _nonsense(listening)
        if nonsense and (was_alive or code >= 0):
            return FailureKind.ERROR, nonsense
        if was_alive and not worker.is_doomed:
            return FailureKind.ERROR, "The worker fell silent for good without ending, so it was ended."
        return _ending(code, worker.is_doomed)

    async def _end_strays(self, mark: str, prefix: bool = False) -> None:
        try:
            count = await asyncio.to_thread(end_strays, mark, prefix=prefix)
        except (OSError, RuntimeError, psutil.Error) as error:
            _log.warning("processes that workers left behind cannot be looked for: %s", error)
        else:
            if count:
                _log.warning("ended %d processes that workers had left behind", count)

    async def _spawn(self, worker: _Worker, load: Load, theirs: socket.socket) -> asyncio.subprocess.Process:
        path = os.pathsep.join(path for path in sys.path if path)
        with self._logs.open(load.stage) as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "engine.executors.worker",
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=ALLOCATION | os.environ | {"PYTHONPATH": path, MARK: worker.mark},
            )


async def _listen(worker: int, wire: Wire, deliver: Deliver) -> None:
    """Deliver what a worker says until its socket ends.

    Raises:
        _Nonsense: it said something that is no message.
    """
    while True:
        try:
            line = await wire.hear()
        except TooLong:
            raise _Nonsense(
                f"The worker sent more than {LINE_LIMIT // 2**20} MB that make no message, so it was ended."
            ) from None
        if not line:
            return
        if not line.endswith(b"\n"):
            raise _BrokenOff("The worker broke off in the middle of a message.")
        try:
            message = _to_up(line)
        except UNREADABLE as error:
            _log.warning("worker %d said %r: %s", worker, line[:200], str(error)[:200])
            raise _Nonsense(
                "The worker sent something that is no message, so it was ended; its log may tell."
            ) from None
        deliver(FromWorker(worker, message))
        await asyncio.sleep(0)  # one that babbles must not keep the others waiting


async def _nonsense(listening: "asyncio.Task[None]") -> str:
    """What is wrong with what was said, once nobody listens any more; empty where nothing is."""
    try:
        await listening
    except asyncio.CancelledError:
        return ""
    except _Nonsense as nonsense:
        return str(nonsense)
    return ""


def _ending(code: int, is_doomed: bool) -> tuple[FailureKind, str]:
    """What a worker's exit status says."""
    if code >= 0:
        return FailureKind.CRASH, f"The worker ended by itself with status {code}; its log tells more."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        if is_doomed:
            return FailureKind.CRASH, "The worker was ended."
        return FailureKind.OOM, "The worker was killed, as the system does when memory runs out."
    return FailureKind.CRASH, f"The worker crashed ({name})."
