"""Tries: windows taken back from the worker, when they are tried again, and what is told of it."""

import msgspec

from engine import events as ev
from engine.machine.core import Core
from engine.machine.holdings import Attempt, Job
from engine.machine.stimuli import SaveAttempt, SaveGaps
from engine.recipe import Failure
from engine.timeline import Span

JITTER = 0.25
"""By how much a delay varies either way."""
LONGEST_DELAY_MS = 300_000
ROOM_MS = (1_000, 30_000)
"""How long to wait before a disk that was full is tried again, at least and at most."""
STOPPED = "stopped"
"""The outcome of an attempt that gave windows back with nobody to blame."""


def give_back(core: Core, job: Job, spans: tuple[Span, ...], now: int, reason: str) -> None:
    """Take windows back from the worker with no blame; attempts left with nothing end."""
    take(core, job, spans, now, STOPPED, reason)


def take(core: Core, job: Job, spans: tuple[Span, ...], now: int, outcome: str, reason: str) -> None:
    """Take windows back from the worker; attempts left with nothing end with this outcome."""
    touched: dict[int, Attempt] = {}
    for span in spans:
        if span in job.sent:
            attempt = job.attempts[job.sent[span]]
            attempt.left.discard(span)
            if outcome != STOPPED or attempt.outcome == "done":  # that something failed says more
                attempt.outcome, attempt.reason = outcome, reason
            touched[attempt.id] = attempt
            job.give_back(span)
    for attempt in touched.values():
        if not attempt.left:
            core.close_attempt(job, attempt, now, attempt.outcome, attempt.reason)


def wait(core: Core, job: Job, tried: int, now: int, spans: tuple[Span, ...] = (), *, is_dead: bool = True) -> str:
    """Set the time of the next try: the job's, where a worker died or a whole stage failed, else the windows'.

    What to tell of it: how long it waits.
    """
    delay = _delay(core, tried)
    if is_dead:
        job.not_before = now + delay
    for span in spans:
        job.suspects[span].not_before = now + delay
    return f"again in {delay / 1000:.1f} s"


def next_try(core: Core, tried: int) -> str:
    """Which try the next one is, of how many."""
    return f"try {tried + 1} of {max(tried, core.policy.retries) + 1}"


def wait_for_room(core: Core, job: Job, now: int) -> None:
    """Set the time at which to look whether there is room on the disk."""
    tries = job.stage_failures["full"] = job.stage_failures.get("full", 0) + 1
    least, most = ROOM_MS
    job.not_before = now + min(most, max(least, _delay(core, tries)))


def _delay(core: Core, tries: int) -> int:
    """A delay that doubles from try to try, in milliseconds."""
    delay = min(LONGEST_DELAY_MS, core.policy.retry_delay_ms << (tries - 1))
    return round(delay * core.random.uniform(1 - JITTER, 1 + JITTER))


def tell_failed(
    core: Core, job: Job, stage: ev.StageName, failure: Failure, spans: tuple[Span, ...], follows: str
) -> None:
    """Tell what failed, why, and what follows."""
    kind, reason = failure.kind, failure.reason
    core.tell(ev.AttemptFailed(job=job.id, stage=stage, spans=spans, kind=kind, reason=reason, follows=follows))


def record_failure(core: Core, job: Job, stage: ev.StageName, failure: Failure, began: int, now: int) -> None:
    """Record the failure of a whole stage as an attempt: no window was at stake."""
    begun = SaveAttempt(
        id=core.next_attempt,
        job=job.id,
        stage=stage,
        span=Span(job.heard, job.heard),
        windows=0,
        recipe=job.recipe,
        began=began,
    )
    core.next_attempt += 1
    core.do(begun)
    core.do(msgspec.structs.replace(begun, ended=now, outcome=failure.kind.value, reason=failure.reason))


def leave_gaps(core: Core, job: Job, lost: list[Span], reason: str) -> None:
    """Give these stretches up."""
    for span in lost:
        job.gaps.add(span)
        core.tell(ev.GapLeft(job.id, span, reason))
    if lost:
        core.do(SaveGaps(job.id, tuple(sorted(job.gaps))))
