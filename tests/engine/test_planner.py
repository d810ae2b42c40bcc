"""Windows and chunks: pure logic, under random speech, random blocks and random interruptions."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.planner import (
    BRIDGE_MS,
    LEVEL_MS,
    LEVELS_PER_DECIBEL,
    MAX_WINDOW_MS,
    PAD_MS,
    QUIET_MS,
    LayoutState,
    WindowLayout,
    next_chunk,
)
from engine.speech import FRAME_MS, MIN_SILENCE_MS, MIN_SPEECH_MS, Segmenter, SegmenterState
from engine.timeline import Span, covers, length, union

SPEECH, HUSH = 0.9, 0.1


def spans(*pairs):
    return tuple(Span(*pair) for pair in pairs)


def lay_out(speech, end, levels=None):
    """The windows for speech that is known as a whole."""
    levels = bytes([100]) * (end // LEVEL_MS + 1) if levels is None else levels
    layout = WindowLayout()
    return layout.feed(speech, end, levels) + layout.close(end)


# ---- chunks

windows = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 30_000)), min_size=1, max_size=60).map(
    lambda steps: tuple(
        Span(start, start + size)
        for start, size in zip(
            np.cumsum([gap for gap, _ in steps]) + np.cumsum([0, *[size for _, size in steps[:-1]]]),
            [size for _, size in steps],
            strict=True,
        )
    )
)


@given(windows, st.integers(1, 400_000))
def test_a_chunk_is_the_longest_run_within_the_target(pending, target):
    """One window at least, no more than fits, and nothing left out that would fit too."""
    chunk = next_chunk(pending, target)
    assert chunk == pending[: len(chunk)]
    assert len(chunk) >= 1
    assert len(chunk) == 1 or chunk[-1].end - chunk[0].start <= target
    assert len(chunk) == len(pending) or pending[len(chunk)].end - chunk[0].start > target


@given(windows)
def test_target_zero_is_everything(pending):
    assert next_chunk(pending, 0) == pending


def test_no_windows_no_chunk():
    assert next_chunk((), 300_000) == ()


def test_a_chunk_does_not_jump_a_long_stretch_that_is_done():
    pending = spans((0, 30_000), (30_000, 60_000), (900_000, 930_000))
    assert next_chunk(pending, 300_000) == pending[:2]


# ---- speech from probabilities


def probabilities(*runs):
    return [likely for likely, frames in runs for _ in range(frames)]


def test_a_short_dip_does_not_end_speech():
    dip = MIN_SILENCE_MS // FRAME_MS - 1
    segmenter = Segmenter()
    told = segmenter.feed(probabilities((SPEECH, 20), (HUSH, dip), (SPEECH, 20), (HUSH, 20)))
    assert told == [Span(0, (40 + dip) * FRAME_MS)]


def test_a_slip_of_the_detector_is_no_speech():
    frames = MIN_SPEECH_MS // FRAME_MS
    assert Segmenter().feed(probabilities((SPEECH, frames - 1), (HUSH, 20))) == []
    assert Segmenter().feed(probabilities((SPEECH, frames), (HUSH, 20))) == [Span(0, MIN_SPEECH_MS)]


def test_it_begins_high_and_ends_low():
    """Between the two thresholds speech goes on but does not begin."""
    middle = 0.42
    assert Segmenter().feed(probabilities((middle, 50))) == []
    told = Segmenter().feed(probabilities((SPEECH, 10), (middle, 30), (HUSH, 20)))
    assert told == [Span(0, 40 * FRAME_MS)]


def test_speech_at_the_end_of_the_sound_is_told():
    segmenter = Segmenter()
    assert segmenter.feed(probabilities((HUSH, 10), (SPEECH, 10))) == []
    assert segmenter.close(20 * FRAME_MS - 7) == [Span(10 * FRAME_MS, 20 * FRAME_MS - 7)]


@pytest.mark.parametrize("going_on", [SPEECH, 0.42])
def test_long_speech_is_told_before_it_ends(going_on):
    segmenter = Segmenter()
    told = segmenter.feed(probabilities((SPEECH, 1), (going_on, 2_000)))
    assert length(told) > 50_000
    assert segmenter.until == told[-1].end


# ---- windows, by example


def test_short_speech_is_packed_into_one_window():
    assert lay_out(spans((1_000, 5_000), (6_000, 12_000)), 20_000) == spans((600, 12_400))


def test_a_window_is_padded_up_to_half_the_silence():
    """The cut between two windows lies in the middle of a short silence."""
    found = lay_out(spans((0, 20_000), (20_300, 40_000)), 40_100)
    assert found == spans((0, 20_150), (20_150, 40_100))


def test_padding_stays_within_the_sound():
    assert lay_out(spans((100, 900)), 1_000) == spans((0, 1_000))


def test_a_long_silence_is_not_bridged():
    speech = spans((1_000, 2_000), (2_000 + BRIDGE_MS, 8_000), (8_001 + BRIDGE_MS, 12_000))
    found = lay_out(speech, 20_000)
    assert found == spans((600, 8_400), (8_001 + BRIDGE_MS - PAD_MS, 12_400))


def test_speech_that_just_fits_is_not_cut():
    assert lay_out(spans((0, MAX_WINDOW_MS)), 40_000) == spans((0, MAX_WINDOW_MS))


def test_a_window_comes_as_soon_as_nothing_can_change_it():
    """After thirty seconds of speech with pauses, the first window is out, not at the end."""
    layout = WindowLayout()
    assert layout.feed(spans((0, 14_000), (14_500, 28_000)), 28_500, bytes(2_850)) == ()
    assert layout.feed((), MAX_WINDOW_MS, bytes(150)) == spans((0, 28_400))


def test_the_first_window_of_endless_speech_comes_after_thirty_seconds():
    layout = WindowLayout()
    found = layout.feed(spans((0, 30_010)), 30_010, bytes(3_001))
    assert len(found) == 1


def test_nothing_heard_no_windows():
    assert lay_out((), 100_000) == ()


def test_endless_speech_is_cut_at_its_quietest():
    """Where there is no pause, the cut lies in the quietest 300 ms of the window's last quarter."""
    levels = bytearray([200] * 6_000)
    levels[1_000:1_030] = [0] * 30  # quieter still, but not in the last quarter
    levels[2_700:2_730] = [150] * 30
    levels[2_800:2_815] = [10] * 15  # quieter, but not for 300 ms
    assert lay_out(spans((0, 60_000)), 60_000, bytes(levels))[0].end in range(27_000, 27_300)


