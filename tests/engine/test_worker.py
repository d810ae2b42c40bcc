"""Inside a worker: batches are filled, shared, dropped and closed; failures are judged; the heart beats."""

import errno
import os
import socket
import sys
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import devices
from engine.executors import outbox
from engine.executors.feed import Feed
from engine.executors.outbox import Outbox, beat, memory_readers
from engine.executors.worker import judge, work_lane
from engine.messages import Batch, Begun, Dropped, Failed, Finished, Heartbeat, Up, Warned, Work
from engine.recipe import FailureKind, Recipe
from engine.stages.base import AudioLost, DiskFull, StageError, UnusableInput
from engine.timeline import Span
from engine.transcript import Segment


class Wire:
    """An outbox whose messages can be read."""

    def __init__(self) -> None:
        self._theirs, ours = socket.socketpair()
        self._ours = ours
        self.out = Outbox(ours)

    def said(self) -> list[Up]:
        self._ours.shutdown(socket.SHUT_WR)
        with self._theirs.makefile("rb") as lines:
            return [msgspec.json.decode(line, type=Up) for line in lines]

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


@pytest.fixture
def wire():
    wire = Wire()
    yield wire
    wire.close()


def work(first, last, job=1, batch=2, speech=(), **recipe):
    spans = tuple(Span(n, n + 1) for n in range(first, last))
    return Work(job=job, media="", audio="", recipe=Recipe(batch=batch, **recipe), spans=spans, speech=speech)


def take(feed, wire):
    """A lane takes a batch and is through with it."""
    taken = feed.take(wire.out)
    feed.finish(taken)
    return taken.spans


def test_a_batch_is_filled_across_the_chunks_of_a_job(wire):
    feed = Feed(1)
    feed.put(work(0, 3))
    feed.put(work(3, 6))
    batches = [take(feed, wire) for _ in range(3)]
    assert batches == [work(0, 2).spans, work(2, 4).spans, work(4, 6).spans]
    assert wire.said() == [Begun(1, spans) for spans in batches]


def test_a_batch_never_mixes_recipes_or_jobs(wire):
    feed = Feed(1)
    feed.put(work(0, 1))
    feed.put(work(1, 3, batch=4))
    feed.put(work(3, 4, job=2, batch=4))
    feed.put(work(4, 5, job=2, batch=4, temperature=0.4))
    assert [len(take(feed, wire)) for _ in range(4)] == [1, 2, 1, 1]


def test_a_batch_knows_the_speech_in_it_whichever_chunk_it_comes_from(wire):
    feed = Feed(1)
    first, second, third = (Span(n, n + 1) for n in range(3))
    feed.put(work(0, 2, speech=(first, second)))
    feed.put(work(2, 3, speech=(third,)))
    feed.put(work(3, 4))
    taken = feed.take(wire.out)
    assert taken.speech == (first, second)
    feed.finish(taken)
    last = feed.take(wire.out)
    assert (last.spans, last.speech) == ((third,), (third,))


def test_a_batch_over_two_chunks_has_the_speech_of_both(wire):
    feed = Feed(1)
    feed.put(work(0, 3, speech=(Span(0, 3),)))
    feed.put(work(3, 6, speech=(Span(3, 4), Span(5, 6))))
    taken = [feed.take(wire.out)]
    feed.finish(taken[0])
    taken.append(feed.take(wire.out))
    assert [each.speech for each in taken] == [(Span(0, 3),), (Span(0, 3), Span(3, 4))]


def test_a_batch_has_the_texts_of_its_spans_whichever_chunk_they_come_from(wire):
    feed = Feed(1)
    texts = [(Segment(n, n + 1, f"text {n}"),) for n in range(4)]
    for first, last in ((0, 1), (1, 4)):
        feed.put(msgspec.structs.replace(work(first, last), texts=tuple(texts[first:last])))
    taken = []
    for _ in range(2):
        taken.append(feed.take(wire.out))
        feed.finish(taken[-1])
    assert [each.texts for each in taken] == [tuple(texts[:2]), tuple(texts[2:])]


def test_the_end_of_each_chunk_is_noticed_once(wire):
    feed = Feed(2)
    feed.put(work(0, 3))
    feed.put(work(3, 5))
    first, second = feed.take(wire.out), feed.take(wire.out)
    assert [each.spans for each in (first, second)] == [work(0, 2).spans, work(2, 4).spans]
    assert not feed.finish(first)
    assert feed.finish(second)
    third = feed.take(wire.out)
    assert feed.finish(third)


