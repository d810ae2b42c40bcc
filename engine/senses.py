"""What the engine looks at once a second: the memory, the disk, the logs; and that the machine stays awake."""

import asyncio
import logging
import shutil

import psutil

from engine.awake import Awake
from engine.executors.base import Executor
from engine.home import Home
from engine.machine.stimuli import DiskRead, MemoryRead, Stimulus, Ticked
from engine.sampler import Sampler
from engine.states import ENDED, JobState, Paused, Pausing, Running, Stopped, Writing
from engine.view import View

_log = logging.getLogger(__name__)


class Senses:
    """Tells the machine what it cannot know by itself.

    Args:
        home: whose disk is watched.
        executor: whose workers are.
        keep_awake: whether the machine may not sleep while a job runs.
    """

    def __init__(self, home: Home, executor: Executor, *, keep_awake: bool = True) -> None:
        self._home = home
        self._executor = executor
        self._sampler = Sampler()
        self._awake = Awake() if keep_awake else None

    async def look(self, view: View) -> list[Stimulus]:
        """What there is to tell; where nothing goes on, only that time has passed."""
        self._watch_over(view)
        if not view.workers and not any(_may_go_on(job.state) for job in view.jobs):
            return [Ticked()]
        self._executor.trim_logs()
        found: list[Stimulus] = []
        try:
            found.append(DiskRead((await asyncio.to_thread(shutil.disk_usage, self._home.path)).free))
        except (OSError, RuntimeError) as error:
            _log.warning("the disk cannot be read: %s", error)
        return [*found, *await self.memory()]

    async def memory(self) -> list[Stimulus]:
        """A sample of the memory; only the time where it cannot be read."""
        try:
            read = await asyncio.to_thread(self._sampler.read, self._executor.pids())
        except (OSError, RuntimeError, psutil.Error) as error:
            _log.warning("the memory cannot be read: %s", error)
            return [Ticked()]
        return [
            MemoryRead(
                tree=read.tree,
                available=read.available,
                workers=read.workers,
                swap=read.swap,
                pressure=read.pressure,
            )
        ]

    async def close(self) -> None:
        """Let the machine sleep again."""
        if self._awake is not None:
            await asyncio.to_thread(self._awake.close)

    def _watch_over(self, view: View) -> None:
        if self._awake is None:
            return
        if any(isinstance(job.state, Running | Pausing | Writing) for job in view.jobs):
            self._awake.hold()
        else:
            self._awake.let_go()


def _may_go_on(state: JobState) -> bool:
    """Whether the disk may be what a job waits for."""
    return not isinstance(state, (*ENDED, Stopped)) and not (isinstance(state, Paused) and not state.reason)
