"""What there is to say about a job, out of its ledger."""

import contextlib

import pytest

from engine import events as ev
from engine.ledger import Ledger
from engine.recipe import FailureKind
from engine.report import report_of
from engine.states import Done, Paused, Running
from engine.tally import Gap, periods, tally
from engine.timeline import Span, length
from tests.engine.told import BUDGET, MIB, START, WINDOWS, Told, eventful, frozen, save


@pytest.fixture
def ledger(tmp_path):
    with contextlib.closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        yield ledger


@pytest.fixture
def report(ledger):
    save(ledger, eventful())
    return report_of(ledger, 1)


def test_an_unknown_job_has_no_report(ledger):
    save(ledger, eventful())
    assert report_of(ledger, 2) is None


class TestReport:
    def test_says_what_the_file_is_and_what_became_of_it(self, report):
        assert report.probed.container == "matroska"
        assert (report.duration, length(report.speech), report.windows) == (240_000, 7 * 29_000, 8)
        assert report.state == Done(report.state.at, gaps=29_000)
        assert [(gap.span, gap.reason) for gap in report.gaps] == [(WINDOWS[5], "Poison.")]
        assert [(flaw.span, flaw.reason) for flaw in report.doubtful] == [(WINDOWS[6], "loops")]
        assert report.unheard == (Span(1, 900),)
        assert report.fraction == 1.0

    def test_has_every_attempt_with_what_it_needed(self, report):
        first, second = report.attempts
        assert (first.outcome, first.reason, first.peak, first.took_ms) == (
            "oom",
            "Too little memory.",
            600 * MIB,
            8000,
        )
        assert first.speed is None, "only what was all done has a speed"
        assert second.speed == pytest.approx(239_000 / 24_900)
        assert [recipe.batch for recipe in report.recipes] == [4, 2]

    def test_counts_failures_by_kind(self, report):
        assert report.failures == {"oom": 1, "error": 2}
        assert report.tally.retries == 5, "four windows after the lack of memory, one after the error"

    def test_measures_the_memory_while_the_job_was_at_work(self, report):
        memory = report.memory
        assert memory.highest.tree == 600 * MIB
        assert (memory.budget, memory.over, memory.swap, memory.pressure) == (BUDGET, 2, MIB, "warning")
        assert len(memory.samples) == 18
        peaks = {stage.name: stage.peak for stage in report.stages}
        assert peaks == {"listen": None, "transcribe": 600 * MIB, "write": None}

    def test_leaves_out_the_memory_of_other_jobs(self, ledger):
        told = Told().sit_down().add().sample(500, 5).run().sample(100, 3).turn(Paused(START)).sample(500, 5)
        save(ledger, told.run().sample(120, 2).turn(Done(told.at)).sample(500, 5))
        assert {sample.tree // MIB for sample in report_of(ledger, 1).memory.samples} == {100, 120}

    def test_marks_what_happened_in_the_order_of_time(self, report):
        assert [mark.kind for mark in report.marks] == [
            *("worker", "worker", "failure", "lighter", "worker"),
            *("worker", "lighter", "pause", "worker", "heavier", "failure", "failure"),
        ]
        pause = next(mark for mark in report.marks if mark.kind == "pause")
        assert pause.until - pause.at == 20_000

    def test_does_without_what_the_ledger_does_not_keep_for_ever(self, ledger):
        told = eventful()
        small = (ev.SpeechHeard, ev.BatchStarted, ev.BatchDone, ev.ChunkStarted, ev.ChunkDone, ev.MemorySampled)
        told.entries = [entry for entry in told.entries if not isinstance(entry.event, small)]
        save(ledger, told)
        report = report_of(ledger, 1)
        assert {stage.name: stage.took_ms for stage in report.stages}["transcribe"] == 8_000 + 24_900
        assert (report.memory.highest, report.memory.samples) == (None, ())
        assert report.failures == {"oom": 1, "error": 2}


class TestTally:
    def test_counts_each_stages_time(self):
        told = tally(eventful().entries)
        assert told.sittings == 2
        assert length(told.listening) == 1_100
        # 2 s until the failure, 4 + 2 s done, 2 s until the power was cut, 3 + 2 s; 2 s, 2 s and 0.9 s; 2 + 2 s.
        assert length(told.transcribing) == 2_000 + 6_000 + 1_000 + 5_000 + 4_000 + 900 + 4_000
        assert length(told.writing) == 300

    def test_a_sitting_that_ended_without_a_word_ended_with_the_last_that_was_heard_of_it(self):
        told = Told().sit_down().add().run().start(1, "transcribe").begin(0).sample(9, 3).later(10**6).sit_down()
        assert length(tally(told.entries).transcribing) == 2_000

    def test_frozen_time_counts_for_no_stage(self):
        told = tally(frozen().entries)
        assert length(told.transcribing) == 2_000
        assert [(pause.how, pause.until - pause.at) for pause in told.pauses] == [("frozen", 60_000)]

    def test_a_pause_lasts_over_sittings(self):
        told = Told().sit_down().add().run().turn(Paused(START)).later(5_000).sit_down().add(state=Paused(START))
        assert [pause.until for pause in tally(told.entries).pauses] == [None]
        assert [pause.until for pause in tally(told.later(7_000).run().entries).pauses] == [START + 12_000]

    def test_tells_every_workers_load_and_end(self):
        first, second, *_ = tally(eventful().entries).loads
        assert (first.stage, first.took_ms, first.reason) == ("listen", 400, "no longer needed")
        assert (second.stage, second.took_ms, second.reason) == ("transcribe", 700, "killed")

    def test_tells_every_change_with_what_was_before(self):
        changes = tally(eventful().change("asked for", batch=8).entries).changes
        assert [(each.kind, each.before.batch, each.recipe.batch) for each in changes] == [
            ("lighter", 4, 2),
            ("lighter", 4, 2),  # because a new sitting begins with what was wanted
            ("heavier", 2, 4),
            ("set", 4, 8),
        ]

    def test_a_stage_that_starts_again_after_a_failure_is_a_retry(self):
        told = Told().sit_down().add().run().start(1, "listen").fail(kind=FailureKind.CRASH).start(2, "listen")
        assert tally(told.entries).retries == 1

    def test_remembers_why_gaps_were_left(self):
        assert tally(eventful().entries).gaps == (Gap(WINDOWS[5], "Poison."),)

    def test_periods_are_the_times_at_work(self):
        told = Told().sit_down().add().run().turn(Paused(0)).run().sit_down().add().run()
        assert periods(told.entries) == [(3, 4), (5, 6), (8, None)]
        assert periods(Told().add().run().turn(Running(5)).turn(Done(6)).entries) == [(2, 4)]


def test_ten_hours_of_samples_are_reported(ledger):
    told = Told().sit_down().add().run().start(1, "transcribe")
    for _ in range(900):
        told.begin(0).sample(400, 40).done(0, took=0)
    save(ledger, told.turn(Done(told.at)))
    report = report_of(ledger, 1)
    assert len(report.memory.samples) == 36_000
