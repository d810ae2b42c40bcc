"""Commands: what each does to a job in each state."""

from collections.abc import Callable
from typing import Any

import msgspec

from engine import commands as cmd
from engine import events as ev
from engine.commands import BATCH, CHUNK_MS, CommandError
from engine.machine import governor, resting
from engine.machine.core import Core
from engine.machine.holdings import Job, Later
from engine.machine.stimuli import Answer, Asked, ForgetAligned, ForgetJob, Known, SaveGaps, SaveKnown, Source
from engine.states import (
    ENDED,
    Cancelled,
    Frozen,
    Paused,
    Pausing,
    Queued,
    Running,
    Stopped,
    Writing,
)


def asked(core: Core, stimulus: Asked, now: int) -> None:
    """Carry out a command, and answer."""
    handler = _HANDLERS[type(stimulus.command)]
    try:
        job = handler(core, stimulus, now)
    except CommandError as error:
        core.do(Answer(stimulus.token, None, str(error), error.is_known))
    else:
        core.do(Answer(stimulus.token, job))


def _find(core: Core, number: int) -> Job:
    job = core.jobs.get(number)
    if job is None:
        raise CommandError(f"There is no job {number}.")
    return job


def _add(core: Core, stimulus: Asked, now: int) -> int:
    command, source = stimulus.command, stimulus.source
    assert isinstance(command, cmd.Add)
    assert source is not None
    if command.is_found:
        _check_new(core, source, stimulus.known)
    same = find_same(core, source, command.options)
    if same is not None:
        _go_on(core, same, command.options, stimulus.progress, now)
        _remember(core, same, stimulus.fingerprint, now)
        return same.id
    job = Job(core.next_job, source, command.options, command.options.recipe, Queued())
    core.next_job += 1
    core.jobs[job.id] = job
    core.order.append(job.id)
    core.announce(job, ev.Progress())
    core.save(job)
    for message in stimulus.warnings:
        core.tell(ev.Warning(job.id, message))
    _remember(core, job, stimulus.fingerprint, now)
    return job.id


def _check_new(core: Core, source: Source, known: Known | None) -> None:
    """Refuse a file that nobody named, if its content is known."""
    listed = next((job for job in core.jobs.values() if job.source == source), None)
    if listed is not None:  # ledgers of earlier versions know of no contents, but of their files
        known = Known(listed.source.path, listed.id)
    if known is None:
        return
    job = f"job {known.job}" if known.job in core.jobs else f"job {known.job}, which was taken off the list"
    what = "is known" if known.path == source.path else f"has the content of {known.path}, which is known"
    raise CommandError(f"{source.path}: {what} already ({job}); add it yourself to have it done again.", is_known=True)


def _remember(core: Core, job: Job, fingerprint: str, now: int) -> None:
    """From now on the content of the job's file is known."""
    if fingerprint:
        core.do(SaveKnown(fingerprint=fingerprint, path=job.source.path, job=job.id, at=now))


def find_same(core: Core, source: Source, options: cmd.Options) -> Job | None:
    """The job for the same file that promises the same words."""
    for job in core.jobs.values():
        if job.source == source and job.options.same_words(options):
            return job
    return None


def _go_on(core: Core, job: Job, options: cmd.Options, progress: ev.Progress | None, now: int) -> None:
    """A file is added again: adopt the new options and do what is missing."""
    is_aligned_otherwise = job.options.recipe.align != options.recipe.align
    if is_aligned_otherwise and isinstance(job.state, (*ENDED, Queued, Stopped, Paused)):
        progress = msgspec.structs.replace(progress or ev.Progress(), aligned=())
        job.later["align"] = Later()
        core.do(ForgetAligned(job.id))
    if isinstance(job.state, ENDED):
        job.options, job.recipe = options, options.recipe
        _requeue(core, job, progress or ev.Progress(), now)
    elif isinstance(job.state, Queued | Stopped | Paused):
        is_changed = (job.recipe, job.options.recipe) != (options.recipe, options.recipe)
        if job.options.terms != options.terms:
            job.heard_terms.clear()
        job.options, job.recipe = options, options.recipe
        if is_changed:
            core.tell(ev.RecipeChanged(job=job.id, recipe=job.recipe, at=governor.reached(job), reason=ev.ASKED))
        if not isinstance(job.state, Queued):
            core.enter(job, Queued(), now)
        core.save(job)
    elif isinstance(job.state, Pausing | Frozen):
        core.enter(job, Running(now), now)


def _requeue(core: Core, job: Job, progress: ev.Progress, now: int) -> None:
    fresh = msgspec.structs.replace(progress, gaps=())
    core.load(job, fresh)
    job.stage_failures.clear()
    job.streak = job.not_before = job.clean_chunks = 0
    job.admitted = None
    job.state = Queued()
    core.do(SaveGaps(job.id, ()))
    core.announce(job, fresh)
    core.tell(ev.QueueOrdered(tuple(core.order)))
    core.save(job)


