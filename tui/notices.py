"""What the user is told when a job has ended or needs them: in words, for a toast or a notice of the desktop."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from engine.states import Done, Failed, JobState, Paused
from engine.view import JobView, View
from tui.text import clock, count, name_of, plain

TOGETHER = 3
"""More jobs than that at a time are told in one notice."""


class Notice(NamedTuple):
    """Words that are safe for a terminal, how serious they are, and for how many seconds they are worth a place."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"
    seconds: float = 8


def is_worth_telling(state: JobState) -> bool:
    """Whether a job that has come into this state has ended, or waits for something to change."""
    return isinstance(state, Done | Failed) or (isinstance(state, Paused) and bool(state.reason))


def happened(before: View, after: View) -> list[JobView]:
    """The jobs of the later view that have ended or come to rest since the earlier one."""
    found = []
    for job in after.jobs:
        was = before.job(job.id)
        if is_worth_telling(job.state) and (was is None or was.state != job.state):
            found.append(job)
    return found


def notices(jobs: Sequence[JobView]) -> list[Notice]:
    """What there is to tell of these jobs; of many, only how many there are."""
    if len(jobs) <= TOGETHER:
        return [of_job(job) for job in jobs]
    failed = sum(isinstance(job.state, Failed) for job in jobs)
    resting = sum(isinstance(job.state, Paused) for job in jobs)
    told = [f"{count(len(jobs) - resting, 'job')} ended"] if len(jobs) > resting else []
    told += [f"{failed} of them failed"] if failed else []
    told += [f"{count(resting, 'job')} paused"] if resting else []
    return [Notice("", ", ".join(told), "error" if failed else "warning" if resting else "information")]


def of_job(job: JobView) -> Notice:
    """What there is to tell of a job that has ended or come to rest."""
    name = name_of(job.path)
    match job.state:
        case Failed(error=error):
            return Notice(f"{name} failed", plain(error), "error", 15)
        case Paused(reason=reason):
            return Notice(f"{name} is paused", plain(reason), "warning", 15)
        case Done(gaps=gaps) if gaps:
            return Notice(f"{name} is done, with gaps", f"{clock(gaps)} could not be transcribed.", "warning", 15)
        case _:
            files = [count(len(job.outputs), "file")] if job.outputs else []
            return Notice(f"{name} is done", ", ".join([*files, f"in {clock(job.worked_ms)}"]))
