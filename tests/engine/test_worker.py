"""The worker's feed: batches are filled, shared, dropped and closed."""

import socket
import threading

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.executors.worker import Feed, Outbox, judge
from engine.messages import Begun, Dropped, Up, Work
from engine.recipe import FailureKind, Recipe
from engine.stages.base import StageError, UnusableInput
from engine.timeline import Span


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


def work(first, last, job=1, batch=2, **recipe):
    spans = tuple(Span(n, n + 1) for n in range(first, last))
    return Work(job=job, media="", audio="", recipe=Recipe(batch=batch, **recipe), spans=spans)


def take(feed, wire):
    """A lane takes a batch and is through with it."""
    taken = feed.take(wire.out)
    feed.finish()
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
    assert [len(take(feed, wire)) for _ in range(3)] == [1, 2, 1]


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
            feed.finish()
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
        feed.finish()
        assert len(batch.spans) <= batch.recipe.batch
        taken.extend(batch.spans)
    assert taken == list(work(0, at).spans)
    wire.close()


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (UnusableInput("a.mp3: is a text file."), FailureKind.UNUSABLE, "a.mp3: is a text file."),
        (StageError("It is stuck."), FailureKind.ERROR, "It is stuck."),
        (MemoryError(), FailureKind.OOM, "Not enough memory: MemoryError."),
        (RuntimeError("CUDA failed: out of memory"), FailureKind.OOM, "Not enough memory: CUDA failed: out of memory."),
        (ValueError("two\nlines"), FailureKind.ERROR, "The stage raised ValueError: two lines."),
    ],
)
def test_an_exception_is_judged_and_told_in_one_sentence(error, kind, reason):
    assert judge(error) == (kind, reason)
