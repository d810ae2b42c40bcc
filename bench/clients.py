"""What lookers-on cost: a job with nobody else looking, and with twenty clients of which one is stopped."""

import asyncio
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.processes import BenchError, MemoryWatch
from bench.programs import SETTINGS
from bench.recordings import Recording
from bench.report import Report, Row, megabytes, spread, tell
from engine.api import follow
from engine.commands import Add
from engine.home import Home
from engine.remote import Remote
from engine.settings import load, resolve
from engine.states import ENDED, Done

CLIENTS = 20
SLOWER, LARGER = 0.03, 30 * 2**20
"""By how much the work may be slower at most, and by how many bytes the host larger."""
CLIENT = """
import asyncio, sys
from pathlib import Path
from engine.api import follow
from engine.home import Home
from engine.remote import Remote

async def main():
    async with await Remote.attach(Home(Path(sys.argv[1])), starts=False) as remote:
        view, stream = remote.subscribe()
        print("attached", flush=True)
        async for news in stream:
            view = follow(view, news)

asyncio.run(main())
"""
"""A client that folds all it is told into its view, as the screen does."""


def measure(report: Report, recording: Recording, model: str, rounds: int) -> None:
    """Do the same job with and without lookers-on, in turns.

    Raises:
        BenchError: the job failed.
    """
    alone: list[tuple[float, int]] = []
    watched: list[tuple[float, int]] = []
    for number in range(rounds):
        for clients, results in ((0, alone), (CLIENTS, watched)) if number % 2 else ((CLIENTS, watched), (0, alone)):
            results.append(asyncio.run(_job(recording.path, model, clients)))
        tell(f"clients: round {number + 1} of {rounds}: {alone[-1][0]:.2f} s alone, {watched[-1][0]:.2f} s watched")
    times = [seconds for seconds, _ in alone], [seconds for seconds, _ in watched]
    sizes = [size for _, size in alone], [size for _, size in watched]
    ratio = statistics.median(times[1]) / statistics.median(times[0])
    larger = statistics.median(sizes[1]) - statistics.median(sizes[0])
    what = f"{CLIENTS} clients attached, one of them stopped"
    report.rows += [
        Row(
            f"{what}: the job, {recording.name}, seconds",
            spread(times[1]),
            f"nobody looking on {spread(times[0])}",
            f"{ratio:.3f}",
            f"within {SLOWER:.0%}",
            ratio <= 1 + SLOWER,
        ),
        Row(
            f"{what}: the host's peak memory",
            megabytes(statistics.median(sizes[1])),
            f"nobody looking on {megabytes(statistics.median(sizes[0]))}",
            "",
            f"under {LARGER // 2**20} MB more",
            larger < LARGER,
        ),
    ]
    report.data["clients"] = {"alone": alone, "watched": watched}


async def _job(audio: Path, model: str, clients: int) -> tuple[float, int]:
    """Do the job; the seconds of work, and the host's peak memory in bytes."""
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        home = Home(Path(folder, "home"))
        home.create()
        home.settings.write_text(SETTINGS)
        async with await Remote.attach(home) as remote:
            view, stream = remote.subscribe()
            host = psutil.Process(remote.pid)
            try:
                with _looking_on(home, clients):
                    watch = MemoryWatch(host.pid, 0.0, 0.25, alone=True)
                    options = resolve(load(home.settings), {"model": model, "out": str(Path(folder, "out"))})
                    job = await remote.submit(Add(path=str(audio), options=options))
                    assert job is not None
                    async for news in stream:
                        view = follow(view, news)
                        found = view.job(job)
                        if found is not None and isinstance(found.state, ENDED):
                            break
                    peak = watch.stop()
            finally:
                await remote.stop(now=True)
                await asyncio.to_thread(host.wait, 60)
    if found is None or not isinstance(found.state, Done):
        raise BenchError(f"The job came to no good end: {found and found.state}.")
    return found.worked_ms / 1000, peak.total


@contextmanager
def _looking_on(home: Home, count: int) -> Iterator[None]:
    """So many clients, the last of them stopped once it is attached."""
    clients = []
    try:
        for _ in range(count):
            command = [sys.executable, "-c", CLIENT, str(home.path)]
            clients.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        for client in clients:
            assert client.stdout is not None
            if client.stdout.readline() != b"attached\n":
                raise BenchError("A client could not attach.")
        if clients:
            clients[-1].send_signal(signal.SIGSTOP)
        yield
    finally:
        for client in clients:
            client.kill()
            client.wait()
            if client.stdout is not None:
                client.stdout.close()
