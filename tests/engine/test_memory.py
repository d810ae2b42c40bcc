"""Predicting memory, and choosing what fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ladder import lighter
from engine.memory import MB, SIZES, Memory, capped, estimate, family, fit
from engine.recipe import Recipe

recipes = st.builds(
    Recipe,
    model=st.sampled_from(("tiny.en", "small", "large-v3", "/models/own")),
    compute_type=st.sampled_from(("int8", "float16", "float32")),
    batch=st.integers(1, 64),
    parallel=st.integers(1, 8),
)


@pytest.mark.parametrize(
    ("batch", "parallel", "measured"), [(1, 1, 238), (4, 1, 343), (8, 1, 432), (16, 1, 671), (1, 2, 333), (4, 2, 415)]
)
def test_the_table_is_near_what_was_measured_with_the_bundled_model(batch, parallel, measured):
    """Peaks of the proportional set size of a worker with tiny.en in MB; int8, Linux."""
    assert estimate(Recipe(batch=batch, parallel=parallel)) / MB == pytest.approx(measured, rel=0.12)


@given(recipes)
def test_a_lighter_recipe_is_never_predicted_to_take_more(recipe):
    below = lighter(recipe)
    if below is not None and below.device == recipe.device:
        assert Memory().predict(below) <= Memory().predict(recipe)


@given(recipes, st.integers(0, 20_000))
def test_what_fits_is_chosen_or_the_lightest_there_is(recipe, room):
    memory = Memory()
    found = fit(recipe, room * MB, memory)
    assert memory.predict(found) <= room * MB or lighter(found) is None
    if memory.predict(recipe) <= room * MB:
        assert found == recipe


@given(recipes, st.integers(1, 50_000))
def test_what_was_seen_replaces_the_table(recipe, peak):
    memory = Memory()
    memory.learn(recipe, peak * MB)
    assert memory.predict(recipe) == peak * MB
    heavier = Recipe(
        model=recipe.model, compute_type=recipe.compute_type, batch=recipe.batch * 2, parallel=recipe.parallel
    )
    assert memory.predict(heavier) >= peak * MB


def test_a_recipe_that_failed_for_memory_does_not_fit_whatever_is_predicted():
    recipe = Recipe(batch=8, parallel=1)
    found = fit(recipe, 10**12, Memory(), barred=frozenset({recipe}))
    assert found.batch == 4


def test_batches_begin_small_on_metal():
    starts = {
        "large-v3": 2,
        "large-v3-turbo": 2,
        "medium": 4,
        "small.en": 8,
        "base": 16,
        "mlx-community/whisper-tiny": 16,
    }
    for model, batch in starts.items():
        assert capped(Recipe(model=model, device="metal", batch=64)).batch == batch
    assert capped(Recipe(model="large-v3", device="cuda", batch=64)).batch == 64
    assert capped(Recipe(model="medium", device="metal", batch=3)).batch == 3


def test_a_model_is_known_by_its_family():
    assert family("Systran/faster-whisper-large-v3") == "large"
    assert family("large-v3-turbo") == "turbo"
    assert family("/models/whisper-small.en/") == "small"
    assert family("whatever") == "medium"
    assert set(SIZES) == {"tiny", "base", "small", "medium", "turbo", "large"}
