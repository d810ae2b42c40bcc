"""The stages that work on what was transcribed, window by window: whose turn it is, what fails, what is found.

None of them is worth a transcript: a window that cannot be done, or a stage that cannot be loaded, is left out, and
the job goes on to its files.
"""

from engine import events as ev
from engine import messages as msg
from engine.machine import handing, tries, watchdog
from engine.machine.core import Core
from engine.machine.holdings import LATER, Job, Worker
from engine.machine.stimuli import SaveAligned, SendTexts
from engine.recipe import EACH_WINDOW, Failure, FailureKind
from engine.timeline import Span

CHUNK = 8
"""Windows handed out together: some seconds of work, which is what a pause has to wait for at most."""
HOPELESS = 2
"""After so many times the tries of one window, and no success between, it is not the windows that are at fault."""
WITHOUT: dict[ev.StageName, str] = {"align": "the words keep their times"}
"""What it means that a stage, or a window of it, is given up."""
_AS_SENTENCE: dict[ev.StageName, str] = {"align": "The words keep the times that the recogniser gave them."}


def due(job: Job) -> ev.StageName | None:
    """The stage whose turn it is once all is transcribed; None when the files can be written."""
    for stage in LATER:
        later = job.later[stage]
        if _is_wanted(job, stage) and not later.given_up and len(later.done) < job.worded:
            return stage
    return None


def _is_wanted(job: Job, stage: ev.StageName) -> bool:
    return {"align": bool(job.recipe.align)}[stage]


def key(job: Job, stage: ev.StageName) -> object:
    """What a worker of the stage is loaded for; another key needs another worker."""
    recipe = handing.spoken(job, job.recipe)
    language = None if recipe.language == EACH_WINDOW else recipe.language
    return (stage, recipe.align, language, recipe.device)


def feed(core: Core, job: Job, worker: Worker) -> None:
    """Hand out windows until enough wait at the worker; one that failed before is alone there."""
    later = job.later[worker.stage]
    if any(span in later.failures for span in later.sent):
        return
    while len(worker.queued) < CHUNK and len(later.done) + len(later.sent) < job.worded:
        waiting = sorted(job.covered - job.wordless - later.done - later.sent)
        clean = [span for span in waiting if span not in later.failures][:CHUNK]
        if not clean and not worker.is_empty:
            return
        chunk = tuple(clean or waiting[:1])
        later.sent.update(chunk)
        worker.queued.extend(chunk)
        core.do(SendTexts(worker.id, handing.work(core, job, chunk, job.recipe, worker.stage)))
        if not clean:
            return


def give_back(job: Job, stage: ev.StageName, spans: tuple[Span, ...]) -> None:
    """Take windows back from the worker with nobody to blame."""
    job.later[stage].sent.difference_update(spans)


def finished(core: Core, worker: Worker, job: Job, spans: tuple[Span, ...], now: int) -> None:
    """A lane is through with its spans; what it should have found and did not is its failure."""
    if worker.is_ending:
        give_back(job, worker.stage, spans)
    windows_failed(core, job, worker.stage, Failure(FailureKind.ERROR, "The stage left windows out.", spans), now)


# ---- findings


def aligned(core: Core, worker: Worker, job: Job, found: list[msg.Aligned], took_ms: int, now: int) -> None:
    """Windows were aligned: they are through, and so is their part of the batch."""
    later = job.later[worker.stage]
    kept = {each.span: each for each in found if each.span in later.sent}
    if not kept:
        return
    took_ms = min(took_ms, watchdog.so_far(worker, kept, now))
    worker.begun.difference_update(kept)
    later.streak = 0
    job.stage_failures.pop(worker.stage, None)
    job.stage_failures.pop("listen", None)  # audio made anew has proved good
    _settle(core, job, tuple(kept.values()), took_ms)


def _settle(core: Core, job: Job, kept: tuple[msg.Aligned, ...], took_ms: int) -> None:
    later = job.later["align"]
    spans = tuple(each.span for each in kept)
    later.sent.difference_update(spans)
    later.done.update(spans)
    for span in spans:
        later.failures.pop(span, None)
    core.do(SaveAligned(job.id, kept))
    reasons = dict.fromkeys(each.reason for each in kept if each.reason)
    core.tell(ev.WordsAligned(job=job.id, spans=spans, took_ms=took_ms, reason="; ".join(reasons)))


# ---- failures


def windows_failed(core: Core, job: Job, stage: ev.StageName, failure: Failure, now: int) -> None:
    """Windows failed: each is tried again alone, after the others; those that are out of tries are left as they are."""
    later = job.later[stage]
    spans = tuple(span for span in failure.spans if span in later.sent)
    if not spans:
        return
    later.sent.difference_update(spans)
    later.failures.update(spans)
    later.streak += 1
    if later.streak >= HOPELESS * (core.policy.retries + 1):
        _tell(core, job, stage, Failure(failure.kind, failure.reason, spans), WITHOUT[stage], now)
        give_up(core, job, stage, failure.reason, now)
        return
    tried = max(later.failures[span] for span in spans)
    lost = [span for span in spans if later.failures[span] > core.policy.retries]
    again = "" if failure.kind is FailureKind.ERROR else f" {tries.wait(core, job, tried, now)}"
    follows = WITHOUT[stage] if lost else f"alone{again}, {tries.next_try(core, tried)}"
    _tell(core, job, stage, Failure(failure.kind, failure.reason, spans), follows, now)
    if lost:
        _settle(core, job, tuple(msg.Aligned(span=span, reason=failure.reason) for span in lost), 0)


def stage_failed(core: Core, job: Job, stage: ev.StageName, failure: Failure, began: int, now: int) -> None:
    """The stage failed as a whole: it is tried again, or the job does without it."""
    tried = job.stage_failures[stage] = job.stage_failures.get(stage, 0) + 1
    is_hopeless = failure.kind is FailureKind.UNUSABLE or tried > core.policy.retries
    again = WITHOUT[stage] if is_hopeless else f"{tries.wait(core, job, tried, now)}, {tries.next_try(core, tried)}"
    _tell(core, job, stage, Failure(failure.kind, failure.reason), again, began)
    if is_hopeless:
        give_up(core, job, stage, failure.reason, now)


def _tell(core: Core, job: Job, stage: ev.StageName, failure: Failure, follows: str, began: int) -> None:
    tries.record_failure(core, job, stage, failure, began, core.now)
    tries.tell_failed(core, job, stage, failure, failure.spans, follows)


def give_up(core: Core, job: Job, stage: ev.StageName, reason: str, now: int) -> None:
    """The job does without a stage; what that has found stays, and the rest is left to another time."""
    job.later[stage].given_up = reason
    job.later[stage].sent.clear()
    for worker in core.workers_of(job):
        if worker.stage == stage:
            dismiss(core, worker, now)
    core.tell(ev.Warning(job.id, f"{reason} {_AS_SENTENCE[stage]}"))


def dismiss(core: Core, worker: Worker, now: int) -> None:
    """What a worker holds is wanted no more: it ends after its batches under way."""
    worker.job, worker.asked_at = 0, now
    core.thaw(worker)  # its job thaws only what is its own
    core.take_back(worker)
    if not worker.is_ending:
        core.release(worker)
