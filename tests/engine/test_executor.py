"""Worker processes: how they end, what they leave behind, how they are frozen, and what their printing may cost."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.executors import logs, strays
from engine.executors import subprocess as executors
from engine.executors.subprocess import SubprocessExecutor
from engine.machine.stimuli import FromWorker, WorkerGone
from engine.messages import Batch, Failed, Finished, Load, Loaded, Run, Work
from engine.recipe import FailureKind, Recipe
from engine.timeline import Span

SPAN = Span(0, 1_000)


class Ears:
    """Hears what an executor delivers."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[FromWorker | WorkerGone] = asyncio.Queue()
        self.gone: list[WorkerGone] = []

    def __call__(self, stimulus) -> None:
        if isinstance(stimulus, WorkerGone):
            self.gone.append(stimulus)
        self._heard.put_nowait(stimulus)

    async def until(self, kind: type):
        """What comes next of a kind of message, or a worker's end."""
        async with asyncio.timeout(60):
            while True:
                stimulus = await self._heard.get()
                if isinstance(stimulus, WorkerGone):
                    assert kind is WorkerGone, stimulus
                    return stimulus
                if isinstance(stimulus.message, kind):
                    return stimulus.message

    def forget(self) -> None:
        while not self._heard.empty():
            self._heard.get_nowait()

    @property
    def is_empty(self) -> bool:
        return self._heard.empty()


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture
async def executor(tmp_path):
    executor = SubprocessExecutor(tmp_path, grace=10)
    yield executor
    for worker in executor.pids():
        executor.kill(worker)
    await executor.close()


def start(executor, ears, stage, worker=1, media=""):
    """Start a worker with one window to work on."""
    executor.start(worker, Load(stage=f"tests.engine.misbehaving:{stage}", recipe=Recipe()), ears)
    executor.send(worker, Run(work=Work(job=1, media=str(media), audio="", recipe=Recipe(), spans=(SPAN,))))


async def true(condition):
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - processes set no event
            await asyncio.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


# ---- ends


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        ("Garbage", "The worker sent something that is no message, so it was ended; its log may tell."),
        ("Unknown", "The worker sent something that is no message, so it was ended; its log may tell."),
        ("Endless", "The worker sent more than 8 MB that make no message, so it was ended."),
        ("BreaksOff", "The worker broke off in the middle of a message."),
    ],
)
async def test_nonsense_ends_a_worker_with_one_sentence(executor, ears, stage, reason):
    start(executor, ears, stage)
    await ears.until(Loaded)
    pid = executor.pids()[1]
    assert await ears.until(WorkerGone) == WorkerGone(1, FailureKind.ERROR, reason)
    assert executor.pids() == {}
    assert is_gone(pid)


async def test_half_a_line_from_a_crash_is_the_crash(executor, ears):
    start(executor, ears, "DiesSpeaking")
    assert await ears.until(WorkerGone) == WorkerGone(1, FailureKind.CRASH, "The worker crashed (SIGSEGV).")


async def test_a_worker_that_hangs_up_and_lives_on_is_ended(executor, ears, monkeypatch):
    monkeypatch.setattr(executors, "PATIENCE", 0.2)
    start(executor, ears, "HangsUp")
    await true(lambda: executor.pids())
    pid = executor.pids()[1]
    gone = await ears.until(WorkerGone)
    assert gone.kind == FailureKind.ERROR
    assert "fell silent" in gone.reason
    assert is_gone(pid)


async def test_an_exit_is_told_with_its_status(executor, ears):
    start(executor, ears, "Exits")
    gone = await ears.until(WorkerGone)
    assert (gone.kind, "status 7" in gone.reason) == (FailureKind.CRASH, True)


async def test_a_kill_of_ours_is_no_lack_of_memory(executor, ears):
    start(executor, ears, "Talks")
    await ears.until(Batch)
    executor.kill(1)
    assert await ears.until(WorkerGone) == WorkerGone(1, FailureKind.CRASH, "The worker was ended.")


async def test_a_kill_of_somebody_else_looks_like_the_systems(executor, ears):
    start(executor, ears, "Talks")
    await ears.until(Batch)
    os.kill(executor.pids()[1], signal.SIGKILL)
    assert (await ears.until(WorkerGone)).kind == FailureKind.OOM


