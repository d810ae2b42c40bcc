"""What ``run`` does with an engine that works for others, too."""

import asyncio
import json

import pytest

from engine import events as ev
from engine.commands import Add, Command, CommandError, Options, Pause, Resume
from engine.states import Cancelled, Done, Failed, Paused, Pausing, Queued, Running, Stopped
from engine.timeline import Span
from engine.view import View
from tests.tui.fake_engine import FakeEngine
from tests.tui.scenes import NOW
from tui.errand import DONE, FAILED, GAPS, Errand
from tui.reporter import Reporter


class Queue(FakeEngine):
    """An engine that gives every new file the next number, and tells of it."""

    def __init__(self, *before: tuple[int, str]) -> None:
        super().__init__(now=NOW)
        for job, path in before:
            self.add(job, path)
        self.view, self.told = self.view, []
        self._queue = asyncio.Queue()
        self.known: dict[str, int] = {path: job for job, path in before}

    def add(self, job: int, path: str) -> None:
        self.say(ev.JobAdded(job=job, path=path, size=1, options=Options(), state=Queued()))

    async def submit(self, command: Command) -> int | None:
        await super().submit(command)
        if not isinstance(command, Add):
            return command.job
        if command.path.startswith("/nowhere"):
            raise CommandError(f"{command.path}: there is no such file.")
        job = self.known.setdefault(command.path, len(self.known) + 1)
        await asyncio.sleep(0)  # whoever listens hears of it before the answer
        if self.view.job(job) is None or isinstance(self.view.job(job).state, Done | Failed | Cancelled):
            self.add(job, command.path)
        return job

    def become(self, job: int, *states) -> None:
        self.say(*(ev.JobChanged(job, state) for state in states))


@pytest.fixture
async def queue() -> Queue:
    """One job of somebody else's."""
    return Queue((1, "/media/theirs.mkv"))


class Run:
    """A ``run`` that is under way."""

    def __init__(self, engine: Queue, *paths: str, as_json: bool = False) -> None:
        self.errand = Errand(engine, Reporter(as_json=as_json), is_shared=True)
        self._paths = paths
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> "Run":
        self.following = asyncio.create_task(self.errand.follow())
        await self.errand.queue([(path, Options()) for path in self._paths], self._stopping)
        self.waiting = asyncio.create_task(self.errand.wait())
        await self.settled()
        return self

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        await self.settled()
        for task in (self.following, self.waiting):
            task.cancel()
        await asyncio.gather(self.following, self.waiting, return_exceptions=True)


async def test_it_waits_for_its_own_files_and_no_others(queue, capsys):
    async with Run(queue, "/media/a.mkv", "/media/b.mkv") as run:
        assert run.errand.jobs == {2, 3}
        assert "a.mkv: waiting for 1 job before it" in capsys.readouterr().err
        queue.become(1, Running(NOW), Done(NOW))
        queue.become(2, Running(NOW), Done(NOW))
        await run.settled()
        assert not run.waiting.done()
        queue.become(3, Failed(NOW, "b.mkv holds no sound."))
        await run.waiting
        assert run.errand.conclude() == FAILED
    err = capsys.readouterr().err
    assert "a.mkv: done" in err
    assert "b.mkv holds no sound." in err
    assert "theirs" not in err


async def test_json_tells_of_its_own_jobs_and_of_what_concerns_none(queue, capsys):
    async with Run(queue, "/media/a.mkv", as_json=True):
        queue.become(1, Running(NOW))
        queue.say(ev.Notice("The disk is nearly full."), ev.MemorySampled(tree=1, budget=2, available=3))
        queue.become(2, Done(NOW))
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert [each["type"] for each in told] == ["JobAdded", "Notice", "MemorySampled", "JobChanged"]
    assert {each.get("job", 2) for each in told} == {2}


async def test_a_file_that_is_done_already_is_waited_for_until_it_is_done_again(queue):
    """The answer comes before the news of it: the old state must not pass for the new one."""
    queue.known["/media/a.mkv"] = 2
    queue.add(2, "/media/a.mkv")
    queue.become(2, Done(NOW))
    queue._queue = asyncio.Queue()
    late = []
    say, queue.say = queue.say, lambda *events: late.extend(events)
    async with Run(queue, "/media/a.mkv") as run:
        assert not run.waiting.done()
        queue.say = say
        queue.say(*late)
        await run.settled()
        assert not run.waiting.done()
        queue.become(2, Done(NOW))
        await run.waiting
        assert run.errand.conclude() == DONE


