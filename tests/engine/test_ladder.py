"""The ladder: it always ends, never grows for want of memory, and never repeats what was too heavy."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.ladder import LADDERS, TEMPERATURES, Limits, Tried, decide, heavier, lighter, stand_ins
from engine.memory import estimate
from engine.recipe import Failure, FailureKind, Recipe

MODELS = ("large-v3", "medium", "medium.en", "small", "small-8bit", "small-4bit", "tiny", "tiny.en", "tiny.en-4bit")
recipes = st.builds(
    Recipe,
    backend=st.sampled_from((*LADDERS, "my.package:Stage")),
    model=st.sampled_from((*MODELS, "/models/mine")),
    compute_type=st.sampled_from(("int8", "float16", "float32", "int8_float16", "int4", "bfloat16")),
    device=st.sampled_from(("cpu", "cuda")),
    batch=st.integers(1, 64),
    parallel=st.integers(1, 16),
    chunk_ms=st.sampled_from((0, 30_000, 300_000, 3_600_000)),
    language=st.sampled_from((None, "en", "de")),
    task=st.sampled_from(("transcribe", "translate")),
)
kinds = st.sampled_from(FailureKind)


def limits(recipe: Recipe, retries: int = 3, models: tuple[str, ...] = MODELS) -> Limits:
    return Limits(retries=retries, models=stand_ins(recipe, models))


@given(recipes, st.lists(kinds, min_size=200, max_size=200), st.integers(0, 5))
def test_whatever_fails_it_ends(recipe, failures, retries):
    """Ended by a gap, or by failures that are nobody's fault."""
    given_limits, history, tries = limits(recipe, retries), [], 0
    for kind in failures:
        if kind in (FailureKind.AUDIO, FailureKind.FULL):
            assert decide(recipe, Failure(kind, ""), history, given_limits) == recipe
            continue
        following = decide(recipe, Failure(kind, ""), history, given_limits)
        history.append(Tried(recipe, kind))
        tries += 1
        if following is None:
            break
        recipe = following
    else:
        pytest.fail("it never ended")
    assert tries <= retries + len(TEMPERATURES) + 30


@given(recipes, st.lists(kinds, max_size=60))
def test_what_was_too_heavy_is_never_tried_again(recipe, failures):
    given_limits, history = limits(recipe, retries=50), []
    for kind in failures:
        following = decide(recipe, Failure(kind, ""), history, given_limits)
        history.append(Tried(recipe, kind))
        too_heavy = {each.recipe for each in history if each.kind is FailureKind.OOM}
        if kind in (FailureKind.AUDIO, FailureKind.FULL, FailureKind.REJECTED):
            continue  # no answer to these is about memory
        assert following not in too_heavy
        if following is None:
            return
        recipe = following


@given(recipes)
def test_for_want_of_memory_it_never_gets_heavier(recipe):
    given_limits, history, wanted = limits(recipe), [], recipe
    while (following := decide(recipe, Failure(FailureKind.OOM, ""), history, given_limits)) is not None:
        history.append(Tried(recipe, FailureKind.OOM))
        assert following.batch * following.parallel <= recipe.batch * recipe.parallel
        assert following.chunk_ms <= recipe.chunk_ms
        if (following.model, following.compute_type) == (recipe.model, recipe.compute_type):
            assert estimate(following) <= estimate(recipe)
        recipe = following
    assert (recipe.batch, recipe.parallel) == (1, 1)
    assert recipe.device == "cpu" or wanted.backend != "faster-whisper"


@given(recipes)
def test_the_way_up_leads_back_to_what_was_wanted(wanted):
    given_limits, lowest = limits(wanted), wanted
    while (below := lighter(lowest, given_limits.models)) is not None:
        lowest = below
    steps = 0
    while (above := heavier(lowest, wanted, given_limits.models)) is not None:
        assert above != lowest
        lowest, steps = above, steps + 1
        assert steps < 100
    assert lowest == wanted


@given(recipes)
def test_each_step_up_is_one_that_the_ladder_leads_down_from(wanted):
    """Halving rounds down, so a number climbed may be one less than twice; it is never more."""
    given_limits = limits(wanted)
    below = lighter(wanted, given_limits.models)
    if below is not None:
        above = heavier(below, wanted, given_limits.models)
        assert above is not None
        assert above.batch <= wanted.batch
        assert above.parallel <= wanted.parallel


@given(recipes)
def test_whatever_is_led_down_to_the_processor_can_run_there(recipe):
    """CTranslate2 computes with no 16-bit floats on a processor."""
    models = limits(recipe).models
    while (below := lighter(recipe, models)) is not None:
        if below.backend == "faster-whisper" and (recipe.device, below.device) == ("cuda", "cpu"):
            assert below.compute_type == "int8"
        recipe = below


