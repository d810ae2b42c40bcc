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
        """End a worker and all it started, at once."""
        ...

    async def close(self) -> None:
        """End every worker, and wait until all are gone."""
        ...

    def processes(self) -> list[int]:
        """The process numbers of the workers that run on this machine."""
        ...
