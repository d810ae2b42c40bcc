"""A damaged ledger is put aside, and what can be read of it goes on; nothing is taken for silence that was lost."""

import os
import random
import sqlite3

import pytest

from engine import events as ev
from engine.commands import Options
from engine.ledger import Ledger, LedgerDamaged, LedgerError, LedgerFull
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard
from engine.recipe import Recipe
from engine.repair import open_ledger
from engine.states import Done, Failed, Paused, Queued
from engine.timeline import Span
from engine.transcript import Segment, Word
from engine.trouble import trouble
from tests.engine.ledgers import restore

JOBS, WINDOWS = 12, 40
PAGE = 4096
KINDS = "('SpeechHeard','ChunkStarted','ChunkDone','BatchStarted','BatchDone','QueueOrdered')"


def window(number):
    return Span(number * 10_000, number * 10_000 + 9_000)


def words(job, number):
    text = f" word{job}x{number}"
    return (Segment(number * 10_000, number * 10_000 + 9_000, text * 20, (Word(text, 0, 400, 0.5),) * 20),)


def fill(path, jobs=JOBS):
    """Odd jobs are done, even ones paused; all are wholly transcribed. Closed as by a power cut: nothing beside it."""
    ledger = Ledger(path)
    for job in range(1, jobs + 1):
        state = Done(9) if job % 2 else Paused(3)
        with ledger.transaction():
            ledger.save(
                do.SaveJob(
                    id=job,
                    source=do.Source(f"/media/{job}.mkv", 10, 20),
                    options=Options(),
                    state=state,
                    position=job,
                    outputs=(f"/media/{job}.srt",),
                    worked_ms=7,
                )
            )
            attempt = do.SaveAttempt(id=job, job=job, span=Span(0, 400_000), windows=40, recipe=Recipe(), began=5)
            ledger.save(attempt)
            for number in range(WINDOWS):
                span = Span(number * 10_000, (number + 1) * 10_000)
                heard = Heard(
                    span=span, speech=(window(number),), windows=(window(number),), last=number == WINDOWS - 1
                )
                ledger.save(do.SaveHeard(job, heard))
                decoded = Decoded(span=window(number), segments=words(job, number))
                ledger.save(do.SaveDecoded(job, ((job, decoded),)))
                ledger.record(ev.Entry(ledger_seq(job, number), 5, ev.GapLeft(job, window(number), "why " * 20)))
    ledger.close()
    return path


def ledger_seq(job, number):
    return job * 1_000 + number


def root(path, name):
    db = sqlite3.connect(path)
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name=?", (name,)).fetchone()[0]
    db.close()
    return page


def spoil(path, pages):
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(b"\xff" * PAGE)


def aside(path):
    (found,) = path.parent.glob("*.damaged-*.sqlite")
    return found


def check_what_is_there(ledger):
    """Every job is whole, or begins anew; the numbers of those that are whole."""
    whole = []
    for job in ledger.jobs():
        progress = ledger.progress(job.id)
        decoded = ledger.decoded(job.id)
        if not progress.heard_all:
            assert progress == ev.Progress(duration=progress.duration, worked_ms=7), "something was left of it"
            assert decoded == []
            assert isinstance(job.state, Queued | Done), job.state
        else:
            assert progress.windows == progress.covered == tuple(window(number) for number in range(WINDOWS))
            assert len(progress.speech) == WINDOWS
            assert [text for _, _, text in decoded] == [words(job.id, number) for number in range(WINDOWS)]
            whole.append(job.id)
    return whole


@pytest.fixture
def path(tmp_path):
    return tmp_path / "odd name #1?.sqlite"


def test_a_sound_ledger_is_just_opened(path):
    fill(path)
    ledger, told = open_ledger(path)
    assert told is None
    assert check_what_is_there(ledger) == list(range(1, JOBS + 1))
    ledger.close()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_new_ledger_is_made_where_there_is_none(path):
    ledger, told = open_ledger(path)
    assert told is None
    assert ledger.jobs() == ()
    ledger.close()


