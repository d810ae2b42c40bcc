"""The work with no screen: progress on stderr, events as JSON lines on stdout, an exit status at the end."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from engine import events as ev
from engine.commands import Add, CommandError, Options
from engine.engine import Engine
from engine.files import shown
from engine.states import ENDED, Done, Failed, Paused
from engine.view import JobView, View, fold
from tui.status import is_at_work
from tui.text import clock, name_of, plain, times_realtime
from tui.wording import Severity, wording

SHOWN = (ev.Warning, ev.AttemptFailed, ev.RecipeChanged, ev.GapLeft, ev.TextDoubted, ev.SpeechAudited)
"""Events worth a line even where there is a bar."""
DONE, FAILED, GAPS, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses, as the command line promises them."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to ``_while_read``; Rich would exit."""
        raise


@contextmanager
def _while_read(stream: TextIO) -> Iterator[None]:
    """Write to a stream; once its terminal or its reader is gone, to nowhere, so that the work goes on."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _about(job: JobView, text: str) -> str:
    """A sentence about a job with the file's name before it, unless it begins with its path."""
    return text if text.startswith((job.path, shown(Path(job.path)))) else f"{name_of(job.path)}: {text}"


class Reporter:
    """Tells what happens to whoever watches stderr, and to whatever reads stdout."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._console = _Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._tasks: dict[int, TaskID] = {}
        self._tenths: dict[int, int] = {}

    def __enter__(self) -> "Reporter":
        with _while_read(sys.stderr):
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        with _while_read(sys.stderr):
            self._bars.stop()

    def say(self, text: str, style: str = "") -> None:
        """A line for the user."""
        with _while_read(sys.stderr):
            self._console.print(plain(text), style=style or None)

    def tell(self, entry: ev.Entry, view: View) -> None:
        """One event."""
        if self._as_json:
            with _while_read(sys.stdout):
                sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
                sys.stdout.flush()
        event = entry.event
        if isinstance(event, ev.Notice):
            self.say(event.message, "yellow")
        job = view.job(getattr(event, "job", 0))
        if job is None:
            return
        if isinstance(event, SHOWN) and not (isinstance(event, ev.AttemptFailed) and event.follows == ev.GIVEN_UP):
            words = wording(event)
            self.say(_about(job, words.text), "yellow" if words.severity is not Severity.ERROR else "red")
        if isinstance(event, ev.JobChanged) and isinstance(event.state, Paused) and event.state.reason:
            self.say(_about(job, wording(event).text), "yellow")
        with _while_read(sys.stderr):
            self._progress(job, entry.at)
        if isinstance(event, ev.JobChanged) and isinstance(event.state, ENDED):
            self.conclude(job)

    def _progress(self, job: JobView, now: int) -> None:
        if not is_at_work(job.state):
            if job.id in self._tasks:
                self._bars.remove_task(self._tasks.pop(job.id))
                self._bars.refresh()
            return
        speed, left = job.speed(now), job.eta(now)
        note = "  ".join(
            part for part in (times_realtime(speed) if speed else "", f"{clock(left)} left" if left else "") if part
        )
        if not self._console.is_terminal:
            tenth = int(job.fraction * 10)
            if tenth > self._tenths.get(job.id, 0):
                self._tenths[job.id] = tenth
                self.say(f"{name_of(job.path)}: {tenth * 10} %  {note}".rstrip())
        elif job.heard:
            if job.id not in self._tasks:
                self._tasks[job.id] = self._bars.add_task(name_of(job.path), total=1.0, note="")
            self._bars.update(self._tasks[job.id], completed=job.fraction, note=note)

    def conclude(self, job: JobView) -> None:
        """What became of a job."""
        name = name_of(job.path)
        match job.state:
            case Done(gaps=gaps):
                length = clock(job.duration or 0)
                took = f"{length} in {clock(job.worked_ms)}"
                what = f"done, {took}" if job.windows or job.covered else f"done, no speech was found in {length}"
                if gaps:
                    what += f", with gaps of {clock(gaps)} in all"
                self.say(f"{name}: {what}", "yellow" if gaps else "green")
                for path in job.outputs:
                    self.say(f"  {path}")
            case Failed(error=error):
                self.say(_about(job, error), "red")
            case _:
                self.say(f"{name}: stopped at {job.fraction:.0%}; run it again to go on from there")


async def run(engine: Engine, files: Sequence[tuple[str, Options]], *, as_json: bool) -> int:
    """Queue the files, do them, and say how it went; the exit status.

    The first interruption lets the batches under way finish; a second one does not.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        if stopping.is_set():
            engine.kill()
        stopping.set()

    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(name, interrupt)
    with Reporter(as_json=as_json) as reporter:
        return await _run(engine, files, reporter, stopping)


async def _run(
    engine: Engine, files: Sequence[tuple[str, Options]], reporter: Reporter, stopping: asyncio.Event
) -> int:
    view, entries = engine.subscribe()

    async def follow() -> View:
        latest = view
        async for entry in entries:
            latest = fold(latest, entry)
            reporter.tell(entry, latest)
        return latest

    following = asyncio.create_task(follow())
    jobs: list[int] = []
    refused: set[str] = set()
    async with engine:
        for path, options in files:
            await asyncio.sleep(0)  # queueing waits for nothing else, and there may be thousands
            if stopping.is_set():
                break
            try:
                job = await engine.submit(Add(path=path, options=options))
            except CommandError as error:
                if engine.error is None and str(error) not in refused:
                    reporter.say(str(error), "red")
                refused.add(str(error))
            else:
                if job is not None and job not in jobs:
                    jobs.append(job)
        waiting = [asyncio.create_task(engine.wait()), asyncio.create_task(stopping.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if stopping.is_set():
            reporter.say("Stopping after the batches under way; interrupt again to stop at once.")
    last = await following
    if engine.error is not None:
        reporter.say(engine.error, "red")
        return FAILED
    states = [found for job in jobs if (found := last.job(job)) is not None]
    for job_view in states:
        if not isinstance(job_view.state, ENDED):
            reporter.conclude(job_view)
    if any(isinstance(job_view.state, Failed) for job_view in states) or refused:
        status = FAILED
    elif any(isinstance(job_view.state, Done) and job_view.state.gaps for job_view in states):
        status = GAPS
    else:
        status = DONE
    return INTERRUPTED if stopping.is_set() else status
