"""Small verbs for stories of the machine: adding, running until something is so, sampling the memory."""

from engine import commands as cmd
from engine import events as ev
from engine.machine import stimuli as do
from engine.memory import MB
from engine.recipe import Recipe
from tests.engine.world import WINDOW, World


def add(world: World, path: str = "/media/talk.wav", windows: int = 6, **options) -> int:
    """Queue a file with so many windows, in English unless its recipe says otherwise; the job's number."""
    options.setdefault("recipe", Recipe(language="en"))
    world.lengths[path] = windows * WINDOW
    assert world.ask(cmd.Add(path=path, options=cmd.Options(**options))) is None
    return max(world.books)


def run_one(world: World) -> None:
    """Let one thing happen."""
    if world.writes:
        world.write()
    elif world.workers:
        world.work(faults=False)
    else:
        world.pass_time(700)


def run_until(world: World, condition) -> None:
    """Let things happen until something is so."""
    for _ in range(4_000):
        if condition():
            return
        run_one(world)
    raise AssertionError("it never came to that")


def state(world: World, job: int):
    """A job's state in the ledger."""
    return world.books[job].state


def transcriber(world: World) -> int | None:
    """The number of the worker that transcribes."""
    return next((number for number, worker in world.workers.items() if not worker.listens), None)


def listener(world: World) -> int | None:
    """The number of the worker that listens."""
    return next((number for number, worker in world.workers.items() if worker.listens), None)


def sample(world: World, tree: float, *, pressure: ev.Pressure = "normal", swap: int = 0) -> None:
    """The memory is read: so much in all, 40 MB of it the engine's own."""
    number = transcriber(world)
    workers = {} if number is None else {number: int(tree) - 40 * MB}
    world.feed(do.MemoryRead(tree=int(tree), available=2**33, workers=workers, pressure=pressure, swap=swap))


def chunks(world: World) -> list[ev.ChunkStarted]:
    """The attempts that were begun."""
    return world.told(ev.ChunkStarted)


def recipes_told(world: World) -> list[ev.RecipeChanged]:
    """The changes of recipes that nobody asked for."""
    return [each for each in world.told(ev.RecipeChanged) if each.reason != "asked for"]
