"""Decoded audio that is harmed in mid-job, and a source that changes or vanishes."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.recipe import FailureKind
from engine.speak import write_wav
from engine.states import Done
from tests.e2e.scene import Scene, Story, true
from tests.voices import RATE


def remove_cache(scene: Scene, fair: Story) -> None:
    """Tidy up, and take the logs too: only the ledger must be left alone."""
    shutil.rmtree(scene.home.cache)
    shutil.rmtree(scene.home.logs)


def cut_cache(scene: Scene, fair: Story) -> None:
    """Let the decoded audio end in the middle of a window."""
    window = fair.windows[5]
    os.truncate(scene.home.cache / "1.pcm", (window.start + window.end) // 2 * RATE // 1000 * 2)


@pytest.mark.parametrize(("harm", "reason"), [(remove_cache, "is gone"), (cut_cache, "ends before")])
async def test_a_harmed_cache_is_made_anew(scene: Scene, fair: Story, harm, reason):
    hold = scene.orders.give("hold", 10_000)
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        await hand.until_gone("listen")
        harm(scene, fair)
        hold.unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    scene.check_told(FailureKind.AUDIO, reason, stage="listen")


async def test_a_cache_deleted_under_the_listener_is_made_anew(scene: Scene, fair: Story):
    """It goes on writing to what nobody can read any more, until the transcriber misses it."""
    hold = scene.orders.give("hold", 30_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        shutil.rmtree(scene.home.cache)
        hold.unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    scene.check_told(FailureKind.AUDIO, "is gone", stage="listen")


def replace(media: Path) -> None:
    other = media.with_name("other.wav")
    write_wav(str(other), np.zeros(RATE * 30, np.int16), RATE)
    os.replace(other, media)


def touch(media: Path) -> None:
    os.utime(media, (1, 1))


def truncate(media: Path) -> None:
    os.truncate(media, 100_000)


def vanish(media: Path) -> None:
    media.unlink()


CHANGED = "was changed while it was listened to; the text may be of both."


@pytest.mark.parametrize(("change", "warned"), [(replace, True), (touch, True), (vanish, False)])
async def test_a_source_that_changes_while_it_is_listened_to(scene: Scene, fair: Story, change, warned):
    """What was opened is listened to, to its end; the user is told of what changed."""
    hold = scene.orders.give("hold", 20_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        change(scene.media)
        hold.unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert [each.endswith(CHANGED) for each in scene.warnings()] == [True] * warned


async def test_a_source_that_is_cut_short_while_it_is_listened_to(scene: Scene, fair: Story):
    """What is still there is transcribed as it would have been, and the user is warned."""
    before, behind = fair.windows[4:6]
    cut = (before.end + behind.start) // 2
    hold = scene.orders.give("hold", 20_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        os.truncate(scene.media, 44 + cut * RATE // 1000 * 2)
        hold.unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    assert scene.story().words == [word for word in fair.words if word[2] <= cut]
    assert scene.story().duration == pytest.approx(cut, abs=1)
    assert any(each.endswith(CHANGED) for each in scene.warnings())
    scene.check_each_window_once()
    scene.check_nothing_left()


async def test_a_source_that_changes_after_it_was_listened_to_does_not_matter(scene: Scene, fair: Story):
    """Touched, cut short, replaced, gone, and then the worker dies: the decoded audio is all that is needed."""
    holds = [scene.orders.give("hold", at) for at in (0, 20_000)]
    scene.orders.give("segv", 30_000)
    async with scene.at_work() as hand:
        await hand.add()
        await hand.until_gone("listen")
        await true(holds[0].exists)
        touch(scene.media)
        truncate(scene.media)
        holds[0].unlink()
        await true(holds[1].exists)
        replace(scene.media)
        vanish(scene.media)
        holds[1].unlink()
        assert await hand.ended() == Done(hand.entries[-1].at)
    scene.check(fair)
    assert scene.warnings() == []


@pytest.mark.parametrize(("change", "why"), [(touch, "has changed since it was added"), (vanish, "no such file")])
async def test_a_listener_that_dies_cannot_go_on_with_another_source(scene: Scene, fair: Story, change, why):
    """What was heard before is kept and transcribed; the rest is a gap."""
    hold = scene.orders.give("hold", 20_000, stage="listen")
    scene.orders.give("segv", 20_000, stage="listen")
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        change(scene.media)
        hold.unlink()
        state = await hand.ended()
        assert isinstance(state, Done)
        assert state.gaps > 30_000
    (gap,) = scene.gaps()
    assert gap.start >= 20_000
    scene.check(fair, gaps=(gap,))
    scene.check_told(FailureKind.CRASH, "SIGSEGV", stage="listen")
    scene.check_told(FailureKind.UNUSABLE, why, stage="listen", follows="left as a gap")


async def test_a_deleted_cache_and_no_source_leave_a_gap(scene: Scene, fair: Story):
    """The audio is gone and cannot be made anew: what is committed is kept."""
    hold = scene.orders.give("hold", 20_000)
    async with scene.at_work() as hand:
        await hand.add()
        await true(hold.exists)
        await hand.until_committed(1)
        await hand.until_gone("listen")
        vanish(scene.media)
        (scene.home.cache / "1.pcm").unlink()
        hold.unlink()
        state = await hand.ended()
        assert isinstance(state, Done)
    gaps = scene.gaps()
    assert gaps
    assert len(scene.covered()) + len(gaps) == len(fair.windows)
    scene.check(fair, gaps=gaps)
    scene.check_told(FailureKind.UNUSABLE, "no such file", stage="listen", follows="left as a gap")
