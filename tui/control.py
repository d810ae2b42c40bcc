"""Commands to jobs from the command line: asked of the host, each told in a sentence."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from engine.commands import BATCH, CHUNK_MS, Cancel, Command, CommandError, Move, Pause, Remove, Resume, Retry, Set
from engine.home import Home
from engine.remote import Remote
from engine.states import Done, Frozen, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.view import JobView, View
from tui import listing
from tui.text import chunk_length, name_of

CHUNK_S = (CHUNK_MS[0] // 1000, CHUNK_MS[1] // 1000)
"""The shortest and the longest chunk, in seconds."""
PARAMETERS = (
    f"One can set chunk ({CHUNK_S[0]} to {CHUNK_S[1]} seconds, such as chunk=120 or chunk=2m) and "
    f"batch ({BATCH[0]} to {BATCH[1]} windows, such as batch=4)."
)


class UsageError(Exception):
    """What was typed makes no sense; one clear sentence for the user."""


class Outcome(msgspec.Struct):
    """What came of a command to some jobs."""

    told: list[str] = []
    """A sentence a job."""
    done: list[int] = []
    """The jobs for which it was carried out."""
    errors: list[dict[str, Any]] = []
    """Of each job that refused: its number, and why."""
    jobs: list[dict[str, Any]] = []
    """The jobs concerned, as they are afterwards; those that were removed are no more."""


class Order(msgspec.Struct, frozen=True):
    """What is wanted of a job: the command, and the sentence that tells of it where it is carried out."""

    command: Command
    told: str


Wish = Callable[[JobView, View], Order]
"""What is wanted of a job, as things stand."""


# ---- wishes


def pausing(how: str) -> Wish:
    """Pause, freeze or park a job."""

    def wish(job: JobView, _: View) -> Order:
        command = Pause(job.id, how)  # type: ignore[arg-type]
        about, works = _about(job), isinstance(job.state, Running | Pausing)
        rests = isinstance(job.state, Paused | Queued | Stopped)
        match how:
            case "freeze" if works:
                told = f"{about} is frozen; its memory stays in use."
            case "freeze" if isinstance(job.state, Frozen):
                told = f"{about} is frozen already."
            case "park" if not rests:
                told = f"{about} pauses after its batches under way, and then gives its memory back."
            case "pause" if not rests:
                told = f"{about} pauses after its batches under way."
            case _ if _is_held(job, how):
                told = f"{about} is paused already."
            case "park" if isinstance(job.state, Paused) and job.state.how == "warm":
                told = f"{about} is paused, and its memory is given back."
            case _:
                told = f"{about} is paused."
        return Order(command, told)

    return wish


def _is_held(job: JobView, how: str) -> bool:
    """Whether a job rests already, as it is wanted to."""
    match job.state:
        case Paused(how=rest, reason=""):
            return how != "park" or rest == "parked"
        case _:
            return False


def resuming(job: JobView, view: View) -> Order:
    """Let a job go on."""
    match job.state:
        case Paused() | Stopped():
            others = any(isinstance(each.state, Running | Pausing | Writing) for each in view.jobs)
            told = "goes on in its turn" if others else "goes on"
        case Pausing() | Frozen():
            told = "goes on"
        case Queued():
            told = "waits for its turn already"
        case _:
            told = "is at work already"
    return Order(Resume(job.id), f"{_about(job)} {told}.")


def cancelling(job: JobView, _: View) -> Order:
    """Give a job up."""
    return Order(Cancel(job.id), f"{_about(job)} is cancelled; 'scribetui retry {job.id}' queues it again.")


def retrying(job: JobView, _: View) -> Order:
    """Queue an ended job again."""
    gaps = "its gaps are" if isinstance(job.state, Done) and job.state.gaps else "only what is missing is"
    return Order(Retry(job.id), f"{_about(job)} is queued again; {gaps} done.")


def removing(job: JobView, _: View) -> Order:
    """Take an ended job off the list."""
    return Order(Remove(job.id), f"{_about(job)} is off the list; the files it wrote stay.")


def setting(assignments: Sequence[str]) -> Wish:
    """Change a job's parameters.

    Raises:
        UsageError: there is no such parameter, or it cannot have that value.
    """
    if not assignments:
        raise UsageError(f"Name what to set. {PARAMETERS}")
    chunk_ms = batch = None
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        match name:
            case "chunk":
                chunk_ms = _seconds(value) * 1000
            case "batch":
                batch = _whole(value)
            case _:
                raise UsageError(f'"{assignment}" sets nothing. {PARAMETERS}')

    def wish(job: JobView, _: View) -> Order:
        parts = [f"chunks of {chunk_length(chunk_ms)}"] if chunk_ms is not None else []
        parts += [f"batches of {batch}"] if batch is not None else []
        when = " from the next batch on" if isinstance(job.state, Running | Pausing | Frozen) else ""
        return Order(
            Set(job=job.id, chunk_ms=chunk_ms, batch=batch), f"{_about(job)} runs with {' and '.join(parts)}{when}."
        )

    return wish


def _seconds(value: str) -> int:
    found = re.fullmatch(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,5})s?)?", value)
    hours, minutes, rest = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    seconds = hours * 3600 + minutes * 60 + rest
    if not CHUNK_S[0] <= seconds <= CHUNK_S[1]:
        raise UsageError(f'A chunk cannot be "{value}" long. {PARAMETERS}')
    return seconds


def _whole(value: str) -> int:
    if not re.fullmatch(r"\d{1,3}", value) or not BATCH[0] <= int(value) <= BATCH[1]:
        raise UsageError(f'A batch cannot be of "{value}" windows. {PARAMETERS}')
    return int(value)


def moving(place: str) -> Wish:
    """Move a job in the queue.

    Raises:
        UsageError: there is no such place.
    """
    if place not in ("first", "last", "up", "down") and not re.fullmatch(r"[1-9]\d{0,6}", place):
        raise UsageError(f'There is no place "{place}"; name a number from 1, or first, last, up or down.')

    def wish(job: JobView, view: View) -> Order:
        ids = [each.id for each in view.jobs]
        now = ids.index(job.id)
        match place:
            case "first":
                new = 0
            case "last":
                new = len(ids) - 1
            case "up":
                new = now - 1
            case "down":
                new = now + 1
            case _:
                new = int(place) - 1
        new = max(0, min(len(ids) - 1, new))
        return Order(Move(job.id, new - now), f"{_about(job)} is number {new + 1} of {len(ids)} in the queue.")

    return wish


def _about(job: JobView) -> str:
    return f"Job {job.id} ({name_of(job.path)})"


# ---- asking


def ask(home: Home, jobs: Sequence[int], wish: Wish, *, details: bool = False) -> Outcome:
    """Ask something of jobs, starting a host only where one of them is there.

    Args:
        home: where they are.
        jobs: their numbers.
        wish: what is wanted of each.
        details: whether to tell how the jobs are afterwards.

    Raises:
        HomeError: there is no host, and none can be started.
        LedgerError: the ledger cannot be read.
    """
    if home.holder() is None:
        there = {job.id for job in listing.from_ledger(home).jobs}
        if not there.intersection(jobs):
            return Outcome(errors=[_unknown(job) for job in jobs])
    return asyncio.run(_ask(home, jobs, wish, details))


def resume_all(home: Home, *, details: bool = False) -> Outcome:
    """Have every job go on that rests or was left unfinished; no host is started for nothing.

    Raises:
        HomeError: there is no host, and none can be started.
        LedgerError: the ledger cannot be read.
    """
    resting = Paused | Pausing | Frozen | Stopped
    jobs = [job.id for job in listing.standing(home).view.jobs if isinstance(job.state, resting)]
    if not jobs:
        return Outcome(told=["No job is paused or stopped."])
    return ask(home, jobs, resuming, details=details)


async def _ask(home: Home, jobs: Sequence[int], wish: Wish, details: bool) -> Outcome:
    outcome = Outcome()
    async with await Remote.attach(home) as remote:
        view, _ = remote.subscribe()
        for number in dict.fromkeys(jobs):
            job = view.job(number)
            if job is None:
                outcome.errors.append(_unknown(number))
                continue
            order = wish(job, view)
            try:
                await remote.submit(order.command)
            except CommandError as error:
                outcome.errors.append({"job": number, "error": str(error)})
            else:
                outcome.done.append(number)
                outcome.told.append(order.told)
    if details:
        after = await listing.asked(home)
        outcome.jobs = listing.rows((job for job in after.jobs if job.id in jobs), listing.now_ms())
    return outcome


def _unknown(job: int) -> dict[str, Any]:
    return {"job": job, "error": f"There is no job {job}; 'scribetui status' lists those there are."}