def test_a_chunk_whose_rest_was_dropped_ends_with_its_last_batch(wire):
    feed = Feed(1)
    feed.put(work(0, 4))
    taken = feed.take(wire.out)
    feed.drop(wire.out)
    assert feed.finish(taken)


def test_near_the_end_all_lanes_share_what_is_left(wire):
    feed = Feed(2)
    feed.put(work(0, 3, batch=8))
    assert [len(feed.take(wire.out).spans) for _ in range(2)] == [2, 1]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_never_more_lanes_hold_a_batch_than_allowed(wire, limit):
    feed, counting = Feed(4), threading.Lock()
    spans, holding, most = 60, 0, 0

    def lane():
        nonlocal spans, holding, most
        while (taken := feed.take(wire.out)) is not None:
            with counting:
                holding += 1
                most = max(most, holding)
                spans -= len(taken.spans)
            with counting:
                holding -= 1
                is_last = spans == 0
            feed.finish(taken)
            if is_last:
                feed.close()

    feed.limit(limit)
    feed.put(work(0, spans, batch=1))
    lanes = [threading.Thread(target=lane) for _ in range(4)]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join(30)
    assert 1 <= most <= limit
    assert sum(len(begun.spans) for begun in wire.said()) == 60


def test_dropping_gives_back_what_no_lane_has_begun(wire):
    feed = Feed(1)
    feed.put(work(0, 5))
    feed.take(wire.out)
    feed.drop(wire.out)
    feed.drop(wire.out)
    assert wire.said()[1:] == [Dropped(1, work(2, 5).spans), Dropped(0, ())]


def test_a_waiting_lane_wakes_for_work_and_for_the_end(wire):
    feed, worked = Feed(1), threading.Event()
    taken = []

    def lane():
        taken.append(take(feed, wire))
        worked.set()
        taken.append(feed.take(wire.out))

    thread = threading.Thread(target=lane)
    thread.start()
    feed.put(work(0, 2))
    assert worked.wait(10)
    feed.close()
    thread.join(10)
    assert taken == [work(0, 2).spans, None]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=8), st.integers(1, 4))
def test_every_span_is_taken_once_and_in_order(chunks, lanes):
    wire, feed = Wire(), Feed(lanes)
    at = 0
    for size, batch in chunks:
        feed.put(work(at, at + size, batch=batch))
        at += size
    taken = []
    while len(taken) < at:
        batch = feed.take(wire.out)
        feed.finish(batch)
        assert len(batch.spans) <= batch.recipe.batch
        taken.extend(batch.spans)
    assert taken == list(work(0, at).spans)
    wire.close()


def caused(error, by):
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (UnusableInput("a.mp3: is a text file."), FailureKind.UNUSABLE, "a.mp3: is a text file."),
        (StageError("It is stuck."), FailureKind.ERROR, "It is stuck."),
        (AudioLost("It is gone."), FailureKind.AUDIO, "It is gone."),
        (DiskFull("No room in /a."), FailureKind.FULL, "No room in /a."),
        (caused(StageError("No room in /a."), OSError(errno.ENOSPC, "No space")), FailureKind.FULL, "No room in /a."),
        (caused(StageError("It is stuck."), OSError(errno.EIO, "I/O error")), FailureKind.ERROR, "It is stuck."),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "/a/b"),
            FailureKind.FULL,
            f"There is no room left on the disk, free some space: [Errno {errno.EDQUOT}] Disk quota exceeded: '/a/b'.",
        ),
        (
            RuntimeError("write: No space left on device"),
            FailureKind.FULL,
            "There is no room left on the disk, free some space: write: No space left on device.",
        ),
        (MemoryError(), FailureKind.OOM, "Not enough memory: MemoryError."),
        (RuntimeError("CUDA failed: out of memory"), FailureKind.OOM, "Not enough memory: CUDA failed: out of memory."),
        (ValueError("two\nlines"), FailureKind.ERROR, "The stage raised ValueError: two lines."),
    ],
)
def test_an_exception_is_judged_and_told_in_one_sentence(error, kind, reason):
    assert judge(error) == (kind, reason)


class Says:
    """A stage that yields twice, and fails in the window it is told to."""

    def __init__(self, poison=None):
        self.poison = poison

    def run(self, work):
        for span in work.spans:
            if span.start == self.poison:
                raise RuntimeError("bad_alloc")
            yield (Warned(message=str(span.start)),)


def run_lane(stage, feed, wire):
    lane = threading.Thread(target=work_lane, args=(stage, feed, wire.out))
    lane.start()
    return lane