def test_the_cut_is_at_the_quietest_moment_of_the_quietest_stretch():
    levels = bytearray([200] * 6_000)
    levels[2_700:2_730] = [150] * 30
    levels[2_722:2_725] = [20] * 3
    assert lay_out(spans((0, 60_000)), 60_000, bytes(levels))[0].end == 27_235


def test_after_a_forced_cut_the_rest_is_packed_on():
    found = lay_out(spans((0, 35_000), (35_400, 45_000)), 50_000)
    assert len(found) == 2
    assert found[0].end == found[1].start
    assert found[1].end == 45_400


# ---- windows, of random speech

runs = st.lists(
    st.tuples(
        st.sampled_from([SPEECH, SPEECH, HUSH, 0.42]),
        st.one_of(st.integers(1, 12), st.integers(1, 120), st.integers(500, 2_500)),
    ),
    max_size=25,
)


class Ear:
    """A segmenter and a layout, fed frame by frame, that can be saved and restored."""

    def __init__(self, saved: bytes = b"") -> None:
        first, second = (
            msgspec.msgpack.decode(saved, type=tuple[SegmenterState, LayoutState]) if saved else (None, None)
        )
        self.segmenter, self.layout = Segmenter(first), WindowLayout(second)
        self.speech: list[Span] = []

    @property
    def saved(self) -> bytes:
        return msgspec.msgpack.encode((self.segmenter.state, self.layout.state))

    def hear(self, frames, levels):
        told = self.segmenter.feed(frames)
        self.speech += told
        return self.layout.feed(told, self.segmenter.until, levels)

    def close(self, end):
        told = self.segmenter.close(end)
        self.speech += told
        return self.layout.feed(told, self.segmenter.until, b"") + self.layout.close(end)


