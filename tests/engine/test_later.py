"""The align stage in the machine: its turn, its failures, and what becomes of a job without it."""

import pytest

from engine import commands as cmd
from engine import events as ev
from engine import messages as msg
from engine.machine import stimuli as do
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Frozen, Paused, Running, Writing
from engine.timeline import Span
from tests.engine.stories import add, run_one, run_until, state
from tests.engine.world import FakeWorker, World

ALIGNED = Recipe(language="en", align="auto", batch=2, parallel=1)


@pytest.fixture
def world():
    """A world where only what the test says happens."""
    return World(1, faults=False)


def aligner(world: World) -> tuple[int, FakeWorker] | None:
    return next(((number, worker) for number, worker in world.workers.items() if worker.aligns), None)


def is_aligning(world: World) -> bool:
    """Whether windows are under way in the align stage."""
    found = aligner(world)
    return found is not None and bool(found[1].lanes)


def worded(world: World, job: int) -> set[Span]:
    return set(world.books[job].decoded) - world.books[job].wordless


def fail_loading(world: World, kind: FailureKind = FailureKind.ERROR, times: int = 1) -> None:
    """The align stage's worker cannot load, so many times."""
    for _ in range(times):
        run_until(world, lambda: aligner(world) is not None)
        number, _ = aligner(world)
        world.say(number, msg.Failed(0, (), kind, "No model for words in Klingon."))
        if number in world.workers:
            world.end(number, FailureKind.CRASH)


class TestItsTurn:
    def test_it_comes_after_the_transcription_and_before_the_files(self, world):
        job = add(world, windows=12, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        assert set(world.books[job].decoded) == set(world.books[job].windows)
        assert isinstance(state(world, job), Running)
        run_until(world, lambda: isinstance(state(world, job), Writing))
        assert set(world.books[job].aligned) == worded(world, job)
        assert world.books[job].wordless, "the world has windows without words"
        run_until(world, lambda: isinstance(state(world, job), Done))
        starts = [event.stage for event in world.told(ev.WorkerStarted)]
        assert starts == ["listen", "transcribe", "align"]
        told = [span for event in world.told(ev.WordsAligned) for span in event.spans]
        assert sorted(told) == sorted(worded(world, job))

    def test_no_other_model_is_in_memory_meanwhile(self, world):
        add(world, recipe=ALIGNED)
        run_until(world, lambda: aligner(world) is not None)
        assert [worker.aligns for worker in world.workers.values()] == [True]

    def test_the_next_job_waits_until_its_worker_is_gone(self, world):
        first, second = add(world, recipe=ALIGNED), add(world, "/media/other.wav", recipe=ALIGNED)
        run_until(world, lambda: isinstance(state(world, second), Done))
        assert isinstance(state(world, first), Done)
        assert [each.stage for each in world.told(ev.WorkerStarted)].count("align") == 2

    def test_silence_needs_none(self, world):
        job = add(world, windows=0, recipe=ALIGNED)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert "align" not in [each.stage for each in world.told(ev.WorkerStarted)]

    def test_it_is_told_the_language_that_was_found(self, world):
        add(world, recipe=Recipe(align="auto"))
        run_until(world, lambda: is_aligning(world))
        _, worker = aligner(world)
        assert worker.load.recipe.language == worker.lanes[0][0].recipe.language == "de"

    def test_it_is_told_when_it_is_not_expected_to_fit(self):
        world = World(1, faults=False, budget=600 * 2**20)
        job = add(world, recipe=ALIGNED)
        run_until(world, lambda: isinstance(state(world, job), Done))
        [warning] = world.told(ev.Warning)
        assert warning.message.startswith("Aligning the words is expected to take ")


class TestRest:
    @pytest.mark.parametrize("how", ["pause", "park", "freeze"])
    def test_it_goes_on_where_it_was(self, world, how):
        job = add(world, windows=20, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world) and world.books[job].aligned)
        world.ask(cmd.Pause(job, how))
        if how != "freeze":
            run_until(world, lambda: isinstance(state(world, job), Paused))
        at_rest = len(world.books[job].aligned)
        assert isinstance(state(world, job), Frozen if how == "freeze" else Paused)
        world.pass_time(10)
        assert len(world.books[job].aligned) == at_rest < len(worded(world, job))
        world.ask(cmd.Resume(job))
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.began_aligning.values()) == {1}

    def test_what_was_aligned_before_a_kill_is_not_aligned_again(self, world):
        job = add(world, windows=20, recipe=ALIGNED)
        run_until(world, lambda: len(world.books[job].aligned) > 3)
        kept = set(world.books[job].aligned)
        world.began_aligning.clear()
        world.start()
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert not {span for _, span in world.began_aligning} & kept
        assert set(world.books[job].aligned) == worded(world, job)
        assert [each.stage for each in world.told(ev.WorkerStarted)].count("transcribe") == 1

    def test_a_cancelled_job_gives_its_worker_up(self, world):
        job = add(world, windows=20, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        world.ask(cmd.Cancel(job))
        assert isinstance(state(world, job), Cancelled)
        other = add(world, "/media/other.wav")
        run_until(world, lambda: isinstance(state(world, other), Done))
        assert aligner(world) is None


class TestAskedForLater:
    def test_a_done_job_is_only_aligned(self, world):
        job = add(world, recipe=Recipe(language="en"))
        run_until(world, lambda: isinstance(state(world, job), Done))
        world.began.clear()
        assert add(world, recipe=ALIGNED) == job
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job)
        assert not [span for _, span in world.began if span.length == 9_500], "no window is transcribed again"

    def test_with_another_model_all_is_aligned_anew(self, world):
        job = add(world, recipe=ALIGNED)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert add(world, recipe=Recipe(language="en", align="large")) == job
        assert world.books[job].aligned == {}
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.began_aligning.values()) == {2}
        assert add(world, recipe=Recipe(language="en")) == job
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert world.books[job].aligned == {}, "nothing of it is wanted any more"


