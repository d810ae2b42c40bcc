"""What a job and its stages are doing, in a word, a sign and a style; derived from the view."""

from typing import NamedTuple

from engine.events import StageName
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
from engine.timeline import length
from engine.view import JobView, View, WorkerView
from tui import glyphs
from tui.lines import StyleName


class Status(NamedTuple):
    """A state as a screen shows it."""

    word: str
    sign: str
    style: StyleName


def job_status(job: JobView, view: View) -> Status:
    """What a job is doing."""
    match job.state:
        case Queued():
            return Status("queued", glyphs.WAITING, "dim")
        case Stopped():
            return Status("stopped", glyphs.PAUSED, "warn")
        case Running():
            return Status(_running_word(job, view), glyphs.RUNNING, "active")
        case Pausing():
            return Status("pausing", glyphs.PAUSED, "warn")
        case Paused(how="parked"):
            return Status("parked", glyphs.PAUSED, "warn")
        case Paused():
            return Status("paused", glyphs.PAUSED, "warn")
        case Frozen():
            return Status("frozen", glyphs.PAUSED, "warn")
        case Writing():
            return Status("write", glyphs.RUNNING, "active")
        case Done(gaps=0):
            return Status("done", glyphs.OK, "good")
        case Done():
            return Status("done, gaps", glyphs.WARNING, "bad")
        case Failed():
            return Status("failed", glyphs.FAILED, "bad")
        case Cancelled():
            return Status("cancelled", glyphs.GIVEN_UP, "dim")


def _running_word(job: JobView, view: View) -> str:
    if job.fetching is not None and not job.running:
        return "fetching"
    aligner = worker_of("align", view)
    if aligner is not None and job.options.recipe.align and _is_transcribed(job):
        return "align" if aligner.ready else "loading"
    if job.running or job.covered_ms > job.covered_before:
        return "transcribe"
    worker = worker_of("transcribe", view)
    if worker is not None and not worker.ready and job.heard:
        return "loading"
    return "transcribe" if job.heard_all and job.covered else "listen"


def worker_of(stage: StageName, view: View) -> WorkerView | None:
    """The stage's worker; there is at most one, and it works for the job that runs."""
    return next((worker for worker in reversed(view.workers) if worker.stage == stage), None)


def is_at_work(state: JobState) -> bool:
    """Whether a worker may be busy for a job in this state."""
    return isinstance(state, Running | Pausing | Writing)


class StageStatus(NamedTuple):
    """A stage of a job: what it does, how much of it is done (None where that has no meaning), for how long it ran."""

    name: StageName
    status: Status
    fraction: float | None
    took: int | None


_WAITING = Status("waiting", glyphs.WAITING, "dim")
_DONE = Status("done", glyphs.OK, "good")


def share_done(job: JobView) -> float | None:
    """How much of the job is done, 0 to 1; None where only the ledger knows: it was given up in an earlier sitting."""
    return None if job.is_brief and not isinstance(job.state, Done) else job.fraction


def share_fetched(job: JobView) -> float | None:
    """How much of the model that is being fetched for the job is there, 0 to 1; None where that is not known."""
    if job.fetching is None or job.fetching.total <= 0:
        return None
    return max(0.0, min(1.0, job.fetching.done / job.fetching.total))


def stages(job: JobView, view: View, now: int) -> tuple[StageStatus, ...]:
    """The stages of a job in the order of the data's flow."""
    aligned = (_align(job, view, now),) if job.options.recipe.align else ()
    return (_listen(job, view, now), _transcribe(job, view, now), *aligned, _write(job, now))


def _resting(job: JobView, *, was_at_it: bool) -> Status:
    """A stage that is neither through nor at work, by what its job does and whether this was the stage it was in."""
    if was_at_it:
        match job.state:
            case Paused():
                return Status("paused", glyphs.PAUSED, "warn")
            case Frozen():
                return Status("frozen", glyphs.PAUSED, "warn")
            case Stopped():
                return Status("stopped", glyphs.PAUSED, "warn")
            case Failed():
                return Status("failed", glyphs.FAILED, "bad")
            case Cancelled():
                return Status("stopped", glyphs.GIVEN_UP, "dim")
            case _:
                pass
    return Status("not done", glyphs.WAITING, "dim") if isinstance(job.state, Failed | Cancelled) else _WAITING


