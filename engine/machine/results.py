"""What workers report: signs of life, beginnings, findings to keep."""

from engine import events as ev
from engine import messages as msg
from engine.ladder import TEMPERATURES
from engine.machine import failures, governor, later, suspects, texts, tries, voting, watchdog
from engine.machine.core import Core
from engine.machine.holdings import LATER, Attempt, Job, Worker
from engine.machine.stimuli import FromWorker, SaveDecoded, SaveGaps, SaveHeard, SaveProbed
from engine.memory import tells
from engine.recipe import Failure, FailureKind
from engine.states import Writing
from engine.timeline import Span

WARMED_UP = 3
"""After so many chunks a worker has seen full batches on all its lanes."""
GROWTH = 1.5
"""A worker that holds so many times what it held then, and what its recipe should take, leaks and is replaced."""
TELL_MS = 500
"""The least time between two events that tell of a download."""


def from_worker(core: Core, stimulus: FromWorker, now: int) -> None:
    """Take in what a worker says."""
    worker = core.workers.get(stimulus.worker)
    if worker is None:
        return
    worker.heard_at = now
    job = core.jobs.get(worker.job)  # None for a worker whose job has ended
    match stimulus.message:
        case msg.Loaded(took_ms):
            worker.is_ready, worker.idle_since = True, now
            core.tell(ev.WorkerReady(worker.id, took_ms))
        case msg.Fetching():
            _fetching(core, worker, stimulus.message, now)
        case msg.Begun(number, spans):
            _begun(core, worker, job if job is not None and job.id == number else None, spans, now)
        case msg.Batch(number, found, took_ms):
            if worker.stage == "listen":
                watchdog.progressed(core, worker, now)
            if job is not None and job.id == number:
                _found(core, worker, job, found, took_ms, now)
        case msg.Finished(number, spans):
            _finished(core, worker, job if job is not None and job.id == number else None, spans, now)
        case msg.Dropped(spans=spans):
            _dropped(core, worker, job, spans, now)
        case msg.Failed(_, spans, kind, reason):
            failures.stage_failed(core, worker, job, Failure(kind, reason, spans), now)
        case msg.Heartbeat():
            _heartbeat(core, worker, stimulus.message, now)


def _heartbeat(core: Core, worker: Worker, beat: msg.Heartbeat, now: int) -> None:
    """Between two samples a worker tells of a sudden growth by itself, and of one that has passed."""
    worker.device = beat.device
    # What a device holds of its own accord is memory of the process; so it held that much more when it peaked.
    governor.held_once(core, worker, beat.memory + max(0, beat.device_peak - beat.device))
    if beat.memory > worker.memory:
        governor.note(core, worker, beat.memory)
        governor.govern(core, core.share + sum(each.memory for each in core.workers.values()), now)


def _fetching(core: Core, worker: Worker, fetching: msg.Fetching, now: int) -> None:
    """A model is being downloaded: as long as more of it comes, the loading may take its time."""
    if fetching.done == worker.fetched:
        return
    worker.fetched, worker.loading_since = fetching.done, now
    for batch in worker.batches:  # some models are only fetched when they are needed
        batch.since = now
    is_edge = fetching.done == 0 or fetching.done >= fetching.total > 0
    if worker.job and (is_edge or now - worker.told_at >= TELL_MS):
        worker.told_at = now
        core.tell(
            ev.ModelFetched(
                job=worker.job,
                worker=worker.id,
                model=fetching.model,
                done=fetching.done,
                total=fetching.total,
            )
        )


