"""``scribetui watch`` over an engine that the test plays: what is told of what is found, and what becomes of it."""

import asyncio
import json
from pathlib import Path
from typing import TextIO

import pytest

from engine import events as ev
from engine.commands import Add, Command, CommandError, Options, Resume
from engine.settings.groups import Watch
from engine.states import Cancelled, Done, Failed, JobState, Queued, Running, Stopped
from tests.tui.fake_engine import FakeEngine
from tui.watching import DONE, FAILED, INTERRUPTED, Teller, attend


class Host(FakeEngine):
    """Numbers what it is asked to queue, and may end or refuse it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: JobState | None = None
        self.error: CommandError | None = None
        self.asked = asyncio.Event()

    async def submit(self, command: Command) -> int | None:
        self.commands.append(command)
        self.asked.set()
        if self.error is not None:
            raise self.error
        if not isinstance(command, Add):
            return None
        job = sum(isinstance(each, Add) for each in self.commands)
        self.add(job, command.path)
        if self.ends is not None:
            self.say(ev.JobChanged(job, self.ends))
            await asyncio.sleep(0)  # the news is read before the answer
        return job

    def add(self, job: int, path: str) -> None:
        """A job is on the list, whoever wanted it."""
        self.say(ev.JobAdded(job=job, path=path, size=1, options=Options(), state=Queued()))


class Loud(Teller):
    """Says that it has said something."""

    def __init__(self, said: asyncio.Event, *, as_json: bool) -> None:
        super().__init__(as_json=as_json)
        self._said = said

    def _write(self, stream: TextIO, line: str) -> None:
        super()._write(stream, line)
        self._said.set()


class Scene:
    """The command at work over a folder with one recording."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.host = Host()
        self.settings = Watch(settle=0.0, every=0.1)
        self._capsys = capsys
        self._said = asyncio.Event()
        self.out: list[str] = []
        self.err: list[str] = []

    def start(self, *, once: bool = False, as_json: bool = False) -> "asyncio.Task[int]":
        return asyncio.create_task(
            attend(
                *(self.host, self.settings, [str(self.folder)], Options(), Loud(self._said, as_json=as_json)),
                once=once,
                goodbye=lambda: "The host was stopped.",
            )
        )

    async def until(self, text: str) -> None:
        """Wait until something was said."""
        async with asyncio.timeout(30):
            while not any(text in line for line in self.read()):
                self._said.clear()
                await self._said.wait()

    def read(self) -> list[str]:
        """All that was said so far."""
        said = self._capsys.readouterr()
        self.out += said.out.splitlines()
        self.err += said.err.splitlines()
        return self.out + self.err


@pytest.fixture
def scene(tmp_path, capsys) -> Scene:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "talk.mp3").write_bytes(b"sound")
    return Scene(folder, capsys)


async def over(task: "asyncio.Task[int]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_found_and_what_becomes_of_it_are_a_line_each(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.say(ev.JobChanged(1, Running(0)), ev.JobChanged(1, Done(5)))
    await scene.until("done")
    await over(task)
    assert scene.out == [
        f"{scene.folder / 'talk.mp3'}: found, and queued as job 1.",
        "talk.mp3: done (job 1)",
    ]
    assert scene.err == []
    (add,) = scene.host.commands
    assert add == Add(path=str(scene.folder / "talk.mp3"), options=Options(), is_found=True)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Done(5, 90_000), "talk.mp3: done, with gaps of 1:30 (job 1)"),
        (Failed(5, "It broke."), "talk.mp3: failed: It broke. (job 1)"),
        (Cancelled(5), "talk.mp3: cancelled (job 1)"),
    ],
)
async def test_every_end_has_its_words_even_if_it_comes_before_the_number_is_known(scene, state, words):
    scene.host.ends = state
    task = scene.start()
    await scene.until("(job 1)")
    await over(task)
    assert scene.out[1:] == [words]


