"""Failures of workers and of whole stages: what is blamed, what is tried next, and what is given up."""

from engine import events as ev
from engine.ladder import lighter
from engine.machine import later, resting, suspects, tries
from engine.machine.core import Core
from engine.machine.holdings import LATER, Job, Worker
from engine.machine.stimuli import WorkerGone
from engine.recipe import Failure, FailureKind, Recipe
from engine.states import ENDED, Failed, Frozen, Running, Writing
from engine.timeline import Span


def worker_gone(core: Core, stimulus: WorkerGone, now: int) -> None:
    """A process ended: blame the windows it had begun, take back the rest."""
    worker = core.workers.pop(stimulus.worker, None)
    if worker is None:
        return
    failure = worker.doom or Failure(stimulus.kind, stimulus.reason)
    is_expected = worker.is_ending and worker.doom is None
    core.tell(ev.WorkerEnded(worker.id, worker.retiring or (resting.UNWANTED if is_expected else failure.reason)))
    job = core.jobs.get(worker.job)
    if job is None:
        return
    give_back(core, worker, job, tuple(worker.queued), now, "the worker ended")
    begun = tuple(sorted(worker.begun))
    if core.is_closing or worker.is_parked:
        # Ended in impatience, or to get its memory back: nobody is to blame.
        give_back(core, worker, job, begun, now, "the engine ended" if core.is_closing else resting.PARKED)
        return
    if is_expected and not begun:
        return
    if worker.stage != "listen" and begun:
        _windows_failed(core, worker, job, Failure(failure.kind, failure.reason, begun), now)
    elif not is_expected and isinstance(job.state, Running | Frozen):
        _load_failed(core, worker, job, failure, now)


def give_back(core: Core, worker: Worker, job: Job, spans: tuple[Span, ...], now: int, reason: str) -> None:
    """Take windows back from a worker with nobody to blame."""
    if worker.stage in LATER:
        later.give_back(job, worker.stage, spans)
    else:
        tries.give_back(core, job, spans, now, reason)


def _windows_failed(core: Core, worker: Worker, job: Job, failure: Failure, now: int) -> None:
    if worker.stage in LATER:
        later.windows_failed(core, job, worker.stage, failure, now)
    else:
        suspects.windows_failed(core, job, failure, now)


def stage_failed(core: Core, worker: Worker, job: Job | None, failure: Failure, now: int) -> None:
    """The stage raised; the worker itself goes on."""
    worker.begun.difference_update(failure.spans)
    for span in failure.spans:
        worker.doubted.pop(span, None)
    worker.idle_since = now
    worker.batches = [each for each in worker.batches if not each.spans & set(failure.spans)]
    if worker.stage == "listen" or not failure.spans:
        core.release(worker)
    if job is None:
        return
    if failure.kind is FailureKind.FULL:
        _disk_full(core, worker, job, failure, now)
    elif worker.stage != "listen" and failure.kind is FailureKind.AUDIO:
        _audio_lost(core, worker, job, failure, now)
    elif worker.stage != "listen" and failure.spans and failure.kind is not FailureKind.UNUSABLE:
        _windows_failed(core, worker, job, failure, now)
    else:
        _load_failed(core, worker, job, failure, now)


def _disk_full(core: Core, worker: Worker, job: Job, failure: Failure, now: int) -> None:
    """Nobody is to blame: the job waits for room."""
    give_back(core, worker, job, failure.spans, now, failure.reason)
    tries.wait_for_room(core, job, now)
    if isinstance(job.state, Running):
        resting.hold(core, job, now, reason=failure.reason)


