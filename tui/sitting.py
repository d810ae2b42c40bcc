"""What a screen knows of the engine from attaching to leaving: the view, the link, and what has still to be told."""

from msgspec import structs

from engine import events as ev
from engine.api import Lost, News, follow
from engine.events import Entry
from engine.states import Stopped
from engine.view import JobView, View
from tui.frame import Link
from tui.notices import happened, is_worth_telling


class Sitting:
    """Takes in the news; the screen looks at it, and takes out what the user has to be told or asked."""

    def __init__(self) -> None:
        self.view = View()
        self.link = Link()
        self._happened: dict[int, JobView] = {}
        self._asked_about: set[int] = set()
        self._is_new = False

    def begin(self, view: View) -> None:
        """Begin with this view; what happened before is no news."""
        self.view, self._is_new = view, True

    def take_in(self, news: News, now: int) -> None:
        """Keep up with the engine; ``now`` is Unix milliseconds."""
        before, self.view = self.view, follow(self.view, news)
        match news:
            case Entry(event=ev.JobChanged(job=number, state=state)) if is_worth_telling(state):
                job = self.view.job(number)
                if job is not None:
                    self._happened[number] = job
            case View():
                self._is_new = True
                # Jobs that went on in between and are left unfinished again are asked about again.
                self._asked_about &= {job.id for job in unfinished(before)}
                self._happened |= {job.id: job for job in happened(before, news)}
                self.link = structs.replace(self.link, lost_at=None, why="")
            case Lost(reason=reason):
                since = now if self.link.lost_at is None else self.link.lost_at
                self.link = Link(lost_at=since, why=reason)
            case _:
                pass

    def set_stopping(self, is_stopping: bool) -> None:
        """The engine was asked to end, or will not."""
        self.link = structs.replace(self.link, is_stopping=is_stopping)

    @property
    def has_happened(self) -> bool:
        """Whether there is a job to tell of."""
        return bool(self._happened)

    def take_happened(self) -> list[JobView]:
        """The jobs that have ended or come to rest since this was called last."""
        jobs, self._happened = list(self._happened.values()), {}
        return jobs

    def take_unfinished(self) -> list[JobView]:
        """The jobs that an earlier sitting left unfinished: each only once, and only after a whole view has come."""
        if not self._is_new or self.link != Link():
            return []
        self._is_new = False
        jobs = [job for job in unfinished(self.view) if job.id not in self._asked_about]
        self._asked_about |= {job.id for job in jobs}
        return jobs


def unfinished(view: View) -> list[JobView]:
    """The jobs that an earlier sitting left unfinished, in the order of the queue."""
    return [job for job in view.jobs if isinstance(job.state, Stopped)]