def test_a_lane_tidies_up_after_each_chunk_even_a_failed_one(wire, monkeypatch):
    tidied = threading.Semaphore(0)
    monkeypatch.setattr(devices, "tidy", tidied.release)
    feed = Feed(1)
    feed.put(work(0, 3))
    feed.put(work(3, 4, batch=8))
    lane = run_lane(Says(poison=3), feed, wire)
    assert tidied.acquire(timeout=30)
    assert tidied.acquire(timeout=30)
    feed.close()
    lane.join(30)
    assert not tidied.acquire(blocking=False)
    said = wire.said()
    assert [type(each) for each in said] == [Begun, Batch, Batch, Finished, Begun, Batch, Finished, Begun, Failed]
    assert said[-1].kind == FailureKind.OOM


def test_a_lane_gives_memory_back_once_its_batches_become_smaller(wire, monkeypatch):
    trimmed = []
    monkeypatch.setattr(devices, "trim", lambda: trimmed.append(len(wire_batches)))
    wire_batches: list[int] = []
    feed = Feed(1)
    for number, size in enumerate((2, 4, 4, 1, 1, 4)):
        feed.put(work(number, number + 1, batch=size))

    class Counts(Says):
        def run(self, work):
            wire_batches.append(work.recipe.batch)
            yield from super().run(work)
            if len(wire_batches) == 6 - 1:  # two works of one recipe make one batch
                feed.close()

    run_lane(Counts(), feed, wire).join(30)
    assert [wire_batches[n - 1] for n in trimmed] == [1]


def test_a_failure_is_told_and_the_lane_goes_on_when_the_log_is_on_the_full_disk(wire, monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    done = threading.Semaphore(0)
    monkeypatch.setattr(devices, "tidy", done.release)
    feed = Feed(1)
    feed.put(work(0, 1))
    feed.put(work(1, 2, batch=4))
    lane = run_lane(Says(poison=0), feed, wire)
    assert done.acquire(timeout=30)
    assert done.acquire(timeout=30)
    feed.close()
    lane.join(30)
    assert [type(each) for each in wire.said()] == [Begun, Failed, Begun, Batch, Finished]


MB = 2**20


class Stop(BaseException):
    """The end of a test's time."""


def heartbeats(monkeypatch, held, most=lambda: 0):
    """What a heart says that sees so much memory at each glance, each a tenth of a second after the other."""
    said, ticks = [], [0]
    glances = iter(held)

    def look():
        try:
            seen = next(glances)
        except StopIteration:
            raise Stop from None
        if isinstance(seen, BaseException):
            raise seen
        return seen * MB

    def sleep(seconds):
        ticks[0] += round(seconds * 10)

    monkeypatch.setattr(outbox, "memory_readers", lambda: (look, most))
    monkeypatch.setattr(outbox.time, "monotonic", lambda: 100 + ticks[0] / 10)
    monkeypatch.setattr(outbox.time, "sleep", sleep)
    monkeypatch.setattr(devices, "memory", lambda: 7)
    monkeypatch.setattr(devices, "peak", lambda: 9)
    with pytest.raises(Stop):
        beat(type("Out", (), {"say": lambda self, message: said.append((ticks[0] / 10, message))})())
    return said


def test_the_heart_beats_every_second(monkeypatch):
    said = heartbeats(monkeypatch, [100] * 25, most=lambda: 300 * MB)
    assert [at for at, _ in said] == [0, 1, 2]
    assert {message for _, message in said} == {Heartbeat(peak=300 * MB, device=7, memory=100 * MB, device_peak=9)}


def test_a_rise_is_told_at_once_and_a_fall_is_not(monkeypatch):
    said = heartbeats(monkeypatch, [100, 120, 132, 133, 140, 400, 10, 10])
    assert [(at, message.memory // MB, message.peak // MB) for at, message in said] == [
        (0, 100, 100),
        (0.3, 133, 133),
        (0.5, 400, 400),
    ]


def test_a_lack_of_memory_does_not_stop_the_heart(monkeypatch):
    said = heartbeats(monkeypatch, [100, MemoryError(), 200])
    assert [message.memory // MB for _, message in said] == [100, 200]


def test_what_this_process_holds_is_its_own_memory_and_no_files():
    held, most = memory_readers()
    before = held()
    ballast = bytearray(os.urandom(1)) * (64 * MB)
    assert 60 * MB < held() - before < 70 * MB
    assert most() >= before
    del ballast


def test_where_nothing_better_is_known_the_peak_serves():
    held, most = memory_readers("plan9")
    assert held() == most() > 5 * MB


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_is_this_processs_own():
    _, most = memory_readers("linux")
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM:"))
    assert most() == pytest.approx(int(peak.split()[1]) * 1024, rel=0.1)
