"""The ledger: what is saved is there again, or not at all."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from engine import events as ev
from engine.commands import Options
from engine.ledger import Claim, Ledger, LedgerError
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard, Probed
from engine.reading import LINES
from engine.recipe import Recipe
from engine.savers import Flaws
from engine.states import Done, Queued, Running
from engine.timeline import Span
from engine.transcript import Segment, Word
from engine.view import fold_all

WINDOWS = (Span(0, 9_000), Span(9_000, 20_000))
SEGMENT = Segment(100, 8_000, "hello", (Word(" hello", 100, 400, 0.5),))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "odd name #1?.sqlite"


@pytest.fixture
def ledger(path):
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def save(ledger, *instructions):
    with ledger.transaction():
        for each in instructions:
            assert ledger.save(each)


def a_job(number=1, state=None, position=0):
    return do.SaveJob(
        id=number,
        source=do.Source("/media/a b\n[red].mkv", 10, 20),
        options=Options(recipe=Recipe(batch=3)),
        state=state or Queued(),
        position=position,
        outputs=(),
        worked_ms=7,
    )


def heard(last=True):
    return do.SaveHeard(1, Heard(span=Span(0, 20_000), windows=WINDOWS, checkpoint="c", last=last))


def an_attempt(**changes):
    given = {"id": 1, "job": 1, "span": Span(0, 20_000), "windows": 2, "recipe": Recipe(batch=3), "began": 5}
    return do.SaveAttempt(**(given | changes))


def decoded(*spans, **flaws):
    return do.SaveDecoded(1, tuple((1, Decoded(span=span, segments=(SEGMENT,), **flaws)) for span in spans))


def test_a_job_comes_back_as_it_was(ledger, path):
    save(ledger, a_job(state=Running(3)), heard(), an_attempt(), decoded(WINDOWS[0]), do.SaveGaps(1, (WINDOWS[1],)))
    reader = Ledger(path, read_only=True)
    (job,) = reader.jobs()
    assert job.source.path == "/media/a b\n[red].mkv"
    assert job.state == Running(3)
    assert job.progress == ev.Progress(
        duration=20_000,
        heard=20_000,
        heard_all=True,
        windows=WINDOWS,
        covered=(WINDOWS[0],),
        gaps=(WINDOWS[1],),
        checkpoint="c",
        worked_ms=7,
        lines=(ev.Line(WINDOWS[0].start, WINDOWS[0].end, SEGMENT.text.strip()),),
    )
    assert reader.decoded(1) == [(WINDOWS[0], Recipe(batch=3), (SEGMENT,))]
    reader.close()


def test_an_ended_job_comes_without_its_windows_until_asked(ledger):
    save(ledger, a_job(state=Done(9)), heard())
    (job,) = ledger.jobs()
    assert job.progress.windows == ()
    assert job.progress.is_brief
    assert job.progress.duration == 20_000
    assert not ledger.job(1).progress.is_brief
    assert ledger.job(1).progress.windows == WINDOWS


def test_a_window_cannot_be_committed_twice(ledger):
    save(ledger, a_job(), heard(), an_attempt(), decoded(WINDOWS[0]))
    with pytest.raises(LedgerError, match="UNIQUE"):
        save(ledger, decoded(WINDOWS[1], WINDOWS[0]))
    assert [span for span, _, _ in ledger.decoded(1)] == [WINDOWS[0]], "half a batch was kept"


def test_events_come_back_in_order_with_memory_samples_among_them(ledger):
    entries = [
        ev.Entry(1, 10, ev.JobRemoved(4)),
        ev.Entry(2, 11, ev.MemorySampled(tree=1, budget=2, available=3, device=4, swap=5, pressure="critical")),
        ev.Entry(3, 12, ev.WorkerReady(1, 2)),
    ]
    for entry in entries:
        ledger.record(entry)
    ledger.flush()
    assert list(ledger.entries()) == entries
    assert list(ledger.entries(after=1)) == entries[1:]
    assert list(ledger.entries(job=4)) == entries[:1]
    assert list(ledger.samples(2, 2)) == entries[1:2]
    assert list(ledger.samples(3, 9)) == []
    assert list(ledger.workers()) == entries[2:]
    assert list(ledger.workers(after=3)) == []
    assert ledger.next_seq() == 4


def test_the_log_of_earlier_sittings_is_what_their_events_fold_to(ledger):
    """Quiet events, partial files and jobs that are only told anew are no lines, however many there are."""
    added = ev.JobAdded(job=1, path="/a", size=1, options=Options(), state=Queued())
    told = [
        ev.EngineStarted(5),
        added,
        ev.BatchStarted(job=1, spans=(WINDOWS[0],)),
        ev.Written(job=1, partial=True, paths=("/a.partial.srt",)),
        ev.MemorySampled(tree=1, budget=2, available=3),
        ev.EngineStarted(6),
        msgspec.structs.replace(added, state=Done(7)),
        ev.Written(job=1, partial=False, paths=("/a.srt",)),
        ev.Warning(1, "careful"),
    ]
    entries = [ev.Entry(number, number, event) for number, event in enumerate(told, start=1)]
    for entry in entries:
        ledger.record(entry)
    ledger.flush()
    log = ledger.log(500)
    assert [line.seq for line in log] == [2, 6, 8, 9]
    assert log == fold_all(entries).log
    assert ledger.log(2) == log[-2:]


def test_an_event_can_be_read_as_soon_as_it_is_recorded(ledger, path):
    ledger.record(ev.Entry(1, 10, ev.WorkerReady(1, 2)))
    assert len(list(ledger.entries())) == 1
    assert ledger.next_seq() == 2
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM event").fetchone() == (1,)
    db.close()


@pytest.mark.parametrize("query", ["workers", "samples", "entries"])
def test_long_stories_are_found_by_an_index(ledger, query):
    asked = []
    ledger._db.set_trace_callback(asked.append)
    list(ledger.samples(1, 2) if query == "samples" else getattr(ledger, query)(after=5))
    ledger._db.set_trace_callback(None)
    plan = [row[3] for row in ledger._db.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert not [step for step in plan if step.startswith("SCAN ") and "INDEX" not in step], plan


def test_how_far_a_job_has_come_is_known_without_touching_more_than_the_last_of_its_text(ledger):
    save(ledger, a_job())
    asked = []
    ledger._db.set_trace_callback(asked.append)
    ledger.progress(1)
    ledger._db.set_trace_callback(None)
    spans = [query for query in asked if " FROM span " in query and "data" not in query]
    assert len(spans) == 6
    [text] = [query for query in asked if "data" in query and "stage='language'" not in query]
    assert text.endswith(f"LIMIT {LINES}")
    for query in spans:
        assert "USING COVERING INDEX" in ledger._db.execute(f"EXPLAIN QUERY PLAN {query}").fetchone()[3]


def test_what_was_heard_comes_back(ledger):
    speech = (Span(100, 4_000), Span(4_000, 8_500))
    save(ledger, a_job(), do.SaveHeard(1, Heard(span=Span(0, 9_000), speech=speech, windows=WINDOWS[:1])))
    save(ledger, do.SaveHeard(1, Heard(span=Span(9_000, 20_000), speech=(Span(9_100, 9_900),), windows=WINDOWS[1:])))
    assert ledger.speech(1) == (*speech, Span(9_100, 9_900))
    assert ledger.progress(1).speech == ledger.speech(1)
    assert ledger.progress(1).windows == WINDOWS
    assert ledger.job(1).progress.speech == (), "a list of jobs need not hold it"


def test_speech_that_is_told_twice_is_no_error(ledger):
    for end in (300, 200):
        save(ledger, a_job(), do.SaveHeard(1, Heard(span=Span(0, 500), speech=(Span(100, end), Span(400, 400)))))
    assert ledger.speech(1) == (Span(100, 300),)


def test_doubts_are_kept_with_their_window(ledger):
    save(ledger, a_job(), heard(), an_attempt())
    save(
        ledger, decoded(WINDOWS[0], doubt="a loop", unheard=(Span(5, 9),), recovered=(Span(1, 2),)), decoded(WINDOWS[1])
    )
    flaws = Flaws(doubt="a loop", unheard=(Span(5, 9),), recovered=(Span(1, 2),))
    assert ledger.flaws(1) == [(WINDOWS[0], flaws)]
    assert [segments for _, _, segments in ledger.decoded(1)] == [(SEGMENT,), (SEGMENT,)]


def test_no_event_that_is_kept_holds_the_speech(ledger):
    progress = ev.Progress(windows=WINDOWS, speech=WINDOWS)
    added = ev.JobAdded(job=1, path="a", size=1, options=Options(), state=Queued(), progress=progress)
    ledger.record(ev.Entry(1, 1, added))
    (entry,) = ledger.entries()
    assert entry.event.progress == ev.Progress(windows=WINDOWS)


def test_what_recipes_have_needed(ledger):
    def ended(number, recipe, peak, slowest, windows=32):
        began = an_attempt(id=number, recipe=recipe, windows=windows)
        done = msgspec.structs.replace(began, ended=9, outcome="done", peak=peak, slowest_ms=slowest)
        save(ledger, began, done)

    save(ledger, a_job())
    light, heavy = Recipe(batch=1), Recipe(batch=8)
    ended(1, light, 10, 900)
    ended(2, heavy, 70, 100)
    ended(3, light, 20, 300)
    ended(4, Recipe(batch=5), 0, 0)
    save(ledger, an_attempt(id=5, recipe=Recipe(batch=4)))
    ended(206, heavy, 999, 50, windows=31)  # too short to tell
    assert ledger.seen() == (
        do.Seen(recipe=heavy, peak=70, slowest_ms=100),
        do.Seen(recipe=light, peak=20, slowest_ms=900),
    )
    assert (ledger.attempts(1)[1]["peak"], ledger.attempts(1)[1]["slowest_ms"]) == (70, 100)
    for number in range(207, 407):
        ended(number, heavy, 1, 1)
    assert ledger.seen() == (do.Seen(recipe=heavy, peak=1, slowest_ms=1),), (
        "old attempts say nothing of today's machine"
    )


def test_what_was_not_committed_is_gone_after_a_crash(path):
    ledger = Ledger(path)
    save(ledger, a_job())
    ledger.record(ev.Entry(1, 1, ev.JobRemoved(1)))
    # What a crash leaves: the files as they are, with the transaction open.
    copy = path.with_name("copy.sqlite")
    for ending in ("", "-wal"):
        source = Path(f"{path}{ending}")
        if source.exists():
            Path(f"{copy}{ending}").write_bytes(source.read_bytes())
    after = Ledger(copy)
    assert len(after.jobs()) == 1
    assert list(after.entries()) == []
    after.close()
    ledger.close()


def test_open_attempts_of_an_earlier_sitting_are_marked_lost(ledger):
    save(ledger, a_job(), an_attempt(), an_attempt(id=2), an_attempt(id=2, ended=9, outcome="done"))
    ledger.close_attempts()
    assert [each["outcome"] for each in ledger.attempts(1)] == ["lost", "done"]


def test_numbers_are_never_used_again(ledger):
    save(ledger, a_job(1), a_job(2), an_attempt(id=5))
    save(ledger, do.ForgetJob(2))
    assert ledger.next_ids() == (3, 6)


def test_forgetting_a_job_takes_all_of_it(ledger, path):
    save(ledger, a_job(), heard(), an_attempt(), decoded(*WINDOWS), do.SaveProbed(1, a_probe()))
    ledger.record(ev.Entry(1, 1, ev.Warning(1, "what was said")))
    ledger.record(ev.Entry(2, 1, ev.Warning(2, "of another")))
    save(ledger, do.ForgetJob(1))
    assert [entry.event.job for entry in ledger.entries()] == [2]
    db = sqlite3.connect(path)
    for table in ("job", "listening", "span", "attempt"):
        assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    db.close()


def a_probe():
    return Probed(tracks=(), chosen=0, container="wav", duration=123, offset=0)


def test_the_headers_length_holds_until_the_audio_is_decoded(ledger):
    save(ledger, a_job(), do.SaveProbed(1, a_probe()))
    assert ledger.progress(1).duration == 123
    assert ledger.probed(1) == a_probe()
    save(ledger, heard())
    assert ledger.progress(1).duration == 20_000
    save(ledger, do.SaveProbed(1, a_probe()))
    assert ledger.progress(1).duration == 20_000, "an estimate replaced the truth"


def test_the_names_of_files_are_remembered(ledger):
    save(ledger, a_job(1), a_job(2, position=1))
    ledger.keep_claim(1, Claim("/out/a", ("srt",)))
    assert ledger.claim(1) == Claim("/out/a", ("srt",))
    assert ledger.claim(2) is None
    assert [(job.id, claim.base) for job, claim in ledger.others(2)] == [(1, "/out/a")]
    assert ledger.others(1) == []


def test_warnings_are_told_once_each(ledger):
    save(ledger, a_job())
    for seq, message in enumerate(["cut short", "odd", "cut short"], 1):
        ledger.record(ev.Entry(seq, 0, ev.Warning(1, message)))
    assert ledger.warnings(1) == ("cut short", "odd")


def test_the_queues_order_is_kept(ledger):
    save(ledger, a_job(1, position=2), a_job(2, position=0), a_job(3, position=1))
    assert [job.id for job in ledger.jobs()] == [2, 3, 1]


@pytest.mark.parametrize("content", [b"this is no database at all", b"SQLite format 3\0" + b"x" * 200])
def test_a_damaged_file_is_an_error_in_one_sentence(path, content):
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"^The ledger .+ cannot be opened: .+\.$"):
        Ledger(path)


def test_a_ledger_from_a_later_version_is_left_alone(ledger, path):
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(LedgerError, match="later version"):
        Ledger(path)


def test_looking_changes_nothing(ledger, path):
    save(ledger, a_job())
    reader = Ledger(path, read_only=True)
    with pytest.raises(LedgerError, match="readonly"), reader.transaction():
        reader.save(a_job(2))
    reader.close()