class TestFailures:
    def test_a_stage_that_cannot_be_used_is_done_without(self, world):
        job = add(world, recipe=ALIGNED)
        fail_loading(world, FailureKind.UNUSABLE)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert world.books[job].aligned == {}
        assert state(world, job).gaps == 0
        [failed] = world.told(ev.AttemptFailed)
        assert (failed.stage, failed.spans, failed.follows) == ("align", (), "the words keep their times")
        [warning] = world.told(ev.Warning)
        assert warning.message == (
            "No model for words in Klingon. The words keep the times that the recogniser gave them."
        )
        world.ask(cmd.Retry(job))
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job), "once it can be used, it is made up for"

    def test_loading_is_tried_again(self, world):
        job = add(world, recipe=ALIGNED)
        fail_loading(world, times=world.policy.retries)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job)
        assert world.told(ev.Warning) == []

    def test_but_not_for_ever(self, world):
        job = add(world, recipe=ALIGNED)
        fail_loading(world, times=world.policy.retries + 1)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert world.books[job].aligned == {}
        assert len(world.told(ev.Warning)) == 1

    @pytest.mark.parametrize("kind", [FailureKind.CRASH, FailureKind.OOM, FailureKind.HANG])
    def test_a_window_at_which_the_worker_dies_keeps_its_times(self, world, kind):
        job = add(world, windows=20, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        poison = aligner(world)[1].lanes[0][1][-1]
        while not isinstance(state(world, job), Done):
            found = aligner(world)
            if found and any(poison in spans for _, spans in found[1].lanes):
                world.end(found[0], kind)
            else:
                run_one(world)
        book = world.books[job]
        assert set(book.aligned) == worded(world, job)
        assert {span for span, reason in book.aligned.items() if reason} == {poison}
        assert book.gaps == ()
        assert world.told(ev.Warning) == []
        failed = world.told(ev.AttemptFailed)
        assert {each.stage for each in failed} == {"align"}
        assert [len(each.spans) for each in failed] == [2, 1, 1], "the others are innocent"
        assert failed[-1].follows == "the words keep their times"
        assert failed[0].follows.startswith("alone again in ")

    def test_a_stage_that_always_dies_is_done_without(self, world):
        job = add(world, windows=20, recipe=ALIGNED)
        for _ in range(5_000):
            if isinstance(state(world, job), Done):
                break
            found = aligner(world)
            if found and found[1].lanes:
                world.end(found[0], FailureKind.CRASH)
            else:
                run_one(world)
        assert isinstance(state(world, job), Done)
        assert len(world.told(ev.AttemptFailed)) == 2 * (world.policy.retries + 1)
        assert len(world.told(ev.Warning)) == 1

    def test_windows_that_it_leaves_out_are_tried_again(self, world):
        job = add(world, windows=4, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        number, worker = aligner(world)
        work, spans = worker.lanes.pop(0)
        world.say(number, msg.Finished(work.job, tuple(spans)))
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job)

    def test_a_model_for_which_the_disk_has_no_room_is_waited_for(self, world):
        job = add(world, recipe=ALIGNED)
        fail_loading(world, FailureKind.FULL)
        assert isinstance(state(world, job), Paused)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job)

    def test_one_that_takes_too_much_memory_is_ended(self, world):
        job = add(world, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        number, worker = aligner(world)
        held = world.budget + 2**20
        world.feed(do.MemoryRead(tree=held, available=2**33, workers={number: held}))
        assert worker.killed
        world.end(number, FailureKind.CRASH)
        assert world.told(ev.AttemptFailed)[-1].kind is FailureKind.OOM
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert world.told(ev.RecipeChanged) == [], "no lighter recipe helps"

    def test_a_frozen_worker_that_is_given_up_is_thawed_to_end(self, world):
        job = add(world, windows=12, recipe=ALIGNED)
        run_until(world, lambda: is_aligning(world))
        world.ask(cmd.Pause(job, "freeze"))
        number, worker = aligner(world)
        work, spans = worker.lanes.pop(0)  # it had failed before it was frozen
        world.say(number, msg.Failed(work.job, tuple(spans), FailureKind.UNUSABLE, "No model for Klingon."))
        world.ask(cmd.Resume(job))
        run_until(world, lambda: isinstance(state(world, job), Done))
        run_until(world, lambda: not world.workers)


class TestAudio:
    def lose(self, world: World) -> None:
        """The decoded audio is gone, as the align stage finds out."""
        run_until(world, lambda: is_aligning(world))
        number, worker = aligner(world)
        work, spans = worker.lanes.pop(0)
        world.say(number, msg.Failed(work.job, tuple(spans), FailureKind.AUDIO, "The audio is gone."))

    def test_it_is_made_anew(self, world):
        job = add(world, windows=12, recipe=ALIGNED)
        self.lose(world)
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert set(world.books[job].aligned) == worded(world, job)
        assert [each.stage for each in world.told(ev.WorkerStarted)].count("listen") == 2

    def test_where_that_cannot_be_it_is_done_without(self, world):
        job = add(world, windows=12, recipe=ALIGNED)
        self.lose(world)
        run_until(world, lambda: any(worker.listens for worker in world.workers.values()))
        number = next(number for number, worker in world.workers.items() if worker.listens)
        world.say(number, msg.Failed(job, (), FailureKind.UNUSABLE, "The file is gone."))
        run_until(world, lambda: isinstance(state(world, job), Done))
        assert state(world, job).gaps == 0
        assert world.told(ev.Warning)[-1].message.startswith("The file is gone. The words keep the times")
