"""Workers as child processes of this machine, each in a session of its own, spoken to over a socket pair."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from engine.executors.base import Deliver
from engine.machine.stimuli import FromWorker, WorkerGone
from engine.messages import Down, Load, Release, Up
from engine.recipe import FailureKind

LINE_LIMIT = 64 * 2**20
"""Longest message in bytes; a batch of words is some 100 kB, so what is longer is no message."""
LOG_LIMIT = 8 * 2**20
"""Bytes after which a stage's log is begun anew, the last one being kept."""

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


class SubprocessExecutor:
    """Starts ``python -m engine.executors.worker`` for each worker.

    Args:
        logs: the folder where what a worker prints goes, one file a stage.
        grace: seconds a worker may take to finish its batch when the executor closes.
    """

    def __init__(self, logs: Path, grace: float = 60.0) -> None:
        self._logs = logs
        self._grace = grace
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._waiting: dict[int, list[Down]] = {}
        self._pids: dict[int, int] = {}
        self._doomed: set[int] = set()

    def start(self, worker: int, load: Load, deliver: Deliver) -> None:
        """Start a process and have it load; failing to is reported as its end."""
        self._waiting[worker] = [load]
        self._tasks[worker] = asyncio.create_task(self._live(worker, load, deliver), name=f"worker-{worker}")

    def send(self, worker: int, message: Down) -> None:
        """Say something to a worker, or once it is there; nothing happens when it is gone."""
        if worker in self._waiting:
            self._waiting[worker].append(message)
        elif (writer := self._writers.get(worker)) is not None and not writer.is_closing():
            writer.write(msgspec.json.encode(message) + b"\n")

    def kill(self, worker: int) -> None:
        """End a worker's whole process group at once."""
        self._doomed.add(worker)
        if (pid := self._pids.get(worker)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """The process numbers of the living workers."""
        return list(self._pids.values())

    async def close(self) -> None:
        """Let every worker finish its batch, end those that take too long, and wait for all."""
        for worker in list(self._tasks):
            self.send(worker, Release())
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._grace)
        for worker in list(self._tasks):
            self.kill(worker)
        if late:
            await asyncio.wait(late)

    async def _live(self, worker: int, load: Load, deliver: Deliver) -> None:
        """A worker's whole life, from its start to the report of its end."""
        kind, reason = FailureKind.ERROR, ""
        try:
            kind, reason = await self._talk(worker, load, deliver)
        except OSError as error:
            reason = f"The worker could not be started: {error.strerror or error}."
        finally:
            self._waiting.pop(worker, None)
            self._pids.pop(worker, None)
            self._tasks.pop(worker, None)
            self._doomed.discard(worker)
            if (writer := self._writers.pop(worker, None)) is not None:
                writer.close()
        deliver(WorkerGone(worker, kind, reason))

    async def _talk(self, worker: int, load: Load, deliver: Deliver) -> tuple[FailureKind, str]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await self._spawn(load, theirs)
            except BaseException:
                ours.close()
                raise
        self._pids[worker] = process.pid
        reader, writer = await asyncio.open_unix_connection(sock=ours, limit=LINE_LIMIT)
        self._writers[worker] = writer
        for message in self._waiting.pop(worker):
            self.send(worker, message)
        if worker in self._doomed:
            self.kill(worker)
        nonsense = ""
        try:
            while line := await reader.readline():
                deliver(FromWorker(worker, _to_up(line)))
        except (ValueError, msgspec.DecodeError) as error:
            nonsense = f"The worker said something that is no message: {error}."
        except ConnectionError:
            pass  # its end tells the rest
        if nonsense:
            self.kill(worker)
        code = await process.wait()
        # What a stage started must not outlive its worker.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return (FailureKind.ERROR, nonsense) if nonsense else _ending(code)

    async def _spawn(self, load: Load, theirs: socket.socket) -> asyncio.subprocess.Process:
        path = self._logs / f"{load.stage.partition(':')[0].rpartition('.')[2]}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".old.log"))
        with path.open("ab") as log:
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
                env=ALLOCATION | os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )


def _ending(code: int) -> tuple[FailureKind, str]:
    """What a worker's exit status says."""
    if code >= 0:
        return FailureKind.CRASH, f"The worker ended by itself with status {code}; its log tells more."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if -code == signal.SIGKILL:
        return FailureKind.OOM, "The worker was killed, as the system does when memory runs out."
    return FailureKind.CRASH, f"The worker crashed ({name})."
