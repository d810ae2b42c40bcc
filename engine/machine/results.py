"""What workers report: findings to keep, failures to answer, deaths."""

from engine import events as ev
from engine import messages as msg
from engine.machine.core import Attempt, Core, Job, Worker
from engine.machine.stimuli import FromWorker, SaveDecoded, SaveGaps, SaveHeard, SaveProbed, WorkerGone
from engine.recipe import Failure, FailureKind, lighter
from engine.states import Failed, Running, Writing
from engine.timeline import Span


def from_worker(core: Core, stimulus: FromWorker, now: int) -> None:
    """Take in what a worker says."""
    worker = core.workers.get(stimulus.worker)
    if worker is None:
        return
    job = core.jobs.get(worker.job)  # None for a worker whose job has ended
    match stimulus.message:
        case msg.Loaded(took_ms):
            worker.is_ready, worker.idle_since = True, now
            core.tell(ev.WorkerReady(worker.id, took_ms))
        case msg.Begun(number, spans):
            _begun(core, worker, job if job is not None and job.id == number else None, spans, now)
        case msg.Batch(number, found, took_ms):
            if job is not None and job.id == number:
                _found(core, worker, job, found, took_ms, now)
        case msg.Finished(number, spans):
            _finished(core, worker, job if job is not None and job.id == number else None, spans, now)
        case msg.Dropped(spans=spans):
            _dropped(core, worker, job, spans, now)
        case msg.Failed(_, spans, kind, reason):
            _stage_failed(core, worker, job, Failure(kind, reason, spans), now)
        case msg.Heartbeat():
            pass


