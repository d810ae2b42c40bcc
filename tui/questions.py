"""What the screen asks before it does something, and what is said when it is left."""

from collections.abc import Sequence

from engine.states import Frozen, Paused, Pausing, Queued, Stopped
from engine.view import JobView, View
from tui.screens.question import Answer, Question
from tui.status import is_at_work
from tui.text import count, name_of

NAMED = 3
"""Jobs that a question calls by their names."""

STAY = Answer("stay", "Stay", "n")


def cancel_question(job: JobView) -> Question:
    """Whether a job is to be given up: ``stay`` or ``cancel``."""
    return Question(
        title=f"Cancel {name_of(job.path)}?",
        text="What is transcribed so far is kept, and a retry goes on from there. The partial files are removed.",
        answers=(Answer("stay", "Keep it", "n"), Answer("cancel", "Cancel the job", "y")),
    )


def stop_question(view: View, *, is_stopping: bool) -> Question:
    """Whether the engine is to end: ``stay``, ``after`` the batches under way, or ``now``."""
    now = Answer("now", "At once", "a")
    if is_stopping:
        return Question(
            title="Stop at once?",
            text="The batches under way are being finished. At once, they are broken off and done again another time.",
            answers=(Answer("stay", "Wait for them", "n"), now),
        )
    at_work = sum(is_at_work(job.state) for job in view.jobs)
    at_rest = sum(isinstance(job.state, Queued | Paused | Frozen | Stopped) for job in view.jobs)
    if not at_work:
        rest = f"; {count(at_rest, 'unfinished job')} can go on at the next start" if at_rest else ""
        return Question(
            title="Stop scribetui?",
            text=f"Nothing is at work{rest}.",
            answers=(STAY, Answer("after", "Stop", "y")),
        )
    waiting = f", {at_rest} more {'waits' if at_rest == 1 else 'wait'}" if at_rest else ""
    return Question(
        title="Stop scribetui, and the work with it?",
        text=f"{count(at_work, 'job')} {_is(at_work)} at work{waiting}; all can go on at the next start. After this "
        "batch, nothing is lost. At once, the batches under way have to be done again.",
        answers=(STAY, Answer("after", "After this batch", "y"), now),
    )


def go_on_question(jobs: Sequence[JobView]) -> Question:
    """Whether jobs that an earlier sitting left unfinished go on: ``stay`` or ``go_on``."""
    names = [name_of(job.path) for job in jobs[:NAMED]]
    more = [f"and {len(jobs) - NAMED} more"] if len(jobs) > NAMED else []
    them = "it" if len(jobs) == 1 else "them"
    return Question(
        title=f"{count(len(jobs), 'job')} {_was(len(jobs))} left unfinished. Go on with {them}?",
        text="\n".join([*names, *more]),
        answers=(Answer("stay", "Not now", "n"), Answer("go_on", "Go on", "y")),
        gives_way=True,
    )


def parting(view: View, *, is_lost: bool, is_stopping: bool) -> str:
    """What is said to somebody who leaves; empty where there is nothing to say."""
    if is_lost:
        return "The work could not be reached when you left; start scribetui again to go on with it."
    if is_stopping:
        return "scribetui stops once the batches under way are done."
    going = sum(_goes_on(job) for job in view.jobs)
    if not going:
        return ""
    return f"{count(going, 'job')} {'goes' if going == 1 else 'go'} on in the background; scribetui attaches again."


def _goes_on(job: JobView) -> bool:
    """Whether a job is at work, or will be with no word from the user."""
    match job.state:
        case Paused(reason=reason) | Pausing(reason=reason):
            return bool(reason)
        case state:
            return isinstance(state, Queued) or is_at_work(state)


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