@pytest.mark.parametrize("content", [b"this is no database at all", b"SQLite format 3\0" + b"x" * 20_000])
def test_what_is_no_ledger_is_put_aside(path, content):
    path.write_bytes(content)
    ledger, told = open_ledger(path)
    assert ledger.jobs() == ()
    ledger.close()
    assert aside(path).read_bytes() == content
    assert told == (
        f"The ledger was damaged and is kept as {aside(path)}; nothing in it could be read, so the queue is empty; "
        "transcripts that were finished are untouched."
    )


@pytest.mark.parametrize("table", ["event", "memory"])
def test_damage_to_the_story_costs_no_job(path, table):
    spoil(fill(path), [root(path, table)])
    before = path.read_bytes()
    ledger, told = open_ledger(path)
    assert check_what_is_there(ledger) == list(range(1, JOBS + 1))
    assert f"{JOBS} jobs were saved from it; transcripts" in told
    assert aside(path).read_bytes() == before
    ledger.close()


def test_damage_to_the_spans_costs_the_jobs_they_are_of(path):
    fill(path)
    size = path.stat().st_size // PAGE
    spoil(path, [size // 2])
    ledger, told = open_ledger(path)
    whole = check_what_is_there(ledger)
    assert len(ledger.jobs()) == JOBS
    assert JOBS - 3 <= len(whole) < JOBS or "would begin again" not in told
    assert ledger.next_ids() == (JOBS + 1, JOBS + 1)
    ledger.close()


@pytest.mark.parametrize("seed", range(16))
def test_wherever_the_damage_is_no_job_is_left_with_a_hole(path, seed):
    rng = random.Random(seed)
    fill(path, jobs=6)
    pages = range(2, path.stat().st_size // PAGE + 1)
    spoil(path, rng.sample(pages, rng.choice([1, 1, 2, 5, 20])))
    before = path.read_bytes()
    ledger, told = open_ledger(path)
    check_what_is_there(ledger)
    assert told is not None
    assert told.count("; ") == 2
    assert aside(path).read_bytes() == before, "the damaged file was touched"
    assert ledger._db.execute("PRAGMA foreign_key_check").fetchall() == []
    ledger.close()
    again, told = open_ledger(path)
    assert told is None
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_a_file_that_was_cut_short_is_no_exception(path, seed):
    fill(path, jobs=6)
    os.truncate(path, random.Random(seed).randrange(1, path.stat().st_size))
    ledger, told = open_ledger(path)
    check_what_is_there(ledger)
    assert told is not None
    ledger.close()


@pytest.mark.parametrize("seed", range(20))
def test_bytes_that_are_torn_here_and_there_stop_nothing(path, seed):
    rng = random.Random(seed)
    fill(path, jobs=4)
    content = bytearray(path.read_bytes())
    until = len(content) if seed % 3 else 2 * PAGE  # the schema is on the first pages
    for _ in range(rng.choice([1, 30, 300])):
        content[rng.randrange(until)] = rng.randrange(256)
    path.write_bytes(content)
    ledger, _ = open_ledger(path)
    for job in ledger.jobs():
        assert isinstance(ledger.progress(job.id), ev.Progress)
        assert all(ledger.attempts(job.id))
        assert ledger.next_seq() > max((entry.seq for entry in ledger.entries(job.id)), default=0)
    ledger.close()


def test_damage_that_only_work_finds_is_mended_by_the_next_start(path, monkeypatch):
    fill(path)
    spoil(path, [root(path, "event_quiet")])  # nothing but this page of an index
    ledger = Ledger(path)
    with pytest.raises(LedgerDamaged):
        ledger._row("SELECT at FROM event INDEXED BY event_quiet WHERE kind IN " + KINDS)
    ledger.abandon()
    monkeypatch.setattr(Ledger, "check", lambda self: None)  # as if it did not see this
    ledger, told = open_ledger(path)
    assert f"{JOBS} jobs were saved from it" in told
    ledger.close()
    ledger, told = open_ledger(path)
    assert told is None
    ledger.close()


def test_a_ledger_that_lacks_a_column_is_damaged(path):
    fill(path, jobs=2)
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE memory RENAME COLUMN swap TO swop")
    db.close()
    ledger, told = open_ledger(path)
    assert "2 jobs were saved from it" in told
    ledger.record(ev.Entry(9_999, 1, ev.MemorySampled(tree=1, budget=2, available=3)))
    ledger.close()


@pytest.mark.parametrize(("version", "jobs"), [(1, [1, 2, 3, 5]), (2, [1, 2, 3, 5, 6])])
def test_a_damaged_ledger_of_an_earlier_version_is_saved_too(tmp_path, version, jobs):
    path = restore(version, tmp_path / "ledger.sqlite")
    spoil(path, [root(path, "event")])
    ledger, told = open_ledger(path)
    assert [job.id for job in ledger.jobs()] == jobs
    assert len(ledger.decoded(1)) == 4
    assert ledger.next_ids()[0] > jobs[-1]
    assert f"{len(jobs)} jobs were saved from it" in told
    ledger.close()


def test_what_is_known_is_saved_but_not_of_jobs_that_were_lost(path):
    """What was removed stays known; what was lost may be found and done again."""
    ledger = Ledger(fill(path))
    with ledger.transaction():
        for job in (1, 2, 99):
            ledger.save(do.SaveKnown(fingerprint=f"content {job}", path=f"/{job}.wav", job=job, at=5))
        ledger.save(do.ForgetJob(2))
    ledger.close()
    spoil(path, [root(path, "event")])
    ledger, _ = open_ledger(path)
    assert ledger.known("content 1") == do.Known("/1.wav", 1)
    assert ledger.known("content 2") == do.Known("/2.wav", 2)
    assert ledger.known("content 99") is None
    assert ledger.next_ids()[0] == 100, "the number of a lost job is used again"
    ledger.close()


def test_a_table_of_what_is_known_that_is_lost_takes_nothing_with_it(path):
    spoil(fill(path), [root(path, "known")])
    ledger, _ = open_ledger(path)
    assert check_what_is_there(ledger) == list(range(1, JOBS + 1))
    assert ledger.known("content 1") is None
    ledger.close()


def test_what_is_beside_the_file_goes_with_it(path):
    spoil(fill(path), [root(path, "event")])
    reader = sqlite3.connect(path, isolation_level=None)  # so that SQLite leaves those files there
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM job").fetchone() == (JOBS,)
    ledger, _ = open_ledger(path)
    beside = {aside(path).with_name(aside(path).name + side) for side in ("-wal", "-shm")}
    assert all(each.exists() for each in beside)
    assert reader.execute("SELECT count(*) FROM span").fetchone() == (JOBS * WINDOWS * 3,)
    reader.close()
    assert check_what_is_there(ledger) == list(range(1, JOBS + 1))
    ledger.close()


def test_a_saving_that_was_interrupted_is_taken_up(path):
    fill(path)
    path.rename(path.with_name("odd name #1?.saved.sqlite"))
    ledger, told = open_ledger(path)
    assert told is None
    assert len(ledger.jobs()) == JOBS
    ledger.close()


def test_a_second_damage_in_the_same_second_keeps_both(path, monkeypatch):
    monkeypatch.setattr("engine.repair.time.strftime", lambda form: "20260101-000000")
    for content in (b"first of all damages", b"second of all damages"):
        path.write_bytes(content)
        open_ledger(path)[0].close()
    kept = {each.name: each.read_bytes() for each in path.parent.glob("*.damaged-*")}
    assert kept == {
        "odd name #1?.damaged-20260101-000000.sqlite": b"first of all damages",
        "odd name #1?.damaged-20260101-000000-2.sqlite": b"second of all damages",
    }


def test_a_full_disk_while_saving_leaves_all_as_it_was(path, monkeypatch):
    spoil(fill(path), [root(path, "event")])
    before = path.read_bytes()

    def full(old, new):
        new.execute("PRAGMA max_page_count=1")
        new.executemany(
            "INSERT INTO memory (seq, at, tree, budget, available) VALUES (?,1,1,1,1)", ((n,) for n in range(9_999))
        )

    monkeypatch.setattr("engine.repair.salvage", full)
    with pytest.raises(LedgerFull, match="its disk is full; free some space"):
        open_ledger(path)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.damaged-*"))
    monkeypatch.undo()
    ledger, told = open_ledger(path)
    assert f"{JOBS} jobs were saved" in told
    ledger.close()


def test_a_later_version_is_no_damage(path):
    fill(path)
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(LedgerError, match="later version") as raised:
        open_ledger(path)
    assert not isinstance(raised.value, LedgerDamaged)
    assert path.exists()


def test_damage_that_shows_while_at_work_is_told_as_such(path):
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    found = trouble(path, "read", error)
    assert isinstance(found, LedgerDamaged)
    assert str(found).endswith("start scribetui to have it put aside and to save what can be read of it.")


# ---- rows that do not decode, in a file that is sound


def test_a_job_of_another_age_is_listed_as_failed(path):
    fill(path, jobs=3)
    db = sqlite3.connect(path)
    db.execute('UPDATE job SET state=\'{"type":"Dreaming"}\' WHERE id=1')
    db.execute("UPDATE job SET options='{\"recipe\":{\"batch\":', path=CAST(x'2f61ff62' AS TEXT) WHERE id=2")
    db.commit()
    db.close()
    ledger, told = open_ledger(path)
    assert told is None
    dreaming, torn, sound = ledger.jobs()
    for job in (dreaming, torn):
        assert isinstance(job.state, Failed)
        assert job.state.error.startswith("What the ledger holds of this job cannot be read (")
    assert dreaming.source.path == "/media/1.mkv"
    assert torn.source.path == "/a�b"
    assert sound.state == Done(9)
    assert isinstance(ledger.job(1).state, Failed)
    with ledger.transaction():
        ledger.save(do.ForgetJob(1))
    assert [job.id for job in ledger.jobs()] == [2, 3]
    ledger.close()


def test_text_that_does_not_decode_is_one_sentence(path):
    fill(path, jobs=1)
    db = sqlite3.connect(path)
    db.execute("UPDATE span SET data='[[1,' WHERE stage='transcribe' AND start=20000")
    db.commit()
    db.close()
    ledger = Ledger(path)
    with pytest.raises(LedgerError, match=r"holds text of job 1 at 20 s that cannot be read \(.*\); remove the job"):
        ledger.decoded(1)
    ledger.close()


def test_odds_and_ends_that_do_not_decode_are_left_out(path):
    fill(path, jobs=2)
    db = sqlite3.connect(path)
    db.execute("UPDATE job SET claim='{' WHERE id=1")
    db.execute("UPDATE listening SET probed='[]'")
    db.execute('UPDATE attempt SET peak=5, ended=5, recipe=\'{"batch":"many"}\'')
    db.execute("UPDATE span SET flaws='[]' WHERE stage='transcribe' AND start=0")
    db.execute("DELETE FROM event")
    db.execute('INSERT INTO event VALUES (1, 5, 1, \'Dreamt\', \'{"type":"Dreamt","job":1}\')')
    db.execute("INSERT INTO event VALUES (2, 5, NULL, 'Slept', '{\"type\":\"Slept\"}')")
    db.execute("INSERT INTO event VALUES (3, 5, 1, 'Warning', '{')")
    db.execute("INSERT INTO memory (seq, at, tree, budget, available, pressure) VALUES (4, 5, 1, 2, 3, 'odd')")
    db.commit()
    db.close()
    ledger = Ledger(path)
    assert ledger.claim(1) is None
    assert ledger.others(2) == []
    assert ledger.probed(1) is None
    assert ledger.seen() == ()
    assert ledger.flaws(1) == []
    assert ledger.warnings(1) == ()
    told = [entry.event for entry in ledger.entries()]
    assert told[0] == ev.Warning(1, "This version of scribetui cannot read what happened here (Dreamt).")
    assert [type(event) for event in told] == [ev.Warning, ev.Warning, ev.MemorySampled]
    assert ledger.next_seq() == 5
    ledger.close()
