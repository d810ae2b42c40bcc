"""Which job is selected, what can be done with it, and which values its keys ask for."""

import msgspec
import pytest

from engine.commands import Cancel, Move, Options, Pause, Remove, Resume, Retry, Set
from engine.recipe import Recipe
from engine.states import Cancelled, Done, Failed, Frozen, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.view import JobView
from tui import parameters
from tui.abilities import ABILITIES, ability, command_for
from tui.selection import neighbour, selected


def job(number: int = 1, state=None, **fields) -> JobView:
    recipe = fields.pop("recipe", Recipe())
    return JobView(
        id=number,
        path=f"/{number}.mp3",
        size=1,
        options=Options(),
        recipe=recipe,
        state=state or Queued(),
        **fields,
    )


class TestSelection:
    JOBS = (job(1, Done(0)), job(2, Running(0)), job(3))

    def test_goes_to_the_job_that_runs(self):
        assert selected(self.JOBS, (), None, follows=True) == 2
        assert selected(self.JOBS, self.JOBS, 3, follows=True) == 2

    def test_stays_where_the_user_put_it(self):
        assert selected(self.JOBS, self.JOBS, 3, follows=False) == 3

    def test_stays_when_nothing_runs(self):
        jobs = (job(1), job(3))
        assert selected(jobs, jobs, 3, follows=True) == 3

    def test_goes_to_the_next_when_its_job_is_removed(self):
        assert selected(self.JOBS[::2], self.JOBS, 2, follows=False) == 3
        assert selected(self.JOBS[:2], self.JOBS, 3, follows=False) == 2

    def test_an_empty_queue_has_none(self):
        assert selected((), self.JOBS, 3, follows=False) is None

    @pytest.mark.parametrize(("chosen", "by", "found"), [(1, 1, 2), (3, 1, 3), (1, -1, 1), (None, 0, 1), (2, 9, 3)])
    def test_neighbours(self, chosen, by, found):
        assert neighbour(self.JOBS, chosen, by) == found

    def test_no_neighbours(self):
        assert neighbour((), None, 1) is None


STATES = (
    Queued(),
    Stopped(0),
    Running(0),
    Pausing(0),
    Paused(0),
    Paused(0, "parked"),
    Frozen(0),
    Writing(0),
    Done(0),
    Done(0, gaps=5),
    Failed(0, "x"),
    Cancelled(0),
)
WORKABLE = (Queued, Stopped, Running, Pausing, Paused, Frozen)
CAN = {
    "pause": (Queued, Running),
    "resume": (Stopped, Pausing, Paused, Frozen),
    "freeze": (Running, Pausing),
    "cancel": WORKABLE,
    "remove": (Done, Failed, Cancelled),
    "longer": WORKABLE,
    "shorter": WORKABLE,
    "larger": WORKABLE,
    "smaller": WORKABLE,
}


class TestAbilities:
    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("action", CAN)
    def test_depend_on_the_state(self, action, state):
        assert (command_for(action, job(state=state), (job(),)) is not None) is isinstance(state, CAN[action])

    @pytest.mark.parametrize(
        ("state", "can"), [(state, not isinstance(state, (*WORKABLE, Writing))) for state in STATES]
    )
    def test_only_what_ended_with_something_missing_can_be_retried(self, state, can):
        is_whole = state == Done(0)
        assert (command_for("retry", job(state=state), ()) is not None) is (can and not is_whole)

    @pytest.mark.parametrize("state", STATES)
    def test_what_is_parked_is_not_parked_again(self, state):
        can = isinstance(state, WORKABLE) and getattr(state, "how", "") != "parked"
        assert (command_for("park", job(state=state), ()) is not None) is can

    @pytest.mark.parametrize("state", STATES)
    def test_one_key_pauses_or_resumes(self, state):
        shown = [action for action in ("pause", "resume") if ability(action, job(state=state), ()) is not False]
        assert shown == ["resume" if isinstance(state, CAN["resume"]) else "pause"]

    def test_the_commands(self):
        jobs = (job(1), job(2), job(3))
        assert command_for("pause", job(2), jobs) == Pause(2)
        assert command_for("resume", job(2, Paused(0)), jobs) == Resume(2)
        assert command_for("cancel", job(2), jobs) == Cancel(2)
        assert command_for("retry", job(2, Failed(0, "x")), jobs) == Retry(2)
        assert command_for("remove", job(2, Done(0)), jobs) == Remove(2)
        assert command_for("earlier", job(2), jobs) == Move(2, -1)
        assert command_for("later", job(2), jobs) == Move(2, 1)
        assert command_for("longer", job(2), jobs) == Set(job=2, chunk_ms=600_000)
        assert command_for("smaller", job(2), jobs) == Set(job=2, batch=1)

    def test_nothing_moves_past_the_ends(self):
        jobs = (job(1), job(2))
        assert command_for("earlier", jobs[0], jobs) is None
        assert command_for("later", jobs[1], jobs) is None

    def test_one_of_pause_and_resume_is_shown(self):
        for each in (None, *(job(state=state) for state in STATES)):
            shown = [action for action in ("pause", "resume") if ability(action, each, ()) is not False]
            assert len(shown) == 1

    @pytest.mark.parametrize("action", ABILITIES)
    def test_without_a_job_nothing_can_be_done(self, action):
        assert not ability(action, None, ())


class TestParameters:
    def with_chunk(self, ms: int, **fields) -> JobView:
        return job(recipe=Recipe(chunk_ms=ms), **fields)

    def test_chunks_double_up_to_half_an_hour(self):
        found, each = [], self.with_chunk(30_000)
        while (ms := parameters.longer(each)) is not None:
            found.append(ms // 1000)
            each = self.with_chunk(ms)
        assert found == [60, 120, 240, 480, 960, 1800]

    def test_chunks_halve_down_to_half_a_minute(self):
        found, each = [], self.with_chunk(300_000)
        while (ms := parameters.shorter(each)) is not None:
            found.append(ms)
            each = self.with_chunk(ms)
        assert found == [150_000, 75_000, 37_500, 30_000]

    def test_one_chunk_a_job_can_only_be_cut(self):
        assert parameters.longer(self.with_chunk(0)) is None
        assert parameters.shorter(self.with_chunk(0)) == 1_800_000
        assert parameters.shorter(self.with_chunk(0, duration=600_000)) == 300_000
        assert parameters.shorter(self.with_chunk(0, duration=20_000)) == 30_000

    def test_batches_double_and_halve(self):
        def after(step, batch):
            return step(msgspec.structs.replace(job(), recipe=Recipe(batch=batch)))

        assert [after(parameters.larger, batch) for batch in (1, 2, 16, 20, 32)] == [2, 4, 32, 32, None]
        assert [after(parameters.smaller, batch) for batch in (32, 3, 1)] == [16, 1, None]
