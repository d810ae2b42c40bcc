"""The machine: every stimulus and what handles it, in one table; and the rules that must always hold."""

from collections.abc import Callable
from typing import Any

from engine import events as ev
from engine.commands import Options
from engine.machine import failures, governor, later, queue, results, schedule, writing
from engine.machine.core import Core
from engine.machine.holdings import AT_WORK, LATER, Job, Pace
from engine.machine.stimuli import (
    Asked,
    Closing,
    DiskRead,
    FilesWritten,
    FromWorker,
    Instruction,
    MemoryRead,
    Restored,
    Source,
    Stimulus,
    Ticked,
    WorkerGone,
    WriteFailed,
)
from engine.recipe import Policy
from engine.states import ENDED, Frozen, JobState, Paused, Pausing, Queued, Running, Stopped, Writing

STAGES = {
    "listen": "engine.stages.listen:Listen",
    "align": "engine.stages.align:Align",
    "faster-whisper": "engine.stages.asr.faster_whisper:FasterWhisper",
    "whisperx": "engine.stages.asr.whisperx:WhisperX",
    "mlx": "engine.stages.asr.mlx:Mlx",
}
"""The stage classes for listening and aligning, and the one for each backend; others are import paths themselves."""


class Machine:
    """The engine's whole behaviour: stimuli in, instructions out, nothing else touched.

    Args:
        policy: how failures are answered.
        cache: the folder for decoded audio, only ever named in instructions.
        stages: import paths to use in place of ``STAGES``.
        go_on: whether jobs that an earlier sitting left unfinished go on by themselves; else they are stopped.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        cache: str = "cache",
        stages: dict[str, str] | None = None,
        *,
        go_on: bool = True,
    ) -> None:
        self._core = Core(policy or Policy(), STAGES | (stages or {}), cache, go_on=go_on)

    def handle(self, stimulus: Stimulus, now: int) -> list[Instruction]:
        """Take in one stimulus at a time (Unix milliseconds), and say what is to be done, in order."""
        core = self._core
        core.now = now
        _HANDLERS[type(stimulus)](core, stimulus, now)
        schedule.advance(core, now)
        out, core.out = core.out, []
        return out

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing goes on: no job at work and none that could start; when closing, no worker either."""
        core = self._core
        at_work = core.at_work()
        if core.is_closing:
            return not core.workers and not (at_work and isinstance(at_work.state, Writing))
        return at_work is None and not schedule.has_next(core)

    def find(self, source: Source, options: Options) -> int | None:
        """The job for the same file that promises the same words."""
        job = queue.find_same(self._core, source, options)
        return None if job is None else job.id

    def check_invariants(self) -> None:
        """Prove the rules that hold after every stimulus.

        Raises:
            AssertionError: one does not; the message tells which, and for which job.
        """
        core = self._core
        assert sorted(core.order) == sorted(core.jobs), "the order is not the jobs'"
        at_work = [job for job in core.jobs.values() if isinstance(job.state, AT_WORK)]
        assert len(at_work) <= 1, f"{len(at_work)} jobs at work"
        stages = [worker.stage for worker in core.workers.values()]
        assert len(stages) == len(set(stages)), f"two workers where one fits: {stages}"
        for job in core.jobs.values():
            self._check_job(job)
        for job in core.jobs.values():
            assert set(job.suspects) <= set(job.pending) | set(job.sent), f"job {job.id} suspects what is settled"
        for worker in core.workers.values():
            assert not set(worker.queued) & worker.begun, f"worker {worker.id} holds a span twice"
            job_of = core.jobs.get(worker.job)
            if worker.stage != "listen" and job_of and not isinstance(job_of.state, ENDED):
                held = set(worker.queued) | worker.begun
                sent = job_of.later[worker.stage].sent if worker.stage in LATER else set(job_of.sent)
                assert held == sent, f"job {job_of.id}: {held} at the worker, {sent} sent to {worker.stage}"
        assert len({stage for stage in stages if stage != "listen"}) <= 1, f"two models in memory: {stages}"

    def _check_job(self, job: Job) -> None:
        story = f"job {job.id} in {job.state}"
        windows = list(self._core.windows(job))
        assert len(windows) == len(set(windows)), f"{story} holds a window twice"
        assert job.pending == sorted(job.pending), f"{story} has its windows out of order"
        for span, number in job.sent.items():
            assert span in job.attempts[number].left, f"{story} lost {span} from its attempt"
        for attempt in job.attempts.values():
            assert attempt.left, f"{story} keeps an attempt with nothing left"
            assert all(job.sent.get(span) == attempt.id for span in attempt.left), f"{story} lost a window"
        worded = job.covered - job.wordless
        assert job.wordless <= job.covered, f"{story} knows windows without words that are not transcribed"
        for stage, each in job.later.items():
            assert each.done | each.sent <= worded, f"{story} has windows in {stage} that have no words"
            assert not each.done & each.sent, f"{story} does windows in {stage} that are through"
            assert not each.sent or (job.is_transcribed and not each.given_up), f"{story} is too early in {stage}"
            assert not each.sent or isinstance(job.state, Running | Pausing | Frozen), f"{story} is at work in {stage}"
        if not isinstance(job.state, Running | Pausing | Frozen):
            assert not job.sent, f"{story} has windows at the worker"
            assert not job.attempts, f"{story} has attempts"
        if isinstance(job.state, Stopped):
            assert not self._core.go_on, f"{story} though it may go on"
        if isinstance(job.state, Writing):
            assert job.is_transcribed, f"{story} before all is transcribed"
            assert later.due(job) is None, f"{story} before {later.due(job)}"
        if isinstance(job.state, ENDED):
            assert not windows, f"{story} still holds windows"


def _restored(core: Core, stimulus: Restored, now: int) -> None:
    core.budget = stimulus.budget
    core.next_job, core.next_attempt = stimulus.next_job, stimulus.next_attempt
    for seen in stimulus.seen:
        if seen.peak:
            core.memory.learn(seen.recipe, seen.peak)
        if seen.slowest_ms:
            core.paces.setdefault(seen.recipe.model_key, Pace()).saw(seen.slowest_ms, seen.recipe.batch)
    core.tell(ev.EngineStarted(stimulus.budget))
    for record in stimulus.jobs:
        job = core.revive(record)
        job.state = _taken_up(core, record.state, now)
        core.announce(job, record.progress)
        if core.kept_state(job) != record.state:
            core.save(job)


def _taken_up(core: Core, left: JobState, now: int) -> JobState:
    """What becomes of a job that an earlier sitting left in this state."""
    match left:
        case Frozen():
            return Paused(now, "parked")
        case Pausing(how=how, reason=reason):
            left = Paused(now, how, reason)
        case Stopped() | Running() | Writing():
            left = Queued()
        case _:
            pass
    goes_on_by_itself = isinstance(left, Queued) or (isinstance(left, Paused) and left.reason)
    return Stopped(now) if goes_on_by_itself and not core.go_on else left


def _ticked(core: Core, stimulus: Ticked, now: int) -> None:
    """Only the time has changed; what follows from that is the schedule's."""


def _closing(core: Core, stimulus: Closing, now: int) -> None:
    core.is_closing = True


_HANDLERS: dict[type[Any], Callable[[Core, Any, int], None]] = {
    Restored: _restored,
    Asked: queue.asked,
    FromWorker: results.from_worker,
    WorkerGone: failures.worker_gone,
    FilesWritten: writing.files_written,
    WriteFailed: writing.write_failed,
    MemoryRead: governor.memory_read,
    DiskRead: governor.disk_read,
    Ticked: _ticked,
    Closing: _closing,
}
