"""``scribetui status``: every job as the host sees it or, where none runs, as the ledger has it."""

import asyncio
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any, NamedTuple

import msgspec

from engine.events import Entry, JobAdded, Progress
from engine.home import Home, HomeError
from engine.ledger import Ledger
from engine.machine.stimuli import JobRecord
from engine.serving.sockets import connect
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
from engine.timeline import length, union
from engine.view import JobView, View, fold
from tui.recognition import fetching
from tui.status import is_at_work
from tui.text import clock, count, name_of, pad, percent, plain, size, times_realtime

PATIENCE = 5.0
"""Seconds that a host may take to say how everything stands."""
WORDS: dict[type[JobState], str] = {
    Queued: "queued",
    Stopped: "stopped",
    Running: "running",
    Pausing: "pausing",
    Paused: "paused",
    Frozen: "frozen",
    Writing: "writing",
    Done: "done",
    Failed: "failed",
    Cancelled: "cancelled",
}
"""What the command line calls each state."""


class Standing(NamedTuple):
    """All jobs, and who is at work on them."""

    view: View
    engine: int | None = None
    """The process that holds the home: None for nobody, 0 when it does not say who it is."""
    host: str | None = None
    """The version of the host; None where none runs."""


def now_ms() -> int:
    """The time, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


# ---- from where it is known


def standing(home: Home) -> Standing:
    """How everything stands, asked of the host where one runs, else of the ledger; nothing is started.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    holder = home.holder()
    if holder is not None and has_host(home):
        try:
            return asyncio.run(_of_host(home))
        except HomeError:  # it has ended just now, or is none that we can talk to
            holder = home.holder()
    return Standing(_with_ended(home, from_ledger(home, is_at_work=holder is not None)), holder)


def has_host(home: Home) -> bool:
    """Whether somebody listens at the home's socket: a process that works in the foreground does not."""
    try:
        connect(home.socket).close()
    except OSError:
        return False
    return True


async def _of_host(home: Home) -> Standing:
    from engine.remote import Remote

    try:
        async with asyncio.timeout(PATIENCE):
            remote = await Remote.attach(home, starts=False)
    except TimeoutError:
        raise HomeError(f"The host (process {home.holder()}) does not answer; 'scribetui stop' ends it.") from None
    async with remote:
        view, _ = remote.subscribe()
        return Standing(_with_ended(home, view), remote.pid, remote.version)


async def asked(home: Home) -> View:
    """The view of the host as it is now, with what the ledger has of ended jobs.

    Raises:
        HomeError: no host runs.
    """
    return (await _of_host(home)).view