async def test_a_recording_that_is_too_short_is_cancelled_with_its_reason(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.say(ev.Warning(1, "It is shorter than 5 s."), ev.JobChanged(1, Cancelled(5)))
    await scene.until("cancelled")
    await over(task)
    assert scene.out[1:] == ["talk.mp3: cancelled (job 1): It is shorter than 5 s."]


async def test_jobs_of_others_are_not_told(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.add(7, "/other.mp3")
    scene.host.say(ev.JobChanged(7, Done(5)), ev.JobChanged(1, Done(6)))
    await scene.until("done")
    await over(task)
    assert len(scene.out) == 2


async def test_json_has_an_object_a_line(scene):
    task = scene.start(as_json=True)
    await scene.until("Found")
    outputs = ("/out/talk.srt",)
    scene.host.say(ev.Written(job=1, partial=False, paths=outputs), ev.JobChanged(1, Done(5, 1500)))
    await scene.until("Ended")
    await over(task)
    path = str(scene.folder / "talk.mp3")
    assert [json.loads(line) for line in scene.out] == [
        {"type": "Found", "path": path, "job": 1},
        {
            "type": "Ended",
            "path": path,
            "job": 1,
            "state": "done",
            "gaps": 1.5,
            "error": None,
            "outputs": list(outputs),
        },
    ]
    assert scene.err == []


async def test_what_ended_while_nobody_could_be_heard_is_told_once(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.lose("The connection to the host is lost.")
    scene.host.lose("The connection to the host is lost.")
    scene.host.come_back(ev.JobChanged(1, Done(5)))
    scene.host.come_back()
    await scene.until("(job 1)")
    scene.host.end()
    await task
    scene.read()
    assert scene.out[1:] == ["talk.mp3: done (job 1)"]
    assert scene.err[:2] == ["The connection to the host is lost.", "scribetui is back at work."]


async def test_jobs_that_a_lost_host_left_unfinished_go_on(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.asked.clear()
    scene.host.lose()
    scene.host.add(7, "/other.mp3")
    scene.host.come_back(ev.JobChanged(1, Stopped(5)), ev.JobChanged(7, Stopped(5)))
    await scene.host.asked.wait()
    await over(task)
    assert scene.host.commands[1:] == [Resume(1)]


async def test_what_is_known_is_told_quietly(scene):
    scene.host.error = CommandError("/in/talk.mp3: is known already (job 3).", is_known=True)
    assert await scene.start(once=True) == DONE
    scene.read()
    assert (len(scene.out), scene.err) == (1, [])
    assert "is known already (job 3)" in scene.out[0]


async def test_what_cannot_be_queued_is_told_on_stderr(scene):
    scene.host.error = CommandError("/in/talk.mp3: the file is empty.")
    assert await scene.start(once=True) == FAILED
    scene.read()
    assert (scene.out, len(scene.err)) == ([], 1)
    assert "the file is empty" in scene.err[0]


async def test_once_ends_when_all_is_queued(scene):
    (scene.folder / "more.mp3").write_bytes(b"sound")
    assert await scene.start(once=True) == DONE
    scene.read()
    assert [line.split(": ")[1] for line in scene.out] == [f"found, and queued as job {n}." for n in (1, 2)]


async def test_once_does_not_wait_for_an_engine_that_is_away(scene):
    scene.host.error = CommandError("The disk is full.", is_passing=True)
    assert await scene.start(once=True) == FAILED
    assert "The disk is full." in "".join(scene.read())


async def test_once_tells_a_folder_that_is_not_there_by_its_status(scene, tmp_path):
    scene.folder = tmp_path / "nowhere"
    assert await scene.start(once=True) == FAILED
    assert "the folder cannot be looked at" in scene.read()[0]


async def test_without_once_a_folder_that_is_not_there_is_waited_for(scene, tmp_path):
    away = scene.folder.rename(tmp_path / "away")
    task = scene.start()
    await scene.until("is waited for")
    away.rename(scene.folder)
    await scene.until("is back")
    await scene.until("found")
    await over(task)
    assert len(scene.err) == 1


async def test_the_end_of_the_engine_ends_the_watching(scene):
    task = scene.start()
    await scene.until("found")
    scene.host.end()
    assert await task == INTERRUPTED
    assert scene.read()[-1] == "The host was stopped. Watching has ended."


async def test_names_from_outside_cannot_act_on_the_terminal(scene):
    (scene.folder / "talk.mp3").rename(scene.folder / "\x1b[2J\ntalk.mp3")
    task = scene.start()
    await scene.until("found")
    scene.host.say(ev.JobChanged(1, Done(5)))
    await scene.until("done (job 1)")
    await over(task)
    assert "\x1b" not in "".join(scene.out)
    assert len(scene.out) == 2