def sound(told, seed):
    """Probabilities and levels; the number of levels fits the frames to within one."""
    frames = probabilities(*told)
    count = -(-len(frames) * FRAME_MS // LEVEL_MS)
    return frames, np.random.default_rng(seed).integers(0, 226, count).astype(np.uint8).tobytes()


def hear_all(frames, levels, cuts=(), restore=False):
    """The windows and the speech, heard in pieces that end at these frames."""
    ear, found, speech = Ear(), [], []
    edges = [0, *sorted({min(cut, len(frames)) for cut in cuts}), len(frames)]
    for first, last in pairwise(edges):
        if restore:
            speech += ear.speech
            ear = Ear(ear.saved)
        upto = len(levels) if last == len(frames) else -(-last * FRAME_MS // LEVEL_MS)
        found += ear.hear(frames[first:last], levels[-(-first * FRAME_MS // LEVEL_MS) : upto])
    found += ear.close(len(frames) * FRAME_MS)
    return tuple(found), union(speech + ear.speech)


@given(runs, st.integers(0, 9), st.lists(st.integers(0, 8_000), max_size=8), st.booleans())
def test_windows_do_not_depend_on_how_the_sound_came(told, seed, cuts, restore):
    """Cut into any blocks, and saved and restored between any of them, the same windows come out."""
    frames, levels = sound(told, seed)
    assert hear_all(frames, levels, cuts, restore) == hear_all(frames, levels)


@given(runs, st.integers(0, 9))
def test_windows_hold_all_speech_and_are_in_order(told, seed):
    frames, levels = sound(told, seed)
    found, speech = hear_all(frames, levels)
    assert all(0 < window.length <= MAX_WINDOW_MS for window in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert all(covers(union(found), span) for span in speech)
    if found:
        assert found[0].start >= 0
        assert found[-1].end <= len(frames) * FRAME_MS


@given(runs, st.integers(0, 9))
def test_cuts_lie_in_silence_or_in_the_last_quarter(told, seed):
    """A window ends within speech only where 30 s of speech are not enough, and then not early."""
    frames, levels = sound(told, seed)
    found, speech = hear_all(frames, levels)
    for window in found:
        within = [span for span in speech if span.start < window.end < span.end]
        if within:
            assert window.length >= MAX_WINDOW_MS * 3 // 4
            assert within[0].end - window.start > MAX_WINDOW_MS


@given(runs, st.integers(0, 9))
def test_windows_are_well_packed(told, seed):
    """Two neighbours never fit into one window, unless a long silence divides them."""
    frames, levels = sound(told, seed)
    found, speech = hear_all(frames, levels)
    for one, other in pairwise(found):
        first = next(span for span in speech if span.overlaps(other))
        last = [span for span in speech if span.overlaps(one)][-1]
        is_forced = first.start < other.start
        assert is_forced or first.start - last.end > BRIDGE_MS or first.end - one.start > MAX_WINDOW_MS - 100


@given(st.integers(0, 1_000))
def test_forced_cuts_are_at_the_quietest(seed):
    """Against a plain calculation over the whole of the last quarter."""
    levels = np.random.default_rng(seed).integers(60, 226, 9_000).astype(np.uint8)
    found = lay_out(spans((0, 90_000)), 90_000, levels.tobytes())
    size = QUIET_MS // LEVEL_MS
    power = 10 ** (levels.astype(np.float64) / LEVELS_PER_DECIBEL / 10)
    for window in found[:-1]:
        first, last = (window.start + 22_500 + 9) // LEVEL_MS, (window.start + MAX_WINDOW_MS) // LEVEL_MS
        sums = np.convolve(power[first:last], np.ones(size), "valid")
        quietest = (first + int(np.argmin(sums))) * LEVEL_MS
        assert quietest <= window.end <= quietest + QUIET_MS


@given(runs, st.integers(0, 9))
def test_the_state_stays_small(told, seed):
    """However long the sound, a saved layout holds no more than what a window to come may need."""
    frames, levels = sound(told, seed)
    ear = Ear()
    for first in range(0, len(frames), 250):
        ear.hear(frames[first : first + 250], levels[first * 16 // 5 : (first + 250) * 16 // 5])
        assert len(ear.layout.state.levels) <= (30_000 + 8_000) // LEVEL_MS
        assert len(ear.layout.state.runs) <= 200


@pytest.mark.parametrize("silence", [0, 160, 799, 800, 3_000, 3_001])
def test_silence_between_windows_belongs_to_the_nearer_one(silence):
    """Padding never overlaps and never exceeds its limit."""
    speech = spans((5_000, 30_000), (30_000 + silence, 55_000))
    found = lay_out(speech, 60_000, bytes(6_001))
    if silence:
        assert found[0].end == 30_000 + min(PAD_MS, silence // 2)
        assert found[1].start == 30_000 + silence - min(PAD_MS, silence // 2)
    else:
        assert found[0].end == found[1].start
