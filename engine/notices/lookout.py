"""Finds in an engine's news what its user should be told of: jobs that have ended, or that need somebody."""

from collections.abc import Collection

import msgspec

from engine.api import News
from engine.events import Entry, JobAdded, JobChanged, JobRemoved, Written
from engine.notices.ondone import Facts, facts_of
from engine.states import Done, Failed, JobState, Paused, Stopped
from engine.view import View

AGAIN = 600_000
"""Milliseconds before a job that is held up by the same thing once more is told of again."""


class _Known(msgspec.Struct, frozen=True):
    """What was last heard of a job."""

    path: str
    state: JobState
    outputs: tuple[str, ...] = ()


class Lookout:
    """Finds in the news what there is to tell of, each thing once.

    Jobs that come up unfinished do so one after the other; they are kept until ``unfinished`` asks for them, so that
    they can be told of together.

    Args:
        view: what there is to begin with; what had ended by then is not told of.
        now: the time in Unix milliseconds.
    """

    def __init__(self, view: View, now: int) -> None:
        self._since = now
        self._jobs: dict[int, _Known] = {}
        self._held: dict[tuple[int, str], int] = {}
        self._unfinished: dict[int, _Known] = {}
        for job in view.jobs:
            self._jobs[job.id] = known = _Known(job.path, job.state, job.outputs)
            if isinstance(job.state, Stopped):
                self._unfinished[job.id] = known

    def hear(self, news: News) -> list[Facts]:
        """What there is to tell of after some news, but for jobs that came up unfinished."""
        match news:
            case View(jobs=jobs):
                self._forget(self._jobs.keys() - {job.id for job in jobs})
                met = [self._meet(job.id, _Known(job.path, job.state, job.outputs), is_new=True) for job in jobs]
                return [facts for facts in met if facts is not None]
            case Entry(event=JobAdded() as added):
                # One that has ended when it is added has done so before this sitting.
                facts = self._meet(added.job, _Known(added.path, added.state, added.outputs), is_new=False)
            case Entry(event=JobChanged(job=job, state=state)) if known := self._jobs.get(job):
                facts = self._meet(job, msgspec.structs.replace(known, state=state), is_new=True)
            case Entry(event=Written(job=job, partial=False, paths=paths)) if known := self._jobs.get(job):
                self._jobs[job] = msgspec.structs.replace(known, outputs=paths)
                facts = None
            case Entry(event=JobRemoved(job)):
                self._forget({job})
                facts = None
            case _:
                facts = None
        return [] if facts is None else [facts]

    def unfinished(self) -> Facts | None:
        """The jobs that came up unfinished since this was last asked, as one thing to tell of."""
        jobs, self._unfinished = self._unfinished, {}
        if not jobs:
            return None
        if len(jobs) == 1:
            ((job, known),) = jobs.items()
            return facts_of(job, known.path, "stopped", f"Left unfinished; go on with: scribetui resume {job}.")
        return Facts(
            state="stopped",
            path="",
            job=",".join(map(str, jobs)),
            name=f"{len(jobs)} jobs",
            message=f"{len(jobs)} jobs were left unfinished; go on with one by: scribetui resume JOB.",
        )

    def _meet(self, job: int, known: _Known, *, is_new: bool) -> Facts | None:
        before, self._jobs[job] = self._jobs.get(job), known
        if before is not None and before.state == known.state:
            return None
        if not isinstance(known.state, Stopped):
            self._unfinished.pop(job, None)
        match known.state:
            case Stopped() if before is None:
                self._unfinished[job] = known
            case Done(at, gaps) if is_new and (before is not None or at >= self._since):
                if gaps:
                    lost = f"{gaps / 1000:.0f} s of speech could not be transcribed."
                    return facts_of(job, known.path, "done with gaps", lost, known.outputs)
                return facts_of(job, known.path, "done", "Everything is transcribed.", known.outputs)
            case Failed(at, error) if is_new and (before is not None or at >= self._since):
                return facts_of(job, known.path, "failed", error, known.outputs)
            case Paused(since, reason=reason) if reason:
                last, self._held[job, reason] = self._held.get((job, reason)), since
                if last is None or since - last >= AGAIN:
                    return facts_of(job, known.path, "paused", reason, known.outputs)
        return None

    def _forget(self, jobs: Collection[int]) -> None:
        for job in jobs:
            self._jobs.pop(job, None)
            self._unfinished.pop(job, None)
        self._held = {key: since for key, since in self._held.items() if key[0] not in jobs}
