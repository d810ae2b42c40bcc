"""The demonstration begins anew once it came to its end."""

from contextlib import closing

import pytest

from engine.commands import Options
from engine.home import Home
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.states import Done, JobState, Queued
from tui import demonstration


@pytest.mark.parametrize(("state", "stays"), [(Done(1), False), (Queued(), True)])
def test_only_a_finished_demonstration_is_forgotten_with_the_files_it_wrote(tmp_path, state: JobState, stays: bool):
    """Else the next one would find its names taken, write under others, and show the old transcript."""
    home = Home(tmp_path / ".state")
    home.create()
    written = tmp_path / "demo.txt"
    written.touch()
    job = do.SaveJob(
        id=1,
        source=do.Source("demo.wav", 1, 1),
        options=Options(),
        state=state,
        position=0,
        outputs=(str(written), str(tmp_path / "gone.srt")),
        worked_ms=0,
    )
    with closing(Ledger(home.ledger)) as ledger, ledger.transaction():
        ledger.save(job)
    demonstration._begin_anew(home)
    assert (written.exists(), home.path.exists()) == (stays, stays)
