"""The host: who may talk to it, what it makes of what they say, and when it ends."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys

import msgspec
import psutil
import pytest

from engine.api import Lost, follow
from engine.commands import Add, CommandError, Options, Pause, Resume
from engine.home import Home, HomeBusy, HomeError
from engine.recipe import Policy, Recipe
from engine.remote import HostRefused, NoHost, Remote
from engine.serving import sockets
from engine.serving.launch import Failed, start
from engine.serving.protocol import (
    MESSAGE_LIMIT,
    PROTOCOL,
    Answered,
    Ask,
    Goodbye,
    Hello,
    Refused,
    Snapshot,
    Stop,
    Subscribe,
    Told,
)
from engine.states import Done, Stopped
from engine.view import View
from tests.engine.hosting import Client, end, folded, hosted, running, true

RECIPE = Recipe(backend="tests.stages:Echo", batch=1, parallel=1, language="en")


def added(path, **options) -> Add:
    return Add(path=str(path), options=Options(recipe=RECIPE, **options))


def all_done(view: View) -> bool:
    return bool(view.jobs) and all(isinstance(job.state, Done) for job in view.jobs)


# ---- what clients see


async def test_late_and_early_clients_see_the_same(home, media):
    """One attached before the first job, one in mid-job, one after the end: the same view, to the last figure."""
    hold = media(windows=30, hold="10").with_suffix(".hold")
    hold.touch()
    async with hosted(home), await Remote.attach(home) as early:
        view, news = early.subscribe()
        job = await early.submit(added(hold.with_suffix(".media")))
        view = await folded(view, news, lambda seen: seen.jobs and seen.jobs[0].covered)
        async with await Remote.attach(home) as late:
            other, others = late.subscribe()
            assert other.jobs[0].covered
            hold.unlink()
            view = await folded(view, news, all_done)
            other = await folded(other, others, all_done)
            async with await Remote.attach(home) as last:
                final, _ = last.subscribe()
                view = await folded(view, news, lambda seen: seen.seq >= final.seq)
                other = await folded(other, others, lambda seen: seen.seq >= final.seq)
                if view.seq == other.seq == final.seq:
                    assert view == other == final
                assert view.jobs == other.jobs == final.jobs
                assert final.job(job).state == view.job(job).state


async def test_commands_are_answered_to_the_one_who_asked(home, media):
    """Two clients ask at once; refusals are the engine's own sentences."""
    async with hosted(home), await Remote.attach(home, subscribes=False) as one, await Remote.attach(home) as two:
        jobs = await asyncio.gather(one.submit(added(media("a.media"))), two.submit(added(media("b.media"))))
        assert sorted(jobs) == [1, 2]
        with pytest.raises(CommandError, match=r"There is no job 99\."):
            await one.submit(Pause(99))
        with pytest.raises(CommandError, match="there is no such file"):
            await two.submit(added("nowhere.media"))
        view, news = two.subscribe()
        await folded(view, news, lambda seen: len(seen.jobs) == 2 and all_done(seen))


async def test_relative_paths_are_the_clients(home, media, monkeypatch):
    monkeypatch.chdir(media().parent)
    async with hosted(home), await Remote.attach(home) as remote:
        view, news = remote.subscribe()
        await remote.submit(added("talk.media"))
        view = await folded(view, news, lambda seen: seen.jobs)
        assert view.jobs[0].path == str(media())


async def test_a_client_that_asks_for_the_view_again_gets_it_whole(home, media):
    async with hosted(home) as host:
        client = await Client.welcomed(home)
        await client.say(Subscribe())
        assert isinstance(await client.hear(), Snapshot)
        await host.engine.submit(added(media()))
        await client.say(Subscribe())
        async with asyncio.timeout(60):
            while not (isinstance(message := await client.hear(), Snapshot) and message.view.jobs):
                pass
        await client.close()


# ---- who may, and what they say