def _audio_lost(core: Core, worker: Worker, job: Job, failure: Failure, now: int) -> None:
    """Somebody emptied the cache: have the audio made anew, once for all lanes that miss it.

    Windows that find no audio even so come under suspicion.
    """
    if job.missing_audio.issuperset(failure.spans):
        _windows_failed(core, worker, job, Failure(FailureKind.ERROR, failure.reason, failure.spans), now)
        if isinstance(job.state, ENDED) or not (job.pending or job.sent or later.due(job)):
            return
    else:
        job.missing_audio.update(failure.spans)
        give_back(core, worker, job, failure.spans, now, failure.reason)
    core.take_back(worker)
    if not job.audio_ready:
        return
    job.audio_ready = False
    if job.is_cut_off:
        _cut_off(core, job, failure, now)  # and it cannot be made anew either
        return
    listener = core.worker("listen")
    if listener is not None and listener.job == job.id and not listener.is_ending:
        core.release(listener)
    whole_stage_failed(core, job, "listen", failure, now)


def _load_failed(core: Core, worker: Worker, job: Job, failure: Failure, now: int) -> None:
    """A worker could not be made ready; one that was started for a single window is that window's own matter."""
    if worker.suspect is None or worker.is_ready or worker.suspect[0] not in job.suspects:
        whole_stage_failed(core, job, worker.stage, failure, now, worker.started_at)
    else:
        suspects.load_failed(core, worker.suspect, job, failure, now)


def whole_stage_failed(
    core: Core, job: Job, stage: ev.StageName, failure: Failure, now: int, began: int | None = None
) -> None:
    """Listening, or loading a model, failed."""
    if isinstance(job.state, (Writing, *ENDED)):
        return  # the stage is not needed any more
    if stage in LATER:
        later.stage_failed(core, job, stage, failure, now if began is None else began, now)
        return
    tried = job.stage_failures[stage] = job.stage_failures.get(stage, 0) + 1
    tries.record_failure(core, job, stage, failure, now if began is None else began, now)
    following = None
    if failure.kind is FailureKind.OOM and stage == "transcribe":
        following = _smaller_load(core, job, tried)
    # With nothing smaller to load, others may have taken the memory: they may give it back.
    hopeless = failure.kind is FailureKind.UNUSABLE or (following is None and tried > core.policy.retries)
    keeps = hopeless and stage == "listen" and _has_text(job)
    if hopeless:
        follows = "the rest is left as a gap" if keeps else ev.GIVEN_UP
    else:
        follows = f"{tries.wait(core, job, tried, now)}, {tries.next_try(core, tried)}"
    tries.tell_failed(core, job, stage, failure, (), follows)
    if keeps:
        _cut_off(core, job, failure, now)
    elif hopeless:
        core.enter(job, Failed(now, suspects.last_word(failure)), now)
    elif following is not None:
        core.change_recipe(job, following, job.heard, failure.reason)
    elif stage == "transcribe" and failure.kind is not FailureKind.OOM:
        suspects.answer(core, job, job.recipe, failure)


def _smaller_load(core: Core, job: Job, tried: int) -> Recipe | None:
    """The next rung down from which less is loaded: a smaller batch is no help to a model that does not fit.

    None where there is none, or only one of another model after a first failure, which may have been mere chance.
    """
    following = lighter(job.recipe, core.limits(job).models)
    while following is not None and (following.model_key == job.recipe.model_key or following in job.barred):
        following = lighter(following, core.limits(job).models)
    if following is None or (tried == 1 and not following.same_text(job.recipe)):
        return None
    job.barred[job.recipe] = None
    return following


def _has_text(job: Job) -> bool:
    """Whether something of the job is there, or can still be had, though no more can be listened to."""
    return bool(job.covered) or (job.audio_ready and bool(job.pending or job.sent))


def _cut_off(core: Core, job: Job, failure: Failure, now: int) -> None:
    """No more can be listened to: what was heard is kept and done, the rest is a gap."""
    lost = []
    if not job.heard_all and not job.is_cut_off:
        job.is_cut_off = True
        lost.append(Span(job.heard, max(job.heard + 1, job.duration or 0)))
    if not job.audio_ready:
        lost = [*job.pending, *lost]
        job.pending.clear()
        job.suspects.clear()
    tries.leave_gaps(core, job, lost, failure.reason)
    while not job.audio_ready and (stage := later.due(job)) is not None:
        later.give_up(core, job, stage, failure.reason, now)
