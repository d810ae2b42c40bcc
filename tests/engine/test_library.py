"""The engine as a library, as its docstring shows."""

from engine.commands import Add, Options
from engine.home import Home
from engine.recipe import Recipe
from engine.states import Done
from tests.engine.conftest import STAGES


async def test_a_program_of_ones_own_can_run_the_queue(tmp_path, media):
    from engine import Engine

    path = media(windows=2)
    home = Home(tmp_path / "home")
    recipe = Recipe(backend="tests.stages:Echo", language="en")
    with home.lock():
        async with Engine(home, stages=STAGES, go_on=False) as engine:
            job = await engine.submit(Add(path=str(path), options=Options(recipe=recipe, formats=("txt",))))
            await engine.wait()
            assert isinstance(engine.view.job(job).state, Done)
    assert path.with_suffix(".txt").read_text().split() == ["window", "0.", "window", "1."]