async def test_socket_and_folder_are_for_the_user_alone(home):
    async with hosted(home):
        assert stat.S_IMODE(home.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.socket.parent.stat().st_mode) == 0o700
        assert home.holder() == os.getpid()


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="another user can be had by the superuser only"
)
@pytest.mark.parametrize("is_open", [False, True], ids=["closed-folder", "open-folder"])
async def test_another_user_cannot_connect(home, is_open):
    """Not through the folder's rights; and where somebody widened those, not past the host either."""
    script = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.makefile().readline())"
    )
    path = home.socket
    async with hosted(home):
        if is_open:
            for folder in home.socket.parents:
                if str(folder).startswith(("/tmp/", "/private/")):
                    folder.chmod(0o755)
            path.chmod(0o777)
            path.parent.chmod(0o777)
        done = await asyncio.create_subprocess_exec(
            *(
                "setpriv",
                "--reuid",
                "65534",
                "--regid",
                "65534",
                "--clear-groups",
                "/usr/bin/env",
                "python3",
                "-c",
                script,
            ),
            str(path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await done.communicate()
        if is_open:
            assert b"belongs to another user" in out, err
        else:
            assert b"PermissionError" in err
        await (await Client.welcomed(home)).close()


@pytest.mark.parametrize("theirs", [PROTOCOL + 1, 0, -5])
async def test_another_protocol_is_refused_with_both_versions_and_the_way_out(home, theirs):
    async with hosted(home):
        client = await Client.connect(home)
        await client.say(Hello(theirs, "9.9"))
        refused = await client.hear()
        assert isinstance(refused, Refused)
        assert "9.9" in refused.reason
        assert "scribetui stop" in refused.reason
        assert await client.hear() is None
        await client.close()


async def test_a_remote_of_another_protocol_says_so(home, monkeypatch):
    async with hosted(home):
        monkeypatch.setattr("engine.serving.reach.PROTOCOL", PROTOCOL + 1)
        with pytest.raises(HostRefused, match="do not go together"):
            await Remote.attach(home)


async def test_one_that_does_not_introduce_itself_is_refused(home, monkeypatch):
    monkeypatch.setattr("engine.serving.clients.INTRODUCTION", 0.05)
    async with hosted(home) as host:
        silent, rude = await Client.connect(home), await Client.connect(home)
        await rude.say(Ask(1, Pause(1)))
        for client in (silent, rude):
            assert isinstance(await client.hear(), Refused)
            assert await client.hear() is None
            await client.close()
        await true(lambda: not len(host.clients))


async def test_nonsense_is_answered_and_the_talk_goes_on(home):
    """Malformed, unknown, far too large, again and again: one refusal each, and what is sensible in between works."""
    async with hosted(home):
        client = await Client.welcomed(home)
        for nonsense in (
            b"hello\n",
            b"\n",
            b"\xff\xfe\n",
            b'{"type":"Destroy"}\n',
            b'{"type":"Ask","token":"x","command":{"type":"Pause","job":1}}\n',
            b'{"type":"Ask","token":1,"command":{"type":"Explode","job":1}}\n',
            b'{"type":"Ask","token":1,"command":{"type":"Set","job":1,"batch":1e400}}\n',
            b"[" * 100_000 + b"\n",
            b"x" * (MESSAGE_LIMIT + 1) + b"\n",
            b"y" * (5 * MESSAGE_LIMIT) + b"\n",
            msgspec.json.encode(Hello(PROTOCOL, "1")) + b"\n",
        ):
            await client.send(nonsense)
            assert isinstance(await client.hear(), Refused), nonsense[:50]
            await client.say(Ask(7, Pause(99)))
            assert await client.hear() == Answered(7, error="There is no job 99.")
        await client.close()


async def test_what_is_no_text_is_refused_before_it_is_sent(home, media):
    """Names of files may be any bytes; the talk is of text."""
    async with hosted(home), await Remote.attach(home) as remote:
        with pytest.raises(CommandError, match=r"\\udcff\.media: the name is not valid UTF-8; please rename the file"):
            await remote.submit(Add(path="/media/bad\udcff.media"))
        with pytest.raises(CommandError, match="rename the folder"):
            await remote.submit(added(media(), out="/media/\udcff"))
        with pytest.raises(CommandError, match="is not valid UTF-8"):
            await remote.submit(added(media(), track="\udcff"))
        with pytest.raises(CommandError, match="no job 99"):
            await remote.submit(Pause(99))


async def test_a_fault_in_carrying_out_a_command_ends_no_talk(home, monkeypatch):
    async def fail(_: object) -> None:
        raise ZeroDivisionError("by nothing")

    async with hosted(home) as host, await Remote.attach(home) as remote:
        with monkeypatch.context() as broken:
            broken.setattr(host.engine, "submit", fail)
            with pytest.raises(CommandError, match=r"A fault in scribetui .*ZeroDivisionError: by nothing"):
                await remote.submit(Pause(1))
        with pytest.raises(CommandError, match="no job 99"):
            await remote.submit(Pause(99))


async def test_a_fault_in_listening_ends_the_remote_with_a_sentence(home, monkeypatch):
    async with hosted(home), await Remote.attach(home) as remote:

        def fail(_: object) -> bool:
            raise ZeroDivisionError("by nothing")

        monkeypatch.setattr(remote, "_take_in", fail)
        with pytest.raises(CommandError, match="ZeroDivisionError: by nothing"):
            await remote.submit(Pause(99))
        assert remote.is_failure


async def test_more_than_enough_clients_are_told(home, monkeypatch):
    monkeypatch.setattr("engine.serving.clients.MOST", 3)
    async with hosted(home) as host:
        clients = [await Client.welcomed(home) for _ in range(3)]
        with pytest.raises(HostRefused, match="close one of them"):
            await Remote.attach(home)
        await clients[0].close()
        await true(lambda: len(host.clients) == 2)
        async with await Remote.attach(home):
            pass
        for client in clients[1:]:
            await client.close()


async def test_a_client_that_never_reads_costs_a_bounded_amount(home, media):
    """Its news collapse into a view; the job and the others go on; when it reads at last, it sees how things are."""
    async with hosted(home) as host:
        connection = sockets.connect(home.socket)
        connection.sendall(Client.line(Hello(PROTOCOL, "1")) + Client.line(Subscribe()))
        await true(lambda: host.engine._chronicle._listeners)
        [deaf] = host.engine._chronicle._listeners
        async with await Remote.attach(home) as remote:
            view, news = remote.subscribe()
            for number in range(5_000):
                host.engine.notice(f"{number} " + "x" * 1_000)
                await asyncio.sleep(0)
                assert len(deaf) <= 1_000
            await remote.submit(added(media()))
            await folded(view, news, all_done)
        reader, seen, snapshots = await Client.over(connection), View(), 0
        async with asyncio.timeout(60):
            while not all_done(seen):
                match await reader.hear():
                    case Snapshot(view):
                        seen, snapshots = view, snapshots + 1
                    case Told(entry):
                        seen = follow(seen, entry)
        assert snapshots > 1, "it was told every single event"
        assert seen.jobs == host.engine.view.jobs
        await reader.close()


async def test_a_thousand_visits_leave_nothing_behind(home):
    """Attach, look, ask, leave; some without a word: no task, descriptor or listener is left, nor memory held."""
    async with hosted(home) as host:

        async def visit(number: int) -> None:
            if number % 5 == 4:
                await (await Client.connect(home)).close()
                return
            async with await Remote.attach(home, subscribes=number % 3 != 0) as remote:
                if number % 2:
                    with pytest.raises(CommandError):
                        await remote.submit(Resume(99))

        for number in range(20):
            await visit(number)
        await true(lambda: not len(host.clients))
        process = psutil.Process()
        tasks, descriptors, memory = len(asyncio.all_tasks()), process.num_fds(), process.memory_info().rss
        for number in range(1_000):
            await visit(number)
        await true(lambda: not len(host.clients))
        # The last visitor's task and socket may end a moment after the host has forgotten it.
        await true(lambda: len(asyncio.all_tasks()) <= tasks and process.num_fds() <= descriptors)
        assert not host.engine._chronicle._listeners
        assert process.memory_info().rss - memory < 4 * 2**20


# ---- its beginning and its end


async def test_whoever_comes_first_starts_it_and_the_others_find_it(home):
    """Ten clients at once, and no host: one is started, for all of them."""
    remotes = await asyncio.gather(*(Remote.attach(home) for _ in range(10)))
    process = psutil.Process(remotes[0].pid)
    try:
        assert len({remote.pid for remote in remotes}) == 1
        assert process.ppid() == 1 or psutil.Process(process.ppid()).pid != os.getpid()
        assert os.getsid(process.pid) != os.getsid(0)
        assert process.cwd() == "/"
        for remote in remotes:
            await remote.close()
        process.send_signal(signal.SIGHUP)
        async with await Remote.attach(home) as remote:
            assert remote.pid == process.pid, "it did not survive the end of the terminal"
            _, news = remote.subscribe()
            await remote.stop()
            async for _ in news:
                pass
            assert remote.goodbye == "scribetui was stopped."
        await true(lambda: not process.is_running())
        assert home.holder() is None
        assert not home.socket.exists()
    finally:
        await end(process)


async def test_none_is_started_for_one_who_only_looks(home):
    with pytest.raises(NoHost, match="No scribetui is at work"):
        await Remote.attach(home, starts=False)
    assert home.holder() is None


async def test_a_stale_socket_is_no_obstacle(home):
    """The host was killed: its socket lies there, nobody listens."""
    async with running(home) as process:
        await end(process)
    assert home.socket.exists()
    async with running(home) as process, await Remote.attach(home, starts=False) as remote:
        assert remote.pid == process.pid


async def test_a_home_held_by_another_program_is_told_in_a_sentence(home, monkeypatch):
    monkeypatch.setattr("engine.serving.reach.BUSY", 0.2)
    with home.lock(), pytest.raises(HomeBusy, match="is at work in"):
        await Remote.attach(home)


async def test_what_keeps_a_host_from_starting_is_told_to_who_starts_it(home):
    """A mistake in the settings, a ledger of a later version: their own sentences."""
    home.settings.write_text("[memory]\nbudget = 3\n")
    with pytest.raises(HomeError, match=r"line 2: memory\.budget must be"):
        await Remote.attach(home)
    home.settings.unlink()
    home.ledger.mkdir()
    with pytest.raises(HomeError, match="ledger"):
        await Remote.attach(home)
    assert home.holder() is None


async def test_a_host_that_dies_at_once_is_told_with_its_log(home, monkeypatch):
    (home.path / "engine").mkdir()
    (home.path / "engine" / "__init__.py").write_text("raise SystemExit('broken')")
    monkeypatch.setattr(sys, "path", [str(home.path), *sys.path])
    report = await start(home)
    assert isinstance(report, Failed)
    assert "host.log" in report.error
    assert "broken" in (home.logs / "host.log").read_text()


async def test_whoever_does_not_wait_for_the_start_keeps_nobody_from_it(home):
    """Interrupted in the middle: nothing is left behind, and the host is there for the next one."""
    starting = asyncio.create_task(start(home))
    await true(home.logs.exists)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    async with await Remote.attach(home) as remote:
        pid = remote.pid
    await end(psutil.Process(pid))


async def test_a_path_too_long_for_a_socket_is_none(tmp_path):
    home = Home(tmp_path / ("a" * 100) / ("b" * 100))
    home.create()
    async with hosted(home), await Remote.attach(home) as remote:
        assert remote.pid == os.getpid()


async def test_a_socket_that_somebody_deleted_is_put_back(home, monkeypatch):
    monkeypatch.setattr("engine.host.LOOK", 0.02)
    async with hosted(home), await Remote.attach(home) as early:
        shutil.rmtree(home.socket.parent)
        await true(home.socket.exists)
        async with await Remote.attach(home, starts=False) as late:
            assert late.pid == early.pid == os.getpid()
            with pytest.raises(CommandError, match="no job 99"):
                await late.submit(Pause(99))
        with pytest.raises(CommandError, match="no job 99"):
            await early.submit(Pause(99))
    assert not home.socket.exists()


async def test_whoever_lost_the_home_leaves_the_next_hosts_socket_alone(home, tmp_path):
    """The folder was moved away, and another host is at work in a new one of that name."""
    async with hosted(home) as host:
        home.path.rename(tmp_path / "moved")
        async with running(home) as process:
            assert not host.door.is_gone, "or it would put its own in place of the next one's"
            await host.engine.stop()
            await true(lambda: host.clients.has_ended.is_set())
            async with await Remote.attach(home, starts=False) as remote:
                assert remote.pid == process.pid
    assert home.socket.exists(), "it was killed, so its own stays"


async def test_it_ends_by_itself_once_nobody_needs_it(home, media, monkeypatch):
    """With a client or work it stays; with neither it goes, and says why."""
    monkeypatch.setattr("engine.host.FIRST", 0.0)
    monkeypatch.setattr("engine.host.LOOK", 0.02)
    path = media(windows=3, hold="1")
    hold = path.with_suffix(".hold")
    hold.touch()
    quick = Policy(retries=2, retry_delay_ms=1, partial_every_ms=0, keep_warm_ms=0)
    async with hosted(home, idle=0.1, policy=quick) as host:
        async with await Remote.attach(home) as remote:
            view, news = remote.subscribe()
            await remote.submit(added(path))
            await folded(view, news, lambda seen: seen.jobs and seen.jobs[0].running)
        await true(lambda: not len(host.clients))
        for _ in range(20):
            await asyncio.sleep(0.02)
            assert not host.engine.is_asked_to_stop.is_set(), "it left a job"
        hold.unlink()
        await true(host.engine.is_asked_to_stop.is_set)
        assert all_done(host.engine.view)
        assert host.clients.goodbye == "The host had nothing to do and has ended."


@pytest.mark.parametrize("how", ["SIGTERM", "stop", "now"])
async def test_its_end_leaves_jobs_that_can_be_resumed(home, media, how):
    """SIGTERM and stop let the batch under way finish, now does not wait; the next host has the job, stopped."""
    path = media(windows=30, hold="10")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with hosted(home), await Remote.attach(home) as remote:
        view, news = remote.subscribe()
        job = await remote.submit(added(path))
        view = await folded(
            view, news, lambda seen: seen.jobs and len(seen.jobs[0].windows) == 30 and seen.jobs[0].running
        )
        if how == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            await remote.stop(now=how == "now")
        if how != "now":
            hold.unlink()
        async with asyncio.timeout(60):
            async for told in news:
                view = follow(view, told)
        assert remote.goodbye == "scribetui was stopped. 1 job can go on at the next start."
        assert view.jobs[0].running == () or how == "now"
    hold.unlink(missing_ok=True)
    covered = view.jobs[0].covered_ms
    async with hosted(home, go_on=False), await Remote.attach(home) as remote:
        view, news = remote.subscribe()
        assert isinstance(view.job(job).state, Stopped)
        assert view.job(job).covered_ms >= covered
        await remote.submit(Resume(job))
        await folded(view, news, all_done)


async def test_a_lost_host_is_told_looked_for_and_found_again(home, media):
    """kill -9: the client says so, starts another one, and sees the jobs again."""
    processes = []
    try:
        async with await Remote.attach(home) as remote:
            processes.append(psutil.Process(remote.pid))
            view, news = remote.subscribe()
            await remote.submit(added(media()))
            view = await folded(view, news, lambda seen: seen.jobs)
            await end(processes[0])
            told = []
            async with asyncio.timeout(60):
                while not (told and isinstance(told[-1], View)):
                    told.append(await anext(news))
            processes.append(psutil.Process(remote.pid))
            assert processes[1].pid != processes[0].pid
            assert any(isinstance(each, Lost) for each in told)
            assert [job.path for job in told[-1].jobs] == [str(media())]
            with pytest.raises(CommandError, match="no job 99"):
                await remote.submit(Pause(99))
    finally:
        for process in processes:
            await end(process)


async def test_hosts_that_die_one_after_the_other_are_not_started_for_ever(home, monkeypatch):
    monkeypatch.setattr("engine.remote.STARTS", 2)
    async with await Remote.attach(home) as remote:
        _, news = remote.subscribe()
        await end(psutil.Process(remote.pid))
        async with asyncio.timeout(60):
            async for told in news:
                if isinstance(told, View):
                    await end(psutil.Process(remote.pid))
        assert "ended 2 times within a minute" in remote.goodbye
        with pytest.raises(CommandError, match="ended 2 times"):
            await remote.submit(Pause(1))


async def test_a_fault_of_the_host_is_told_to_everyone(home, monkeypatch):
    async def fail(_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("engine.host.LOOK", 0.02)
    async with hosted(home), await Remote.attach(home) as remote:
        _, news = remote.subscribe()
        monkeypatch.setattr("engine.host.Host._mend_door", fail)
        async with asyncio.timeout(60):
            async for _ in news:
                pass
        assert remote.goodbye == "A fault in scribetui ended the host (ZeroDivisionError: by nothing)."
        assert remote.is_failure


async def test_goodbye_is_the_last_that_everyone_hears(home):
    async with hosted(home) as host:
        client, other = await Client.welcomed(home), await Client.welcomed(home)
        await other.say(Subscribe())
        await client.say(Stop(5))
        assert await client.hear() == Answered(5)
        assert isinstance(await client.hear(), Goodbye)
        while not isinstance(message := await other.hear(), Goodbye):
            assert message is not None
        assert host.engine.is_asked_to_stop.is_set()
        for each in (client, other):
            await each.close()
