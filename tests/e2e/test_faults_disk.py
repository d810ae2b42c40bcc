"""A disk that is full in mid-job: of the ledger, of the decoded audio, of the files to be written."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from engine import events as ev
from engine.memory import MB
from engine.states import Done, Paused, Pausing, Running
from tests.e2e.program import Program
from tests.e2e.scene import POLICY, Scene, Story, true


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 160 MB."""
    yield from mounted(tmp_path / "small", "160m")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    yield from mounted(tmp_path / "tiny", "1m")


def mounted(place: Path, size: str) -> Iterator[Path]:
    place.mkdir()
    if os.geteuid() != 0 or sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk, and only on Linux")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leaving: int = 0) -> Path:
    """Fill a disk, but for so many bytes."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        size = shutil.disk_usage(disk).free - leaving
        while size > 0:
            size -= file.write(bytes(min(size, MB)))
    return filler


async def test_a_job_waits_while_the_disk_has_little_room(small_disk: Path, tmp_path, brief, fair: Story):
    """It comes to rest after its batches under way, says why, and goes on by itself."""
    scene = Scene(tmp_path, brief, home_at=small_disk / "home")
    hold = scene.orders.give("hold", 10_000)
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        filler = fill(small_disk, leaving=30 * MB)
        state = await hand.until_state(Pausing)
        assert re.search("only (29|30) MB left, and 64 MB are needed", state.reason)
        hold.unlink()
        paused = await hand.until_state(Paused)
        assert paused.reason == state.reason
        filler.unlink()
        await hand.until_state(Running)
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert not scene.told(ev.AttemptFailed)


async def test_decoded_audio_that_finds_no_room_waits_for_it(small_disk: Path, tmp_path, brief, fair: Story):
    """The listener runs out of room before anybody has looked at the disk."""
    scene = Scene(tmp_path, brief, home_at=small_disk / "home")
    hold = scene.orders.give("hold", 20_000, stage="listen")
    async with scene.at_work(policy=msgspec.structs.replace(POLICY, room=0)) as hand:
        await hand.add()
        await true(hold.exists)
        filler = fill(small_disk, leaving=8 * MB)
        hold.unlink()
        paused = await hand.until_state(Paused)
        assert paused.reason.startswith("No room for the decoded audio, the disk is full: it needs 1.8 MB in ")
        filler.unlink()
        await hand.until_state(Running)
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)


async def test_what_finds_no_room_in_the_ledger_waits_for_it(small_disk: Path, tmp_path, brief, fair: Story):
    """The disk is full to the last byte while batches come in: nothing is lost, and nothing is told as done before."""
    scene = Scene(tmp_path, brief, home_at=small_disk / "home")
    hold = scene.orders.give("hold", 10_000)
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        filler = fill(small_disk)
        hold.unlink()
        notice = await hand.until(lambda event: isinstance(event, ev.Notice))
        assert "disk is full" in notice.event.message
        assert "goes on by itself" in notice.event.message
        filler.unlink()
        notice = await hand.until(lambda event: isinstance(event, ev.Notice))
        assert notice.event.message == "There is room on the disk again: the work goes on."
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert len(scene.told(ev.Notice)) >= 2


def test_a_start_on_a_full_disk_ends_with_one_sentence(small_disk: Path, tmp_path, brief, fair: Story):
    scene = Scene(tmp_path, brief, home_at=small_disk / "home")
    program = Program(tmp_path, environment={"SCRIBETUI_HOME": str(scene.home.path)})
    scene.home.create()
    filler = fill(small_disk)
    done = program.run(scene.media)
    assert done.status == 1
    assert re.fullmatch(r"The state folder .* cannot be used \(No space left on device\); [^\n]*\.\n", done.err)
    filler.unlink()
    assert program.run(scene.media).status == 0
    assert scene.story().words == fair.words


async def test_the_files_wait_for_room_where_they_go(tiny_disk: Path, tmp_path, brief, fair: Story):
    """The output folder's disk is full: partial files are a warning, for the final ones the job waits."""
    scene = Scene(tmp_path, brief, out_at=tiny_disk)
    filler = fill(tiny_disk)
    async with scene.at_work() as hand:
        await hand.add()
        state = await hand.until_state(Paused)
        assert "disk is full" in state.reason
        assert os.listdir(tiny_disk) == ["filler"]
        filler.unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert any("disk is full" in each for each in scene.warnings())
