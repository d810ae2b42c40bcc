"""Windows that failed: what each is tried with next, and what that means for the rest of the job."""

from engine import events as ev
from engine.ladder import COUNTED, DEATHS, Tried, decide, lighter
from engine.machine import texts, tries
from engine.machine.core import Core
from engine.machine.holdings import Job, Suspect
from engine.recipe import Failure, FailureKind, Recipe
from engine.states import Failed
from engine.timeline import Span

HOPELESS = 2
"""After so many times the tries of one window, and no success at all, it is not the windows that are at fault."""
LEFT = "left as a gap"
OFTEN = 3
"""A window that was there more often than this when the memory ran out is tried alone."""


def windows_failed(core: Core, job: Job, failure: Failure, now: int) -> None:
    """Windows failed: try each again alone, later and lighter; give up those that are out of tries."""
    spans = tuple(span for span in failure.spans if span in job.sent)
    if not spans:
        return
    attempt = job.attempts[job.sent[spans[0]]]
    recipe, is_alone = attempt.recipe, spans[0] in job.suspects
    job.clean_chunks = 0
    tries.take(core, job, spans, now, failure.kind.value, failure.reason)
    is_shared = not is_alone and recipe.batch * recipe.parallel > 1
    if failure.kind is FailureKind.OOM and is_shared and _runs_lighter(core, job, recipe, failure, spans, now):
        return
    # A lack of memory that a lighter recipe answers leads somewhere; anything else that goes on and on does not.
    job.streak += failure.kind is not FailureKind.OOM or lighter(recipe, core.limits(job).models) is None
    lost = [span for span in spans if not _suspect(core, job, span, recipe, failure)]
    tried = max(_tries(job.suspects[span]) for span in spans)
    # Different windows failing one after the other, with no success between: it is not the windows.
    many = job.streak >= HOPELESS * (core.policy.retries + 1)
    is_hopeless = not job.covered and len(lost) < len(spans) and many
    if is_hopeless:
        follows = ev.GIVEN_UP
    elif lost:
        follows = LEFT
    else:
        is_dead = failure.kind in (*DEATHS, FailureKind.OOM)
        again = tries.wait(core, job, tried, now, spans, is_dead=is_dead)
        follows = f"alone {again}, {tries.next_try(core, tried)}"
    tries.tell_failed(core, job, "transcribe", failure, spans, follows)
    if is_hopeless:
        core.enter(job, Failed(now, f"Every attempt failed: {last_word(failure)}"), now)
        return
    _give_up(core, job, lost, failure.reason, now)
    if is_alone:
        return
    if failure.kind is FailureKind.OOM and recipe not in job.barred:
        job.barred[recipe] = None  # this window, or the recipe? The next one tells
    elif not (failure.kind is FailureKind.OOM and is_shared):
        answer(core, job, recipe, failure, at=spans[0].start)


def _runs_lighter(core: Core, job: Job, recipe: Recipe, failure: Failure, spans: tuple[Span, ...], now: int) -> bool:
    """The memory ran out over several windows: the recipe is at fault, not they, where there is a lighter one.

    A window that is there time and again may be the one that takes it all; it is to be tried alone.
    """
    job.short.update(spans)
    if any(job.short[span] > OFTEN for span in spans):
        return False
    answer(core, job, recipe, failure, at=spans[0].start)
    if job.recipe in job.barred:
        return False
    again = tries.wait(core, job, max(job.short[span] for span in spans), now)
    tries.tell_failed(core, job, "transcribe", failure, spans, f"{again}, lighter")
    return True


def _suspect(core: Core, job: Job, span: Span, recipe: Recipe, failure: Failure) -> bool:
    """Remember that a window failed, and decide what it is tried with next; False when it is given up."""
    was_known = span in job.suspects
    suspect = job.suspects.setdefault(span, Suspect())
    following = decide(recipe, failure, suspect.history, core.limits(job))
    suspect.history.append(Tried(recipe, failure.kind))
    if was_known:
        suspect.recipe = following
    return following is not None or not was_known  # with others it may have failed for their sake


def answer(core: Core, job: Job, recipe: Recipe, failure: Failure, at: int | None = None) -> None:
    """What a failure means for the rest of the job."""
    if failure.kind is FailureKind.OOM:
        history = [Tried(each, FailureKind.OOM) for each in job.barred]
        job.barred[recipe] = None
        runs_lighter = job.recipe not in job.barred
        following = None if runs_lighter else decide(job.recipe, failure, history, core.limits(job))
    elif failure.kind in DEATHS:
        following = decide(job.recipe, failure, job.shaky, core.limits(job))
        job.shaky.append(Tried(job.recipe, failure.kind))
    else:
        return
    if following is not None and following != job.recipe:
        core.change_recipe(job, following, job.heard if at is None else at, failure.reason)


def load_failed(core: Core, alone: tuple[Span, Recipe], job: Job, failure: Failure, now: int) -> None:
    """A worker that was started for a single window could not be made ready."""
    span, recipe = alone
    suspect = job.suspects[span]
    suspect.recipe = decide(recipe, failure, suspect.history, core.limits(job))
    suspect.history.append(Tried(recipe, failure.kind))
    if suspect.recipe is None:
        tries.tell_failed(core, job, "transcribe", failure, (span,), LEFT)
        _give_up(core, job, [span], failure.reason, now)
    else:
        tried = _tries(suspect)
        follows = f"alone {tries.wait(core, job, tried, now, (span,))}, {tries.next_try(core, tried)}"
        tries.tell_failed(core, job, "transcribe", failure, (span,), follows)


def _give_up(core: Core, job: Job, lost: list[Span], reason: str, now: int) -> None:
    """Windows are out of tries: gaps, unless one has at least an implausible text."""
    gaps = []
    for span in lost:
        job.pending.remove(span)
        best = job.suspects.pop(span).best
        if best is None:
            gaps.append(span)
        else:
            texts.keep_best(core, job, best, now)
    tries.leave_gaps(core, job, gaps, reason)


def _tries(suspect: Suspect) -> int:
    return sum(each.kind in COUNTED or each.kind is FailureKind.OOM for each in suspect.history)


def last_word(failure: Failure) -> str:
    """Why a job failed, and what to do where that can be said."""
    if failure.kind is FailureKind.OOM:
        return f"{failure.reason} Allow it more (memory.budget in the settings), or choose a smaller model."
    return failure.reason
