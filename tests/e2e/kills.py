"""Sudden ends for tests: the moments they come at, and what has to hold however often they came."""

import contextlib
from collections.abc import Callable, Collection

import psutil

from engine import events as ev
from engine.states import Writing
from engine.timeline import Span
from tests.e2e.program import Program, spans_of, until


def of_kind(*kinds: type) -> Callable[[ev.Event], bool]:
    """Whether an event is of one of these kinds."""
    return lambda event: isinstance(event, kinds)


def is_writing(event: ev.Event) -> bool:
    """Whether the final files begin to be written."""
    return isinstance(event, ev.JobChanged) and isinstance(event.state, Writing)


def cut_power(program: Program) -> None:
    """Kill the host, the workers and all clients at one moment; nothing of the program lives on.

    The host, which alone writes, goes first.
    """
    while left := program.processes():
        host = program.home.holder()
        for each in sorted(left, key=lambda each: each.pid != host):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        # What is being written at that moment is still written, and until then the ledger is not free of its writer.
        until(lambda dying=left: all(map(_is_dead, dying)), f"the end of {left}")


def _is_dead(process: psutil.Process) -> bool:
    """Whether nothing of a process runs any more; until the system buries it, a second may pass."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.Error:
        return True


def check_story(program: Program, job: int, outcomes: Collection[str] = ("done", "lost")) -> None:
    """Prove from the ledger's events of all sittings that no window was committed twice, or begun once committed.

    Args:
        program: what was killed.
        job: the job's number.
        outcomes: what its attempts may have come to.
    """
    entries = program.events(job)
    counts = spans_of(entries, ev.BatchDone, job)
    assert set(counts) == set(program.windows(job)) == set(program.covered(job))
    assert set(counts.values()) == {1}
    committed: set[Span] = set()
    for entry in entries:
        if isinstance(entry.event, ev.BatchStarted):
            assert not committed & set(entry.event.spans)
        elif isinstance(entry.event, ev.BatchDone):
            committed.update(entry.event.spans)
    assert {attempt["outcome"] for attempt in program.attempts(job)} <= set(outcomes)