def _begun(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    taken = set(spans) & set(worker.queued)
    spans = tuple(span for span in spans if span in taken)
    if not spans:
        return
    worker.queued = [span for span in worker.queued if span not in taken]
    worker.begun |= taken
    if worker.stage != "transcribe" or job is None:
        watchdog.begun(worker, spans, now)
    else:
        suspect = job.suspects.get(spans[0])
        hangs = sum(each.kind is FailureKind.HANG for each in suspect.history) if suspect is not None else 0
        is_longer = job.attempts[job.sent[spans[0]]].recipe.temperature > TEMPERATURES[0] or voting.is_open(job)
        watchdog.begun(worker, spans, now, is_longer=is_longer, hangs=hangs)
        for span in spans:
            attempt = job.attempts[job.sent[span]]
            attempt.began = attempt.began or now
        core.tell(ev.BatchStarted(job=job.id, spans=spans))


def _finished(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    """A lane is through with its spans; what it should have found and did not is its failure."""
    worker.begun.difference_update(spans)
    worker.idle_since = now
    watchdog.finished(core, worker, spans, now, learns=worker.stage != "listen")
    refused = [worker.doubted.pop(span) for span in spans if span in worker.doubted]
    if worker.stage == "transcribe":
        if job is not None:
            for doubt, best in refused:
                if best.span in job.sent:
                    texts.reject(core, job, doubt, best, now)
            missing = tuple(span for span in spans if span in job.sent)
            if worker.is_ending:  # it was to break off
                tries.give_back(core, job, missing, now, "the worker was to end")
            failure = Failure(FailureKind.ERROR, "The stage left windows out.", missing)
            suspects.windows_failed(core, job, failure, now)
    elif worker.stage in LATER:
        if job is not None:
            later.finished(core, worker, job, spans, now)
    elif not worker.is_ending:
        core.release(worker)
        if job is not None and not (job.heard_all and job.audio_ready):
            failure = Failure(FailureKind.ERROR, "The listening ended before the audio did.")
            failures.whole_stage_failed(core, job, "listen", failure, now)


# ---- findings


def _found(core: Core, worker: Worker, job: Job, found: tuple[msg.Finding, ...], took_ms: int, now: int) -> None:
    decoded: list[msg.Decoded] = []
    aligned: list[msg.Aligned] = []
    is_news = True  # but for what is said beside a vote that does not count
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
            case msg.Spoken():
                is_news = voting.found(core, job, finding)
            case msg.Aligned():
                aligned.append(finding)
            case msg.Warned() if is_news:
                core.tell(ev.Warning(job.id, finding.message))
    if decoded:
        _decoded(core, worker, job, decoded, took_ms, now)
    if aligned and worker.stage == "align":
        later.aligned(core, worker, job, aligned, took_ms, now)


def _heard(core: Core, worker: Worker, job: Job, heard: msg.Heard) -> None:
    if isinstance(job.state, Writing):
        return  # a rebuilding that nobody waits for any more
    # What an ending listener writes may be a file that is gone already; the next one sees to it.
    job.audio_ready = job.audio_ready or not worker.is_ending
    if heard.span.start != job.heard or (heard.last and job.heard_all):
        return  # a rebuilding of audio that was listened to before
    job.stage_failures.pop("listen", None)
    job.stage_failures.pop("full", None)
    if job.is_cut_off:  # what was given up can be listened to after all
        job.is_cut_off = False
        job.gaps = {gap for gap in job.gaps if gap.start < job.heard}
        core.do(SaveGaps(job.id, tuple(sorted(job.gaps))))
    job.heard, job.heard_all, job.checkpoint = heard.span.end, heard.last, heard.checkpoint
    job.pending.extend(heard.windows)
    job.speech.extend(heard.speech)
    if heard.last:
        job.duration = heard.span.end
    core.do(SaveHeard(job.id, heard))
    core.tell(ev.SpeechHeard(job=job.id, until=heard.span.end, windows=heard.windows, last=heard.last))


def _decoded(core: Core, worker: Worker, job: Job, decoded: list[msg.Decoded], took_ms: int, now: int) -> None:
    kept: list[tuple[int, msg.Decoded]] = []
    taken: set[Span] = set()
    for each in decoded:
        if each.span in job.sent and each.span not in taken:
            taken.add(each.span)
            accepted = texts.judged(core, worker, job, each)
            if accepted is not None:
                kept.append((job.sent[each.span], accepted))
    if not kept:
        return
    spans = tuple(each.span for _, each in kept)
    took_ms = min(took_ms, watchdog.so_far(worker, spans, now))  # the worker's own clock runs on while it is frozen
    touched = list(dict.fromkeys(number for number, _ in kept))
    for number, each in kept:
        del job.sent[each.span]
        job.suspects.pop(each.span, None)
        texts.cover(job, each)
        job.attempts[number].left.discard(each.span)
    worker.begun.difference_update(spans)
    job.streak = 0
    job.stage_failures.pop("transcribe", None)
    if job.heard_all:
        job.stage_failures.pop("listen", None)  # audio made anew has proved good
    core.do(SaveDecoded(job.id, tuple(kept)))
    core.tell(ev.BatchDone(job=job.id, spans=spans, lines=texts.lines([each for _, each in kept]), took_ms=took_ms))
    texts.tell_more(core, job, [each for _, each in kept])
    for number in touched:
        governor.settled(core, number, now)
        attempt = job.attempts[number]
        attempt.slowest_ms = max(attempt.slowest_ms, took_ms)
        if not attempt.left:
            _chunk_done(core, worker, job, attempt, now)
    core.write_partial(job, now)


def _chunk_done(core: Core, worker: Worker, job: Job, attempt: Attempt, now: int) -> None:
    """Nothing of an attempt is left: what it tells about its recipe, and about the worker."""
    is_clean = attempt.outcome == "done"
    if is_clean and attempt.peak and tells(attempt.recipe, attempt.windows):
        core.memory.learn(attempt.recipe, attempt.peak)
    core.close_attempt(job, attempt, now, attempt.outcome, attempt.reason)
    worker.chunks += 1
    if worker.chunks == WARMED_UP:
        worker.lean = worker.memory
    _recycle(core, worker, attempt)
    if is_clean and attempt.recipe == job.recipe:
        job.shaky.clear()
        job.clean_chunks += 1
        governor.climb(core, job)


def _recycle(core: Core, worker: Worker, attempt: Attempt) -> None:
    """Have a worker make room for a fresh one that has done much, or has grown."""
    if worker.retiring or worker.is_ending:
        return
    if core.policy.recycle_chunks and worker.chunks >= core.policy.recycle_chunks:
        worker.retiring = f"replaced by a fresh one after {worker.chunks} chunks"
    elif worker.lean and worker.memory > GROWTH * max(worker.lean, core.memory.predict(attempt.recipe)):
        worker.retiring = (
            f"replaced by a fresh one, since it grew from {governor.in_mb(worker.lean)} to "
            f"{governor.in_mb(worker.memory)}"
        )
    if worker.retiring:
        core.take_back(worker)


def _dropped(core: Core, worker: Worker, job: Job | None, spans: tuple[Span, ...], now: int) -> None:
    worker.is_dropping = False
    worker.queued = [span for span in worker.queued if span not in spans]
    if job is not None:
        failures.give_back(core, worker, job, spans, now, "parameters changed or paused")
