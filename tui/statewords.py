"""What a job is doing, in words."""

from engine.states import (
    Cancelled,
    Done,
    Failed,
    Frozen,
    JobState,
    Paused,
    Pausing,
    Queued,
    Running,
    Stopped,
    Writing,
)
from tui.severity import Severity, Wording
from tui.text import clock, plain


def state_words(state: JobState) -> str:
    """What a job is doing, made safe for a terminal."""
    return plain(state_wording(state).text)


def state_wording(state: JobState) -> Wording:
    """What a job is doing, and how much that should stand out; not yet safe for a terminal."""
    match state:
        case Queued():
            return Wording("waiting in the queue", Severity.QUIET)
        case Stopped():
            return Wording("left unfinished; it goes on once it is resumed")
        case Running():
            return Wording("running")
        case Pausing(how=how, reason=reason):
            text = f"{'parking' if how == 'parked' else 'pausing'} after the batches under way"
            if reason:
                return Wording(f"{text}: {reason.rstrip('. ')}", Severity.WARNING)
            return Wording(text)
        case Paused(how=how, reason=reason):
            word = "parked, its memory given back" if how == "parked" else "paused"
            if reason:
                return Wording(f"{word}: {reason.rstrip('. ')}; it goes on by itself", Severity.WARNING)
            return Wording(word)
        case Frozen():
            return Wording("frozen in mid-batch; its memory stays")
        case Writing():
            return Wording("all transcribed, writing the files", Severity.QUIET)
        case Done(gaps=0):
            return Wording("done", Severity.GOOD)
        case Done(gaps=gaps):
            return Wording(f"done, with gaps of {clock(gaps)}", Severity.WARNING)
        case Failed(error=error):
            return Wording(f"failed: {error}", Severity.ERROR)
        case Cancelled():
            return Wording("cancelled")
