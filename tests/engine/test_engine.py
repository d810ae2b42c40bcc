"""The engine with real worker processes, a real ledger and quick stages."""

import json
import os
import signal
from contextlib import closing

import psutil
import pytest

from engine import events as ev
from engine.commands import Add, Cancel, CommandError, Pause, Resume, Retry, Set
from engine.ledger import Ledger
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Failed, Paused, Queued, Running, Stopped
from engine.view import fold_all


def begun(path) -> list[int]:
    """The windows the stage began, in order, however often."""
    return [int(line) for line in (path.parent / f"{path.name}.begun").read_text().split()]


async def test_a_file_becomes_transcripts_beside_it(bench, media):
    path = media(windows=5)
    async with bench() as b:
        state = await b.ended(await b.add(path))
        assert isinstance(state, Done)
        assert state.gaps == 0
    assert {p.name for p in path.parent.iterdir()} == {
        "home", "talk.media", "talk.media.begun", "talk.srt", "talk.vtt", "talk.txt", "talk.json",
    }  # fmt: skip
    data = json.loads(next(path.parent.glob("talk*.json")).read_text())
    assert (
        " ".join(each["text"] for each in data["segments"]).split()
        == " ".join(f"window {n}." for n in range(5)).split()
    )
    assert not list(b.home.cache.iterdir())


async def test_no_worker_outlives_the_engine(bench, media):
    path = media(windows=3)
    async with bench() as b:
        await b.ended(await b.add(path))
        assert [
            p for p in psutil.Process().children(recursive=True) if "engine.executors.worker" in " ".join(p.cmdline())
        ]
    assert not [
        p for p in psutil.Process().children(recursive=True) if "engine.executors.worker" in " ".join(p.cmdline())
    ]


async def test_pause_resume_and_new_parameters_decode_every_window_once(bench, media):
    path = media(windows=40, hold="20,35")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchDone))
        await b.engine.submit(Pause(job))
        hold.unlink()
        await b.until(lambda e: isinstance(e, ev.JobChanged) and isinstance(e.state, Paused))
        at_rest = b.decoded(job)
        assert 0 < len(at_rest) < 40
        await b.engine.submit(Set(job=job, chunk_ms=30_000, batch=3))
        hold.touch()
        await b.engine.submit(Resume(job))
        await b.until(lambda e: isinstance(e, ev.ChunkDone))
        await b.engine.submit(Set(job=job, chunk_ms=120_000))
        hold.unlink()
        assert isinstance(await b.ended(job), Done)
        assert b.decoded(job) == list(range(40))
    assert sorted(begun(path)) == list(range(40))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("raise", FailureKind.ERROR),
        ("oom", FailureKind.OOM),
        ("kill", FailureKind.OOM),
        ("segv", FailureKind.CRASH),
    ],
)
async def test_a_passing_fault_costs_nothing(bench, media, fault, kind):
    path = media(windows=6, **{fault: "3"})
    async with bench() as b:
        job = await b.add(path)
        assert await b.ended(job) == Done(b.entries[-1].at, 0)
        assert b.decoded(job) == list(range(6))
        failed = b.said(ev.AttemptFailed)
        assert [each.kind for each in failed] == [kind]
        assert begun(path).count(3) == 2
        assert all(begun(path).count(n) == 1 for n in range(6) if n != 3)


async def test_poison_becomes_a_gap_of_one_window_that_can_be_retried(bench, media):
    path = media(windows=6, poison="2")
    async with bench() as b:
        job = await b.add(path, recipe=Recipe(backend="tests.stages:Echo", batch=3, parallel=2, language="en"))
        state = await b.ended(job)
        assert state.gaps == 10_000
        assert b.decoded(job) == [0, 1, 3, 4, 5]
        data = json.loads(next(path.parent.glob("talk*.json")).read_text())
        assert data["gaps"]
        path_stat = path.stat()
        path.write_text("windows=6 healed=yes")
        os.utime(path, ns=(path_stat.st_atime_ns, path_stat.st_mtime_ns))
        await b.engine.submit(Retry(job))
        assert (await b.ended(job)).gaps == 0
        assert b.decoded(job) == list(range(6))


async def test_nonsense_on_the_wire_ends_the_worker_not_the_job(bench, media):
    path = media(windows=4)
    async with bench() as b:
        job = await b.add(path, recipe=Recipe(backend="tests.stages:Garbage", batch=1, parallel=1, language="en"))
        assert isinstance(await b.ended(job), Done)
        assert "no message" in b.said(ev.AttemptFailed)[0].reason


async def test_a_stage_that_cannot_be_loaded_fails_the_job_with_its_reason(bench, media):
    async with bench() as b:
        first = await b.add(media("a.txt"), recipe=Recipe(backend="tests.stages:Unloadable", language="en"))
        state = await b.ended(first)
        assert isinstance(state, Failed)
        assert "the weights are damaged" in state.error
        second = await b.add(media("b.txt"), recipe=Recipe(backend="no.such.module:Stage", language="en"))
        state = await b.ended(second)
        assert "no.such.module:Stage cannot be loaded" in state.error


async def test_unusable_media_fails_once_and_the_queue_goes_on(bench, media):
    async with bench() as b:
        bad = await b.add(media("bad.txt", unusable="text"))
        good = await b.add(media("good.txt", windows=2))
        state = await b.ended(bad)
        assert isinstance(state, Failed)
        assert "bad.txt: cannot be used (text)." in state.error
        assert isinstance(await b.ended(good), Done)
        assert len(b.said(ev.AttemptFailed)) == 1


