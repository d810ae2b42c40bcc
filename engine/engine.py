"""The thin shell around the machine: it carries out instructions and feeds back what comes of them."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from engine import events as ev
from engine.answers import Answers
from engine.api import News
from engine.audience import Listener
from engine.chronicle import Chronicle, Clock
from engine.commands import Add, Command, CommandError, Retry
from engine.executors.base import Executor
from engine.executors.subprocess import SubprocessExecutor
from engine.files import path_key
from engine.home import Home
from engine.intake import examine, with_terms
from engine.ledger import LedgerError, LedgerFull
from engine.machine import Machine
from engine.machine import stimuli as do
from engine.machine.stimuli import Asked, JobRecord, Source, Stimulus
from engine.messages import Heartbeat, Run
from engine.recipe import Policy
from engine.repair import open_ledger
from engine.senses import Senses
from engine.states import ENDED
from engine.view import View
from engine.writer import Writer

_log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at the clock and at the memory."""
DAY = 86_400.0
"""Seconds between two prunings of the ledger."""
BYTES_PER_MS = 32
"""16 kHz mono int16."""
ENDING = "scribetui is ending; start it again and ask once more."
FULL = "The disk is full, and nothing can be kept until there is room; try again then."


class Engine:
    """Runs the queue of a home: commands in, events out.

    Use as ``async with Engine(home) as engine``. Leaving the block lets the batches under way finish.

    Args:
        home: where all state lives; its lock must be held.
        policy: how failures are answered.
        budget: the memory budget in bytes, for everything together.
        executor: what starts workers; child processes by default.
        stages: import paths of stages to use in place of the built-in ones.
        go_on: whether the jobs that an earlier sitting left unfinished go on by themselves; else they come up stopped.
        keep_awake: whether the machine may not sleep while a job runs.

    Raises:
        LedgerError: the ledger cannot be used; a damaged one is no reason, it is put aside and a new one begun.
    """

    def __init__(
        self,
        home: Home,
        *,
        policy: Policy | None = None,
        budget: int = 0,
        executor: Executor | None = None,
        stages: dict[str, str] | None = None,
        go_on: bool = True,
        keep_awake: bool = True,
    ) -> None:
        self._home = home
        self._budget = budget
        self._executor = executor or SubprocessExecutor(home.logs)
        self._machine = Machine(policy, str(home.cache), stages, go_on=go_on)
        self._ledger, self._damage = open_ledger(home.ledger)
        self._senses = Senses(home, self._executor, keep_awake=keep_awake)
        self._held: tuple[list[do.Instruction], int] | None = None
        """What could not be saved, since the disk is full, with its time; nothing else is handled before it is."""
        self._backlog: deque[Stimulus] = deque()
        """What has happened since."""
        self._changed = asyncio.Event()
        self._writer = Writer(home, self._ledger, self.handle, self._changed.set)
        self._chronicle = Chronicle(self._ledger)
        self._answers = Answers()
        self._adding = asyncio.Lock()
        self._is_over = False
        self._clock = Clock()
        self._pruned = time.monotonic()
        self._ticking: asyncio.Task[None] | None = None
        self._is_urgent = False
        self.error: str | None = None
        """Why the engine had to end, in one sentence; None while all is well."""
        self.is_asked_to_stop = asyncio.Event()
        """Whether somebody wants it to end; whoever runs it leaves its block then."""

    # ---- its life

    async def __aenter__(self) -> "Engine":
        self._ledger.close_attempts()
        next_job, next_attempt = self._ledger.next_ids()
        records = tuple(self._with_audio(record) for record in self._ledger.jobs())
        self._writer.forget_strangers({record.id for record in records if not isinstance(record.state, ENDED)})
        self.handle(do.Restored(records, self._budget, next_job, next_attempt, self._ledger.seen()))
        if self._damage is not None:
            self._chronicle.notice(self._damage, self._clock.now())
        for stimulus in await self._senses.memory():
            self.handle(stimulus)
        self._ticking = asyncio.create_task(self._tick(), name="clock")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the batches under way finish, end every worker, and close the ledger."""
        if self._held is not None and self.error is None:
            self._go_on()
        if self.error is None:
            self.handle(do.Closing())
        if self._is_urgent:
            self.kill()
        await self._executor.close()
        await self._writer.settle()
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self._senses.close()
        if self._held is not None and self.error is None:
            self._save_held()
        self._chronicle.end()
        self._is_over = True
        self._answers.refuse(ENDING)
        if self.error is not None or self._held is not None:
            self._ledger.abandon()
            return
        try:
            self._ledger.close()
        except LedgerError as error:
            self.error = str(error)

    async def stop(self, *, now: bool = False) -> None:
        """Have it end: after the batches under way, or at once, which costs these batches."""
        self._is_urgent |= now
        if now and self.is_asked_to_stop.is_set():
            self.kill()
        self.is_asked_to_stop.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on or waits, no file is being written, and no model is in memory."""
        return self._is_at_rest and not self.view.workers

    @property
    def _is_at_rest(self) -> bool:
        return self._held is None and self._machine.is_at_rest and self._writer.is_idle

    def kill(self) -> None:
        """End every worker at once; what they had not committed is lost."""
        for worker in self.view.workers:
            self._executor.kill(worker.id)

    async def wait(self) -> None:
        """Wait until nothing is left to do, or the engine had to end."""
        while self.error is None and not self._is_at_rest:
            self._changed.clear()
            await self._changed.wait()

    async def _tick(self) -> None:
        while self.error is None:
            await asyncio.sleep(TICK)
            try:
                if self._held is not None:
                    self._go_on()
                found = await self._senses.look(self.view)
                self._prune()
            except Exception:  # whatever fails in looking, time must go on: retries and the watchdog wait for it
                _log.exception("a fault in looking at the machine")
                found = [do.Ticked()]
            for stimulus in found:
                self.handle(stimulus)

    def _prune(self) -> None:
        """Once a day, let go of what nobody will ask for any more; at the start that was done."""
        if self._held is not None or time.monotonic() - self._pruned < DAY:
            return
        self._pruned = time.monotonic()
        try:
            self._ledger.prune(self._clock.now())
        except LedgerError as error:
            _log.warning("%s", error)  # another day; what cannot be written will be told where it matters

    # ---- its API

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        """The view as it is now, and all news after it; the iterator ends when the engine does."""
        return self._chronicle.subscribe()

    def join(self) -> Listener:
        """A listener of one's own, for who wants the news in bundles; to be given back by ``leave``."""
        return self._chronicle.join()

    def leave(self, listener: Listener) -> None:
        """Give a listener back."""
        self._chronicle.leave(listener)

    @property
    def view(self) -> View:
        """The view as it is now."""
        return self._chronicle.view

    def notice(self, message: str) -> None:
        """Tell the user, in one sentence, something that concerns no one job."""
        if self.error is None:
            self._chronicle.notice(message, self._clock.now())

    async def submit(self, command: Command) -> int | None:
        """Ask for something; the number of the job it concerns.

        Raises:
            CommandError: it cannot be done; the message is one sentence for the user.
        """
        if not isinstance(command, Add):
            return await self._ask(command)
        async with self._adding:  # one looked at quickly does not overtake another
            self._check_able()
            source, fingerprint = await asyncio.to_thread(examine, command)
            command, warnings = await asyncio.to_thread(with_terms, command, source, self._written(command))
            answer = self._ask(command, source, fingerprint, warnings)
        return await answer

    def _written(self, add: Add) -> set[str]:
        """The files that were written for all jobs, by ``path_key``; none where the command does not care."""
        jobs = self.view.jobs if add.options.terms_near else ()
        return {path_key(Path(path)) for job in jobs for path in (*job.outputs, *job.partial)}

    def _check_able(self) -> None:
        if self.error is not None:
            raise CommandError(self.error, is_passing=True)
        if self._is_over:
            raise CommandError(ENDING, is_passing=True)
        if self._held is not None:
            raise CommandError(FULL, is_passing=True)

    def _ask(
        self, command: Command, source: Source | None = None, fingerprint: str = "", warnings: tuple[str, ...] = ()
    ) -> asyncio.Future[int | None]:
        """Feed a command to the machine; where its answer will be."""
        self._check_able()
        token, answer = self._answers.ask()
        try:
            known = self._ledger.known(fingerprint) if fingerprint else None
            progress = self._progress(command, source)
        except LedgerError as error:
            self._give_up(str(error))
        else:
            self.handle(
                Asked(
                    token=token,
                    command=command,
                    source=source,
                    progress=progress,
                    fingerprint=fingerprint,
                    known=known,
                    warnings=warnings,
                )
            )
        return answer

    def _progress(self, command: Command, source: Source | None) -> ev.Progress | None:
        """What the ledger has of an ended job that is to be taken up again."""
        if isinstance(command, Add):
            assert source is not None
            same = self._machine.find(source, command.options)
            return None if same is None else self._ledger.progress(same)
        if isinstance(command, Retry) and self.view.job(command.job) is not None:
            return self._ledger.progress(command.job)
        return None

    # ---- instructions

    def handle(self, stimulus: Stimulus) -> None:
        """Feed the machine, and carry out what it wants."""
        if self.error is not None:
            return
        if self._held is not None:
            if not _is_passing(stimulus):
                self._backlog.append(stimulus)
            return
        with self._giving_up_on_faults(stimulus):
            now = self._clock.now()
            self._carry(self._machine.handle(stimulus, now), now)

    @contextmanager
    def _giving_up_on_faults(self, about: object) -> Iterator[None]:
        """Stop the work, with a sentence, where it cannot be gone on with."""
        try:
            yield
        except LedgerError as error:
            self._give_up(str(error))
        except Exception as error:
            _log.exception("a fault in handling %r", about)
            self._give_up(
                f"A fault in scribetui stopped the work ({type(error).__name__}: {error}). Nothing finished is lost: "
                f"start again to go on; {self._home.logs / 'engine.log'} tells more."
            )

    def _carry(self, instructions: list[do.Instruction], now: int) -> None:
        """Save, tell, and do; where there is no room to save, all of it waits."""
        try:
            self._chronicle.keep(instructions, now)
        except LedgerFull as error:
            self._held = (instructions, now)
            self._chronicle.notice(f"{error} The work waits, and goes on by itself when there is room.", now)
            return
        for instruction in instructions:
            self._carry_out(instruction)
        self._changed.set()

    def _go_on(self) -> None:
        """Try again to save what waits for room on the disk, and then take in what has happened since."""
        assert self._held is not None
        if not self._ledger.has_room():
            return
        (instructions, now), self._held = self._held, None
        self._chronicle.notice("There is room on the disk again: the work goes on.", now)
        with self._giving_up_on_faults(instructions):
            self._carry(instructions, now)
        while self._backlog and self._held is None:
            self.handle(self._backlog.popleft())

    def _save_held(self) -> None:
        """At the end: save what waits for room if that is there by now; nothing is begun any more."""
        assert self._held is not None
        try:
            self._chronicle.keep(*self._held)
        except LedgerError as error:
            _log.warning("%s", error)  # what was not committed is done again the next time
        else:
            self._held = None

    def _carry_out(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartWorker(worker, load):
                self._executor.start(worker, load, self.handle)
            case do.SendTo(worker, message):
                self._executor.send(worker, message)
            case do.SendTexts(worker, work):
                texts = self._ledger.texts(work.job, work.spans)
                self._executor.send(worker, Run(work=msgspec.structs.replace(work, texts=texts)))
            case do.KillWorker(worker):
                self._executor.kill(worker)
            case do.FreezeWorker(worker):
                self._executor.freeze(worker)
            case do.ThawWorker(worker):
                self._executor.thaw(worker)
            case do.WriteFiles(job, partial):
                self._writer.write(job, partial=partial)
            case do.CleanUp(job) | do.ForgetJob(job):
                self._writer.clean_up(job)
            case do.Answer(token, job, error, is_known):
                self._answers.settle(token, job, None if error is None else CommandError(error, is_known=is_known))
            case _:
                pass  # saved or published already

    def _give_up(self, error: str) -> None:
        """The ledger cannot be written: nothing that happens from now on could be kept, so stop."""
        self.error = error
        self.kill()
        self._chronicle.end()
        self._answers.refuse(error)
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


def _is_passing(stimulus: Stimulus) -> bool:
    """Whether a stimulus is of no interest any more once its moment is over."""
    is_beat = isinstance(stimulus, do.FromWorker) and isinstance(stimulus.message, Heartbeat)
    return is_beat or isinstance(stimulus, do.Ticked | do.MemoryRead | do.DiskRead)
