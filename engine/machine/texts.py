"""Texts: whether a window's is kept, decoded again, or kept though it is implausible; and what is told of it."""

from engine import events as ev
from engine import messages as msg
from engine.ladder import Tried, decide
from engine.machine import tries
from engine.machine.core import Core
from engine.machine.holdings import Job, Suspect, Worker
from engine.machine.stimuli import SaveDecoded
from engine.quality import implausibility
from engine.recipe import Failure, FailureKind
from engine.terms import heard
from engine.transcript import text_of


def judged(core: Core, worker: Worker, job: Job, decoded: msg.Decoded) -> msg.Decoded | None:
    """What to keep of a window's text: itself, the best of all tries after the last one, or nothing yet.

    A text that is refused stays with the worker until the lane is through with its batch.
    """
    if not decoded.doubt:
        return decoded
    suspect = job.suspects.get(decoded.span, Suspect())
    best = decoded
    if suspect.best is not None and implausibility(suspect.best) <= implausibility(decoded):
        best = suspect.best
    recipe = job.attempts[job.sent[decoded.span]].recipe
    failure = Failure(FailureKind.REJECTED, decoded.doubt, (decoded.span,))
    if decide(recipe, failure, suspect.history, core.limits(job)) is None:
        return best
    worker.doubted[decoded.span] = (decoded.doubt, best)
    return None


def reject(core: Core, job: Job, doubt: str, best: msg.Decoded, now: int) -> None:
    """A window's text is implausible: it is decoded again, with the next temperature."""
    span = best.span
    suspect = job.suspects.setdefault(span, Suspect())
    suspect.best = best
    recipe = job.attempts[job.sent[span]].recipe
    failure = Failure(FailureKind.REJECTED, doubt, (span,))
    following = decide(recipe, failure, suspect.history, core.limits(job))
    assert following is not None
    suspect.recipe = following
    suspect.history.append(Tried(recipe, failure.kind))
    tries.take(core, job, (span,), now, failure.kind.value, failure.reason)
    follows = f"to be decoded again at temperature {following.temperature:g}"
    tries.tell_failed(core, job, "transcribe", failure, (span,), follows)


def keep_best(core: Core, job: Job, best: msg.Decoded, now: int) -> None:
    """A window that can be tried no more, though not for its text, has an implausible one: better than none."""
    attempt = core.open_attempt(job, (best.span,), job.recipe, now)
    attempt.left.clear()
    cover(job, best)
    core.do(SaveDecoded(job.id, ((attempt.id, best),)))
    core.tell(ev.BatchDone(job=job.id, spans=(best.span,), lines=lines([best]), took_ms=0))
    tell_more(core, job, [best])
    core.close_attempt(job, attempt, now, "done", "the best of its tries")


def cover(job: Job, decoded: msg.Decoded) -> None:
    """A window is transcribed: what is remembered of its text."""
    job.covered.add(decoded.span)
    text = text_of(decoded.segments)
    if not text:
        job.wordless.add(decoded.span)
    elif job.options.terms:
        job.heard_terms.update(heard(text, job.options.terms))


def tell_more(core: Core, job: Job, kept: list[msg.Decoded]) -> None:
    """Tell what is doubtful about texts that are kept, and what was put right in them."""
    corrections = tuple(correction for each in kept for correction in each.corrections)
    if corrections:
        core.tell(ev.TermsCorrected(job=job.id, corrections=corrections))
    for each in kept:
        if each.doubt:
            core.tell(ev.TextDoubted(job.id, each.span, each.doubt))
    recovered = tuple(span for each in kept for span in each.recovered)
    unheard = tuple(span for each in kept for span in each.unheard)
    if recovered or unheard:
        core.tell(ev.SpeechAudited(job=job.id, recovered=recovered, unheard=unheard))


def lines(decoded: list[msg.Decoded]) -> tuple[ev.Line, ...]:
    """The texts as the screen shows them."""
    texts = ((each.span, text_of(each.segments)) for each in decoded)
    return tuple(ev.Line(span.start, span.end, text) for span, text in texts if text)
