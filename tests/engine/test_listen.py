"""Listening: what is heard, what is on disk by then, and that interruptions of any kind change nothing of it."""

import errno
import fcntl
import os
import random
import resource
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import engine.audiofile
from engine.audiofile import AudioFile
from engine.hearing import BLOCK_MS, Listener
from engine.messages import Heard, Probed, Warned, Work
from engine.planner import MAX_WINDOW_MS, QUIET_MS
from engine.recipe import Recipe
from engine.silero import Silero
from engine.stages.base import DiskFull, StageError, UnusableInput
from engine.stages.listen import Listen
from engine.timeline import Span, covers, union
from tests.media_files import Sound, breathless, resampled, silence, speech, write_media
from tests.recordings import AUDIO, shared

NONE = np.zeros(0, np.int16)
MS = 32
"""Bytes of a millisecond."""


@pytest.fixture(scope="module")
def listen():
    return Listen(Recipe())


@pytest.fixture(scope="module")
def model():
    return Silero()


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """Two and a half minutes of speech with pauses, of no whole number of blocks or milliseconds."""
    sound = np.concatenate([silence(3_000), speech(140_000), silence(7_000), speech(5_003)[:-5]])
    return write_media(tmp_path_factory.mktemp("talk") / "talk.flac", Sound(sound))


@pytest.fixture
def work(tmp_path, talk):
    """Make the work for a listener."""

    def make(media=talk, start=0, checkpoint="", **more) -> Work:
        audio = str(tmp_path / "cache" / "audio.pcm")
        span = Span(start, start + 1_000)
        return Work(job=1, media=str(media), audio=audio, recipe=Recipe(), spans=(span,), checkpoint=checkpoint, **more)

    return make


def run(listen, work) -> list:
    return [finding for found in listen.run(work) for finding in found]


def heard(findings) -> list[Heard]:
    return [each for each in findings if isinstance(each, Heard)]


def windows(findings) -> tuple[Span, ...]:
    return tuple(window for each in heard(findings) for window in each.windows)


def told(findings) -> tuple[Span, ...]:
    return union(*(each.speech for each in heard(findings)))


@pytest.fixture(scope="module")
def whole(listen, talk, tmp_path_factory):
    """What an undisturbed run gives: its findings, and the audio."""
    audio = tmp_path_factory.mktemp("whole") / "audio.pcm"
    findings = run(listen, Work(job=1, media=str(talk), audio=str(audio), recipe=Recipe(), spans=(Span(0, 0),)))
    return findings, audio.read_bytes()


# ---- an undisturbed run


