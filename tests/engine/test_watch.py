"""Watching folders: what is taken, when, and how often it is told."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.api import News
from engine.commands import Add, Command, CommandError, Options
from engine.recipe import Recipe
from engine.settings import Settings
from engine.settings.groups import Watch
from engine.view import View
from engine.watching.watcher import (
    FolderBack,
    FolderClosed,
    FolderLost,
    Found,
    Held,
    PassedOver,
    Report,
    Watcher,
    log,
    sentence,
    watching,
)
from tests.engine.folders import bury, dig_up, put


class Queue:
    """An engine of which only the queue is there."""

    def __init__(self) -> None:
        self.added: list[Add] = []
        self.refusals: dict[str, CommandError] = {}
        self.before = lambda path: None

    def subscribe(self) -> tuple[View, AsyncIterator[News]]:
        raise NotImplementedError

    async def submit(self, command: Command) -> int | None:
        assert isinstance(command, Add)
        name = Path(command.path).name
        self.before(command.path)
        if name in self.refusals:
            raise self.refusals[name]
        self.added.append(command)
        return len(self.added)

    async def stop(self, *, now: bool = False) -> None:
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        return [Path(add.path).name for add in self.added]


class Scene:
    """A watcher over a real folder, with a clock that the test moves; a file settles in 10 seconds."""

    def __init__(self, folder: Path, **settings) -> None:
        self.folder = folder
        self.queue = Queue()
        self.told: list[Report] = []
        self.now = 0.0
        self.slept: list[float] = []
        self.during = lambda: None
        self.refusal: CommandError | None = None
        self.settings = Watch(**({"settle": 10.0, "every": 5.0} | settings))
        self.watcher = Watcher(
            self.queue,
            [str(folder)],
            self.settings,
            self._options,
            self.told.append,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _options(self, path: str) -> Options:
        if self.refusal is not None:
            raise self.refusal
        return Options(out="/out", recipe=Recipe(model="tiny.en"))

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.during()
        await asyncio.sleep(0)

    async def look(self, after: float = 0.0) -> list[Report]:
        """Look after so many seconds; what is told of it."""
        self.now += after
        self.told.clear()
        await self.watcher.look()
        return list(self.told)


@pytest.fixture
def scene(tmp_path) -> Scene:
    folder = tmp_path / "in"
    folder.mkdir()
    return Scene(folder)


async def test_a_file_is_queued_once_it_stands_still(scene):
    path = put(scene.folder / "a.mp3", b"1")
    assert await scene.look() == []
    put(path, b"12")
    assert await scene.look(after=9) == []
    assert await scene.look(after=9.9) == []
    assert await scene.look(after=0.1) == [Found(str(path), 1)]
    assert await scene.look(after=100) == []
    assert scene.queue.names == ["a.mp3"]
    assert scene.queue.added[0].is_found


async def test_a_file_that_keeps_its_size_but_is_written_to_does_not_stand_still(scene):
    path = put(scene.folder / "a.mp3", b"00")
    for second in range(5):
        os.utime(path, ns=(0, second))
        assert await scene.look(after=20) == []
    assert await scene.look(after=20) == [Found(str(path), 1)]


async def test_files_are_queued_by_name(scene):
    for name in ("c.mp3", "a.mp3", "b.mp3"):
        put(scene.folder / name)
    await scene.look()
    await scene.look(after=10)
    assert scene.queue.names == ["a.mp3", "b.mp3", "c.mp3"]


async def test_the_jobs_are_done_as_asked_and_none_that_is_too_short(tmp_path):
    scene = Scene(tmp_path, settle=0.0, min_duration=1.5)
    put(tmp_path / "a.mp3")
    await scene.look()
    assert scene.queue.added[0].options == Options(out="/out", recipe=Recipe(model="tiny.en"), min_duration_ms=1500)


async def test_what_is_known_is_told_once_and_tried_again_only_when_it_has_changed(scene):
    path = put(scene.folder / "a.mp3")
    scene.queue.refusals["a.mp3"] = CommandError("a.mp3 has the same content as b.mp3, job 3.", is_known=True)
    await scene.look()
    told = await scene.look(after=10)
    assert told == [PassedOver(str(path), "a.mp3 has the same content as b.mp3, job 3.", is_known=True)]
    scene.queue.refusals.clear()
    assert await scene.look(after=10) == []
    put(path, b"something else")
    assert await scene.look(after=10) == []
    assert await scene.look(after=10) == [Found(str(path), 1)]


async def test_a_file_that_is_refused_keeps_no_other_out(scene):
    bad, good = put(scene.folder / "a.mp3"), put(scene.folder / "b.mp3")
    scene.queue.refusals["a.mp3"] = CommandError("a.mp3: you have no permission to read it.")
    await scene.look()
    assert await scene.look(after=10) == [
        PassedOver(str(bad), "a.mp3: you have no permission to read it."),
        Found(str(good), 1),
    ]
    assert await scene.look(after=10) == []


@pytest.mark.parametrize("is_asked", [True, False], ids=["refused", "before"])
async def test_a_file_that_vanishes_in_between_is_no_error(scene, is_asked):
    """It is not asked for if that is seen before; else the refusal is not told."""
    first, second = put(scene.folder / "a.mp3"), put(scene.folder / "b.mp3")
    scene.queue.before = lambda path: (first if is_asked else second).unlink(missing_ok=True)
    if is_asked:
        scene.queue.refusals["a.mp3"] = CommandError("a.mp3: there is no such file.")
    await scene.look()
    assert await scene.look(after=10) == [Found(str(second if is_asked else first), 1)]
    assert await scene.look(after=10) == []


async def test_a_file_that_begins_to_grow_while_others_are_queued_waits(scene):
    put(scene.folder / "a.mp3")
    late = put(scene.folder / "b.mp3")
    scene.queue.before = lambda path: put(late, b"more") if path.endswith("a.mp3") else None
    await scene.look()
    await scene.look(after=10)
    assert scene.queue.names == ["a.mp3"]
    await scene.look(after=10)
    await scene.look(after=10)
    assert scene.queue.names == ["a.mp3", "b.mp3"]


async def test_while_the_engine_is_away_files_are_kept(scene):
    """That is told once; and nothing else is asked for in vain."""
    for name in ("a.mp3", "b.mp3"):
        put(scene.folder / name)
    away = CommandError("The host cannot be reached.", is_passing=True)
    scene.queue.refusals = {"a.mp3": away, "b.mp3": away}
    await scene.look()
    assert await scene.look(after=10) == [Held("The host cannot be reached.")]
    assert await scene.look(after=10) == []
    scene.queue.refusals.clear()
    assert [type(each) for each in await scene.look(after=10)] == [Found, Found]
    put(scene.folder / "c.mp3")
    scene.queue.refusals["c.mp3"] = away
    await scene.look()
    assert await scene.look(after=10) == [Held("The host cannot be reached.")]


async def test_what_was_queued_before_the_engine_went_away_is_not_queued_again(scene):
    for name in ("a.mp3", "b.mp3"):
        put(scene.folder / name)
    scene.queue.refusals["b.mp3"] = CommandError("The host cannot be reached.", is_passing=True)
    await scene.look()
    await scene.look(after=10)
    scene.queue.refusals.clear()
    await scene.look(after=10)
    assert scene.queue.names == ["a.mp3", "b.mp3"]


async def test_while_the_settings_are_wrong_files_are_kept(scene):
    put(scene.folder / "a.mp3")
    scene.refusal = CommandError("There is no speech model.")
    await scene.look()
    assert await scene.look(after=10) == [Held("There is no speech model.")]
    scene.refusal = None
    assert await scene.look() == [Found(str(scene.folder / "a.mp3"), 1)]


async def test_a_folder_that_goes_is_told_once_waited_for_and_told_when_back(scene):
    """What was done there is not done again; what had not stood still yet begins anew."""
    put(scene.folder / "a.mp3")
    await scene.look()
    await scene.look(after=10)
    late = put(scene.folder / "b.mp3")
    assert await scene.look() == []
    away = scene.folder.with_name("away")
    scene.folder.rename(away)
    assert await scene.look(after=5) == [FolderLost(str(scene.folder), "No such file or directory")]
    assert await scene.look(after=50) == []
    away.rename(scene.folder)
    assert await scene.look(after=5) == [FolderBack(str(scene.folder))]
    assert await scene.look(after=10) == [Found(str(late), 2)]


async def test_a_folder_that_cannot_be_looked_at_is_told_once(scene):
    buried = bury(scene.folder)
    assert await scene.look() == [FolderClosed(str(buried), "File name too long")]
    assert await scene.look(after=5) == []
    dig_up(scene.folder)
    assert await scene.look(after=5) == []
    (told,) = await scene.look(after=10)
    assert isinstance(told, Found)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such names")
async def test_a_name_that_is_no_text_is_passed_over_with_a_sentence(scene):
    path = put(scene.folder / os.fsdecode(b"\xff.mp3"))
    await scene.look()
    (told,) = await scene.look(after=10)
    assert isinstance(told, PassedOver)
    assert told.path == str(path)
    assert "not valid UTF-8" in sentence(told)
    sentence(told).encode()
    assert await scene.look(after=10) == []


async def test_the_watcher_looks_every_so_often_until_it_is_cancelled(scene):
    put(scene.folder / "a.mp3")
    enough = asyncio.Event()
    scene.during = lambda: enough.set() if len(scene.slept) == 5 else None
    task = asyncio.create_task(scene.watcher.run())
    await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert set(scene.slept) == {5.0}
    assert scene.queue.names == ["a.mp3"]


async def test_a_slow_disk_is_left_alone_as_long_as_a_look_took(tmp_path):
    scene = Scene(tmp_path, settle=0.0)
    put(tmp_path / "a.mp3")
    scene.queue.before = lambda path: setattr(scene, "now", scene.now + 60)
    enough = asyncio.Event()
    scene.during = lambda: enough.set() if len(scene.slept) == 2 else None
    task = asyncio.create_task(scene.watcher.run())
    await enough.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert scene.slept[:2] == [60.0, 5.0]


async def test_once_ends_when_everything_stands_still_and_is_queued(scene):
    path = put(scene.folder / "a.mp3", b"1")
    put(scene.folder / "b.mp3")
    scene.during = lambda: put(path, b"1" * len(scene.slept)) if len(scene.slept) < 4 else None
    await scene.watcher.run(once=True)
    assert sorted(scene.queue.names) == ["a.mp3", "b.mp3"]
    assert len(scene.slept) == 5


async def test_once_ends_at_once_where_there_is_nothing(scene):
    await scene.watcher.run(once=True)
    assert scene.slept == []


async def test_folders_are_named_as_people_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "in" / "a.mp3")
    queue, told = Queue(), []
    watcher = Watcher(queue, ["~/in", "in", "./in/"], Watch(settle=0.0), lambda _: Options(), told.append)
    await watcher.look()
    assert told == [Found(str(tmp_path / "in" / "a.mp3"), 1)]


def test_the_settings_say_whether_there_is_a_watcher(tmp_path):
    assert watching(Queue(), Settings(), lambda _: Options()) is None
    assert watching(Queue(), Settings(watch=Watch(folders=(str(tmp_path),))), lambda _: Options()) is not None


@pytest.mark.parametrize(
    ("report", "text", "level"),
    [
        (Found("/in/a.mp3", 3), "/in/a.mp3: found, and queued as job 3.", "INFO"),
        (PassedOver("/in/a.mp3", "/in/a.mp3: is empty."), "/in/a.mp3: is empty.", "WARNING"),
        (PassedOver("/in/a.mp3", "It is known.", is_known=True), "/in/a.mp3: It is known.", "INFO"),
        (
            FolderLost("/in", "No such file or directory"),
            "/in: the folder cannot be looked at (No such file or directory); it is waited for.",
            "WARNING",
        ),
        (FolderBack("/in"), "/in: the folder is back, and watched again.", "INFO"),
        (
            FolderClosed("/in/b", "Permission denied"),
            "/in/b: the folder cannot be read (Permission denied), so nothing is taken from it.",
            "WARNING",
        ),
        (
            Held("The disk is full."),
            "Nothing can be queued for the moment, so it is tried again and again: The disk is full.",
            "WARNING",
        ),
    ],
)
def test_reports_are_sentences_in_the_log(report, text, level, caplog):
    caplog.set_level("INFO")
    log(report)
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == (text, level)


def test_a_name_cannot_break_the_line():
    assert "\n" not in sentence(Found("/in/a\nb.mp3", 1))
    assert "\x1b" not in sentence(FolderLost("/in\x1b[2J", "gone"))
