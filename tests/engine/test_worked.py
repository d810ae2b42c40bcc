"""How long a job has worked: what it worked in a sitting that ended in mid-job counts, too."""

from contextlib import closing

import pytest

from engine import events as ev
from engine.commands import Options
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.states import Done, Frozen, Paused, Pausing, Queued, Running, Writing


def worked(tmp_path, state, last):
    """What the ledger says of a job that had worked 7 ms when it came into a state, and whose last event came then."""
    job = do.SaveJob(
        id=1,
        source=do.Source("/talks/a.mp3", 10, 20),
        options=Options(),
        state=state,
        position=0,
        outputs=(),
        worked_ms=7,
    )
    with closing(Ledger(tmp_path / "ledger.sqlite")) as ledger:
        with ledger.transaction():
            assert ledger.save(job)
        if last is not None:
            ledger.record(ev.Entry(1, last, ev.Warning(1, "the disk is slow")))
            ledger.flush()
        return ledger.jobs()[0].progress.worked_ms


@pytest.mark.parametrize("state", [Running(1_000), Pausing(1_000), Writing(1_000)], ids=str)
def test_work_counts_until_the_last_event(tmp_path, state):
    assert worked(tmp_path, state, 26_000) == 25_007


@pytest.mark.parametrize("state", [Queued(), Paused(1_000), Frozen(1_000), Done(1_000)], ids=str)
def test_rest_does_not(tmp_path, state):
    assert worked(tmp_path, state, 26_000) == 7


@pytest.mark.parametrize("last", [None, 500])
def test_nothing_is_ever_taken_away(tmp_path, last):
    assert worked(tmp_path, Running(1_000), last) == 7