async def test_a_worker_killed_before_it_is_there_ends_once(executor, ears):
    start(executor, ears, "Talks")
    executor.kill(1)
    assert (await ears.until(WorkerGone)).kind == FailureKind.CRASH
    executor.kill(1)
    executor.send(1, Run(work=Work(job=1, media="", audio="", recipe=Recipe(), spans=())))
    assert ears.is_empty
    assert len(ears.gone) == 1


async def test_a_worker_that_cannot_be_started_is_told(executor, ears, monkeypatch):
    monkeypatch.setattr(executors.sys, "executable", "/nowhere/python")
    start(executor, ears, "Talks")
    gone = await ears.until(WorkerGone)
    assert (gone.kind, gone.reason) == (
        FailureKind.ERROR,
        "The worker could not be started: No such file or directory.",
    )


async def test_where_no_thread_can_be_had_a_worker_is_told_to_be_gone(executor, ears, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(executors.asyncio, "create_subprocess_exec", fail)
    start(executor, ears, "Talks")
    assert await ears.until(WorkerGone) == WorkerGone(
        1, FailureKind.ERROR, "The worker could not be started: can't start new thread."
    )


# ---- what is left behind


def idler(mark: str) -> subprocess.Popen:
    """A process that does nothing for ever, with a mark."""
    code = "import threading; threading.Event().wait()"
    return subprocess.Popen([sys.executable, "-c", code], env=os.environ | {strays.MARK: mark})


async def test_a_child_that_holds_the_socket_open_hides_no_end_and_is_ended(executor, ears, tmp_path):
    start(executor, ears, "Heir", media=tmp_path / "heir")
    gone = await ears.until(WorkerGone)
    assert "status 3" in gone.reason
    assert is_gone(int((tmp_path / "heir").read_text()))


async def test_what_fled_into_a_session_of_its_own_ends_with_its_worker(executor, ears, tmp_path):
    fled = tmp_path / "fled"
    start(executor, ears, "Flees", media=fled)
    await true(lambda: fled.exists() and fled.read_text())
    pid = int(fled.read_text())
    assert not is_gone(pid)
    executor.kill(1)
    await ears.until(WorkerGone)
    assert is_gone(pid)


async def test_what_an_earlier_engine_left_in_this_place_is_ended_first(executor, ears, tmp_path):
    ours, anothers = idler(f"{tmp_path}:0123:7"), idler(f"{tmp_path}-2:0123:7")
    try:
        start(executor, ears, "Talks")
        await ears.until(Batch)
        assert is_gone(ours.pid)
        assert not is_gone(anothers.pid)
    finally:
        for process in (ours, anothers):
            process.kill()
            process.wait()


async def test_what_an_earlier_engine_left_is_ended_though_no_worker_was_needed(executor, tmp_path):
    ours = idler(f"{tmp_path}:0123:7")
    try:
        await true(lambda: "-c" in psutil.Process(ours.pid).cmdline())
        await executor.close()
        assert is_gone(ours.pid)
    finally:
        ours.kill()
        ours.wait()


async def test_only_the_marked_are_ended():
    mark = f"nobody:{os.getpid()}:1"
    processes = [idler(mark), idler(mark + "0"), idler("")]
    try:
        # Until it runs its own program, a child has its parent's environment.
        await true(lambda: all("-c" in psutil.Process(each.pid).cmdline() for each in processes))
        assert await asyncio.to_thread(strays.end_strays, mark) == 1
        assert [is_gone(each.pid) for each in processes] == [True, False, False]
    finally:
        for process in processes:
            process.kill()
            process.wait()


# ---- freezing


def state(executor) -> str:
    return psutil.Process(executor.pids()[1]).status()


async def test_a_frozen_worker_stands_still_until_it_is_thawed(executor, ears):
    start(executor, ears, "Talks")
    await ears.until(Batch)
    executor.freeze(1)
    executor.freeze(1)
    await true(lambda: state(executor) == psutil.STATUS_STOPPED)
    executor.thaw(1)
    await true(lambda: state(executor) != psutil.STATUS_STOPPED)
    ears.forget()
    await ears.until(Batch)


async def test_a_worker_frozen_before_it_is_there_is_frozen_once_it_is(executor, ears):
    start(executor, ears, "Talks")
    executor.freeze(1)
    await true(lambda: executor.pids() and state(executor) == psutil.STATUS_STOPPED)
    assert ears.is_empty
    executor.thaw(1)
    await ears.until(Batch)


async def test_a_frozen_worker_can_be_killed(executor, ears):
    start(executor, ears, "Talks")
    await ears.until(Batch)
    executor.freeze(1)
    executor.kill(1)
    assert (await ears.until(WorkerGone)).reason == "The worker was ended."


async def test_closing_thaws_and_lets_the_batch_finish(executor, ears):
    start(executor, ears, "Talks")
    await ears.until(Batch)
    executor.freeze(1)
    await asyncio.wait_for(executor.close(), 8)
    assert "status 0" in ears.gone[0].reason


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
async def test_a_frozen_worker_does_not_outlive_a_killed_engine(tmp_path):
    code = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from engine.executors.subprocess import SubprocessExecutor\n"
        "from engine.messages import Load, Loaded\n"
        "from engine.recipe import Recipe\n"
        "async def main():\n"
        "    executor, loaded = SubprocessExecutor(Path(sys.argv[1])), asyncio.Event()\n"
        "    def hear(it):\n"
        "        if isinstance(it.message, Loaded): loaded.set()\n"
        "    executor.start(1, Load(stage='tests.engine.misbehaving:Talks', recipe=Recipe()), hear)\n"
        "    await loaded.wait()\n"
        "    executor.freeze(1)\n"
        "    print(executor.pids()[1], flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    worker = int(await asyncio.wait_for(engine.stdout.readline(), 60))
    await true(lambda: psutil.Process(worker).status() == psutil.STATUS_STOPPED)
    engine.kill()
    await engine.wait()
    await true(lambda: is_gone(worker))


# ---- what they print


async def test_megabytes_of_printing_neither_block_nor_fill_the_disk(tmp_path, ears):
    executor = SubprocessExecutor(tmp_path, log_limit=2**20)
    start(executor, ears, "Prints")
    finished = asyncio.create_task(ears.until(Finished))
    try:
        while not finished.done():
            await asyncio.sleep(0.01)
            executor.trim_logs()
    finally:
        await executor.close()
    assert (await finished).spans == (SPAN,)
    executor.trim_logs()
    assert {path.name for path in tmp_path.iterdir()} == {"misbehaving.log", "misbehaving.old.log"}
    assert all(path.stat().st_size <= 2**20 for path in tmp_path.iterdir())


def test_a_cut_log_keeps_whole_lines_of_its_end_and_its_writer_goes_on(tmp_path):
    kept = logs.Logs(tmp_path, limit=100)
    with kept.open("a.stage:Class") as log:
        log.write(b"".join(b"line %03d\n" % number for number in range(50)))
        log.flush()
        kept.trim()
        log.write(b"and on\n")
    assert (tmp_path / "stage.old.log").read_text().split("\n") == [f"line {n:03}" for n in range(39, 50)] + [""]
    assert (tmp_path / "stage.log").read_text() == "and on\n"


def test_a_log_too_long_from_last_time_is_cut_when_it_is_opened(tmp_path):
    (tmp_path / "stage.log").write_bytes(b"x" * 50 + b"\n" + b"y" * 80)
    logs.Logs(tmp_path, limit=100).open("a.stage:Class").close()
    assert (tmp_path / "stage.old.log").read_bytes() == b"y" * 80
    assert (tmp_path / "stage.log").read_bytes() == b""


async def test_a_log_that_cannot_be_cut_stops_nothing_and_is_told_once(executor, monkeypatch, caplog):
    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(executor._logs, "trim", fail)
    executor.trim_logs()
    executor.trim_logs()
    assert caplog.text.count("Permission denied") == 1


def test_on_a_full_disk_a_log_is_cut_without_keeping_its_end(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    kept = logs.Logs(tmp_path, limit=100)
    with kept.open("a.stage:Class") as log:
        log.write(b"x" * 200)
    monkeypatch.setattr(Path, "write_bytes", fail)
    kept.trim()
    assert (tmp_path / "stage.log").stat().st_size == 0


async def test_an_exception_of_the_stage_is_no_end(executor, ears):
    start(executor, ears, "Stage")
    assert isinstance(await ears.until(Failed), Failed)
    assert executor.pids()
