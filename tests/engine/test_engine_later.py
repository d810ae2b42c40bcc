"""Aligning, voting and fetching in real worker processes, with a real ledger and real files."""

import contextlib
import json

import pytest

from engine import events as ev
from engine.commands import Pause, Resume, Retry
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.messages import Spoken
from engine.recipe import Recipe
from engine.states import Done, Paused
from engine.timeline import Span
from engine.writer import read_transcript

ALIGNED = Recipe(backend="tests.stages:Echo", batch=1, parallel=1, language="en", align="auto")
WINDOW = 10_000


def words_of(home, job: int) -> dict[int, int]:
    """When the first word of each window begins, by the window's number, as the files are told."""
    with contextlib.closing(Ledger(home.ledger, read_only=True)) as ledger:
        found = {span.start // WINDOW: segments[0].words[0].start for span, _, segments in ledger.decoded(job)}
    return {number: start - number * WINDOW for number, start in found.items()}


def aligning(path) -> list[str]:
    """The windows that were begun, in order, each with the language that was told."""
    return path.with_name(f"{path.name}.aligning").read_text().splitlines()


def is_aligned(event: ev.Event) -> bool:
    return isinstance(event, ev.WordsAligned)


class TestAligning:
    async def test_the_words_of_the_files_have_the_finer_times(self, bench, media, home):
        path = media(windows=10)
        async with bench() as b:
            job = await b.add(path, recipe=ALIGNED)
            assert isinstance(await b.ended(job), Done)
            assert b.view.job(job).aligned == (Span(0, 10 * WINDOW),)
        assert words_of(home, job) == dict.fromkeys(range(10), 110)
        assert aligning(path) == [f"{number} en" for number in range(10)]
        segments = json.loads(path.with_suffix(".json").read_text())["segments"]
        assert segments[0]["words"][0]["start"] == pytest.approx(0.11)

    async def test_a_done_job_is_aligned_when_it_is_asked_for(self, bench, media, home):
        path = media(windows=3)
        async with bench() as b:
            job = await b.add(path)
            await b.ended(job)
            begun = path.with_name(f"{path.name}.begun").read_text()
            assert await b.add(path, recipe=ALIGNED) == job
            assert isinstance(await b.ended(job), Done)
        assert words_of(home, job) == dict.fromkeys(range(3), 110)
        assert path.with_name(f"{path.name}.begun").read_text() == begun, "no window is transcribed again"

    async def test_a_window_that_kills_it_keeps_its_times(self, bench, media, home):
        path = media(windows=4, align_kill=2)
        async with bench() as b:
            job = await b.add(path, recipe=ALIGNED)
            assert await b.ended(job) == b.view.job(job).state
            assert b.view.job(job).state.gaps == 0
            assert {each.stage for each in b.said(ev.AttemptFailed)} == {"align"}
        assert words_of(home, job) == {0: 110, 1: 110, 2: 100, 3: 110}
        with contextlib.closing(Ledger(home.ledger, read_only=True)) as ledger:
            [told] = read_transcript(ledger, ledger.job(job)).unaligned
            assert told.span == Span(2 * WINDOW, 3 * WINDOW)
            assert "ended" in told.reason or "killed" in told.reason

    async def test_a_window_that_it_refuses_keeps_its_times(self, bench, media, home):
        async with bench() as b:
            job = await b.add(media(windows=3, align_raise=1), recipe=ALIGNED)
            assert isinstance(await b.ended(job), Done)
        assert words_of(home, job) == {0: 110, 1: 100, 2: 110}

    @pytest.mark.parametrize("stage", ["no.such.module:Align", "tests.stages:Unloadable"])
    async def test_without_it_the_transcript_is_complete(self, bench, media, home, stage):
        path = media(windows=3)
        async with bench(stages={"align": stage}) as b:
            job = await b.add(path, recipe=ALIGNED)
            assert isinstance(await b.ended(job), Done)
            [warning] = b.view.job(job).warnings
            assert warning.endswith("The words keep the times that the recogniser gave them.")
        assert words_of(home, job) == dict.fromkeys(range(3), 100)
        async with bench() as b:
            await b.engine.submit(Retry(job))
            await b.until(lambda event: isinstance(event, ev.Written) and not event.partial)
        assert words_of(home, job) == dict.fromkeys(range(3), 110), "once it can be used, it is made up for"

    async def test_after_a_kill_it_goes_on_where_it_was(self, bench, media, home):
        path = media(windows=6, align_hold=4)
        hold = path.with_suffix(".hold")
        hold.touch()
        async with bench() as b:
            job = await b.add(path, recipe=ALIGNED)
            await b.until(lambda event: is_aligned(event) and event.spans[-1].start == 3 * WINDOW)
            await b.engine.stop(now=True)  # its worker is killed, as with a kill of the whole
        hold.unlink()
        async with bench() as b:
            assert b.engine.view.job(job).aligned == (Span(0, 4 * WINDOW),)
            assert isinstance(await b.ended(job), Done)
            assert "transcribe" not in {each.stage for each in b.said(ev.WorkerStarted)}
        assert words_of(home, job) == dict.fromkeys(range(6), 110)
        assert [line.split()[0] for line in aligning(path)] == ["0", "1", "2", "3", "4", "4", "5"]

    async def test_it_can_be_paused(self, bench, media):
        path = media(windows=6, align_hold=1)
        hold = path.with_suffix(".hold")
        hold.touch()
        async with bench() as b:
            job = await b.add(path, recipe=ALIGNED)
            await b.until(is_aligned)
            await b.engine.submit(Pause(job, "park"))
            hold.unlink()
            await b.until(lambda event: isinstance(event, ev.JobChanged) and isinstance(event.state, Paused))
            [aligned] = b.view.job(job).aligned
            assert aligned.end in (WINDOW, 2 * WINDOW), "the second window may not have been begun"
            await b.engine.submit(Resume(job))
            assert isinstance(await b.ended(job), Done)
        assert len(aligning(path)) == 6


class TestVoting:
    async def test_the_language_is_voted_on_once_and_kept(self, bench, media, home):
        path = media(windows=4)
        recipe = Recipe(backend="tests.stages:Polyglot", batch=1, parallel=1, chunk_ms=30_000, align="auto")
        async with bench() as b:
            job = await b.add(path, recipe=recipe, chunking="always")
            assert isinstance(await b.ended(job), Done)
            assert (b.view.job(job).language, b.view.job(job).votes[0]) == ("de", ("de", 0.75))
            assert len(b.said(ev.LanguageFound)) == 1
        told = path.with_name(f"{path.name}.told").read_text().splitlines()
        assert told[0] == "None 4"
        assert aligning(path)[0] == "0 de"
        assert json.loads(path.with_suffix(".json").read_text())["language"] == "de"
        async with bench() as b:
            assert b.engine.view.job(job).language == "de"


class TestFetching:
    async def test_a_download_is_told_and_not_all_of_it_kept(self, bench, media, home):
        recipe = Recipe(backend="tests.stages:Fetches", batch=1, parallel=1, language="en")
        async with bench() as b:
            job = await b.add(media(), recipe=recipe)
            await b.until(lambda event: isinstance(event, ev.ModelFetched))
            assert b.view.job(job).fetching.total == 100
            await b.until(lambda event: isinstance(event, ev.WorkerReady) and not b.view.job(job).fetching)
            assert isinstance(await b.ended(job), Done)
        with contextlib.closing(Ledger(home.ledger, read_only=True)) as ledger:
            kept = [entry.event for entry in ledger.entries(job) if isinstance(entry.event, ev.ModelFetched)]
            assert [each.done for each in kept] == [0, 100]


class TestLedger:
    def test_a_later_vote_replaces_an_earlier_one(self, home):
        with contextlib.closing(Ledger(home.ledger)) as ledger:
            with ledger.transaction():
                ledger.save(
                    do.SaveJob(
                        id=1,
                        source=do.Source("/a.wav", 1, 1),
                        options=ev.Options(),
                        state=Done(1),
                        position=0,
                        outputs=(),
                        worked_ms=0,
                    )
                )
                for start, language in ((0, "de"), (5, "fr")):
                    found = Spoken(language=language, votes=((language, 1.0),))
                    ledger.save(do.SaveSpoken(1, (Span(start, 9),), found))
            assert ledger.spoken(1) == found
            assert ledger.progress(1).language == "fr"
            with ledger.transaction():
                ledger.save(do.ForgetJob(1))
            assert ledger.spoken(1) is None