def _retry(core: Core, stimulus: Asked, now: int) -> int:
    job = _find(core, stimulus.command.job)  # type: ignore[union-attr]
    if not isinstance(job.state, ENDED):
        raise CommandError(f"Job {job.id} has not ended, so there is nothing to retry yet.")
    progress = stimulus.progress or ev.Progress()
    job.recipe = job.options.recipe
    if progress.heard_all and progress.heard < job.options.min_duration_ms:  # it was too short, and is wanted now
        job.options = msgspec.structs.replace(job.options, min_duration_ms=0)
    _requeue(core, job, progress, now)
    return job.id


def _pause(core: Core, stimulus: Asked, now: int) -> int:
    command = stimulus.command
    assert isinstance(command, cmd.Pause)
    job = _find(core, command.job)
    resting.pause(core, job, command.how, now)
    return job.id


def _resume(core: Core, stimulus: Asked, now: int) -> int:
    job = _find(core, stimulus.command.job)  # type: ignore[union-attr]
    match job.state:
        case Paused() | Stopped():
            job.not_before = 0
            core.enter(job, Queued(), now)
        case Pausing() | Frozen():
            core.enter(job, Running(now), now)
        case Queued() | Running() | Writing():
            pass
        case _:
            raise CommandError(f"Job {job.id} has ended; retry it instead.")
    return job.id


def _cancel(core: Core, stimulus: Asked, now: int) -> int:
    job = _find(core, stimulus.command.job)  # type: ignore[union-attr]
    if isinstance(job.state, ENDED):
        raise CommandError(f"Job {job.id} has already ended.")
    if isinstance(job.state, Writing):
        raise CommandError(f"Job {job.id} is transcribed and its files are being written; it is done in a moment.")
    core.enter(job, Cancelled(now), now)
    return job.id


def _set(core: Core, stimulus: Asked, now: int) -> int:
    command = stimulus.command
    assert isinstance(command, cmd.Set)
    job = _find(core, command.job)
    if isinstance(job.state, ENDED):
        raise CommandError(f"Job {job.id} has ended, so its parameters cannot change any more.")
    options, changes = job.options, {}
    if command.chunk_ms is not None:
        _check("A chunk", command.chunk_ms // 1000, CHUNK_MS[0] // 1000, CHUNK_MS[1] // 1000, " seconds")
        changes["chunk_ms"] = command.chunk_ms
        options = msgspec.structs.replace(options, chunking="always")
    if command.batch is not None:
        _check("A batch", command.batch, *BATCH, " windows")
        changes["batch"] = command.batch
    # What was wanted and what the job runs with at present may differ: the one is saved, the other is not.
    options = msgspec.structs.replace(options, recipe=msgspec.structs.replace(options.recipe, **changes))
    recipe = msgspec.structs.replace(job.recipe, **changes)
    if (recipe, options) == (job.recipe, job.options):
        return job.id
    job.recipe, job.options = recipe, options
    core.tell(ev.RecipeChanged(job=job.id, recipe=recipe, at=governor.reached(job), reason=ev.ASKED))
    core.save(job)
    worker = core.worker("transcribe")
    if worker is not None and worker.job == job.id:
        core.take_back(worker)
    return job.id


def _check(what: str, value: int, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        raise CommandError(f"{what} can be {least} to {most}{unit}, not {value}.")


def _move(core: Core, stimulus: Asked, now: int) -> int:
    command = stimulus.command
    assert isinstance(command, cmd.Move)
    job = _find(core, command.job)
    old = core.order.index(job.id)
    new = max(0, min(len(core.order) - 1, old + command.by))
    if new != old:
        core.order.insert(new, core.order.pop(old))
        core.save_order()
    return job.id


def _remove(core: Core, stimulus: Asked, now: int) -> int:
    job = _find(core, stimulus.command.job)  # type: ignore[union-attr]
    if not isinstance(job.state, ENDED):
        raise CommandError(f"Job {job.id} has not ended; cancel it first.")
    del core.jobs[job.id]
    core.order.remove(job.id)
    core.do(ForgetJob(job.id))
    core.tell(ev.JobRemoved(job.id))
    return job.id


_HANDLERS: dict[type[Any], Callable[[Core, Asked, int], int]] = {
    cmd.Add: _add,
    cmd.Pause: _pause,
    cmd.Resume: _resume,
    cmd.Cancel: _cancel,
    cmd.Retry: _retry,
    cmd.Set: _set,
    cmd.Move: _move,
    cmd.Remove: _remove,
}
