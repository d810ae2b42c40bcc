"""What happens next: which job runs, which workers it needs, which windows they get."""

import msgspec

from engine import events as ev
from engine.machine import governor, later, resting, voting, watchdog
from engine.machine.core import Core
from engine.machine.handing import start, work
from engine.machine.holdings import LATER, Job, Worker
from engine.machine.stimuli import SendTo, WriteFiles
from engine.messages import Lanes, Run
from engine.planner import next_chunk
from engine.recipe import Recipe
from engine.states import Cancelled, Frozen, Paused, Pausing, Queued, Running, Writing
from engine.timeline import Span

AHEAD = 2
"""Batches that wait at the worker for each one being decoded, so that no lane ever stands still."""


def advance(core: Core, now: int) -> None:
    """Do all that can be done now."""
    watchdog.advance(core, now)
    _end_idle_workers(core, now)
    resting.advance(core, now)
    if core.is_closing:
        _close(core)
        return
    job = core.at_work()
    if job is None:
        job = _next_job(core)
        if job is None:
            return
        if core.trouble:
            core.enter(job, Paused(now, reason=core.trouble), now)
            return
        core.enter(job, Running(now), now)
    if isinstance(job.state, Running):
        _run(core, job, now)


def _next_job(core: Core) -> Job | None:
    for number in core.order:
        job = core.jobs[number]
        if isinstance(job.state, Queued):
            return job
    return None


def has_next(core: Core) -> bool:
    """Whether a job waits that may run, now or once what keeps it is gone."""
    return not core.is_closing and (_next_job(core) is not None or resting.is_waiting(core))


def _close(core: Core) -> None:
    """Have every worker end after its batches under way."""
    job = core.at_work()
    if job is not None and isinstance(job.state, Frozen):
        core.enter(job, Pausing(core.now, "parked"), core.now)
    for worker in core.workers.values():
        if worker.is_ready and not worker.is_ending:
            core.release(worker)
        elif not worker.is_ready:
            _stop_loading(core, worker, "the engine ended")


def _end_idle_workers(core: Core, now: int) -> None:
    """Give the memory of a worker back that nobody has needed for a while."""
    if core.at_work() is not None:
        return
    for worker in core.workers.values():
        is_idle = worker.is_empty and worker.is_ready and not worker.is_ending
        if is_idle and not resting.keeps_warm(core, worker) and now - worker.idle_since >= core.policy.keep_warm_ms:
            core.release(worker)
        elif not worker.is_ready and worker.job == 0 and _next_job(core) is None:
            _stop_loading(core, worker, resting.UNWANTED)


def _stop_loading(core: Core, worker: Worker, why: str) -> None:
    """End a worker that has its model to load, or to download, and would be heard of only afterwards."""
    if worker.doom is None:
        resting.retire(core, worker, why)


def _claim(core: Core, worker: Worker, job: Job, key: object) -> None:
    """A worker that loads for another job does so for this one from now on, or is ended if that needs another model."""
    if worker.is_ready or worker.is_ending or worker.job == job.id:
        return
    if worker.key != key:
        _stop_loading(core, worker, resting.UNWANTED)
    elif worker.doom is None:
        worker.job, worker.suspect = job.id, None


def _run(core: Core, job: Job, now: int) -> None:
    if job.is_too_short:
        _turn_away(core, job, now)
        return
    if job.is_transcribed:
        stage = later.due(job)
        if stage is not None:
            _do_later(core, job, stage, now)
            return
        core.stop(job)
        _end_later(core, job)
        core.enter(job, Writing(now), now)
        core.do(WriteFiles(job.id, partial=False))
        return
    if job.partial_wanted:
        core.write_partial(job, now)
    if now < job.not_before:
        return
    if (not job.heard_all and not job.is_cut_off) or not job.audio_ready:
        _listen(core, job)
    if not job.is_long_enough:
        return
    governor.admit(core, job)
    _transcribe(core, job, now)


def _turn_away(core: Core, job: Job, now: int) -> None:
    """Give a recording up that is shorter than was asked for."""
    length, wanted = job.heard / 1000, job.options.min_duration_ms / 1000
    core.tell(
        ev.Warning(
            job.id,
            f"The recording is {length:g} s long and only those of at least {wanted:g} s were asked for, "
            "so it is not transcribed; retry it to have it done all the same.",
        )
    )
    core.enter(job, Cancelled(now), now)


def _do_later(core: Core, job: Job, stage: ev.StageName, now: int) -> None:
    """All is transcribed: let a stage have its turn, with no other model in memory."""
    if job.partial_wanted:
        core.write_partial(job, now)
    if now < job.not_before:
        return
    if not job.audio_ready:
        _listen(core, job)
        return
    if not _is_alone(core, stage):
        return
    worker, key = core.worker(stage), later.key(job, stage)
    if worker is None:
        governor.admit_later(core, job)
        start(core, stage, job, job.recipe, key=key, lanes=1)
        return
    _claim(core, worker, job, key)
    if worker.is_ending or not worker.is_ready or worker.is_dropping:
        return
    if worker.key != key and worker.is_empty:
        core.release(worker)
    elif worker.key == key and (worker.job == job.id or worker.is_empty):
        worker.job = job.id
        later.feed(core, job, worker)


