"""The machine's data as a whole, and the small verbs that all its parts share."""

import random
from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.ladder import Limits, stand_ins
from engine.machine.holdings import AT_WORK, LATER, WORKING, Attempt, Job, Later, Pace, Worker
from engine.machine.stimuli import (
    CleanUp,
    FreezeWorker,
    Instruction,
    JobRecord,
    KillWorker,
    Publish,
    SaveAttempt,
    SaveJob,
    SendTo,
    ThawWorker,
    WriteFiles,
)
from engine.memory import Memory
from engine.messages import Drop, Release
from engine.recipe import Failure, FailureKind, Policy, Recipe
from engine.states import ENDED, Frozen, JobState, Queued, Stopped
from engine.timeline import Span


class Core:
    """The machine's data, and the instructions gathered while a stimulus is handled."""

    def __init__(self, policy: Policy, stages: dict[str, str], cache: str, *, go_on: bool) -> None:
        self.policy = policy
        self.stages = stages
        self.cache = cache
        self.go_on = go_on
        self.jobs: dict[int, Job] = {}
        self.order: list[int] = []
        self.workers: dict[int, Worker] = {}
        self.budget = 0
        self.memory = Memory()
        self.paces: dict[object, Pace] = {}
        """By the worker's key."""
        self.share = 0
        """What the engine itself holds, in bytes."""
        self.available = 0
        """What the system has left, in bytes; 0 before that is known."""
        self.swap_before: int | None = None
        """Swap in use when the job at work began."""
        self.pressed_since: int | None = None
        self.settling = 0
        """An easing of the memory shows once an attempt of this number or later has done a batch."""
        self.settled_at = 0
        self.trouble = ""
        """Why no job can run at present, in one sentence."""
        self.looked_at: int | None = None
        """When the watchdog last looked."""
        self.random = random.Random(0)
        self.next_job = 1
        self.next_attempt = 1
        self.next_worker = 1
        self.is_closing = False
        self.now = 0
        """The time of the stimulus at hand, in Unix milliseconds."""
        self.out: list[Instruction] = []

    # ---- looking

    def at_work(self) -> Job | None:
        """The one job that is running, pausing or being written."""
        return next((self.jobs[each] for each in self.order if isinstance(self.jobs[each].state, AT_WORK)), None)

    def worker(self, stage: ev.StageName) -> Worker | None:
        """The worker of a stage, ending ones included."""
        return next((each for each in self.workers.values() if each.stage == stage), None)

    def workers_of(self, job: Job) -> list[Worker]:
        """The workers that hold, or held last, something of a job."""
        return [worker for worker in self.workers.values() if worker.job == job.id]

    def audio(self, job: Job) -> str:
        """Where the job's decoded audio lies."""
        return f"{self.cache}/{job.id}.pcm"

    # ---- saying

    def do(self, instruction: Instruction) -> None:
        """Want something done."""
        self.out.append(instruction)

    def tell(self, event: ev.Event) -> None:
        """Publish an event."""
        self.out.append(Publish(event))

    def save(self, job: Job) -> None:
        """Record the job as it is now."""
        self.do(
            SaveJob(
                id=job.id,
                source=job.source,
                options=job.options,
                state=self.kept_state(job),
                position=self.order.index(job.id),
                outputs=job.outputs,
                worked_ms=job.worked_ms,
            )
        )

    def kept_state(self, job: Job) -> JobState:
        """A job's state as the ledger keeps it: a stopped one still waits, should the next sitting want to go on."""
        return Queued() if isinstance(job.state, Stopped) else job.state

    def save_order(self) -> None:
        """Record and tell the order of the queue."""
        for each in self.order:
            self.save(self.jobs[each])
        self.tell(ev.QueueOrdered(tuple(self.order)))

    # ---- changing

    def enter(self, job: Job, state: JobState, now: int) -> None:
        """Put a job into a state."""
        if isinstance(job.state, Frozen):
            for worker in self.workers_of(job):
                self.thaw(worker)
        if isinstance(job.state, WORKING):
            job.worked_ms += max(0, now - job.state.since)
        job.state = state
        self.tell(ev.JobChanged(job.id, state))
        if isinstance(state, ENDED):
            self._end(job, now)
        self.save(job)

    def _end(self, job: Job, now: int) -> None:
        """Leave nothing of an ended job at the workers, on the disk or in memory."""
        self.stop(job)
        for worker in self.workers_of(job):
            worker.job, worker.asked_at = 0, now
        for attempt in list(job.attempts.values()):
            self.close_attempt(job, attempt, now, "stopped", "the job ended")
        job.pending.clear()
        job.sent.clear()
        job.covered.clear()
        job.wordless.clear()
        job.later = {stage: Later() for stage in LATER}
        job.samples = ()
        job.heard_terms.clear()
        job.gaps.clear()
        job.speech.clear()
        job.suspects.clear()
        job.barred.clear()
        job.shaky.clear()
        job.missing_audio.clear()
        job.short.clear()
        job.is_cut_off = False
        job.audio_ready = False
        self.do(CleanUp(job.id))

    def open_attempt(self, job: Job, windows: tuple[Span, ...], recipe: Recipe, now: int) -> Attempt:
        """Record the beginning of an attempt at these windows."""
        span = Span(windows[0].start, windows[-1].end)
        attempt = Attempt(self.next_attempt, span, len(windows), set(windows), recipe, now)
        self.next_attempt += 1
        job.attempts[attempt.id] = attempt
        self.do(SaveAttempt(id=attempt.id, job=job.id, span=span, windows=len(windows), recipe=recipe, began=now))
        return attempt

    def close_attempt(self, job: Job, attempt: Attempt, now: int, outcome: str, reason: str = "") -> None:
        """Record an attempt's end."""
        del job.attempts[attempt.id]
        self.do(
            SaveAttempt(
                id=attempt.id,
                job=job.id,
                span=attempt.span,
                windows=attempt.windows,
                recipe=attempt.recipe,
                began=attempt.began or attempt.sent,
                ended=now,
                outcome=outcome,
                reason=reason,
                peak=attempt.peak,
                slowest_ms=attempt.slowest_ms,
            )
        )
        if outcome == "done":
            took = now - (attempt.began or attempt.sent)
            self.tell(ev.ChunkDone(job=job.id, attempt=attempt.id, span=attempt.span, took_ms=took))
        else:
            self.tell(ev.ChunkStopped(job=job.id, attempt=attempt.id, span=attempt.span, reason=reason or outcome))

    def take_back(self, worker: Worker) -> None:
        """Have a worker give back what it has not begun."""
        if worker.queued and not worker.is_dropping and not worker.is_ending:
            worker.is_dropping = True
            worker.asked_at = self.now
            self.do(SendTo(worker.id, Drop()))

    def stop(self, job: Job) -> None:
        """Have the job's workers stop after their batches under way; the model stays warm."""
        for worker in self.workers_of(job):
            if worker.is_ending:
                continue
            if worker.stage == "listen":
                self.release(worker)
            else:
                self.take_back(worker)

    def release(self, worker: Worker) -> None:
        """Have a worker end after its batches under way."""
        worker.is_ending = True
        worker.asked_at = self.now
        self.do(SendTo(worker.id, Release()))

    def kill(self, worker: Worker, kind: FailureKind, reason: str) -> None:
        """End a worker at once, and remember why."""
        if worker.doom is None:
            worker.doom = Failure(kind, reason)
            self.do(KillWorker(worker.id))

    def freeze(self, worker: Worker) -> None:
        """Stop a worker where it is."""
        if worker.frozen_at is None:
            worker.frozen_at = self.now
            self.do(FreezeWorker(worker.id))

    def thaw(self, worker: Worker) -> None:
        """Let a frozen worker go on; the time it was frozen counts towards nothing."""
        if worker.frozen_at is None:
            return
        self.excuse(worker, self.now - worker.frozen_at)
        worker.frozen_at = None
        self.do(ThawWorker(worker.id))

    def excuse(self, worker: Worker, length: int) -> None:
        """Time in which a worker could not have worked does not count."""
        worker.started_at = self._later(worker.started_at, length)
        worker.loading_since = self._later(worker.loading_since, length)
        worker.asked_at = self._later(worker.asked_at, length)
        worker.idle_since = self._later(worker.idle_since, length)
        if worker.heard_at is not None:
            worker.heard_at = self._later(worker.heard_at, length)
        for batch in worker.batches:
            batch.since = self._later(batch.since, length)

    def _later(self, at: int, length: int) -> int:
        """A time moved on; what has happened since the pause is over stays where it is."""
        return max(at, min(self.now, at + length))

    def change_recipe(self, job: Job, recipe: Recipe, at: int, reason: str) -> None:
        """Let a job run on with another recipe, as soon as the batches under way are through."""
        job.recipe = recipe
        self.tell(ev.RecipeChanged(job=job.id, recipe=recipe, at=at, reason=reason))
        worker = self.worker("transcribe")
        if worker is not None and worker.job == job.id:
            self.take_back(worker)

    def limits(self, job: Job) -> Limits:
        """What decisions about a job have to respect."""
        wanted = msgspec.structs.replace(job.options.recipe, language=job.options.recipe.language or job.language)
        models = stand_ins(wanted, self.policy.models.get(wanted.backend, ()))
        return Limits(retries=self.policy.retries, models=models)

    def write_partial(self, job: Job, now: int) -> None:
        """Write the partial files, unless that is under way or was done a moment ago; then remember it."""
        if job.partial_busy or now < job.partial_at + self.policy.partial_every_ms:
            job.partial_wanted = True
            return
        job.partial_busy, job.partial_wanted, job.partial_at = True, False, now
        self.do(WriteFiles(job.id, partial=True))

    def load(self, job: Job, progress: ev.Progress) -> None:
        """Fill a job with what the ledger has of it."""
        job.duration, job.heard, job.heard_all = progress.duration, progress.heard, progress.heard_all
        job.checkpoint, job.worked_ms = progress.checkpoint, progress.worked_ms
        job.covered = set(progress.covered)
        job.wordless = job.covered.intersection(progress.wordless)
        job.later = {stage: Later() for stage in LATER}
        job.later["align"].done = job.covered.intersection(progress.aligned) - job.wordless
        job.language, job.samples = progress.language, ()
        job.gaps = set(progress.gaps)
        done = job.covered | job.gaps
        job.pending = [window for window in progress.windows if window not in done]
        job.speech = list(progress.speech)
        job.audio_ready = progress.audio_ready
        job.is_cut_off = not job.heard_all and any(gap.start >= job.heard for gap in job.gaps)

    def announce(self, job: Job, progress: ev.Progress) -> None:
        """Tell that a job is on the list."""
        self.tell(
            ev.JobAdded(
                job=job.id,
                path=job.source.path,
                size=job.source.size,
                options=job.options,
                state=job.state,
                progress=progress,
                outputs=job.outputs,
            )
        )

    def revive(self, record: JobRecord) -> Job:
        """Put a job from the ledger on the list."""
        job = Job(record.id, record.source, record.options, record.options.recipe, record.state, record.outputs)
        self.load(job, record.progress)
        self.jobs[job.id] = job
        self.order.append(job.id)
        return job

    # ---- proving

    def windows(self, job: Job) -> Iterable[Span]:
        """Every window of a job, in no order, as often as it is held."""
        yield from job.pending
        yield from job.sent
        yield from job.covered
        yield from job.gaps