def _active(job: JobView, stage: StageName, view: View) -> Status:
    if isinstance(job.state, Pausing):
        return Status("pausing", glyphs.PAUSED, "warn")
    worker = worker_of(stage, view)
    if worker is not None and not worker.ready:
        is_fetching = job.fetching is not None and job.fetching.worker == worker.id
        return Status("fetching" if is_fetching else "loading", glyphs.RUNNING, "active")
    return Status("running", glyphs.RUNNING, "active")


def _listen(job: JobView, view: View, now: int) -> StageStatus:
    whole = max(job.duration or 0, job.heard)
    fraction = 1.0 if job.heard_all else job.heard / whole if whole else 0.0
    if job.heard_all or isinstance(job.state, Done):
        return StageStatus("listen", _DONE, 1.0, job.listened_ms)
    if isinstance(job.state, Running | Pausing):
        return StageStatus("listen", _active(job, "listen", view), fraction, job.worked(now) - job.worked_before)
    was_at_it = job.heard > 0 or isinstance(job.state, Failed)
    return StageStatus("listen", _resting(job, was_at_it=was_at_it), fraction, job.listened_ms)


def _transcribe(job: JobView, view: View, now: int) -> StageStatus:
    settled = job.covered_ms + length(job.gaps)
    is_through = _is_transcribed(job) or isinstance(job.state, Done)
    fraction = 1.0 if is_through else share_done(job)
    took = None
    if job.transcribing_from is not None:
        until = job.worked(now) - (job.wrote_ms or 0)
        if isinstance(job.state, Writing):
            until = job.worked_ms
        if job.aligning_from is not None:
            until = job.aligning_from
        took = max(0, until - job.transcribing_from)
    if is_through:
        status = _DONE if not job.gaps else Status("gaps", glyphs.WARNING, "bad")
    elif isinstance(job.state, Running | Pausing) and (job.running or worker_of("transcribe", view) is not None):
        status = _active(job, "transcribe", view)
        if status.word == "fetching":
            fraction = share_fetched(job)
    else:
        has_begun = settled > 0 or bool(job.running) or job.is_brief
        was_at_it = has_begun or (isinstance(job.state, Failed) and job.heard_all)
        status = _resting(job, was_at_it=was_at_it)
    return StageStatus("transcribe", status, fraction, took)


def _align(job: JobView, view: View, now: int) -> StageStatus:
    took = None
    if job.aligning_from is not None:
        until = job.worked_ms if isinstance(job.state, Writing) else job.worked(now) - (job.wrote_ms or 0)
        took = max(0, until - job.aligning_from)
    if isinstance(job.state, Writing | Done):
        return StageStatus("align", _DONE, 1.0, took)
    fraction: float | None = min(1.0, length(job.aligned) / job.covered_ms) if job.covered_ms else 0.0
    if isinstance(job.state, Running | Pausing) and _is_transcribed(job) and worker_of("align", view) is not None:
        status = _active(job, "align", view)
        if status.word == "fetching":
            fraction = share_fetched(job)
    else:
        status = _resting(job, was_at_it=_is_transcribed(job) and not _is_aligned(job))
    return StageStatus("align", status, fraction, took)


def _write(job: JobView, now: int) -> StageStatus:
    match job.state:
        case Writing(since):
            return StageStatus("write", Status("running", glyphs.RUNNING, "active"), None, max(0, now - since))
        case Done():
            return StageStatus("write", _DONE, None, job.wrote_ms)
        case _:
            was_at_it = _is_transcribed(job) and _is_aligned(job)
            return StageStatus("write", _resting(job, was_at_it=was_at_it), None, None)


def _is_transcribed(job: JobView) -> bool:
    return job.heard_all and not job.is_brief and job.covered_ms + length(job.gaps) >= job.to_cover_ms


def _is_aligned(job: JobView) -> bool:
    """Whether nothing is left to align, as far as that can be told: windows without words never are."""
    return not job.options.recipe.align or length(job.aligned) >= job.covered_ms