def _is_alone(core: Core, stage: ev.StageName) -> bool:
    """Whether no other stage's model is in memory; one that has nothing to do has to go."""
    others = [each for each in core.workers.values() if each.stage not in (stage, "listen")]
    for other in others:
        if other.is_empty and not other.is_ending and other.doom is None:
            resting.retire(core, other, "its memory was needed")
    return not others


def _end_later(core: Core, job: Job) -> None:
    """The next job begins with another model."""
    for worker in core.workers_of(job):
        if worker.stage in LATER and not worker.is_ending:
            resting.retire(core, worker, resting.UNWANTED)


def _listen(core: Core, job: Job) -> None:
    if core.worker("listen") is not None:
        return
    worker = start(core, "listen", job, job.recipe, key=job.id, lanes=1)
    # A span that begins where the audio is known to end asks only for the audio to be decoded again.
    span = Span(job.heard, max(job.heard, job.duration or 0))
    worker.queued.append(span)
    core.do(SendTo(worker.id, Run(work=work(core, job, (span,), job.recipe, "listen"))))


def _transcribe(core: Core, job: Job, now: int) -> None:
    worker, due = core.worker("transcribe"), _due(job)
    if worker is None:
        if not _is_alone(core, "transcribe"):
            return
        started = start(core, "transcribe", job, due, key=due.model_key, lanes=due.parallel)
        if due is not job.recipe:
            started.suspect = (_next_suspect(job), due)
        return
    _claim(core, worker, job, due.model_key)
    if worker.is_ending or not worker.is_ready or worker.is_dropping:
        return
    if worker.key != due.model_key or worker.retiring:
        if worker.is_empty:
            core.release(worker)
        return
    if worker.job != job.id:
        if not worker.is_empty:
            return
        worker.job = job.id
    _share(core, worker, due.parallel)
    if job.audio_ready and voting.may_begin(job):
        _feed(core, job, worker, now)


def _due(job: Job) -> Recipe:
    """What the next windows are to run with."""
    is_all_heard = job.heard_all or job.is_cut_off
    only_suspects = bool(job.pending) and all(span in job.suspects for span in job.pending)
    return _alone(job, _next_suspect(job)) if is_all_heard and only_suspects else job.recipe


def _next_suspect(job: Job) -> Span:
    return min(job.pending, key=lambda span: job.suspects[span].not_before)


def _alone(job: Job, span: Span) -> Recipe:
    """What a window under suspicion is tried with."""
    return msgspec.structs.replace(job.suspects[span].recipe or job.recipe, batch=1)


def _share(core: Core, worker: Worker, lanes: int) -> None:
    """Leave a lane's place, its processor time and its memory, to the listener while there is one."""
    if core.worker("listen") is not None:
        lanes = max(1, lanes - 1)
    if lanes != worker.lanes:
        worker.lanes = lanes
        core.do(SendTo(worker.id, Lanes(lanes)))


def _feed(core: Core, job: Job, worker: Worker, now: int) -> None:
    """Hand out chunks until enough waits at the worker."""
    wanted = job.recipe.parallel * job.recipe.batch * AHEAD
    # A window under suspicion is alone at the worker until its fate is known.
    if any(span in job.suspects for span in job.sent):
        return
    while len(worker.queued) < wanted:
        clean = [span for span in job.pending if span not in job.suspects]
        if clean:
            chunk = next_chunk(clean, _target(job))
            is_whole = len(chunk) < len(clean) or job.heard_all
            if not is_whole and worker.queued:
                return  # more of this chunk is still being heard, and the worker has enough to do
            _send(core, job, worker, chunk, job.recipe, now)
        else:
            if job.pending and worker.is_empty and (job.heard_all or job.is_cut_off):
                span = _next_suspect(job)
                if now >= job.suspects[span].not_before and worker.key == _alone(job, span).model_key:
                    _send(core, job, worker, (span,), _alone(job, span), now)
            return


def _target(job: Job) -> int:
    """Length of the next chunk in milliseconds; 0 for all there is."""
    chunk_ms, chunking = job.recipe.chunk_ms, job.options.chunking
    is_short = job.duration is not None and job.duration <= 2 * chunk_ms
    return 0 if chunking == "never" or (chunking == "auto" and is_short) else chunk_ms


def _send(core: Core, job: Job, worker: Worker, chunk: tuple[Span, ...], recipe: Recipe, now: int) -> None:
    attempt = core.open_attempt(job, chunk, recipe, now)
    taken = set(chunk)
    job.pending = [span for span in job.pending if span not in taken]
    for span in chunk:
        job.sent[span] = attempt.id
    worker.queued.extend(chunk)
    core.tell(ev.ChunkStarted(job=job.id, attempt=attempt.id, span=attempt.span, windows=len(chunk), recipe=recipe))
    core.do(SendTo(worker.id, Run(work=work(core, job, chunk, recipe, "transcribe"))))
