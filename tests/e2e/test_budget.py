"""The memory budget, with real workers on real speech."""

from engine import events as ev
from tests.e2e.program import Program

BUDGET = 550 * 2**20


def settings(program: Program, budget: str) -> None:
    program.home.path.mkdir(parents=True, exist_ok=True)
    program.home.settings.write_text(f'[chunks]\nbatch = 16\nparallel = 2\n[memory]\nbudget = "{budget}"\n')


def test_a_budget_too_small_for_the_batch_is_kept_and_costs_no_word(program, apart, undisturbed):
    """Batch 16 on two lanes takes half as much again: the batch is made smaller before it runs."""
    settings(program, "550MB")
    done = program.run(apart.save(program.folder / "apart.wav"))
    assert done.status == 0, done.err
    entries = program.events()
    told = [each.event for each in entries if isinstance(each.event, ev.RecipeChanged)]
    assert told
    assert "the budget of 550 MB leaves" in told[0].reason
    assert told[0].recipe.batch < 16
    assert told[0].reason in done.err
    samples = [each.event.tree for each in entries if isinstance(each.event, ev.MemorySampled)]
    assert len(samples) >= 2
    assert max(samples) <= 1.05 * BUDGET
    assert not [each for each in entries if isinstance(each.event, ev.AttemptFailed)]
    assert program.text("apart") == undisturbed.text("apart")
    assert program.transcript("apart")["word_segments"] == undisturbed.transcript("apart")["word_segments"]


def test_a_budget_that_no_recipe_meets_ends_with_a_sentence_and_the_queue_goes_on(program, sentence):
    """Nothing at all fits: the ladder is gone down to its end, and the job fails with the reason."""
    settings(program, "100MB")
    done = program.run(sentence.save(program.folder / "talk.wav"), "--model", "tiny.en")
    assert done.status == 1
    assert "is expected to take" in done.err
    assert "over the budget of 100 MB. Allow it more" in done.err
    assert "Traceback" not in done.err
    program.check_nothing_left()
