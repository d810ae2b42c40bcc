"""Predicting memory, and choosing what fits."""

import importlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ladder import lighter
from engine.machine.machine import STAGES
from engine.memory import (
    ELSEWHERE,
    MB,
    METAL_BATCH,
    RUNTIMES,
    SIZES,
    Memory,
    capped,
    estimate,
    estimate_align,
    estimate_listen,
    family,
    fit,
)
from engine.recipe import Recipe

recipes = st.builds(
    Recipe,
    backend=st.sampled_from((*RUNTIMES, "my.package:Stage")),
    model=st.sampled_from(("tiny.en", "small", "large-v3", "distil-medium.en", "turbo-4bit", "/models/own")),
    compute_type=st.sampled_from(("int8", "float16", "float32", "int4")),
    batch=st.integers(1, 64),
    parallel=st.integers(1, 8),
)


@pytest.mark.parametrize(
    ("batch", "parallel", "measured"), [(1, 1, 238), (4, 1, 343), (8, 1, 432), (16, 1, 671), (1, 2, 333), (4, 2, 415)]
)
def test_the_table_is_near_what_was_measured_with_the_bundled_model(batch, parallel, measured):
    """Peaks of the proportional set size of a worker with tiny.en in MB; int8, Linux."""
    assert estimate(Recipe(batch=batch, parallel=parallel)) / MB == pytest.approx(measured, rel=0.12)


@pytest.mark.parametrize(
    ("batch", "parallel", "measured"), [(1, 1, 483), (2, 1, 569), (4, 1, 642), (8, 1, 770), (2, 2, 597), (4, 2, 677)]
)
def test_the_table_is_near_what_was_measured_with_mlx(batch, parallel, measured):
    """Likewise; tiny.en in float32, MLX on a processor."""
    recipe = Recipe(backend="mlx", model="tiny.en", compute_type="float32", batch=batch, parallel=parallel)
    assert estimate(recipe) / MB == pytest.approx(measured, rel=0.12)


@pytest.mark.parametrize(("batch", "measured"), [(2, 1026), (4, 1072), (8, 1379)])
def test_the_table_is_near_what_was_measured_with_whisperx(batch, measured):
    """Likewise; tiny.en in int8."""
    assert estimate(Recipe(backend="whisperx", batch=batch, parallel=1)) / MB == pytest.approx(measured, rel=0.12)


@pytest.mark.parametrize("backend", RUNTIMES)
def test_what_is_counted_as_shared_is_what_the_stage_says(backend):
    module, _, name = STAGES[backend].partition(":")
    stage = getattr(importlib.import_module(module), name)
    assert getattr(stage, "is_shareable", True) == RUNTIMES[backend].is_shareable


@given(recipes, st.integers(1, 8))
def test_lanes_that_cannot_share_take_as_much_each(recipe, lanes):
    one, all_of_them = (msgspec.structs.replace(recipe, parallel=n) for n in (1, lanes))
    if not RUNTIMES.get(recipe.backend, ELSEWHERE).is_shareable:
        assert estimate(all_of_them) == pytest.approx(lanes * estimate(one))
    else:
        assert estimate(all_of_them) <= estimate(one) + (lanes - 1) * 360 * MB


@pytest.mark.parametrize(
    ("align", "language", "measured"),
    [
        ("auto", "en", 1731),
        ("WAV2VEC2_ASR_BASE_960H", "en", 1731),
        ("auto", "ja", 2776),
        ("/my/wav2vec2-large", "en", 2776),
    ],
)
def test_aligning_is_near_what_was_measured(align, language, measured):
    """Peaks of a process that aligns 30 s at once, in MB."""
    assert estimate_align(Recipe(align=align, language=language)) / MB == pytest.approx(measured, rel=0.12)


def test_listening_takes_torch_with_it_only_where_it_is_needed():
    assert estimate_listen(Recipe()) < 100 * MB
    assert estimate_listen(Recipe(vad="pyannote")) > 1000 * MB


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
    heavier = msgspec.structs.replace(recipe, batch=recipe.batch * 2)
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
    assert family("distil-large-v3.5") == "distil-large"
    assert family("Systran/faster-distil-whisper-small.en") == "distil-small"
    assert family("large-v3-turbo-4bit") == "turbo"
    assert {family(each) for each in SIZES} == set(SIZES) == set(METAL_BATCH)
