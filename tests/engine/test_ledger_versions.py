"""A ledger of an earlier version is taken over whole, or left as it is."""

import sqlite3

import pytest

from engine import events as ev
from engine import ledger as module
from engine.ledger import Claim, Ledger, LedgerError
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard
from engine.recipe import Recipe
from engine.schema import MIGRATIONS
from engine.states import Done, Failed, Paused, Running
from engine.timeline import Span
from engine.view import fold_all
from tests.engine.ledgers import restore

TABLES = {
    "job": "id, path, size, mtime_ns, options, state, position, outputs, claim, duration, worked_ms",
    "listening": "job, heard, done, checkpoint, probed",
    "attempt": 'id, job, stage, start, "end", windows, recipe, began, ended, outcome, reason',
    "span": 'job, stage, start, "end", attempt, data',
    "event": "seq, at, job, kind, data",
    "memory": "seq, at, tree, budget, available",
}


NEW = {2: {"attempt": "peak, slowest_ms", "span": "flaws", "memory": "device, swap, pressure"}}
"""The columns that a version added."""
TODAY = len(MIGRATIONS)


@pytest.fixture
def old(tmp_path):
    return restore(1, tmp_path / "ledger.sqlite")


def content(path, of=1):
    """The version of a ledger, and all it holds that one of the version ``of`` does."""
    columns = dict(TABLES)
    for number in range(2, of + 1):
        for table, names in NEW[number].items():
            columns[table] += f", {names}"
    db = sqlite3.connect(path)
    found = {
        table: db.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2, 3").fetchall()
        for table, names in columns.items()
    }
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return version, found


@pytest.mark.parametrize("number", range(1, TODAY))
def test_nothing_of_an_earlier_version_is_lost(tmp_path, number):
    path = restore(number, tmp_path / "ledger.sqlite")
    version, before = content(path, number)
    assert version == number
    assert all(before.values())
    Ledger(path).close()
    assert content(path, number) == (TODAY, before)
    copy = path.with_name(f"ledger.v{number}.sqlite")
    assert content(copy, number) == (number, before), "the copy is not what there was"


def test_a_ledger_of_the_first_version_reads_as_one_of_today(old):
    ledger = Ledger(old)
    talk, film, bad, left = ledger.jobs()
    assert [each.id for each in (talk, film, bad, left)] == [1, 2, 3, 5]
    assert isinstance(talk.state, Done)
    assert film.state.gaps == 10_000
    assert isinstance(bad.state, Failed)
    assert isinstance(left.state, Paused)
    assert len(left.progress.windows) == 6
    assert [segments[0].text for _, _, segments in ledger.decoded(1)]
    assert ledger.claim(2) == Claim("/media/talks/film", ("srt", "vtt", "txt", "json"))
    assert ledger.warnings(1) == ("short",)
    assert ledger.speech(1) == ()
    assert ledger.flaws(1) == []
    assert ledger.seen() == ()
    assert {attempt["peak"] for attempt in ledger.attempts(1)} == {0}
    assert ledger.next_ids()[0] == 6
    entries = list(ledger.entries())
    assert len(entries) == 126
    assert ev.MemorySampled in {type(entry.event) for entry in entries}
    assert [job.id for job in fold_all(entries).jobs] == [1, 2, 3, 5]
    ledger.close()


def test_a_ledger_of_the_second_version_reads_as_one_of_today(tmp_path):
    ledger = Ledger(restore(2, tmp_path / "ledger.sqlite"))
    talk, film, bad, left, cut = ledger.jobs()
    assert [type(each.state) for each in (talk, film, bad, left, cut)] == [Done, Done, Failed, Paused, Running]
    assert {each.options.min_duration_ms for each in (talk, film, bad, left, cut)} == {0}
    assert [(span.start, flaws.doubt, len(flaws.unheard)) for span, flaws in ledger.flaws(1)] == [
        (10_000, "", 1),
        (20_000, "It repeats itself.", 0),
    ]
    assert len(ledger.speech(5)) == 6
    assert ledger.seen()[0].slowest_ms > 2_000
    assert ledger.next_ids() == (7, 20)
    assert [job.id for job in fold_all(ledger.entries()).jobs] == [1, 2, 3, 5, 6]
    assert ledger.known("f00d") is None
    with ledger.transaction():
        ledger.save(do.SaveKnown(fingerprint="f00d", path="/media/talks/film.media", job=2, at=5))
    assert ledger.known("f00d") == do.Known("/media/talks/film.media", 2)
    ledger.close()


def test_work_goes_on_in_a_ledger_of_the_first_version(old):
    ledger = Ledger(old)
    heard = Heard(span=Span(60_000, 70_000), speech=(Span(60_500, 69_000),), windows=(Span(60_000, 70_000),), last=True)
    attempt = do.SaveAttempt(id=11, job=5, span=Span(60_000, 70_000), windows=1, recipe=Recipe(), began=5)
    with ledger.transaction():
        ledger.save(do.SaveHeard(5, heard))
        ledger.save(attempt)
        ledger.save(do.SaveDecoded(5, ((11, Decoded(span=Span(60_000, 70_000), doubt="a loop")),)))
    assert ledger.progress(5).covered[-1] == Span(60_000, 70_000)
    assert ledger.speech(5) == heard.speech
    ledger.close()


@pytest.mark.parametrize("fault", ["CREATE TABLE job (id);", "INSERT INTO nowhere VALUES (1);"])
def test_a_migration_that_is_interrupted_has_not_begun(old, monkeypatch, fault):
    before = content(old)
    monkeypatch.setattr(module, "MIGRATIONS", (MIGRATIONS[0], MIGRATIONS[1] + fault, *MIGRATIONS[2:]))
    with pytest.raises(LedgerError, match=r"cannot be opened"):
        Ledger(old)
    assert content(old) == before
    monkeypatch.undo()
    Ledger(old).close()
    assert content(old) == (TODAY, before[1])


def test_without_a_copy_there_is_no_migration(old):
    before = content(old)
    (old.with_name("ledger.v1.sqlite.tmp") / "in the way").mkdir(parents=True)
    with pytest.raises(LedgerError, match=r"^The ledger .* cannot be opened: "):
        Ledger(old)
    assert content(old) == before


def test_only_the_last_copy_is_kept(old, monkeypatch):
    Ledger(old).close()
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE voice (id INTEGER PRIMARY KEY);"))
    Ledger(old).close()
    assert sorted(path.name for path in old.parent.iterdir()) == ["ledger.sqlite", f"ledger.v{TODAY}.sqlite"]


def test_a_reader_leaves_the_migration_to_the_engine(old):
    with pytest.raises(LedgerError, match="earlier version; run scribetui once"):
        Ledger(old, read_only=True)
    assert content(old)[0] == 1


def test_a_new_ledger_needs_no_copy(tmp_path):
    Ledger(tmp_path / "ledger.sqlite").close()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.sqlite"]
