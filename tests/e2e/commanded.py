"""The engine as a program: commands come on stdin and events go to stdout, a JSON line each, until no job is left.

``python -m tests.e2e.commanded HOME BUDGET`` proves the machine's invariants after every stimulus.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from engine.commands import Command, CommandError
from engine.engine import Engine
from engine.home import Home
from engine.machine import Machine
from engine.recipe import Policy
from tests.e2e.orders import STAGES

STORMY = Policy(retries=5, retry_delay_ms=20, climb_after=2, partial_every_ms=500)
to_command = msgspec.json.Decoder(Command).decode


class Proved(Machine):
    """The machine, which checks itself."""

    def handle(self, stimulus, now):
        done = super().handle(stimulus, now)
        self.check_invariants()
        return done


async def serve(home: Home, budget: int) -> None:
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    engine = Engine(home, policy=STORMY, budget=budget, stages=STAGES, keep_awake=False)
    engine._machine.__class__ = Proved
    _, entries = engine.subscribe()

    async def tell() -> None:
        async for entry in entries:
            sys.stdout.buffer.write(msgspec.json.encode(entry) + b"\n")
            sys.stdout.buffer.flush()

    async def obey() -> None:
        while line := await lines.readline():
            try:
                await engine.submit(to_command(line))
            except CommandError as error:
                print(f"refused: {error}", file=sys.stderr, flush=True)
        # Whoever commands has nothing more to ask: the rest is done, and that is it.

    telling = asyncio.create_task(tell())
    async with engine:
        await obey()
        await engine.wait()
    await telling
    if engine.error is not None:
        raise SystemExit(engine.error)


if __name__ == "__main__":
    place = Home(Path(sys.argv[1]))
    with place.lock():
        asyncio.run(serve(place, int(sys.argv[2])))
