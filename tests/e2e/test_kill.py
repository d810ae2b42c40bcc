"""Sudden ends: whatever dies, and whenever, nothing that was committed is lost or done again."""

import random
import subprocess
from collections import Counter

import pytest

from engine import events as ev
from engine.events import Progress
from engine.timeline import Span
from tests.e2e.kills import check_story, is_writing, of_kind
from tests.e2e.program import FORMATS, Program, Sitting, children, spans_of
from tests.wer import differences, wer

KILLS = 50
SEED = 2
TOLERATED = 0.002
"""Words that rounding in a batch of another size may flip."""


PHASES = {
    # The phase: what has to happen, up to how often, and up to how many seconds later to kill.
    "start-up": (None, 1, 0.9),
    "listening": (of_kind(ev.WorkerStarted, ev.JobProbed, ev.SpeechHeard), 8, 0.05),
    "loading": (of_kind(ev.WorkerReady), 1, 0.2),
    "transcribing": (of_kind(ev.BatchStarted), 3, 0.6),
    "committing": (of_kind(ev.BatchDone), 3, 0.02),
    "partial files": (of_kind(ev.Written), 1, 0.02),
    "final files": (is_writing, 1, 0.04),
}
MANY = 12
"""Windows left that will not all be done in a sitting that is killed while it transcribes."""


class Killer:
    """Kills the program at random moments of every phase, sometimes with its workers."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.done: Counter[str] = Counter()

    def kill(self, sitting: Sitting, before: Progress) -> bool:
        """Wait for a moment and kill; False if the program came to its end before."""
        phase = self._phase(before)
        condition, most, longest = PHASES[phase]
        times, delay = self._random.randint(1, most), self._random.uniform(0, longest)
        takes_workers = self._random.random() < 0.3
        if condition is not None and not all(sitting.until(condition) for _ in range(times)):
            sitting.read_rest()
            return False
        try:
            sitting.process.wait(delay)
        except subprocess.TimeoutExpired:
            workers = children(sitting.process.pid) if takes_workers else []
            sitting.kill()
            for worker in workers:
                worker.kill()
            self.done[phase] += 1
            return True
        sitting.read_rest()
        return False

    def _phase(self, before: Progress) -> str:
        """One of the phases that a job in that state has still before it, and soon."""
        left = len(before.windows) - len(before.covered)
        if not before.heard_all:
            phases = [phase for phase in PHASES if phase != "final files"]
        elif left > MANY:
            phases = ["start-up", "loading", "transcribing", "committing", "partial files"]
        else:
            phases = ["start-up", "transcribing", "final files"]
        # What was rare so far is drawn rather.
        weights = [1 / (1 + self.done[phase]) ** 2 for phase in phases]
        return self._random.choices(phases, weights)[0]


def check_sitting(program: Program, sitting: Sitting, job: int, before: set[Span]) -> set[Span]:
    """Prove that a killed sitting kept what was committed before it, and lost only its batches under way.

    What it told on stdout is the witness: that comes to the reader before the kill, and after the commit.

    Returns:
        The windows committed by now.
    """
    now = set(program.covered(job))
    begun = set(spans_of(sitting.entries, ev.BatchStarted, job))
    done = set(spans_of(sitting.entries, ev.BatchDone, job))
    assert before <= now, "committed windows are gone"
    assert not begun & before, "committed windows were begun again"
    assert done <= now, "told as done before it was committed"
    recipe = next(entry.event.options.recipe for entry in sitting.entries if isinstance(entry.event, ev.JobAdded))
    lost = begun - now
    assert len(lost) <= recipe.parallel * recipe.batch, f"lost more than the batches under way: {sorted(lost)}"
    return now


def check_files(program: Program, stem: str, undisturbed: Program) -> None:
    """Prove that the files of a job are all there, and what they would have been without any kill."""
    assert {f"{stem}.{name}" for name in FORMATS} <= program.outputs()
    told = f"{differences(undisturbed.text('apart'), program.text(stem))}"
    assert wer(undisturbed.text("apart"), program.text(stem)) <= TOLERATED, told
    data, expected = program.transcript(stem), undisturbed.transcript("apart")
    assert data["gaps"] == []
    assert len(data["segments"]) == len(expected["segments"])
    assert len(data["word_segments"]) == pytest.approx(len(expected["word_segments"]), rel=TOLERATED)
    for name in ("srt", "vtt"):
        cues = (program.out / f"{stem}.{name}").read_text().count(" --> ")
        assert cues == (undisturbed.out / f"apart.{name}").read_text().count(" --> ")


@pytest.mark.timeout(600)
def test_killed_at_fifty_random_moments_it_goes_on_each_time_and_finishes(program, undisturbed, apart):
    """kill -9 in every phase, and run again at once: the batches under way are lost, no more; the files are whole."""
    killer = Killer(SEED)
    stems: list[str] = []
    while killer.done.total() < KILLS:
        stems.append(f"talk-{len(stems) + 1}")
        media, job = apart.save(program.folder / f"{stems[-1]}.wav"), len(stems)
        committed: set[Span] = set()
        is_killed = True
        while is_killed:
            before = program.progress(job)
            sitting = program.start(media, "--batch", "2")
            if killer.done.total() < KILLS:
                is_killed = killer.kill(sitting, before)
            else:
                is_killed = sitting.read_rest() != 0
                assert not is_killed, sitting.err
            if any(isinstance(entry.event, ev.JobAdded) and entry.event.job == job for entry in sitting.entries):
                committed = check_sitting(program, sitting, job, committed)
        assert sitting.process.returncode == 0, sitting.err
        assert program.windows(job) == undisturbed.windows(1)
        check_story(program, job)
        check_files(program, stems[-1], undisturbed)

    assert set(killer.done) == set(PHASES), f"not every phase was hit: {killer.done}, {len(stems)} recordings"
    assert program.outputs() == {f"{stem}.{name}" for stem in stems for name in FORMATS}
    assert [row["state"] for row in program.status()] == ["done"] * len(stems)
    program.check_nothing_left()