async def test_what_is_refused_is_told_once_and_counts(queue, capsys):
    async with Run(queue, "/nowhere.mkv", "/nowhere.mkv", "/media/a.mkv") as run:
        queue.become(2, Done(NOW))
        await run.waiting
        assert run.errand.conclude() == FAILED
    assert capsys.readouterr().err.count("/nowhere.mkv: there is no such file.") == 1


async def test_gaps_have_a_status_of_their_own(queue):
    async with Run(queue, "/media/a.mkv") as run:
        queue.say(ev.GapLeft(2, Span(0, 1_000), "no words"))
        queue.become(2, Done(NOW, gaps=1_000))
        await run.waiting
        assert run.errand.conclude() == GAPS


async def test_others_may_pause_cancel_and_remove_its_jobs(queue, capsys):
    async with Run(queue, "/media/a.mkv", "/media/b.mkv") as run:
        queue.become(2, Running(NOW), Pausing(NOW), Paused(NOW))
        await run.settled()
        err = capsys.readouterr().err
        assert err.count("a.mkv: paused by someone else; 'scribetui resume 2' lets it go on") == 1
        queue.become(2, Cancelled(NOW))
        queue.say(ev.JobRemoved(3))
        await run.waiting
        assert run.errand.conclude() == FAILED
    err = capsys.readouterr().err
    assert "a.mkv: cancelled; 'scribetui retry 2' queues it again" in err
    assert "b.mkv: removed from the queue by someone else" in err


async def test_an_interruption_parks_what_is_not_over_and_nothing_else(queue, capsys):
    async with Run(queue, "/media/a.mkv", "/media/b.mkv", "/media/c.mkv") as run:
        queue.become(2, Running(NOW))
        queue.become(3, Done(NOW))
        queue.become(4, Paused(NOW, reason="The disk is full."))
        await run.settled()
        parking = asyncio.create_task(run.errand.park())
        await run.settled()
        assert [each for each in queue.commands if not isinstance(each, Add)] == [Pause(2, "park"), Pause(4, "park")]
        queue.become(2, Pausing(NOW, "parked"))
        queue.become(4, Paused(NOW, "parked"))
        await run.settled()
        assert not parking.done()
        queue.become(2, Paused(NOW, "parked"))
        await parking
        run.errand.conclude()
    err = capsys.readouterr().err
    assert "by someone else" not in err
    assert err.count("run it again to go on from there") == 2


async def test_a_lost_engine_is_told_once_and_its_jobs_are_resumed(queue, capsys):
    """Only ours: the others of the queue wait for whoever queued them."""
    async with Run(queue, "/media/a.mkv", "/media/b.mkv") as run:
        queue.lose("The host is lost.")
        queue.lose("The host is lost.")
        queue.come_back(ev.JobChanged(1, Stopped(NOW)), ev.JobChanged(2, Stopped(NOW)), ev.JobChanged(3, Done(NOW)))
        await run.settled()
        assert queue.commands[-1:] == [Resume(2)]
        assert not run.waiting.done()
        queue.become(2, Running(NOW), Done(NOW))
        await run.waiting
        assert run.errand.conclude() == DONE
    err = capsys.readouterr().err
    assert err.count("The host is lost.") == 1
    assert err.count("scribetui is back at work.") == 1
    assert err.count("b.mkv: done") == 1


async def test_jobs_that_are_gone_when_the_engine_is_back_count_as_failed(queue, capsys):
    async with Run(queue, "/media/a.mkv") as run:
        queue.view = View()
        queue.come_back()
        await run.waiting
        assert run.errand.conclude() == FAILED
    assert "a.mkv: removed from the queue by someone else" in capsys.readouterr().err


async def test_after_an_interruption_a_new_engine_is_asked_for_rest(queue):
    async with Run(queue, "/media/a.mkv") as run:
        queue.become(2, Running(NOW))
        await run.settled()
        parking = asyncio.create_task(run.errand.park())
        await run.settled()
        queue.lose()
        queue.come_back(ev.JobChanged(2, Running(NOW + 1)))
        await run.settled()
        assert queue.commands[-2:] == [Pause(2, "park")] * 2
        queue.come_back(ev.JobChanged(2, Stopped(NOW)))
        await parking


async def test_the_end_of_the_engine_ends_the_following(queue, capsys):
    async with Run(queue, "/media/a.mkv") as run:
        queue.become(2, Running(NOW))
        queue.end()
        await run.following
        assert [job.id for job in run.errand.unfinished()] == [2]
        run.errand.conclude()
    assert "a.mkv: stopped at 0%; run it again to go on from there" in capsys.readouterr().err
