"""Telling what happens to whoever watches stderr, and to whatever reads events from stdout."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from engine import events as ev
from engine.files import shown
from engine.machine.later import WITHOUT
from engine.states import ENDED, Cancelled, Done, Failed, Frozen, Paused, Pausing
from engine.view import JobView, View
from tui import recognition
from tui.severity import Severity
from tui.status import is_at_work, share_fetched
from tui.text import clock, name_of, percent, plain, times_realtime
from tui.wording import wording

SHOWN = (
    *(ev.Warning, ev.AttemptFailed, ev.RecipeChanged, ev.GapLeft, ev.TextDoubted, ev.SpeechAudited),
    ev.LanguageFound,
)
"""Events worth a line even where there is a bar."""
_COLOURS = {Severity.WARNING: "yellow", Severity.ERROR: "red"}
"""What SHOWN events are said in, by how much they should stand out."""


def _is_told_anyway(event: ev.Event) -> bool:
    """Whether a failure's reason is said once more at once: as the job's own end, or as a warning."""
    if not isinstance(event, ev.AttemptFailed):
        return False
    return event.follows == ev.GIVEN_UP or (not event.spans and event.follows == WITHOUT.get(event.stage))


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
        self._has_bars = self._console.is_terminal and not self._console.is_dumb_terminal
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            disable=not self._has_bars,
        )
        self._tasks: dict[int, TaskID] = {}
        self._tenths: dict[int, int] = {}
        self._downloads: dict[str, int] = {}
        """Models that are fetched, and how many tenths of each were told; 10 for all."""
        self._rests: set[int] = set()
        """Jobs of which it was told that somebody else has paused them."""

    def __enter__(self) -> "Reporter":
        with _while_read(sys.stderr):
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        with _while_read(sys.stderr):
            self._bars.stop()

    def expect_rest(self, jobs: Iterable[int]) -> None:
        """These jobs are paused by ourselves, so there is nothing to tell of it."""
        self._rests.update(jobs)

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
        if isinstance(event, SHOWN) and not _is_told_anyway(event):
            words = wording(event)
            is_calm = isinstance(event, ev.LanguageFound)
            self.say(_about(job, words.text), _COLOURS.get(words.severity, "" if is_calm else "yellow"))
        if isinstance(event, ev.ModelFetched):
            self._tell_of_download(job, event)
        if isinstance(event, ev.JobChanged):
            self._tell_of_rest(job)
        with _while_read(sys.stderr):
            self._progress(job, entry.at)
        if isinstance(event, ev.JobChanged) and isinstance(event.state, ENDED):
            self.conclude(job)

    def _tell_of_rest(self, job: JobView) -> None:
        """Why a job does not go on: a reason of the machine's, or somebody else who wants it so."""
        match job.state:
            case Paused(reason=reason) if reason:
                self.say(_about(job, wording(ev.JobChanged(job.id, job.state)).text), "yellow")
            case Frozen() | Pausing(reason="") | Paused() if job.id not in self._rests:
                self._rests.add(job.id)
                self.say(_about(job, f"paused by someone else; 'scribetui resume {job.id}' lets it go on"), "yellow")
            case Frozen() | Pausing() | Paused():
                pass
            case _:
                self._rests.discard(job.id)

    def _tell_of_download(self, job: JobView, event: ev.ModelFetched) -> None:
        """A line at its beginning, at its end and, where there is no bar, for each tenth."""
        is_over = recognition.is_fetched(event.done, event.total)
        tenth = event.done * 10 // event.total if event.total > 0 else 0
        is_told = self._downloads.get(event.model)
        if is_told is None or (is_over and is_told < 10) or (tenth > is_told and not self._has_bars):
            self._downloads[event.model] = 10 if is_over else min(9, tenth)
            self.say(_about(job, recognition.fetching(event.model, event.done, event.total)))

    def catch_up(self, job: JobView, now: int) -> None:
        """Tell of a job of which some events were missed."""
        with _while_read(sys.stderr):
            self._progress(job, now)
        if isinstance(job.state, ENDED):
            self.conclude(job)

    def removed(self, job: JobView) -> None:
        """A job was taken off the list by somebody else."""
        self.say(_about(job, "removed from the queue by someone else"), "red")

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
        if not self._has_bars:
            tenth = int(job.fraction * 10)
            if tenth > self._tenths.get(job.id, 0):
                self._tenths[job.id] = tenth
                self.say(f"{name_of(job.path)}: {tenth * 10} %  {note}".rstrip())
        elif job.heard or job.fetching is not None:
            if job.id not in self._tasks:
                self._tasks[job.id] = self._bars.add_task(name_of(job.path), total=1.0, note="")
            done = job.fraction
            if (fetch := job.fetching) is not None and not job.running:
                done, note = share_fetched(job) or 0.0, recognition.fetching(fetch.model, fetch.done, fetch.total)
            self._bars.update(self._tasks[job.id], completed=done, note=note)

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
            case Cancelled():
                self.say(f"{name}: cancelled; 'scribetui retry {job.id}' queues it again", "red")
            case _:
                self.say(f"{name}: stopped at {percent(job.fraction)}; run it again to go on from there")
