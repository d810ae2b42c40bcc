"""The files that one ``run`` is to do: queued, followed, and what became of them."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import takewhile

from engine import events as ev
from engine.api import EngineAPI, Lost, News, follow
from engine.commands import Add, CommandError, Options, Pause, Resume
from engine.states import ENDED, Cancelled, Done, Failed, Frozen, JobState, Paused, Queued, Stopped
from engine.view import JobView, View
from tui.reporter import Reporter
from tui.status import is_at_work
from tui.text import count, name_of

DONE, FAILED, GAPS, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses, as the command line promises them."""

File = tuple[str, Options]


class Errand:
    """One user's files among all that an engine has to do.

    Args:
        engine: what does them; it may be at work for others, too.
        reporter: tells of them.
        is_shared: whether to tell of these files only, and not of others' in the same engine.
    """

    def __init__(self, engine: EngineAPI, reporter: Reporter, *, is_shared: bool) -> None:
        self._engine = engine
        self._reporter = reporter
        self._is_shared = is_shared
        self.view, self._news = engine.subscribe()
        self.jobs: set[int] = set()
        """Their numbers."""
        self.refused: set[str] = set()
        """Why some could not be queued, a sentence each."""
        self.gives_up = False
        """Whether the user does not want them done any more."""
        self._lost: set[int] = set()
        """Those that somebody else took off the list."""
        self._expected: set[int] = set()
        """Those of which the view does not know yet that they were queued."""
        self._unread: list[News] = []
        """What is told while a file is being queued, whose number is known only afterwards."""
        self._is_asking = False
        self._is_cut_off = False
        self._changed = asyncio.Event()

    # ---- asking

    async def queue(self, files: Iterable[File], stopping: asyncio.Event) -> None:
        """Queue the files, as long as nobody wants to stop; whoever is refused is told."""
        for path, options in dict.fromkeys(files):
            await asyncio.sleep(0)  # queueing waits for nothing else, and there may be thousands
            if stopping.is_set():
                break
            self._is_asking = True
            try:
                job = await self._engine.submit(Add(path=path, options=options))
            except CommandError as error:
                if str(error) not in self.refused:
                    self._reporter.say(str(error), "red")
                self.refused.add(str(error))
            else:
                self._own(job)
            finally:
                self._is_asking = False
                self._read()

    def _own(self, number: int | None) -> None:
        if number is None or number in self.jobs:
            return
        self.jobs.add(number)
        job = self.view.job(number)
        if job is None or isinstance(job.state, ENDED):
            self._expected.add(number)

    async def park(self) -> None:
        """Have those that are not over rest, with their memory given back, and wait until they do."""
        self.gives_up = True
        await self._until(lambda: not self._expected)
        await self._ask_for_rest()
        await self._until(lambda: not self._restless())

    async def _ask_for_rest(self) -> None:
        restless = [job.id for job in self._restless()]
        self._reporter.expect_rest(restless)
        for number in restless:
            try:
                await self._engine.submit(Pause(number, "park"))
            except CommandError:
                continue  # it has ended by now, or is about to: its files are being written

    def _restless(self) -> list[JobView]:
        return [job for job in self.unfinished() if not _is_at_rest(job.state)]

    # ---- following

    async def follow(self) -> None:
        """Take in all news until the engine ends."""
        async for news in self._news:
            if self._is_asking and isinstance(news, ev.Entry) and isinstance(news.event, ev.Notice):
                self._reporter.tell(news, self.view)  # it may be why there is no answer yet
                continue
            self._unread.append(news)
            if not self._is_asking:
                self._read()
            if isinstance(news, View):
                await self._insist()
        self._read()

    def _read(self) -> None:
        """Take in what was told."""
        unread, self._unread = self._unread, []
        for news in unread:
            self._take(news)
        self._changed.set()

    def _take(self, news: News) -> None:
        before, self.view = self.view, follow(self.view, news)
        match news:
            case ev.Entry(event=event):
                number = getattr(event, "job", None)
                if isinstance(event, ev.JobAdded):
                    self._expected.discard(event.job)
                if self._is_shared and number is not None and number not in self.jobs:
                    return
                self._reporter.tell(news, self.view)
                if isinstance(event, ev.JobRemoved):
                    self._miss(event.job, before)
            case View():
                self._expected.clear()
                if self._is_cut_off:
                    self._is_cut_off = False
                    self._reporter.say("scribetui is back at work.")
                self._catch_up(before)
            case Lost(reason):
                if not self._is_cut_off:
                    self._reporter.say(reason, "yellow")
                self._is_cut_off = True

    def _catch_up(self, before: View) -> None:
        """Tell what has become of the jobs while nothing could be heard of them."""
        now = self.view.memory[-1].at if self.view.memory else 0
        known = {job.id: job for job in before.jobs}
        ours = self.views()
        for job in ours:
            if job.id not in known or job.state != known[job.id].state:
                self._reporter.catch_up(job, now)
        for number in self.jobs - {job.id for job in ours}:
            self._miss(number, before)

    def _miss(self, number: int, before: View) -> None:
        known = before.job(number)
        if number in self.jobs and number not in self._lost:
            self._lost.add(number)
            if known is not None:
                self._reporter.removed(known)

    async def _insist(self) -> None:
        """An engine that took the place of a lost one does not know what we want: jobs at rest, or going on."""
        if self.gives_up:
            await self._ask_for_rest()
            return
        for job in self.unfinished():
            if isinstance(job.state, Stopped):
                try:
                    await self._engine.submit(Resume(job.id))
                except CommandError as error:
                    self._reporter.say(str(error), "red")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def wait(self) -> None:
        """Wait until every file that was queued is over."""
        await self._until(lambda: not self._expected)
        self._tell_of_others()
        await self._until(lambda: not self.unfinished())

    # ---- what became of them

    def views(self) -> list[JobView]:
        """The jobs in the order of the queue, as far as they are on the list."""
        return [job for job in self.view.jobs if job.id in self.jobs]

    def unfinished(self) -> list[JobView]:
        """Those that have not ended."""
        return [job for job in self.views() if not isinstance(job.state, ENDED)]

    def _tell_of_others(self) -> None:
        """Say how many of other people's jobs come first, if any do."""
        unfinished = self.unfinished()
        if not unfinished or any(is_at_work(job.state) for job in unfinished):
            return
        first = unfinished[0]
        earlier = takewhile(lambda job: job.id != first.id, self.view.jobs)
        others = [job for job in earlier if isinstance(job.state, Queued) and job.id not in self.jobs]
        others += [job for job in self.view.jobs if is_at_work(job.state) or isinstance(job.state, Frozen)]
        if others:
            self._reporter.say(f"{name_of(first.path)}: waiting for {count(len(others), 'job')} before it")

    def conclude(self) -> int:
        """Say where the unfinished ones stand; the exit status."""
        for job in self.unfinished():
            self._reporter.conclude(job)
        return self._status()

    def _status(self) -> int:
        states = [job.state for job in self.views()]
        if self.refused or self._lost or any(isinstance(state, Failed | Cancelled) for state in states):
            return FAILED
        if any(isinstance(state, Done) and state.gaps for state in states):
            return GAPS
        return DONE


def _is_at_rest(state: JobState) -> bool:
    """Whether a job goes on only when somebody wants it to; one that waits for room on the disk does so by itself."""
    return isinstance(state, Stopped) or (isinstance(state, Paused) and not state.reason)
