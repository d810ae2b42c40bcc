"""A job's story, read from the ledger, in one go or piece by piece."""

import contextlib

import pytest

from engine import events as ev
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.report import report_of
from engine.states import ENDED, Done, Queued, Stopped
from engine.story import Story
from engine.timeline import length, union
from tests.engine.told import RECIPE, WINDOWS, Told, eventful
from tests.engine.world import World


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


def told_into(ledger: Ledger, told: Told) -> list[ev.Event]:
    for entry in told.entries:
        ledger.record(entry)
    return [entry.event for entry in Story(ledger, 1).new()]


def test_workers_of_the_job_belong_to_its_story(ledger):
    story = told_into(ledger, eventful())
    ends = [event.reason for event in story if isinstance(event, ev.WorkerEnded)]
    assert ends == ["no longer needed", "killed", "no longer needed"], "of the last one, after the job's end, too"
    assert sum(isinstance(event, ev.WorkerReady) for event in story) == 5
    assert not any(isinstance(event, ev.MemorySampled) for event in story)


def test_numbers_of_workers_mean_nothing_in_another_sitting(ledger):
    told = Told().sit_down().add().run().start(1, "transcribe").sit_down()
    told.tell(ev.WorkerStarted(job=2, worker=1, stage="transcribe", model="m"), ev.WorkerReady(1, 5))
    assert ev.WorkerReady(1, 5) not in told_into(ledger, told)


def test_a_worker_kept_warm_belongs_to_the_job_it_goes_on_with(ledger):
    told = Told().sit_down().add()
    told.tell(ev.WorkerStarted(job=2, worker=1, stage="transcribe", model="m"), ev.WorkerReady(1, 5)).run()
    told.tell(ev.ChunkStarted(job=1, attempt=1, span=WINDOWS[0], windows=1, recipe=RECIPE)).end(1, "killed")
    story = told_into(ledger, told)
    assert ev.WorkerEnded(1, "killed") in story
    assert ev.WorkerReady(1, 5) not in story


def test_an_aligner_kept_warm_belongs_to_the_job_whose_words_it_aligns(ledger):
    told = Told().sit_down().add()
    told.tell(ev.WorkerStarted(job=2, worker=1, stage="align", model="m"), ev.WorkerReady(1, 5)).run()
    told.tell(ev.WordsAligned(job=1, spans=(WINDOWS[0],), took_ms=5)).end(1, "killed")
    assert ev.WorkerEnded(1, "killed") in told_into(ledger, told)


def test_the_engines_start_is_told_where_it_finds_the_job_unfinished(ledger):
    told = Told().sit_down().add().run().sit_down().add(state=Queued()).run().turn(Done(5)).sit_down()
    starts = [n for n, event in enumerate(told_into(ledger, told)) if isinstance(event, ev.EngineStarted)]
    assert starts == [2]


def test_an_unknown_job_has_no_story(ledger):
    told_into(ledger, eventful())
    story = Story(ledger, 2)
    assert list(story.new()) == []
    assert story.state is None


def test_the_story_of_a_removed_job_has_ended(ledger):
    story = Story(ledger, 1)
    told = eventful().tell(ev.JobRemoved(1))
    for entry in told.entries:
        ledger.record(entry)
    assert list(story.new())[-1].event == ev.JobRemoved(1)
    assert story.has_ended


def test_it_reads_on_where_it_stopped_beside_the_writer(ledger):
    told = eventful()
    with contextlib.closing(Ledger(ledger.path, read_only=True)) as reader:
        story = Story(reader, 1)
        read = []
        for n, entry in enumerate(told.entries):
            ledger.record(entry)
            if n % 3 == 0:
                ledger.flush()
                read += story.new()
                assert story.has_ended == any(
                    isinstance(each.event, ev.JobChanged) and isinstance(each.event.state, ENDED) for each in read
                )
        ledger.flush()
        read += story.new()
    assert read == list(Story(ledger, 1).new())


class Kept(World):
    """A world that keeps its ledger for real."""

    def __init__(self, seed: int, ledger: Ledger) -> None:
        self.ledger = ledger
        self.kept = 0
        super().__init__(seed)

    def start(self) -> None:
        self.ledger.close_attempts()
        super().start()

    def carry_out(self, instruction: do.Instruction) -> None:
        super().carry_out(instruction)
        if Ledger.is_saving(instruction):
            with self.ledger.transaction():
                assert self.ledger.save(instruction)

    def keep(self) -> None:
        for entry in self.entries[self.kept :]:
            self.ledger.record(entry)
        self.kept = len(self.entries)
        self.ledger.flush()


@pytest.mark.parametrize("seed", range(40))
def test_any_history_can_be_told_and_reported(ledger, seed):
    world = Kept(seed, ledger)
    stories: dict[int, tuple[Story, list[ev.Entry]]] = {}
    for _ in range(12):
        for _ in range(10):
            world.step()
        world.keep()
        for job in world.books:
            story, read = stories.setdefault(job, (Story(ledger, job), []))
            read += story.new()
        for job in world.books:
            _check_report(world, job)
    for job, (story, read) in stories.items():
        read += story.new()
        assert story.is_removed == (job not in world.books)
        if story.is_removed:
            continue  # and the ledger has forgotten what there was to tell
        assert read == list(Story(ledger, job).new())
        own = [entry.seq for entry in world.entries if getattr(entry.event, "job", None) == job]
        assert [entry.seq for entry in read if getattr(entry.event, "job", None) == job] == own
        # That a sitting leaves a job alone is no matter of the ledger's.
        kept = Queued() if isinstance(story.state, Stopped) else story.state
        assert kept == world.books[job].state


def _check_report(world: Kept, job: int) -> None:
    report = report_of(world.ledger, job)
    book = world.books[job]
    assert (report.path, report.state) == (book.source.path, book.state)
    assert report.covered_ms == sum(span.length for span in book.decoded)
    assert 0.0 <= report.fraction <= 1.0
    told = report.tally
    for spans in (told.listening, told.transcribing, told.writing):
        assert spans == union(spans)
        assert length(spans) <= world.now - (told.began or world.now)
    assert all(each.until is None or each.until >= each.at for each in told.pauses)
    assert all(each.until is not None for each in told.pauses[:-1])
    assert len(told.troubles) == sum(report.failures.values())
    assert list(report.marks) == sorted(report.marks, key=lambda mark: mark.at)