def test_first_what_the_file_is_then_what_is_heard(whole):
    """The stretches join without a gap, and the last one ends where the sound does."""
    findings, audio = whole
    assert isinstance(findings[0], Probed)
    assert findings[0].container == "flac"
    stretches = heard(findings)
    assert len(findings) == 1 + len(stretches)
    assert stretches[0].span.start == 0
    for before, after in pairwise(stretches):
        assert before.span.end == after.span.start
    assert [each.last for each in stretches] == [False] * (len(stretches) - 1) + [True]
    assert stretches[-1].span.end == -(-len(audio) // MS)
    assert len(audio) % MS


def test_windows_hold_all_speech(whole):
    findings, _ = whole
    found = windows(findings)
    assert len(found) == 6  # 150 s, a pause of 7 s near the end
    assert all(window.length <= MAX_WINDOW_MS for window in found)
    assert list(found) == sorted(found)
    assert all(covers(union(found), span) for span in told(findings))


def test_cuts_fall_into_silence(whole):
    """In speech with pauses, no window begins or ends where anything is said."""
    findings, audio = whole
    samples = np.frombuffer(audio, "<i2").astype(np.float64)
    for window in windows(findings):
        for cut in (window.start, window.end):
            near = samples[max(0, (cut - 50) * 16) : (cut + 50) * 16]
            assert np.sqrt(np.mean(near**2)) < 60


def test_the_first_window_is_there_after_forty_seconds_of_sound(whole):
    """So text can come long before a film is decoded."""
    findings, _ = whole
    first = next(each for each in heard(findings) if each.windows)
    assert first.span.end <= 40_000


def test_checkpoints_are_small(whole):
    findings, _ = whole
    assert max(len(each.checkpoint) for each in heard(findings)) < 4_000


def test_the_audio_is_on_disk_when_it_is_told(listen, work):
    job = work()
    for found in listen.run(job):
        for each in found:
            if isinstance(each, Heard):
                assert os.path.getsize(job.audio) > (each.span.end - 1) * MS


# ---- interruptions


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("harm", ["kept", "deleted", "shortened", "grown"])
def test_going_on_anywhere_gives_the_same(listen, work, whole, seed, harm):
    """Stopped after any stretch, and whatever became of the audio meanwhile, everything comes out as if undisturbed."""
    findings, audio = whole
    draw = random.Random(seed)
    rest = draw.randrange(1, len(heard(findings)) - 1)
    first: list[Heard] = []
    job = work()
    stages = listen.run(job)
    while len(first) < rest:
        first += heard(next(stages))
    stages.close()
    path = Path(job.audio)
    if harm == "deleted":
        path.unlink()
    elif harm == "shortened":
        os.truncate(path, draw.randrange(path.stat().st_size))
    elif harm == "grown":
        with path.open("ab") as file:
            file.write(draw.randbytes(50_001))
    second = run(listen, work(start=first[-1].span.end, checkpoint=first[-1].checkpoint))
    assert windows(first) + windows(second) == windows(findings)
    assert union(told(first), told(second)) == told(findings)
    assert heard(second)[0].span.start == first[-1].span.end
    assert path.read_bytes() == audio
    assert heard(second)[-1].span.end == heard(findings)[-1].span.end


@pytest.mark.parametrize("checkpoint", ["", "nonsense", "bm9uc2Vuc2U=", "é"])
def test_without_its_checkpoint_the_sound_is_heard_again(listen, work, whole, checkpoint):
    """What was told before is not told twice."""
    findings, audio = whole
    first = heard(findings)[:5]
    second = run(listen, work(start=first[-1].span.end, checkpoint=checkpoint))
    assert windows(first) + windows(second) == windows(findings)
    assert union(told(first), told(second)) == told(findings)
    assert heard(second)[0].span.start == first[-1].span.end
    assert Path(work().audio).read_bytes() == audio


def test_a_checkpoint_from_elsewhere_is_not_used(listen, work, whole):
    findings, _ = whole
    first = heard(findings)[:5]
    second = run(listen, work(start=first[-1].span.end, checkpoint=first[2].checkpoint))
    assert windows(first) + windows(second) == windows(findings)


@pytest.mark.parametrize("keeps_checkpoint", [True, False])
@pytest.mark.parametrize("harm", ["kept", "deleted", "shortened"])
def test_audio_that_was_lost_is_made_again(listen, work, whole, harm, keeps_checkpoint):
    """Asked to go on from the end, the stage restores the audio and has nothing more to tell."""
    findings, audio = whole
    last = heard(findings)[-1]
    path = Path(work().audio)
    path.parent.mkdir()
    if harm != "deleted":
        path.write_bytes(audio if harm == "kept" else audio[: len(audio) // 3])
    end = last.span.end
    again = run(listen, work(start=end, checkpoint=last.checkpoint if keeps_checkpoint else ""))
    assert path.read_bytes() == audio
    assert windows(again) == ()
    assert [each.span for each in heard(again)] == [Span(end, end)]
    assert heard(again)[0].last


def test_all_heard_and_on_disk_the_film_is_no_longer_needed(listen, work, whole, tmp_path):
    findings, audio = whole
    last = heard(findings)[-1]
    path = Path(work().audio)
    path.parent.mkdir()
    path.write_bytes(audio)
    job = work(media=tmp_path / "gone.flac", start=last.span.end, checkpoint=last.checkpoint)
    assert [each.last for each in heard(run(listen, job))] == [True]


def test_a_file_that_became_shorter_meanwhile_is_refused(listen, work, whole, tmp_path):
    findings, _ = whole
    other = write_media(tmp_path / "other.flac", Sound(speech(20_000)))
    late = heard(findings)[-2]
    with pytest.raises(UnusableInput, match="has changed"):
        run(listen, work(media=other, start=late.span.end, checkpoint=late.checkpoint))


def test_stopping_in_the_middle_gives_the_audio_free(listen, work):
    job = work()
    stages = listen.run(job)
    next(stages)
    next(stages)
    stages.close()
    with AudioFile(job.audio, BLOCK_MS, wait=0) as audio:
        assert audio.length_ms == BLOCK_MS


# ---- the detector


@pytest.mark.parametrize("frames", [1, 7, 250, 1_000])
def test_blocks_of_any_size_are_heard_bit_for_bit_as_the_whole(model, frames):
    samples = np.rint(speech(40_000) * 32_767).astype(np.int16)
    likely, _ = model.probabilities(samples, NONE, b"", True)
    pieces, memory = [], b""
    for first in range(0, len(samples), frames * 512):
        some, memory = model.probabilities(samples[first : first + frames * 512], NONE, memory, False)
        pieces += some
    assert pieces == likely


def test_a_listener_goes_on_from_any_checkpoint(model):
    samples = np.rint(np.concatenate([speech(50_000), silence(4_000), breathless(40_000)]) * 32_767).astype(np.int16)
    size = BLOCK_MS * 16
    straight, broken = Listener(model), Listener(model)
    for first in range(0, len(samples), size):
        block, is_last = samples[first : first + size], first + size >= len(samples)
        broken = Listener(model, broken.checkpoint)
        assert broken.hear(block, is_last) == straight.hear(block, is_last)
    assert broken.checkpoint == straight.checkpoint
    assert broken.closed


@pytest.mark.parametrize(
    "sound",
    [
        silence(5_000),
        silence(120_000),
        np.random.default_rng(1).normal(0, 0.1, 400_000).astype(np.float32),
        np.random.default_rng(2).normal(0, 0.001, 400_000).astype(np.float32),
        np.cumsum(np.random.default_rng(3).normal(0, 0.002, 400_000)).clip(-0.9, 0.9).astype(np.float32),
    ],
    ids=["silence", "long silence", "loud hiss", "soft hiss", "rumble"],
)
def test_silence_and_noise_give_no_windows(listen, work, tmp_path, sound):
    findings = run(listen, work(media=write_media(tmp_path / "a.flac", Sound(sound))))
    assert windows(findings) == ()
    assert told(findings) == ()
    assert heard(findings)[-1].last


@shared
@pytest.mark.parametrize("name", ["silence-5s.wav", "silence-120s.flac", "noise.flac"])
def test_the_shared_silence_and_noise_give_no_windows(listen, work, name):
    assert windows(run(listen, work(media=AUDIO / name))) == ()


@pytest.mark.parametrize("decibels", [-20, -40])
def test_quiet_speech_is_heard_from_its_first_word(listen, work, tmp_path, decibels):
    sound = np.concatenate([silence(2_000), speech(8_000), silence(2_000)]) * np.float32(10 ** (decibels / 20))
    found = windows(run(listen, work(media=write_media(tmp_path / "a.flac", Sound(sound)))))
    assert len(found) == 1
    assert found[0].start <= 2_100
    assert found[0].end >= 9_800


def test_speech_without_any_pause_is_cut_at_the_quietest(listen, work, tmp_path):
    """Three minutes with no silence: each cut lies in the quietest 300 ms of its window's last quarter."""
    path = write_media(tmp_path / "a.flac", Sound(breathless(180_000)))
    job = work(media=path)
    found = windows(run(listen, job))
    power = np.fromfile(job.audio, "<i2").astype(np.float64).reshape(-1, 160)
    power = np.mean(power**2, axis=1)
    forced = [one for one, other in pairwise(found) if one.end == other.start]
    assert len(forced) >= 5
    for window in forced:
        first, last = (window.start + 22_500) // 10 + 1, (window.start + MAX_WINDOW_MS) // 10
        sums = np.convolve(power[first:last], np.ones(QUIET_MS // 10), "valid")
        at = window.end // 10 - first
        covering = sums[max(0, at - QUIET_MS // 10 + 1) : at + 1]
        assert covering.min() <= sums.min() * 1.1  # levels are rounded


# ---- what else is told


def test_a_truncated_mp3_is_heard_and_comes_with_one_warning(listen, work, tmp_path):
    path = write_media(tmp_path / "a.mp3", Sound(speech(30_000)))
    path.write_bytes(path.read_bytes()[:-40_000])
    findings = run(listen, work(media=path))
    assert windows(findings)
    (warning,) = [each for each in findings if isinstance(each, Warned)]
    assert "of 0:30" in warning.message


def test_a_warning_is_not_repeated_when_the_audio_is_made_again(listen, work, tmp_path):
    path = write_media(tmp_path / "a.mp3", Sound(speech(30_000)))
    path.write_bytes(path.read_bytes()[:-40_000])
    last = heard(run(listen, work(media=path)))[-1]
    Path(work().audio).unlink()
    again = run(listen, work(media=path, start=last.span.end, checkpoint=last.checkpoint))
    assert not [each for each in again if isinstance(each, Warned)]


def test_the_known_length_replaces_the_estimate(listen, work, whole):
    last = heard(whole[0])[-1]
    again = run(listen, work(start=last.span.end, checkpoint=last.checkpoint))
    assert again[0].duration == last.span.end


def test_the_track_asked_for_is_heard(listen, work, tmp_path):
    said = resampled(speech(8_000), 16_000, 48_000)
    path = write_media(
        tmp_path / "a.mkv",
        Sound(np.zeros_like(said), 48_000, language="fra"),
        Sound(said, 48_000, language="eng"),
    )
    assert windows(run(listen, work(media=path))) == ()
    findings = run(listen, work(media=path, track="en"))
    assert findings[0].chosen == 1
    assert len(windows(findings)) == 1


def test_a_bad_file_leaves_nothing_behind(listen, work, tmp_path):
    path = tmp_path / "text.mp3"
    path.write_text("no sound here\n" * 100)
    job = work(media=path)
    with pytest.raises(UnusableInput):
        run(listen, job)
    assert not Path(job.audio).exists()


# ---- the disk


def test_a_full_disk_is_told_with_how_much_is_needed_and_where(listen, work):
    """Nothing of what could not be written stays, and what others may rely on does."""
    job = work()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(StageError) as caught:
            run(listen, job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    text = str(caught.value)
    assert not isinstance(caught.value, UnusableInput)
    assert "needs 5.0 MB" in text
    assert str(Path(job.audio).parent) in text
    assert os.path.getsize(job.audio) == 3 * BLOCK_MS * MS


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_each_fault_of_the_disk_has_its_words(tmp_path, monkeypatch, fault):
    def fail(*_):
        raise OSError(fault, os.strerror(fault))

    audio = AudioFile(str(tmp_path / "a.pcm"), 0)
    monkeypatch.setattr(engine.audiofile.os, "pwrite", fail)
    with audio, pytest.raises(StageError) as caught:
        audio.write(0, bytes(320), None)
    words = {
        errno.ENOSPC: "disk is full",
        errno.EDQUOT: "quota",
        errno.EFBIG: "cannot grow",
        errno.EIO: "Input/output error",
    }
    assert words[fault] in str(caught.value)
    assert isinstance(caught.value, DiskFull) == (fault in (errno.ENOSPC, errno.EDQUOT))
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "a.pcm").exists()


def test_a_disk_with_no_room_for_a_file_is_full(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(engine.audiofile.os, "open", fail)
    with pytest.raises(DiskFull, match="No room for the decoded audio, the disk is full"):
        AudioFile(str(tmp_path / "a.pcm"), 0)


def test_a_folder_that_cannot_be_made_is_told(listen, work, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(StageError, match="cannot be written"):
        run(listen, work())


def test_two_writers_are_impossible(tmp_path):
    path = str(tmp_path / "a.pcm")
    with AudioFile(path, 0, wait=0), pytest.raises(StageError, match="another process"):
        AudioFile(path, 0, wait=0)


def test_a_writer_whose_engine_was_killed_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a.pcm"
    orphan = os.open(path, os.O_RDWR | os.O_CREAT)
    os.write(orphan, bytes(32 * 10))
    fcntl.flock(orphan, fcntl.LOCK_EX)
    monkeypatch.setattr(engine.audiofile.time, "sleep", lambda _: os.close(orphan))
    with AudioFile(str(path), 10) as audio:
        assert audio.length_ms == 10


def test_a_file_removed_while_it_was_waited_for_is_made_anew(tmp_path, monkeypatch):
    path = tmp_path / "a.pcm"
    orphan = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(orphan, fcntl.LOCK_EX)

    def end(_):
        path.unlink()
        os.close(orphan)

    monkeypatch.setattr(engine.audiofile.time, "sleep", end)
    with AudioFile(str(path), 0) as audio:
        audio.write(0, bytes(32), None)
        assert path.stat().st_size == 32


def test_room_is_left_on_the_disk_for_the_ledger(tmp_path, monkeypatch):
    audio = AudioFile(str(tmp_path / "a.pcm"), 0)
    monkeypatch.setattr(engine.audiofile, "_free", lambda _: engine.audiofile.RESERVE + 319)
    with audio, pytest.raises(DiskFull, match="No room for the decoded audio, the disk is full"):
        audio.write(0, bytes(320), 1_000)
