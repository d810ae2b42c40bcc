"""Listeners: who keeps up is told everything, who does not is told how things are."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.api import follow
from engine.audience import CROWDED, LIMIT, Listener
from engine.commands import Options
from engine.events import Entry
from engine.states import Queued
from engine.timeline import Span
from engine.view import View, fold

ADDED = ev.JobAdded(job=1, path="/a.wav", size=1, options=Options(), state=Queued())
SAMPLE = ev.MemorySampled(tree=1, budget=2, available=3)


def heard(second: int) -> ev.SpeechHeard:
    window = Span(second * 1_000, second * 1_000 + 900)
    return ev.SpeechHeard(job=1, until=(second + 1) * 1_000, windows=(window,))


class Teller:
    """Tells a listener, and knows the view."""

    def __init__(self, **limits) -> None:
        self.view = View()
        self.listener = Listener(lambda: self.view, **limits)

    def tell(self, event: ev.Event) -> None:
        entry = Entry(self.view.seq + 1, 1_000 * self.view.seq, event)
        self.view = fold(self.view, entry)
        self.listener.tell(entry)


async def test_one_that_keeps_up_is_told_every_event_in_order():
    teller = Teller()
    for number in range(CROWDED):
        teller.tell(SAMPLE if number % 2 else heard(number))
    assert [entry.seq for entry in await teller.listener.take()] == list(range(1, CROWDED + 1))


async def test_of_one_that_lags_the_newest_memory_sample_waits_and_speech_that_was_heard_is_put_together():
    teller = Teller(crowded=1)
    teller.tell(ADDED)
    for second in range(50):
        teller.tell(heard(second))
    for _ in range(50):
        teller.tell(SAMPLE)
    told = await teller.listener.take()
    assert [type(entry.event) for entry in told] == [ev.JobAdded, ev.SpeechHeard, ev.MemorySampled]
    assert told[-1].seq == teller.view.seq
    view = View()
    for entry in told:
        view = fold(view, entry)
    assert view.jobs == teller.view.jobs


async def test_one_that_never_reads_costs_a_bounded_number_of_entries_and_is_told_the_view():
    teller = Teller()
    teller.tell(ADDED)
    for _ in range(10 * LIMIT):
        teller.tell(ev.Warning(1, "again"))
        assert len(teller.listener) <= LIMIT
    assert await teller.listener.take() == (teller.view,)
    teller.tell(SAMPLE)
    assert [entry.seq for entry in await teller.listener.take()] == [teller.view.seq]


async def test_one_that_waits_is_woken_and_the_end_is_told_after_the_last_news():
    teller = Teller()
    waiting = asyncio.create_task(teller.listener.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    teller.tell(ADDED)
    teller.listener.end()
    assert [entry.event for entry in await waiting] == [ADDED]
    assert await teller.listener.take() == ()


EVENTS = st.sampled_from(
    [
        SAMPLE,
        ev.MemorySampled(tree=9, budget=2, available=1),
        ev.BatchStarted(job=1, spans=(Span(0, 900),)),
        ev.BatchDone(job=1, spans=(Span(0, 900),), lines=(ev.Line(0, 900, "one"),), took_ms=5),
        ev.Warning(1, "careful"),
        ev.GapLeft(1, Span(1_000, 1_900), "no"),
        ev.Notice("hear"),
    ]
)


@pytest.mark.parametrize("limits", [{}, {"limit": 6, "crowded": 2}, {"limit": 3, "crowded": 3}], ids=str)
@given(st.lists(st.one_of(EVENTS, st.sampled_from(["hear", "read"])), max_size=60))
def test_whenever_it_reads_it_sees_the_jobs_as_they_are(limits, steps):
    """However far behind it fell: once it has read all, its jobs, log and newest figures are those of the engine."""

    async def run() -> None:
        teller = Teller(**limits)
        seen = View()
        teller.tell(ADDED)
        for second, step in enumerate([*steps, SAMPLE, "read"]):
            if step != "read":
                teller.tell(heard(second) if step == "hear" else step)
                continue
            if not len(teller.listener) and seen.seq == teller.view.seq:
                continue
            for news in await teller.listener.take():
                seen = follow(seen, news)
            assert seen.seq == teller.view.seq
            assert seen.jobs == teller.view.jobs
            assert seen.log == teller.view.log
            assert (seen.available, seen.budget) == (teller.view.available, teller.view.budget)
            assert seen.memory[-1:] == teller.view.memory[-1:]

    asyncio.run(run())


async def test_of_a_download_the_beginning_and_the_newest_wait():
    teller = Teller(crowded=1)
    teller.tell(ADDED)
    steps = [ev.ModelFetched(job=1, worker=4, model="small", done=done, total=9) for done in range(8)]
    for step in steps:
        teller.tell(step)
    told = await teller.listener.take()
    assert [entry.event for entry in told] == [ADDED, steps[0], steps[-1]]
