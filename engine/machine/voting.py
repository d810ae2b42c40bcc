"""The vote on a recording's language: which windows are heard for it, and what it found."""

from collections.abc import Sequence
from itertools import pairwise

from engine import events as ev
from engine import messages as msg
from engine.machine.core import Core
from engine.machine.holdings import Job
from engine.machine.stimuli import SaveSpoken
from engine.timeline import Span, length

SAMPLES = 7
"""How many windows are heard for a vote; an odd number, so that two languages do not end level."""
ENOUGH_MS = 1_200_000
"""How much of a recording is listened to before its samples are chosen: logo music and trailers are over by then, and
listening takes but seconds for it."""


def is_open(job: Job) -> bool:
    """Whether the recording's language is asked for and not found yet."""
    return job.recipe.language is None and job.language is None


def may_begin(job: Job) -> bool:
    """Whether windows may be handed out; with no language yet, only once those are chosen that decide it."""
    if not is_open(job) or job.samples:
        return True
    windows = sorted([*job.pending, *job.covered])  # nothing is at the worker before this
    is_all = job.heard_all or job.is_cut_off
    if not is_all and (job.heard < ENOUGH_MS or len(windows) < SAMPLES):
        return False
    job.samples = choose(windows, [length(job.speech_within((window,))) for window in windows])
    return True


def choose(windows: Sequence[Span], speech: Sequence[int]) -> tuple[Span, ...]:
    """Windows that tell a recording's language: from each of ``SAMPLES`` equal parts the one with the most speech.

    Args:
        windows: in order.
        speech: how many milliseconds of speech are in each; where that is not known, the same for all.
    """
    parts = min(SAMPLES, len(windows))
    bounds = [part * len(windows) // parts for part in range(parts + 1)] if parts else [0]
    best = (max(range(first, last), key=lambda at: speech[at]) for first, last in pairwise(bounds))
    return tuple(windows[at] for at in best)


def found(core: Core, job: Job, spoken: msg.Spoken) -> bool:
    """A vote was held; whether it counts: lanes with processes of their own hold one each, and the first does."""
    if not is_open(job):
        return False
    job.language = spoken.language
    core.do(SaveSpoken(job.id, job.samples, spoken))
    core.tell(ev.LanguageFound(job=job.id, language=spoken.language, votes=spoken.votes))
    return True
