"""The ladder down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recipe import FailureKind, Recipe, lighter

recipes = st.builds(Recipe, batch=st.integers(1, 64), parallel=st.integers(1, 16))


@given(recipes, st.sampled_from(FailureKind))
def test_lighter_never_takes_more_and_never_changes_the_text(recipe, kind):
    after = lighter(recipe, kind)
    assert after.batch * after.parallel <= recipe.batch * recipe.parallel
    assert after.same_text(recipe)


@given(recipes)
def test_the_ladder_for_memory_ends_at_one_window_at_a_time(recipe):
    steps = 0
    while (after := lighter(recipe, FailureKind.OOM)) != recipe:
        assert after.batch * after.parallel < recipe.batch * recipe.parallel
        recipe, steps = after, steps + 1
    assert (recipe.batch, recipe.parallel) == (1, 1)
    assert steps <= 10


@pytest.mark.parametrize("kind", [FailureKind.ERROR, FailureKind.HANG, FailureKind.UNUSABLE])
def test_what_is_no_lack_of_memory_leaves_the_recipe_alone(kind):
    assert lighter(Recipe(batch=8), kind) == Recipe(batch=8)


def test_how_the_work_is_cut_up_does_not_change_the_text_but_the_model_does():
    assert Recipe(batch=1, parallel=1, chunk_ms=30_000).same_text(Recipe(batch=8))
    assert not Recipe(model="small.en").same_text(Recipe())
    assert not Recipe(language="de").same_text(Recipe(language="en"))
