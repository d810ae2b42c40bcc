"""The scribetui engine: a dependable transcription queue, useful without any screen.

For example:

    from engine import Engine
    from engine.commands import Add
    from engine.home import Home

    home = Home.find()
    with home.lock():
        async with Engine(home, go_on=False) as engine:
            job = await engine.submit(Add(path="talk.mp3"))
            await engine.wait()
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> object:
    """``Engine``, on first use: a worker imports this package too and needs nothing of the shell."""
    if name == "Engine":
        from engine.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
