"""Recipes."""

from engine.recipe import Recipe


def test_how_the_work_is_cut_up_does_not_change_the_text_but_the_model_does():
    assert Recipe(batch=1, parallel=1, chunk_ms=30_000).same_text(Recipe(batch=8))
    assert not Recipe(model="small.en").same_text(Recipe())
    assert not Recipe(language="de").same_text(Recipe(language="en"))
