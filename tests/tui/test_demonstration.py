"""The demonstration begins anew once it came to its end."""

from contextlib import closing

import pytest

from engine.commands import Options
from engine.home import Home
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.serving.sockets import listen
from engine.states import Done, JobState, Queued
from engine.view import View
from tests.tui.scenes import Scene
from tui import demonstration, ending, listing


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


def _queue(*states: JobState) -> View:
    scene = Scene()
    for job, state in enumerate(states, start=1):
        scene.add(job, "demo.wav", state=state)
    return scene.view


@pytest.mark.parametrize(
    ("states", "has_host", "ends"),
    [((Done(1),), True, True), ((), True, False), ((Queued(),), True, False), ((Done(1),), False, False)],
    ids=["over", "just-begun", "under-way", "in-the-foreground"],
)
def test_only_the_host_of_a_demonstration_that_is_over_is_ended(tmp_path, monkeypatch, states, has_host, ends):
    home = Home(tmp_path / ".state")
    ended = []
    monkeypatch.setattr(listing, "standing", lambda _: listing.Standing(_queue(*states)))
    monkeypatch.setattr(ending, "stop", lambda *_, **__: ended.append(True))
    with home.lock(), listen(home.socket) as listener:
        if not has_host:
            listener.close()
        demonstration._end_idle_host(home)
    assert bool(ended) == ends
