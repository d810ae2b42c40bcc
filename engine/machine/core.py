"""What the machine knows: jobs with their windows, attempts, workers; and the small verbs all its parts share."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine import events as ev
from engine.commands import Options
from engine.machine.stimuli import (
    CleanUp,
    Instruction,
    JobRecord,
    Publish,
    SaveAttempt,
    SaveJob,
    SendTo,
    Source,
    WriteFiles,
)
from engine.messages import Drop, Release
from engine.recipe import Policy, Recipe
from engine.states import ENDED, JobState, Pausing, Running, Writing
from engine.timeline import Span

AT_WORK = (Running, Pausing, Writing)
"""The states of which at most one job is in."""


@dataclass(slots=True)
class Attempt:
    """One run of one chunk: the windows that were handed to the worker together."""

    id: int
    span: Span
    windows: int
    left: set[Span]
    recipe: Recipe
    sent: int
    began: int | None = None
    """When its first window was begun; before that it only waits at the worker."""
    outcome: str = "done"
    """What will be recorded once nothing is left: ``stopped`` or a kind of failure where it lost windows unfinished."""
    reason: str = ""


@dataclass(slots=True)
class Job:
    """A job in the machine. Every window is in exactly one of pending, sent, covered and gaps."""

    id: int
    source: Source
    options: Options
    recipe: Recipe
    state: JobState
    outputs: tuple[str, ...] = ()
    duration: int | None = None
    heard: int = 0
    heard_all: bool = False
    audio_ready: bool = False
    """Whether the decoded audio is known to be on disk up to ``heard``."""
    checkpoint: str = ""
    pending: list[Span] = field(default_factory=list)
    sent: dict[Span, int] = field(default_factory=dict)
    """Windows at the worker, each with its attempt."""
    covered: set[Span] = field(default_factory=set)
    gaps: set[Span] = field(default_factory=set)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    failures: dict[Span, int] = field(default_factory=dict)
    """How often each window failed."""
    stage_failures: dict[str, int] = field(default_factory=dict)
    """Failures of each stage as a whole (listening, or loading a model) since it last got anything done."""
    streak: int = 0
    """Failed batches in a row."""
    not_before: int = 0
    """When the next try may start."""
    worked_ms: int = 0
    partial_at: int = 0
    partial_busy: bool = False
    partial_wanted: bool = False
    partial_trouble: str = ""
    """Why the last partial files could not be written; told once, not every few seconds."""

    @property
    def is_transcribed(self) -> bool:
        """Whether nothing is left to listen to or to transcribe."""
        return self.heard_all and not self.pending and not self.sent

    def give_back(self, span: Span) -> None:
        """Return a window from the worker to the waiting ones."""
        del self.sent[span]
        insort(self.pending, span)


@dataclass(slots=True)
class Worker:
    """A worker process, as far as the machine knows it."""

    id: int
    stage: ev.StageName
    key: object
    """What it was loaded for; another key needs another worker."""
    job: int
    """The job whose spans it holds, or held last; 0 where that job has ended."""
    lanes: int
    """How many lanes may hold a batch."""
    is_ready: bool = False
    is_ending: bool = False
    is_dropping: bool = False
    """Whether a ``Drop`` is unanswered; nothing is sent before the answer."""
    queued: list[Span] = field(default_factory=list)
    begun: set[Span] = field(default_factory=set)
    idle_since: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing."""
        return not self.queued and not self.begun


class Core:
    """The machine's data, and the instructions gathered while a stimulus is handled."""

    def __init__(self, policy: Policy, stages: dict[str, str], cache: str, *, only_added: bool) -> None:
        self.policy = policy
        self.stages = stages
        self.cache = cache
        self.only_added = only_added
        self.eligible: set[int] = set()
        self.jobs: dict[int, Job] = {}
        self.order: list[int] = []
        self.workers: dict[int, Worker] = {}
        self.budget = 0
        self.next_job = 1
        self.next_attempt = 1
        self.next_worker = 1
        self.is_closing = False
        self.out: list[Instruction] = []

    # ---- looking

    def at_work(self) -> Job | None:
        """The one job that is running, pausing or being written."""
        return next((self.jobs[each] for each in self.order if isinstance(self.jobs[each].state, AT_WORK)), None)

    def worker(self, stage: ev.StageName) -> Worker | None:
        """The worker of a stage, ending ones included."""
        return next((each for each in self.workers.values() if each.stage == stage), None)

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
                state=job.state,
                position=self.order.index(job.id),
                outputs=job.outputs,
                worked_ms=job.worked_ms,
            )
        )

    def save_order(self) -> None:
        """Record and tell the order of the queue."""
        for each in self.order:
            self.save(self.jobs[each])
        self.tell(ev.QueueOrdered(tuple(self.order)))

    # ---- changing

    def enter(self, job: Job, state: JobState, now: int) -> None:
        """Put a job into a state."""
        if isinstance(job.state, AT_WORK):
            job.worked_ms += max(0, now - job.state.since)
        job.state = state
        self.tell(ev.JobChanged(job.id, state))
        if isinstance(state, ENDED):
            self._end(job, now)
        self.save(job)

    def _end(self, job: Job, now: int) -> None:
        """Leave nothing of an ended job at the workers, on the disk or in memory."""
        self.stop(job)
        for worker in self.workers.values():
            if worker.job == job.id:
                worker.job = 0
        for attempt in list(job.attempts.values()):
            self.close_attempt(job, attempt, now, "stopped", "the job ended")
        job.pending.clear()
        job.sent.clear()
        job.covered.clear()
        job.gaps.clear()
        job.failures.clear()
        job.audio_ready = False
        self.do(CleanUp(job.id))

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
            self.do(SendTo(worker.id, Drop()))

    def stop(self, job: Job) -> None:
        """Have the job's workers stop after their batches under way; the model stays warm."""
        for worker in self.workers.values():
            if worker.job != job.id or worker.is_ending:
                continue
            if worker.stage == "listen":
                self.release(worker)
            else:
                self.take_back(worker)

    def release(self, worker: Worker) -> None:
        """Have a worker end after its batches under way."""
        worker.is_ending = True
        self.do(SendTo(worker.id, Release()))

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
        job.gaps = set(progress.gaps)
        done = job.covered | job.gaps
        job.pending = [window for window in progress.windows if window not in done]
        job.audio_ready = progress.audio_ready

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
