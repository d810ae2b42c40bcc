"""A full disk: the transaction is not begun, as far as anybody can see, and is repeated once there is room."""

import shutil
import sqlite3
import subprocess
import sys

import pytest

from engine import events as ev
from engine.commands import Options
from engine.ledger import SAMPLES_WAITING, Ledger, LedgerError, LedgerFull
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard
from engine.recipe import Recipe
from engine.repair import open_ledger
from engine.states import Queued
from engine.timeline import Span
from engine.transcript import Segment
from engine.trouble import trouble
from tests.engine.ledgers import restore

TEXT = "0123456789" * 400


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 4 MB."""
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("a disk of memory is mounted with Linux's mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def window(number):
    return Span(number * 1_000, number * 1_000 + 1_000)


def begin(path):
    ledger = Ledger(path)
    job = do.SaveJob(
        id=1, source=do.Source("/a", 1, 1), options=Options(), state=Queued(), position=0, outputs=(), worked_ms=0
    )
    attempt = do.SaveAttempt(id=1, job=1, span=Span(0, 9), windows=1, recipe=Recipe(), began=1)
    with ledger.transaction():
        ledger.save(job)
        ledger.save(attempt)
    return ledger


def commit(ledger, number):
    """A batch with its event; all of it, or a LedgerError."""
    segment = Segment(0, 9, f"{number} {TEXT}")
    with ledger.transaction():
        ledger.save(do.SaveHeard(1, Heard(span=window(number), windows=(window(number),))))
        ledger.save(do.SaveDecoded(1, ((1, Decoded(span=window(number), segments=(segment,))),)))
        ledger.record(ev.Entry(2 * number + 2, 5, ev.Warning(1, f"batch {number}")))


def fill_up(ledger):
    """Commit until there is no room; the number of the batch that did not fit."""
    told = "cannot be written: its disk is full; free some space, or set SCRIBETUI_HOME to a folder on another disk."
    done = []
    with pytest.raises(LedgerFull, match=told):
        until_full(ledger, done)
    return len(done)


def until_full(ledger, done):
    for number in range(10_000):
        ledger.record(ev.Entry(2 * number + 1, 5, ev.Warning(1, f"before {number}")))
        commit(ledger, number)
        done.append(number)


def check_that_all_is_there(ledger, batches):
    assert [span for span, _, _ in ledger.decoded(1)] == [window(number) for number in range(batches)]
    assert len(ledger.progress(1).windows) == batches
    told = [entry.event.message for entry in ledger.entries()]
    assert told == [text for number in range(batches) for text in (f"before {number}", f"batch {number}")]


def test_a_full_disk_takes_nothing_back_and_the_work_goes_on(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_500_000))
    ledger = begin(small_disk / "ledger.sqlite")
    number = fill_up(ledger)
    assert number > 10
    assert not ledger.has_room()
    with pytest.raises(LedgerFull):
        commit(ledger, number)
    assert len(ledger.decoded(1)) == number
    ballast.unlink()
    assert ledger.has_room()
    commit(ledger, number)
    check_that_all_is_there(ledger, number + 1)
    ledger.close()
    ledger = Ledger(small_disk / "ledger.sqlite")
    check_that_all_is_there(ledger, number + 1)
    ledger.close()


def test_a_power_cut_on_a_full_disk_loses_only_the_end_of_the_story(small_disk, tmp_path):
    ledger = begin(small_disk / "ledger.sqlite")
    number = fill_up(ledger)
    for each in small_disk.iterdir():
        if not each.name.endswith("-shm"):
            shutil.copy(each, tmp_path)
    after = Ledger(tmp_path / "ledger.sqlite")
    check_that_all_is_there(after, number)
    after.close()
    ledger.abandon()


def test_no_engine_starts_on_a_full_disk_and_it_says_why(small_disk):
    (small_disk / "ballast").write_bytes(bytes(4 * 2**20))
    with pytest.raises(LedgerFull, match="cannot be opened: its disk is full; free some space"):
        open_ledger(small_disk / "ledger.sqlite")
    (small_disk / "ballast").unlink()
    open_ledger(small_disk / "ledger.sqlite")[0].close()


def test_without_room_for_a_copy_there_is_no_migration(small_disk):
    path = restore(1, small_disk / "ledger.sqlite")
    before = path.read_bytes()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(4 * 2**20 - 2 * path.stat().st_size))
    with pytest.raises(LedgerFull, match="cannot be opened: its disk is full"):
        open_ledger(path)
    assert path.read_bytes() == before
    ballast.unlink()
    assert not [each.name for each in small_disk.iterdir() if "v1" in each.name], "half a copy was left"
    ledger, told = open_ledger(path)
    assert told is None
    assert len(ledger.jobs()) == 4
    ledger.close()


def test_ending_on_a_full_disk_is_no_error(small_disk):
    ledger = begin(small_disk / "ledger.sqlite")
    number = fill_up(ledger)
    ledger.record(ev.Entry(99_999, 1, ev.Warning(1, TEXT)))
    ledger.close()
    reader = Ledger(small_disk / "ledger.sqlite")
    assert len(reader.decoded(1)) == number
    reader.close()


def test_a_ledger_that_may_not_grow_is_full_too(tmp_path):
    """The same with no disk: where mounting is not permitted, this is what there is."""
    ledger = begin(tmp_path / "ledger.sqlite")
    ledger._db.execute("PRAGMA max_page_count=60")
    number = fill_up(ledger)
    assert number > 5
    with pytest.raises(LedgerFull):
        commit(ledger, number)
    ledger._db.execute("PRAGMA max_page_count=4294967294")
    commit(ledger, number)
    check_that_all_is_there(ledger, number + 1)
    ledger.close()


def break_off(ledger, fault):
    with ledger.transaction():
        ledger.record(ev.Entry(2, 1, ev.Warning(1, "is told again")))
        raise fault


@pytest.mark.parametrize("fault", [ValueError("a fault"), KeyboardInterrupt()])
def test_whatever_breaks_a_transaction_it_leaves_nothing_open(tmp_path, fault):
    ledger = begin(tmp_path / "ledger.sqlite")
    ledger.record(ev.Entry(1, 1, ev.Warning(1, "waits")))
    with pytest.raises(type(fault)):
        break_off(ledger, fault)
    ledger.record(ev.Entry(3, 1, ev.Warning(1, "waits too")))
    with ledger.transaction():
        ledger.record(ev.Entry(2, 1, ev.Warning(1, "is told again")))
    assert [entry.seq for entry in ledger.entries()] == [1, 2, 3]
    ledger.close()


def test_samples_that_wait_take_a_bounded_part_of_the_memory(tmp_path):
    ledger = begin(tmp_path / "ledger.sqlite")
    for seq in range(1, SAMPLES_WAITING + 100):
        ledger.record(ev.Entry(seq, seq, ev.MemorySampled(tree=1, budget=2, available=3)))
    assert [entry.seq for entry in ledger.entries()] == list(range(100, SAMPLES_WAITING + 100))
    ledger.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_CANTOPEN])
def test_an_error_of_the_disk_is_want_of_room_where_there_is_none(tmp_path, monkeypatch, code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    assert type(trouble(tmp_path / "ledger.sqlite", "written", error)) is LedgerError
    monkeypatch.setattr("engine.trouble.has_room", lambda folder: False)
    assert type(trouble(tmp_path / "ledger.sqlite", "written", error)) is LedgerFull


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced", "home moved"])
def test_a_ledger_that_is_taken_away_is_not_written_on(tmp_path, how):
    home = tmp_path / "home"
    home.mkdir()
    path = home / "ledger.sqlite"
    ledger = begin(path)
    commit(ledger, 0)
    if how == "moved":
        path.rename(home / "elsewhere")
    elif how == "deleted":
        path.unlink()
    elif how == "replaced":
        path.rename(home / "elsewhere")
        path.write_bytes(b"")
    else:
        home.rename(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="was moved, replaced or deleted while scribetui was at work"):
        commit(ledger, 1)
    ledger.abandon()