def _begun(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    taken = set(spans)
    worker.queued = [span for span in worker.queued if span not in taken]
    worker.begun |= taken
    if worker.stage == "transcribe" and job is not None:
        for span in spans:
            attempt = job.attempts[job.sent[span]]
            attempt.began = attempt.began or now
        core.tell(ev.BatchStarted(job=job.id, spans=spans))


def _finished(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    """A lane is through with its spans; what it should have found and did not is its failure."""
    worker.begun.difference_update(spans)
    worker.idle_since = now
    if worker.stage == "transcribe":
        if job is not None:
            missing = tuple(span for span in spans if span in job.sent)
            _windows_failed(core, job, Failure(FailureKind.ERROR, "The stage left windows out.", missing), now)
    elif not worker.is_ending:
        core.release(worker)
        if job is not None and not (job.heard_all and job.audio_ready):
            failure = Failure(FailureKind.ERROR, "The listening ended before the audio did.")
            _whole_stage_failed(core, job, "listen", failure, now)


# ---- findings


def _found(core: Core, worker: Worker, job: Job, found: tuple[msg.Finding, ...], took_ms: int, now: int) -> None:
    decoded: list[msg.Decoded] = []
    for finding in found:
        match finding:
            case msg.Probed():
                job.duration = finding.duration
                core.do(SaveProbed(job.id, finding))
                core.tell(
                    ev.JobProbed(
                        job=job.id,
                        tracks=finding.tracks,
                        chosen=finding.chosen,
                        container=finding.container,
                        duration=finding.duration,
                    )
                )
            case msg.Heard():
                _heard(core, worker, job, finding)
            case msg.Decoded():
                decoded.append(finding)
            case msg.Warned():
                core.tell(ev.Warning(job.id, finding.message))
    if decoded:
        _decoded(core, worker, job, decoded, took_ms, now)


def _heard(core: Core, worker: Worker, job: Job, heard: msg.Heard) -> None:
    # What an ending listener writes may be a file that is gone already; the next one sees to it.
    job.audio_ready = job.audio_ready or not worker.is_ending
    if heard.span.start != job.heard or (heard.last and job.heard_all):
        return  # a rebuilding of audio that was listened to before
    job.stage_failures.pop("listen", None)
    job.heard, job.heard_all, job.checkpoint = heard.span.end, heard.last, heard.checkpoint
    job.pending.extend(heard.windows)
    if heard.last:
        job.duration = heard.span.end
    core.do(SaveHeard(job.id, heard))
    core.tell(ev.SpeechHeard(job=job.id, until=heard.span.end, windows=heard.windows, last=heard.last))


def _decoded(core: Core, worker: Worker, job: Job, decoded: list[msg.Decoded], took_ms: int, now: int) -> None:
    kept = [(job.sent[each.span], each) for each in decoded if each.span in job.sent]
    if not kept:
        return
    spans = tuple(each.span for _, each in kept)
    for attempt_id, each in kept:
        del job.sent[each.span]
        job.covered.add(each.span)
        job.attempts[attempt_id].left.discard(each.span)
    worker.begun.difference_update(spans)
    job.streak = 0
    job.stage_failures.pop("transcribe", None)
    if job.heard_all:
        job.stage_failures.pop("listen", None)  # audio made anew has proved good
    core.do(SaveDecoded(job.id, tuple(kept)))
    core.tell(ev.BatchDone(job=job.id, spans=spans, lines=_lines([each for _, each in kept]), took_ms=took_ms))
    for attempt_id in {attempt_id for attempt_id, _ in kept}:
        attempt = job.attempts[attempt_id]
        if not attempt.left:
            core.close_attempt(job, attempt, now, attempt.outcome, attempt.reason)
    core.write_partial(job, now)


def _lines(decoded: list[msg.Decoded]) -> tuple[ev.Line, ...]:
    texts = ((each.span, " ".join(part.text.strip() for part in each.segments).strip()) for each in decoded)
    return tuple(ev.Line(span.start, span.end, text) for span, text in texts if text)


def _dropped(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    worker.is_dropping = False
    worker.queued = [span for span in worker.queued if span not in spans]
    if job is not None:
        _return(core, job, spans, now, "parameters changed or paused")


def _return(core: Core, job: Job, spans: tuple[Span, ...], now: int, reason: str) -> None:
    """Take windows back from the worker with no blame; attempts left with nothing end."""
    touched: dict[int, Attempt] = {}
    for span in spans:
        if span in job.sent:
            attempt = job.attempts[job.sent[span]]
            attempt.left.discard(span)
            attempt.outcome, attempt.reason = "stopped", reason
            touched[attempt.id] = attempt
            job.give_back(span)
    for attempt in touched.values():
        if not attempt.left:
            core.close_attempt(job, attempt, now, attempt.outcome, attempt.reason)


# ---- failures


def worker_gone(core: Core, stimulus: WorkerGone, now: int) -> None:
    """A process ended: blame the windows it had begun, take back the rest."""
    worker = core.workers.pop(stimulus.worker, None)
    if worker is None:
        return
    job = core.jobs.get(worker.job)
    core.tell(ev.WorkerEnded(worker.id, "no longer needed" if worker.is_ending else stimulus.reason))
    if job is None:
        return
    _return(core, job, tuple(worker.queued), now, "the worker ended")
    if core.is_closing:
        # Most likely it was ended in impatience. Nothing is tried again in this sitting, so nothing is blamed.
        _return(core, job, tuple(sorted(worker.begun)), now, "the engine ended")
        return
    if worker.is_ending and not worker.begun:
        return
    failure = Failure(stimulus.kind, stimulus.reason, tuple(sorted(worker.begun)))
    if worker.stage == "transcribe" and worker.begun:
        _windows_failed(core, job, failure, now)
    elif not worker.is_ending and isinstance(job.state, Running):
        _whole_stage_failed(core, job, worker.stage, failure, now)


def _stage_failed(core: Core, worker: Worker, job: Job | None, failure: Failure, now: int) -> None:
    """The stage raised; the worker itself goes on."""
    worker.begun.difference_update(failure.spans)
    worker.idle_since = now
    if worker.stage == "listen" or not failure.spans:
        core.release(worker)
    if job is None:
        return
    if worker.stage == "transcribe" and failure.kind is FailureKind.AUDIO:
        _audio_lost(core, worker, job, failure, now)
    elif worker.stage == "transcribe" and failure.spans and failure.kind is not FailureKind.UNUSABLE:
        _windows_failed(core, job, failure, now)
    else:
        _whole_stage_failed(core, job, worker.stage, failure, now)


def _audio_lost(core: Core, worker: Worker, job: Job, failure: Failure, now: int) -> None:
    """Somebody emptied the cache: have the audio made anew, once for all lanes that miss it."""
    _return(core, job, failure.spans, now, failure.reason)
    core.take_back(worker)
    if not job.audio_ready:
        return
    job.audio_ready = False
    listener = core.worker("listen")
    if listener is not None and listener.job == job.id and not listener.is_ending:
        core.release(listener)
    _whole_stage_failed(core, job, "listen", failure, now)


def _whole_stage_failed(core: Core, job: Job, stage: ev.StageName, failure: Failure, now: int) -> None:
    if isinstance(job.state, Writing):
        return  # the stage is not needed any more
    tries = job.stage_failures[stage] = job.stage_failures.get(stage, 0) + 1
    hopeless = failure.kind is FailureKind.UNUSABLE or tries > core.policy.retries
    follows = ev.GIVEN_UP if hopeless else _wait(core, job, tries, now)
    core.tell(
        ev.AttemptFailed(job=job.id, stage=stage, spans=(), kind=failure.kind, reason=failure.reason, follows=follows)
    )
    if hopeless:
        core.enter(job, Failed(now, failure.reason), now)
    else:
        _lighten(core, job, failure)


def _windows_failed(core: Core, job: Job, failure: Failure, now: int) -> None:
    """Windows failed: try each again alone, later and lighter; give up those that failed too often."""
    spans = tuple(span for span in failure.spans if span in job.sent)
    if not spans:
        return
    job.streak += 1
    for span in spans:
        attempt = job.attempts[job.sent[span]]
        attempt.left.discard(span)
        attempt.outcome, attempt.reason = failure.kind.value, failure.reason
        job.give_back(span)
        job.failures[span] = job.failures.get(span, 0) + 1
        if not attempt.left:
            core.close_attempt(job, attempt, now, attempt.outcome, attempt.reason)
    lost = [span for span in spans if job.failures[span] > core.policy.retries]
    # Different windows failing one after the other, with no success between: it is not the windows.
    is_hopeless = not job.covered and len(lost) < len(spans) and job.streak >= 2 * (core.policy.retries + 1)
    worst = max(job.failures[span] for span in spans)
    if is_hopeless:
        follows = ev.GIVEN_UP
    elif lost:
        follows = "left as a gap"
    else:
        follows = _wait(core, job, worst, now)
    core.tell(
        ev.AttemptFailed(
            job=job.id,
            stage="transcribe",
            spans=spans,
            kind=failure.kind,
            reason=failure.reason,
            follows=follows,
        )
    )
    if is_hopeless:
        core.enter(job, Failed(now, f"Every attempt failed: {failure.reason}"), now)
        return
    for span in lost:
        job.pending.remove(span)
        job.gaps.add(span)
        core.tell(ev.GapLeft(job.id, span, failure.reason))
    if lost:
        core.do(SaveGaps(job.id, tuple(sorted(job.gaps))))
    _lighten(core, job, failure)


def _wait(core: Core, job: Job, tries: int, now: int) -> str:
    """Set the time of the next try."""
    delay = core.policy.retry_delay_ms * 2 ** (tries - 1)
    job.not_before = now + delay
    return f"again in {delay / 1000:g} s, try {tries + 1} of {core.policy.retries + 1}"


def _lighten(core: Core, job: Job, failure: Failure) -> None:
    recipe = lighter(job.recipe, failure.kind)
    if recipe != job.recipe:
        job.recipe = recipe
        at = failure.spans[0].start if failure.spans else job.heard
        core.tell(ev.RecipeChanged(job=job.id, recipe=recipe, at=at, reason=failure.reason))
        worker = core.worker("transcribe")
        if worker is not None and worker.job == job.id:
            core.take_back(worker)
