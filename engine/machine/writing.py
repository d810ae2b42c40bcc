"""What the writer reports: files that are written, or could not be."""

from engine import events as ev
from engine.machine.core import Core
from engine.machine.stimuli import FilesWritten, WriteFailed
from engine.machine.tries import wait_for_room
from engine.states import ENDED, Done, Failed, Paused, Writing
from engine.timeline import length, union


def files_written(core: Core, stimulus: FilesWritten, now: int) -> None:
    """Files were written; the final ones end the job."""
    job = core.jobs.get(stimulus.job)
    if job is None:
        return
    if stimulus.partial:
        job.partial_busy, job.partial_trouble = False, ""
        if not isinstance(job.state, ENDED):
            core.tell(ev.Written(job=job.id, partial=True, paths=stimulus.paths))
        return
    job.outputs = stimulus.paths
    core.tell(ev.Written(job=job.id, partial=False, paths=stimulus.paths))
    if isinstance(job.state, Writing):
        core.enter(job, Done(now, gaps=length(union(job.gaps))), now)
    else:
        core.save(job)


def write_failed(core: Core, stimulus: WriteFailed, now: int) -> None:
    """Files could not be written. A final failure ends the job; what was transcribed stays in the ledger."""
    job = core.jobs.get(stimulus.job)
    if job is None:
        return
    if stimulus.partial:
        job.partial_busy = False
        if stimulus.reason != job.partial_trouble and not isinstance(job.state, ENDED):
            core.tell(ev.Warning(job.id, stimulus.reason))
        job.partial_trouble = stimulus.reason
    elif isinstance(job.state, Writing) and stimulus.is_full:
        wait_for_room(core, job, now)
        core.enter(job, Paused(now, reason=stimulus.reason), now)
    elif isinstance(job.state, Writing):
        core.enter(job, Failed(now, stimulus.reason), now)