def test_a_crash_is_tried_once_more_as_it_was_and_then_lighter():
    recipe = Recipe(batch=8, parallel=2)
    crash = Failure(FailureKind.CRASH, "")
    assert decide(recipe, crash, [], limits(recipe)) == recipe
    again = decide(recipe, crash, [Tried(recipe, FailureKind.CRASH)], limits(recipe))
    assert again is not None
    assert (again.batch, again.parallel) == (4, 2)


def test_an_error_is_tried_as_often_as_the_settings_say():
    recipe, error = Recipe(), Failure(FailureKind.ERROR, "")
    history = [Tried(recipe, FailureKind.ERROR)] * 3
    assert decide(recipe, error, history[:2], limits(recipe)) == recipe
    assert decide(recipe, error, history, limits(recipe)) is None


def test_a_rejected_text_gets_every_temperature_once():
    recipe, seen = Recipe(), []
    while (following := decide(recipe, Failure(FailureKind.REJECTED, ""), [], limits(recipe))) is not None:
        recipe = following
        seen.append(recipe.temperature)
    assert tuple(seen) == TEMPERATURES[1:]


def test_only_a_model_that_knows_the_language_stands_in():
    at_hand = ("medium", "medium.en", "small", "tiny", "tiny.en")
    assert stand_ins(Recipe(model="medium", language="de"), at_hand) == ("medium", "small", "tiny")
    assert stand_ins(Recipe(model="small", language="en"), at_hand) == ("small", "tiny", "tiny.en")
    assert stand_ins(Recipe(model="small", language="en", task="translate"), at_hand) == ("small", "tiny")
    assert stand_ins(Recipe(model="/models/mine"), MODELS) == ()
    at_hand = ("large-v3", "large-v3-turbo", "distil-large-v3", "medium", "tiny")
    assert stand_ins(Recipe(model="large-v3", language="yue"), at_hand) == ("large-v3", "large-v3-turbo")


def test_the_last_rungs_are_a_smaller_model_and_then_the_processor():
    recipe = Recipe(model="small", compute_type="float16", device="cuda", batch=1, parallel=1, language="de")
    models = stand_ins(recipe, MODELS)
    steps = []
    while (below := lighter(recipe, models)) is not None:
        steps.append((below.compute_type, below.model, below.device))
        recipe = below
    assert steps == [("int8_float16", "small", "cuda"), ("int8_float16", "tiny", "cuda"), ("int8", "tiny", "cpu")]


def test_of_a_model_in_several_sizes_only_the_smallest_stands_in():
    at_hand = ("medium", "medium-8bit", "medium-4bit", "small", "small-8bit", "tiny", "tiny-4bit")
    assert stand_ins(Recipe(model="medium"), at_hand) == ("medium", "small-8bit", "tiny-4bit")
    assert stand_ins(Recipe(model="small-8bit"), at_hand) == ("small-8bit", "tiny-4bit")


@given(recipes.filter(lambda recipe: recipe.backend == "mlx"))
def test_mlx_computes_with_less_before_it_takes_another_model(recipe):
    models, numbers = limits(recipe).models, ("float32", "bfloat16", "float16", "int8", "int8_float16", "int4")
    while (below := lighter(recipe, models)) is not None:
        assert numbers.index(below.compute_type) >= numbers.index(recipe.compute_type)
        if below.model != recipe.model:
            assert below.compute_type in ("int4", "int8_float16")
        recipe = below


@given(recipes.filter(lambda recipe: recipe.backend in ("mlx", "whisperx")))
def test_lanes_that_cannot_share_are_given_up_before_other_words(recipe):
    """Each has a model of its own, so there is most to gain; but the batch costs less speed, and goes first."""
    steps = [recipe]
    while (below := lighter(steps[-1], limits(recipe).models)) is not None:
        steps.append(below)
    for one, other in pairwise(steps):
        if one.parallel > other.parallel:
            assert one.batch == 1
        if one.compute_type != other.compute_type or one.model != other.model:
            assert (one.batch, one.parallel) == (1, 1)


def test_the_rungs_of_mlx_in_order():
    recipe = Recipe(backend="mlx", model="small", compute_type="float32", device="metal", batch=1, parallel=2)
    steps = []
    while (below := lighter(recipe, stand_ins(recipe, MODELS))) is not None:
        steps.append((below.parallel, below.compute_type, below.model))
        recipe = below
    assert steps == [
        (1, "float32", "small"),
        (1, "float16", "small"),
        (1, "int8", "small"),
        (1, "int4", "small"),
        (1, "int4", "tiny"),
    ]