def from_ledger(home: Home, *, is_at_work: bool = False) -> View:
    """The view that an engine would begin with; ended jobs come without their windows.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    view = View()
    if not home.ledger.exists():
        return view
    with closing(Ledger(home.ledger, read_only=True)) as ledger:
        records = ledger.jobs()
    jobs: list[JobView] = []
    for record in records:
        # One by one into a view of its own: folding a thousand into one list would take its square of time.
        jobs += fold(view, Entry(0, 0, _as_told(record, is_at_work=is_at_work))).jobs
    return msgspec.structs.replace(view, jobs=tuple(jobs))


def _as_told(record: JobRecord, *, is_at_work: bool) -> JobAdded:
    return JobAdded(
        job=record.id,
        path=record.source.path,
        size=record.source.size,
        options=record.options,
        state=record.state if is_at_work else _at_rest(record.state),
        progress=record.progress,
        outputs=record.outputs,
    )


def _at_rest(state: JobState) -> JobState:
    """What a state in the ledger means when nobody is at work."""
    match state:
        case Pausing(since, how, reason="") | Paused(since, how, reason=""):
            return Paused(since, how)
        case Queued():
            return Stopped(0)
        case Running(since) | Pausing(since) | Paused(since) | Frozen(since) | Writing(since):
            return Stopped(since)
        case _:
            return state


def _with_ended(home: Home, view: View) -> View:
    """The view with what the ledger has of ended jobs: an engine does not load their windows."""
    if not any(job.is_brief for job in view.jobs):
        return view
    with closing(Ledger(home.ledger, read_only=True)) as ledger:
        known = ledger.windows_of_all()
    jobs = (_filled(job, known[job.id]) if job.is_brief and job.id in known else job for job in view.jobs)
    return msgspec.structs.replace(view, jobs=tuple(jobs))


def _filled(job: JobView, progress: Progress) -> JobView:
    return msgspec.structs.replace(
        job,
        windows=progress.windows,
        speech=union(progress.windows),
        covered=union(progress.covered),
        gaps=union(progress.gaps),
        aligned=union(progress.aligned),
        language=progress.language,
    )


# ---- told


def as_json(stands: Standing, now: int | None = None) -> str:
    """One JSON object: the jobs in the order of the queue, lengths in seconds, memory in bytes."""
    view = stands.view
    data = {
        "engine": stands.engine,
        "host": stands.host,
        "memory": view.memory[-1].tree if view.memory and stands.engine is not None else None,
        "budget": view.budget or None,
        "jobs": rows(view.jobs, now_ms() if now is None else now),
    }
    return msgspec.json.encode(data).decode() + "\n"


def rows(jobs: Iterable[JobView], now: int) -> list[dict[str, Any]]:
    """What there is to say of each job, as plain values for scripts."""
    return [_row(job, now) for job in jobs]


def _row(job: JobView, now: int) -> dict[str, Any]:
    works = is_at_work(job.state)
    speed, left = (job.speed(now), job.eta(now)) if works else (None, None)
    return {
        "job": job.id,
        "path": job.path,
        "state": WORDS[type(job.state)],
        "error": job.state.error if isinstance(job.state, Failed) else None,
        "fraction": round(job.fraction, 4),
        "duration": None if job.duration is None else job.duration / 1000,
        "heard": job.heard / 1000,
        "transcribed": job.covered_ms / 1000,
        "aligned": length(job.aligned) / 1000 if job.options.recipe.align else None,
        "language": job.language or job.recipe.language,
        "fetching": _fetching(job),
        "gaps": [[gap.start / 1000, gap.end / 1000] for gap in job.gaps],
        "outputs": list(job.outputs),
        "speed": None if speed is None else round(speed, 2),
        "eta": None if left is None else left / 1000,
    }


def _fetching(job: JobView) -> dict[str, Any] | None:
    """The model that is being downloaded, and how many of how many bytes are there."""
    fetch = job.fetching
    return None if fetch is None else {"model": fetch.model, "done": fetch.done, "total": fetch.total or None}


def as_text(stands: Standing, now: int | None = None) -> str:
    """A line a job, and a summary."""
    jobs = stands.view.jobs
    if not jobs:
        return "The queue is empty.\n"
    now = now_ms() if now is None else now
    lines = [" job  state      done    length  file", *(_line(job, now) for job in jobs), _summary(stands, now)]
    return "\n".join(lines) + "\n"


def _line(job: JobView, now: int) -> str:
    note = _note(job, now)
    return (
        f"{job.id:>4}  {pad(WORDS[type(job.state)], 9)}  {percent(job.fraction):>4}  {clock(job.duration or 0):>8}  "
        f"{name_of(job.path)}" + (f"  ({note})" if note else "")
    )


def _note(job: JobView, now: int) -> str:
    """What else there is to say of a job: why it failed or rests, how fast it is and how long it takes yet."""
    match job.state:
        case Failed(error=error):
            return plain(error)
        case Pausing(reason=reason) | Paused(reason=reason) if reason:
            return plain(reason)
        case Done(gaps=gaps) if gaps:
            return f"gaps of {clock(length(job.gaps) or gaps)} in all"
        case state if is_at_work(state) and job.fetching is not None:
            return fetching(job.fetching.model, job.fetching.done, job.fetching.total)
        case state if is_at_work(state):
            speed, left = job.speed(now), job.eta(now)
            done = "aligning" if job.aligning_from is not None else times_realtime(speed) if speed else ""
            parts = (done, f"{clock(left)} left" if left else "")
            return ", ".join(part for part in parts if part)
        case _:
            return ""


def _summary(stands: Standing, now: int) -> str:
    view = stands.view
    states = [WORDS[type(job.state)] for job in view.jobs]
    parts = [
        f"{count(len(states), 'job')}: " + ", ".join(f"{states.count(word)} {word}" for word in dict.fromkeys(states))
    ]
    if stands.host is not None:
        used = f", {size(view.memory[-1].tree)} of {size(view.budget)} in use" if view.memory else ""
        parts.append(f"host {stands.host}, process {stands.engine}{used}")
    elif stands.engine is None:
        parts.append("nothing is at work")
    else:
        parts.append(f"process {stands.engine} is at work" if stands.engine else "another process is at work")
    return "; ".join(parts) + "."
