"""The thin shell around the machine: it carries out instructions and feeds back what comes of them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil

from engine import events as ev
from engine.commands import Add, Command, CommandError, Options, Retry
from engine.events import Entry
from engine.executors.base import Executor
from engine.executors.subprocess import SubprocessExecutor
from engine.home import Home
from engine.intake import check_folder, check_name, inspect
from engine.ledger import Ledger, LedgerError
from engine.machine import Machine
from engine.machine import stimuli as do
from engine.machine.stimuli import Asked, JobRecord, MemoryRead, Source, Stimulus
from engine.recipe import Policy
from engine.sampler import available_memory, tree_memory
from engine.states import ENDED
from engine.view import View, fold
from engine.writer import Writer

_log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at the clock and at the memory."""
FLUSH = 5.0
"""Seconds that an event may wait for a transaction."""
BYTES_PER_MS = 32
"""16 kHz mono int16."""


class Engine:
    """Runs the queue of a home: commands in, events out.

    Use as ``async with Engine(home) as engine``. Leaving the block lets the batches under way finish.

    Args:
        home: where all state lives; its lock must be held.
        policy: how failures are answered.
        budget: the memory budget in bytes, for everything together.
        executor: what starts workers; child processes by default.
        stages: import paths of stages to use in place of the built-in ones.
        only_added: run only the jobs added or resumed from now on, not all that wait in the ledger.
    """

    def __init__(
        self,
        home: Home,
        *,
        policy: Policy | None = None,
        budget: int = 0,
        executor: Executor | None = None,
        stages: dict[str, str] | None = None,
        only_added: bool = False,
    ) -> None:
        self._home = home
        self._budget = budget
        self._executor = executor or SubprocessExecutor(home.logs)
        self._machine = Machine(policy, str(home.cache), stages, only_added=only_added)
        self._ledger = Ledger(home.ledger)
        self._changed = asyncio.Event()
        self._writer = Writer(home, self._ledger, self.handle, self._changed.set)
        self._seq = self._ledger.next_seq()
        self._view = View()
        self._streams: set[asyncio.Queue[Entry | None]] = set()
        self._answers: dict[int, asyncio.Future[int | None]] = {}
        self._token = 0
        self._clock: asyncio.Task[None] | None = None
        self._flushed = time.monotonic()
        self._latest = 0
        self._ahead = 0
        """Milliseconds that our time is ahead of a clock that was set back."""
        self.error: str | None = None
        """Why the engine had to end, in one sentence; None while all is well."""

    # ---- its life

    async def __aenter__(self) -> "Engine":
        self._ledger.close_attempts()
        next_job, next_attempt = self._ledger.next_ids()
        records = tuple(self._with_audio(record) for record in self._ledger.jobs())
        self._writer.forget_strangers({record.id for record in records if not isinstance(record.state, ENDED)})
        self.handle(do.Restored(records, self._budget, next_job, next_attempt))
        self._clock = asyncio.create_task(self._tick(), name="clock")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the batches under way finish, end every worker, and close the ledger."""
        if self.error is None:
            self.handle(do.Closing())
        await self._executor.close()
        await self._writer.settle()
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)
        for stream in self._streams:
            stream.put_nowait(None)
        for answer in self._answers.values():
            answer.cancel()
        if self.error is None:
            self._ledger.close()
        else:
            self._ledger.abandon()

    def kill(self) -> None:
        """End every worker at once; what they had not committed is lost."""
        for worker in self._view.workers:
            self._executor.kill(worker.id)

    async def wait(self) -> None:
        """Wait until nothing is left to do, or the engine had to end."""
        while self.error is None and not (self._machine.is_at_rest and self._writer.is_idle):
            self._changed.clear()
            await self._changed.wait()

    async def _tick(self) -> None:
        while self.error is None:
            await asyncio.sleep(TICK)
            stimulus: Stimulus = do.Ticked()
            if self._view.workers:
                try:
                    stimulus = MemoryRead(await asyncio.to_thread(tree_memory), available_memory())
                except (OSError, psutil.Error) as error:
                    _log.warning("the memory cannot be read: %s", error)
            self.handle(stimulus)

    # ---- its API

    def subscribe(self) -> tuple[View, AsyncIterator[Entry]]:
        """The view as it is now, and every event after it; the iterator ends when the engine does."""
        stream: asyncio.Queue[Entry | None] = asyncio.Queue()
        self._streams.add(stream)
        if self.error is not None:
            stream.put_nowait(None)
        return self._view, self._read(stream)

    async def _read(self, stream: asyncio.Queue[Entry | None]) -> AsyncIterator[Entry]:
        try:
            while (entry := await stream.get()) is not None:
                yield entry
        finally:
            self._streams.discard(stream)

    @property
    def view(self) -> View:
        """The view as it is now."""
        return self._view

    async def submit(self, command: Command) -> int | None:
        """Ask for something; the number of the job it concerns.

        Raises:
            CommandError: it cannot be done; the message is one sentence for the user.
        """
        if self.error is not None:
            raise CommandError(self.error)
        self._token += 1
        token = self._token
        answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._answers[token] = answer
        try:
            try:
                asked = self._asked(token, command)
            except LedgerError as error:
                self._give_up(str(error))
            else:
                self.handle(asked)
            return await answer
        finally:
            del self._answers[token]

    def _asked(self, token: int, command: Command) -> Asked:
        source: Source | None = None
        progress: ev.Progress | None = None
        if isinstance(command, Add):
            source = inspect(command.path)
            folder = command.options.out or str(Path(source.path).parent)
            check_name(folder, "folder")
            check_folder(folder)
            progress = self._known(source, command.options)
        elif isinstance(command, Retry) and self._view.job(command.job) is not None:
            progress = self._ledger.progress(command.job)
        return Asked(token=token, command=command, source=source, progress=progress)

    def _known(self, source: Source, options: Options) -> ev.Progress | None:
        """What the ledger has of an ended job for the same file and the same words."""
        number = self._machine.find(source, options)
        return None if number is None else self._ledger.progress(number)

    # ---- instructions

    def handle(self, stimulus: Stimulus) -> None:
        """Feed the machine, and carry out what it wants."""
        if self.error is not None:
            return
        try:
            self._handle(stimulus)
        except LedgerError as error:
            self._give_up(str(error))
        except Exception as error:
            _log.exception("a fault in handling %r", stimulus)
            self._give_up(
                f"A fault in scribetui stopped the work ({type(error).__name__}: {error}). Nothing finished is lost: "
                f"start again to go on; {self._home.logs / 'engine.log'} tells more."
            )

    def _handle(self, stimulus: Stimulus) -> None:
        now = self._now()
        instructions = self._machine.handle(stimulus, now)
        entries = [
            Entry(self._seq + number, now, each.event)
            for number, each in enumerate(each for each in instructions if isinstance(each, do.Publish))
        ]
        self._seq += len(entries)
        self._keep(instructions, entries)
        for entry in entries:
            self._view = fold(self._view, entry)
            for stream in self._streams:
                stream.put_nowait(entry)
        for instruction in instructions:
            self._carry_out(instruction)
        self._changed.set()

    def _now(self) -> int:
        """Unix milliseconds that never go back, whoever sets the clock: a delay would last as much longer."""
        wall = time.time_ns() // 1_000_000
        self._ahead = max(self._ahead, self._latest - wall)
        self._latest = wall + self._ahead
        return self._latest

    def _keep(self, instructions: list[do.Instruction], entries: list[Entry]) -> None:
        """One transaction for all that must be durable; mere events wait for the next."""
        saving = [each for each in instructions if Ledger.is_saving(each)]
        if saving:
            with self._ledger.transaction():
                for instruction in saving:
                    self._ledger.save(instruction)
                for entry in entries:
                    self._ledger.record(entry)
        else:
            for entry in entries:
                self._ledger.record(entry)
            if time.monotonic() - self._flushed < FLUSH:
                return
            self._ledger.flush()
        self._flushed = time.monotonic()

    def _carry_out(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartWorker(worker, load):
                self._executor.start(worker, load, self.handle)
            case do.SendTo(worker, message):
                self._executor.send(worker, message)
            case do.KillWorker(worker):
                self._executor.kill(worker)
            case do.WriteFiles(job, partial):
                self._writer.write(job, partial=partial)
            case do.CleanUp(job):
                self._writer.clean_up(job)
            case do.ForgetJob(job):
                self._writer.clean_up(job)
            case do.Answer(token, job, error):
                answer = self._answers.get(token)
                if answer is not None and not answer.done():
                    if error is None:
                        answer.set_result(job)
                    else:
                        answer.set_exception(CommandError(error))
            case _:
                pass  # saved or published already

    def _give_up(self, error: str) -> None:
        """The ledger cannot be written: nothing that happens from now on could be kept, so stop."""
        self.error = error
        self.kill()
        for stream in self._streams:
            stream.put_nowait(None)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(CommandError(error))
        self._changed.set()

    def _with_audio(self, record: JobRecord) -> JobRecord:
        """Say whether the decoded audio survived; after a power cut its end may be zeros, so it is made anew."""
        progress = record.progress
        audio = Path(self._home.cache) / f"{record.id}.pcm"
        try:
            stat = audio.stat()
        except OSError:
            return record
        is_whole = stat.st_size >= progress.heard * BYTES_PER_MS and stat.st_mtime > psutil.boot_time()
        return msgspec.structs.replace(record, progress=msgspec.structs.replace(progress, audio_ready=is_whole))
