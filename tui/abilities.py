"""What can be done with a job in the state it is in, and the command that does it."""

from collections.abc import Callable
from typing import NamedTuple

from engine.commands import Cancel, Command, Move, Pause, Remove, Resume, Retry, Set
from engine.states import ENDED, Done, Frozen, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.view import JobView
from tui import parameters

Jobs = tuple[JobView, ...]


class Ability(NamedTuple):
    """Something that can be done with a job: the command, or None where it cannot be done now."""

    command: Callable[[JobView, Jobs], Command | None]
    hidden: Callable[[JobView | None], bool] = lambda _: False
    """Whether another action takes its place in the key bar."""


def command_for(action: str, job: JobView | None, jobs: Jobs) -> Command | None:
    """The command that an action on a job amounts to; None where it cannot be done now."""
    return None if job is None else ABILITIES[action].command(job, jobs)


def ability(action: str, job: JobView | None, jobs: Jobs) -> bool | None:
    """Whether an action can be done now; None to show it in grey, False not to show it."""
    if ABILITIES[action].hidden(job):
        return False
    return command_for(action, job, jobs) is not None or None


def _can_go_on(job: JobView | None) -> bool:
    return job is not None and isinstance(job.state, Paused | Pausing | Frozen | Stopped)


def _pause(job: JobView, _: Jobs) -> Command | None:
    return Pause(job.id) if isinstance(job.state, Queued | Running) else None


def _freeze(job: JobView, _: Jobs) -> Command | None:
    return Pause(job.id, "freeze") if isinstance(job.state, Running | Pausing) else None


def _park(job: JobView, _: Jobs) -> Command | None:
    if isinstance(job.state, Paused | Pausing) and job.state.how == "parked":
        return None
    return None if isinstance(job.state, (*ENDED, Writing)) else Pause(job.id, "park")


def _resume(job: JobView, _: Jobs) -> Command | None:
    return Resume(job.id) if _can_go_on(job) else None


def _cancel(job: JobView, _: Jobs) -> Command | None:
    return None if isinstance(job.state, (*ENDED, Writing)) else Cancel(job.id)


def _retry(job: JobView, _: Jobs) -> Command | None:
    is_whole = isinstance(job.state, Done) and not job.state.gaps
    return Retry(job.id) if isinstance(job.state, ENDED) and not is_whole else None


def _remove(job: JobView, _: Jobs) -> Command | None:
    return Remove(job.id) if isinstance(job.state, ENDED) else None


def _move(by: int) -> Callable[[JobView, Jobs], Command | None]:
    def move(job: JobView, jobs: Jobs) -> Command | None:
        place = next(n for n, each in enumerate(jobs) if each.id == job.id) + by
        return Move(job.id, by) if 0 <= place < len(jobs) else None

    return move


def _set_chunk(changed: Callable[[JobView], int | None]) -> Callable[[JobView, Jobs], Command | None]:
    def set_chunk(job: JobView, _: Jobs) -> Command | None:
        value = None if isinstance(job.state, (*ENDED, Writing)) else changed(job)
        return None if value is None else Set(job=job.id, chunk_ms=value)

    return set_chunk


def _set_batch(changed: Callable[[JobView], int | None]) -> Callable[[JobView, Jobs], Command | None]:
    def set_batch(job: JobView, _: Jobs) -> Command | None:
        value = None if isinstance(job.state, (*ENDED, Writing)) else changed(job)
        return None if value is None else Set(job=job.id, batch=value)

    return set_batch


ABILITIES = {
    "pause": Ability(_pause, hidden=_can_go_on),
    "resume": Ability(_resume, hidden=lambda job: not _can_go_on(job)),
    "freeze": Ability(_freeze),
    "park": Ability(_park),
    "cancel": Ability(_cancel),
    "retry": Ability(_retry),
    "remove": Ability(_remove),
    "earlier": Ability(_move(-1)),
    "later": Ability(_move(1)),
    "longer": Ability(_set_chunk(parameters.longer)),
    "shorter": Ability(_set_chunk(parameters.shorter)),
    "larger": Ability(_set_batch(parameters.larger)),
    "smaller": Ability(_set_batch(parameters.smaller)),
}
"""By the names that the bindings use."""
