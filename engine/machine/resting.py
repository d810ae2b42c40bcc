"""Pause, freeze, park, and what goes on by itself when the reason for a pause is gone."""

from engine.commands import CommandError
from engine.machine.core import Core
from engine.machine.holdings import Job, Worker
from engine.recipe import FailureKind
from engine.states import Frozen, Paused, Pausing, Queued, Rest, Running, Stopped, Writing

PARKED = "parked: its memory is given back"
UNWANTED = "no longer needed"


def pause(core: Core, job: Job, how: str, now: int) -> None:
    """Pause, freeze or park a job.

    Raises:
        CommandError: there is nothing to pause.
    """
    rest: Rest = "parked" if how == "park" else "warm"
    match job.state:
        case Writing():
            raise CommandError(f"Job {job.id} is transcribed and its files are being written: nothing to pause.")
        case Running() | Pausing() if how == "freeze":
            core.enter(job, Frozen(now), now)
            for worker in core.workers_of(job):
                core.freeze(worker)
        case Frozen() if how == "freeze":
            pass
        case Queued() | Stopped():
            core.enter(job, Paused(now, rest), now)
        case Running():
            hold(core, job, now, rest=rest)
        case Pausing(how=before, reason=reason):
            if (before, reason) != (rest, ""):
                core.enter(job, Pausing(now, rest), now)
        case Paused(how=before, reason=reason):
            if (before, reason) != (rest, "") and not (before == "parked" and not reason):
                core.enter(job, Paused(now, rest), now)
                _give_back(core, job, rest)
        case Frozen():
            hold(core, job, now, rest=rest)
        case _:
            raise CommandError(f"Job {job.id} has ended, so it cannot be paused.")


def hold(core: Core, job: Job, now: int, *, rest: Rest = "warm", reason: str = "") -> None:
    """Have a running job come to rest after its batches under way."""
    core.enter(job, Pausing(now, rest, reason), now)
    core.stop(job)


def advance(core: Core, now: int) -> None:
    """Come to rest, park what has rested long enough, and wake what may go on."""
    job = core.at_work()
    if job is not None:
        match job.state:
            case Pausing(how=how, reason=reason) if _is_at_rest(core, job):
                core.enter(job, Paused(now, how, reason), now)
                _give_back(core, job, how)
            case Running() if core.trouble:
                hold(core, job, now, reason=core.trouble)
            case Frozen(since) if now - since >= core.policy.park_after_ms and not core.is_closing:
                _park_frozen(core, job, now)
            case _:
                pass
    for number in core.order:
        each = core.jobs[number]
        match each.state:
            case Paused(reason=reason) if reason and not core.trouble and now >= each.not_before:
                core.enter(each, Queued(), now)
            case Paused(since, "warm") if now - since >= core.policy.park_after_ms and _is_warm(core, each):
                core.enter(each, Paused(now, "parked", each.state.reason), now)
                _give_back(core, each, "parked")
            case _:
                pass


def is_waiting(core: Core) -> bool:
    """Whether a job will go on by itself."""
    return any(isinstance(job.state, Paused) and job.state.reason for job in core.jobs.values())


def keeps_warm(core: Core, worker: Worker) -> bool:
    """Whether a worker waits for its paused job to go on."""
    job = core.jobs.get(worker.job)
    return job is not None and isinstance(job.state, Paused) and job.state.how == "warm"


def _is_at_rest(core: Core, job: Job) -> bool:
    listener = core.worker("listen")
    is_free = not job.sent and not any(each.sent for each in job.later.values())
    return is_free and (listener is None or listener.job != job.id)


def _is_warm(core: Core, job: Job) -> bool:
    return any(not worker.is_ending for worker in core.workers_of(job))


def _give_back(core: Core, job: Job, rest: Rest) -> None:
    """The model's memory comes back by ending its process."""
    if rest == "parked":
        for worker in core.workers_of(job):
            if not worker.is_ending and worker.is_empty:
                retire(core, worker, PARKED)


def park_idle(core: Core, now: int) -> None:
    """Memory is short and no job runs: models that are only kept warm are given back."""
    for worker in core.workers.values():
        if worker.is_ending or not worker.is_empty:
            continue
        retire(core, worker, "its memory was needed")
        job = core.jobs.get(worker.job)
        if job is not None and isinstance(job.state, Paused):
            core.enter(job, Paused(job.state.since, "parked", job.state.reason), now)


def retire(core: Core, worker: Worker, why: str) -> None:
    """End an idle worker; one that loads would hear of its release only afterwards."""
    worker.retiring = why
    if worker.is_ready:
        core.release(worker)
    else:
        _end(core, worker, why)


def _end(core: Core, worker: Worker, why: str) -> None:
    """End a worker at once, with nobody to blame."""
    worker.retiring, worker.is_parked = why, worker.doom is None
    core.kill(worker, FailureKind.CRASH, why)


def _park_frozen(core: Core, job: Job, now: int) -> None:
    """Frozen for long: the memory is given back without waking the workers; their batches under way begin anew."""
    for worker in core.workers_of(job):
        _end(core, worker, PARKED)
    core.enter(job, Pausing(now, "parked"), now)
