"""The interface between the engine and whatever runs its workers: processes here, a cluster elsewhere."""

from collections.abc import Callable
from typing import Protocol

from engine.machine.stimuli import FromWorker, WorkerGone
from engine.messages import Down, Load

Deliver = Callable[[FromWorker | WorkerGone], None]
"""Where an executor hands what workers say; called in the engine's own thread, in the order it was said."""


class Executor(Protocol):
    """Starts workers, carries messages both ways, and reports every worker's end exactly once."""

    def start(self, worker: int, load: Load, deliver: Deliver) -> None:
        """Start a worker and have it load. Failing to is reported as its end."""
        ...

    def send(self, worker: int, message: Down) -> None:
        """Say something to a worker; nothing happens when it is gone."""
        ...

    def kill(self, worker: int) -> None:
        """End a worker and all it started, at once, frozen or not."""
        ...

    def freeze(self, worker: int) -> None:
        """Stop a worker and its group of processes where they are; one that is being started, once it is there."""
        ...

    def thaw(self, worker: int) -> None:
        """Let a frozen worker go on; nothing happens when it is not frozen."""
        ...

    async def close(self) -> None:
        """End every worker, frozen ones too, and wait until all are gone."""
        ...

    def pids(self) -> dict[int, int]:
        """The process number of each worker that runs on this machine, by the worker's number."""
        ...

    def trim_logs(self) -> None:
        """Keep what workers print from filling the disk; to be called about once a second."""
        ...
