"""A job's story: its own events and those of the workers that worked for it, in the order they happened."""

from collections.abc import Iterator
from heapq import merge

from engine import events as ev
from engine.ledger import Ledger
from engine.states import ENDED, JobState


class Story:
    """Reads a job's story from the ledger, piece by piece while it goes on.

    A worker belongs to the job that it was started for, and to every job whose chunks it was given. Its end is told
    only while the job has not ended: what becomes of it later is another job's story. The engine's start is told, too,
    where it finds the job unfinished.
    """

    def __init__(self, ledger: Ledger, job: int) -> None:
        self._ledger = ledger
        self._job = job
        self._last = 0
        self._at_work: dict[ev.StageName, int] = {}
        """The worker of each stage that was started last, as long as it lives."""
        self._ours: set[int] = set()
        self.state: JobState | None = None
        """The job's state as it was last told; None while it is not known."""
        self.is_removed = False

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is to be expected, unless the job is tried again."""
        return self.is_removed or isinstance(self.state, ENDED)

    def new(self) -> Iterator[ev.Entry]:
        """What was told since the last time.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        until = self._ledger.next_seq()
        own = self._ledger.entries(self._job, self._last)
        told = merge(own, self._ledger.workers(self._last), key=lambda entry: entry.seq)
        for entry in told:
            if self._last < entry.seq < until:
                self._last = entry.seq
                if self._is_ours(entry.event):
                    yield entry

    def _is_ours(self, event: ev.Event) -> bool:
        match event:
            case ev.EngineStarted():  # numbers of workers begin anew
                self._at_work, self._ours = {}, set()
                return self.state is not None and not self.has_ended
            case ev.WorkerStarted(job=job, worker=worker, stage=stage):
                self._at_work[stage] = worker
                if job == self._job:
                    self._ours.add(worker)
                return job == self._job
            case ev.WorkerReady(worker):
                return worker in self._ours
            case ev.WorkerEnded(worker):
                self._at_work = {stage: each for stage, each in self._at_work.items() if each != worker}
                is_ours = worker in self._ours and not self.has_ended
                self._ours.discard(worker)
                return is_ours
            case ev.ChunkStarted():
                self._take("transcribe")
            case ev.WordsAligned():
                self._take("align")
            case ev.JobAdded(state=state) | ev.JobChanged(state=state):
                self.state, self.is_removed = state, False
            case ev.JobRemoved():
                self.is_removed = True
        return True

    def _take(self, stage: ev.StageName) -> None:
        """The stage's worker is at work for this job, whichever it was started for."""
        if stage in self._at_work:
            self._ours.add(self._at_work[stage])