@pytest.mark.parametrize("name", ["missing.txt", "folder", "empty.txt", "pipe"])
async def test_what_is_no_readable_file_is_refused_in_a_sentence(bench, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.txt").touch()
    os.mkfifo(tmp_path / "pipe")
    async with bench() as b:
        with pytest.raises(CommandError, match=rf"{name}: .+\.$"):
            await b.engine.submit(Add(path=str(tmp_path / name)))
        assert b.engine.view.jobs == ()


async def test_cancel_removes_partial_files_and_keeps_what_was_decoded(bench, media):
    path = media(windows=40, hold="30")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.Written) and e.partial)
        await b.engine.submit(Cancel(job))
        hold.unlink()
        assert isinstance(await b.ended(job), Cancelled)
        await b.engine.wait()
        assert not [p for p in path.parent.iterdir() if "partial" in p.name]
        assert not list(b.home.cache.glob(f"{job}.pcm"))
        kept = b.decoded(job)
        assert kept
        assert await b.add(path) == job
        assert isinstance(await b.ended(job), Done)
        assert b.decoded(job) == list(range(40))


async def test_a_worker_killed_from_outside_is_replaced(bench, media):
    path = media(windows=8, hold="4")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 40_000)
        worker = next(p for p in psutil.Process().children() if "engine.executors.worker" in " ".join(p.cmdline()))
        hold.unlink()
        worker.send_signal(signal.SIGKILL)
        assert isinstance(await b.ended(job), Done)
        assert b.decoded(job) == list(range(8))


async def test_the_events_of_a_run_replay_to_the_same_view(bench, media, home):
    path = media(windows=12, poison="7", oom="3", warn="odd", hold="10")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.ChunkDone | ev.BatchDone))
        await b.engine.submit(Set(job=job, batch=2))
        hold.unlink()
        await b.ended(job)
        await b.engine.wait()
    ledger = Ledger(home.ledger, read_only=True)
    replayed = fold_all(ledger.entries())
    ledger.close()
    assert replayed == b.engine.view
    assert replayed.job(job).gaps


async def test_the_next_sitting_takes_up_what_the_last_left(bench, media):
    path = media(windows=120, hold="20")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 200_000)
        hold.unlink()
    first = len(b.decoded(job))
    assert 0 < first < 120
    async with bench() as b:
        assert b.engine.view.job(job).covered_ms == first * 10_000
        assert isinstance(b.engine.view.job(job).state, Running)
        assert isinstance(await b.ended(job), Done)
    assert sorted(begun(path)) == list(range(120))


async def test_a_sitting_may_leave_alone_what_the_last_left_and_the_next_goes_on_with_it(bench, media):
    path = media("left.txt", windows=30, hold="10")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        left = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 100_000)
        hold.unlink()
    async with bench(go_on=False) as b:
        await b.ended(await b.add(media("new.txt", windows=2)))
        await b.engine.wait()
        assert isinstance(b.engine.view.job(left).state, Stopped)
        with closing(Ledger(b.home.ledger, read_only=True)) as ledger:
            assert ledger.job(left).state == Queued()
    async with bench() as b:
        assert isinstance(await b.ended(left), Done)
    assert b.decoded(left) == list(range(30))


async def test_a_stopped_job_goes_on_when_it_is_resumed(bench, media):
    path = media(windows=30, hold="10")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 100_000)
        hold.unlink()
    async with bench(go_on=False) as b:
        assert b.engine.is_idle
        await b.engine.submit(Resume(job))
        assert isinstance(await b.ended(job), Done)
    assert b.decoded(job) == list(range(30))


async def test_two_files_of_one_name_never_share_their_outputs(bench, media, tmp_path):
    (tmp_path / "one.srt").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    async with bench() as b:
        first = await b.add(media("one.mkv", windows=1), out=str(out))
        second = await b.add(media("one.mp3", windows=2), out=str(out))
        beside = await b.add(media("one.wav", windows=2))
        for job in (first, second, beside):
            await b.ended(job)
        outputs = [path for job in (first, second, beside) for path in b.view.job(job).outputs]
    assert len(set(outputs)) == 12
    assert set(outputs) <= {str(path) for path in tmp_path.rglob("*")}
    assert (tmp_path / "one.srt").read_text() == "mine"


async def test_a_ledger_that_cannot_be_written_stops_the_engine_with_a_sentence(bench, media, monkeypatch):
    path = media(windows=30, hold="10")
    hold = path.with_suffix(".hold")
    hold.touch()
    async with bench() as b:
        job = await b.add(path)
        await b.until(lambda e: isinstance(e, ev.BatchStarted) and e.spans[0].start == 100_000)
        before = b.decoded(job)
        b.engine._ledger._db.execute("PRAGMA query_only=ON")
        hold.unlink()
        await b.engine.wait()
        assert "cannot be written" in b.engine.error
        with pytest.raises(CommandError, match="cannot be written"):
            await b.engine.submit(Pause(job))
    assert b.decoded(job) == before
    async with bench() as b:
        assert isinstance(await b.ended(job), Done)
        assert b.decoded(job) == list(range(30))


async def test_a_fault_of_our_own_stops_the_engine_with_a_sentence(bench, media, monkeypatch):
    async with bench() as b:

        def broken(stimulus, now):
            raise RuntimeError("a mistake")

        monkeypatch.setattr(b.engine._machine, "handle", broken)
        with pytest.raises(CommandError, match="A fault in scribetui stopped the work"):
            await b.add(media())
        assert "a mistake" in b.engine.error
