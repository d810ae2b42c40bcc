"""The queue: one line a job, with the selected one marked."""

from collections.abc import Iterable
from typing import NamedTuple

from textual import events
from textual.message import Message

from engine.states import ENDED, Cancelled, Done, Failed, Frozen, Paused, Pausing, Queued, Running, Stopped
from engine.timeline import intersect, length
from engine.view import JobView, View
from tui import glyphs
from tui.frame import Frame
from tui.glyphs import CELLS, Cell
from tui.layout import Need, Space
from tui.lines import BLANK, Line, Run, StyleName, line
from tui.recognition import amount, model_name
from tui.status import job_status, share_done, share_fetched, worker_of
from tui.strip import STYLES
from tui.text import clock, name_of, pad, percent, plain, time_of_day, times_realtime, took
from tui.widgets.pane import Pane

BAR = 10
"""Cells of the progress bar."""
SIGN, GAP, STAGE, DONE, LEFT, SPEED = 3, 2, 11, 5, 9, 7
"""Cells of the columns whose width is always the same, the gap before them included."""


class Columns(NamedTuple):
    """The widths of the columns that depend on the width of the pane; 0 for one there is no room for."""

    name: int
    bar: int
    notes: int


def columns(width: int) -> Columns:
    """Share out the width: sign, name, stage, bar, done, left, speed, notes."""
    bar = BAR if width >= 76 else 0
    rest = width - SIGN - GAP - STAGE - bar - DONE - LEFT - SPEED - 1
    notes = max(12, rest * 2 // 5) if rest >= 28 else 0
    return Columns(max(8, rest - (notes + GAP if notes else 0)), bar, notes)


class Jobs(Pane):
    """The list of jobs in the order of the queue. A click selects."""

    class Clicked(Message):
        """The user pointed at a job."""

        def __init__(self, job: int) -> None:
            super().__init__()
            self.job = job

    class Wheeled(Message):
        """The user turned the wheel over the list."""

        def __init__(self, by: int) -> None:
            super().__init__()
            self.by = by

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._top = 0
        self._heads = 0

    def need(self, frame: Frame, space: Space) -> Need:
        """All jobs, but no more than about a third of the window."""
        jobs = len(frame.view.jobs)
        if not jobs:
            return Need(min(10, space.height), 12)
        return Need(min(jobs, 2) + 1 + (space.height >= 20), min(jobs + 2, max(5, space.height // 3)))

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The rule line, the heads of the columns, and the jobs around the selected one."""
        jobs = frame.view.jobs
        if not jobs:
            yield self.rule("Jobs", _age(frame), width)
            yield from _welcome(height - 1)
            return
        self._heads = int(height >= min(5, len(jobs) + 2))
        room = max(1, height - 1 - self._heads)
        chosen = next((n for n, job in enumerate(jobs) if job.id == frame.selected), 0)
        self._top = max(min(self._top, chosen, len(jobs) - room), chosen - room + 1, 0)
        position = Run(_position(self._top, room, chosen, len(jobs)), "dim")
        yield self.rule("Jobs", [*_age(frame), [position]], width)
        widths = columns(width)
        if self._heads:
            yield _heads(widths)
        for job in jobs[self._top : self._top + room]:
            yield job_line(job, frame, widths)

    def on_click(self, event: events.Click) -> None:
        """Select what was pointed at."""
        n = self._top + event.y - 1 - self._heads
        if event.y > self._heads and 0 <= n < len(self.frame.view.jobs):
            self.post_message(self.Clicked(self.frame.view.jobs[n].id))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the selection up."""
        event.stop()
        self.post_message(self.Wheeled(-1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the selection down."""
        event.stop()
        self.post_message(self.Wheeled(1))


def _age(frame: Frame) -> list[list[Run]]:
    """How old the picture is once the engine is lost, and why it is; else nothing."""
    if not frame.link.is_lost:
        return []
    return [[Run(f"as of {time_of_day(frame.as_of)}", "stale")], [Run(plain(frame.link.why), "dim")]]


def _position(top: int, room: int, chosen: int, number: int) -> str:
    return f"{chosen + 1} of {number}" + (f", {top + 1}–{min(number, top + room)} in sight" if number > room else "")


def _heads(widths: Columns) -> Line:
    heads = [
        "   ",
        pad("job", widths.name + GAP),
        pad("stage", STAGE),
        pad("done", widths.bar + DONE, right=True),
        pad("left", LEFT, right=True),
        pad("speed", SPEED, right=True),
        "  notes" if widths.notes else "",
    ]
    return line(Run("".join(heads), "faint"))


def job_line(job: JobView, frame: Frame, widths: Columns) -> Line:
    """One job: its sign, name, stage, progress, time left, speed, and what else there is to say."""
    is_selected = job.id == frame.selected
    status = job_status(job, frame.view)
    eta = None if isinstance(job.state, ENDED) else job.eta(frame.as_of)
    # A model on its way is all that the user waits for, and the word before the bar says so.
    is_fetching = status.word == "fetching"
    done = share_fetched(job) if is_fetching else share_done(job)
    speed = None if isinstance(job.state, Queued | Stopped) else job.speed(frame.as_of)
    runs = [
        Run(glyphs.SELECTED if is_selected else " ", "marker"),
        Run(f"{status.sign} ", status.style),
        Run(pad(name_of(job.path), widths.name), "strong" if is_selected else ""),
        Run(" " * GAP + pad(status.word, STAGE), status.style),
    ]
    if widths.bar:
        runs += _bar(job, done or 0.0)
    runs += [
        Run(pad(glyphs.NONE if done is None else percent(done), DONE, right=True)),
        Run(pad(clock(eta) if eta is not None else glyphs.NONE, LEFT, right=True), "" if eta is not None else "dim"),
        Run(pad(times_realtime(speed), SPEED, right=True), "dim"),
    ]
    if widths.notes:
        runs += [Run("  "), *notes(job, frame.view)]
    return line(*runs, base="selected" if is_selected else "")


def _bar(job: JobView, done: float) -> list[Run]:
    full = min(BAR, int(done * BAR + 1e-9))
    style: StyleName = "bad" if isinstance(job.state, Failed) else "good" if isinstance(job.state, Done) else "bar"
    if isinstance(job.state, Cancelled | Queued | Stopped):
        style = "dim"
    return [Run(glyphs.BAR * full, style), Run(glyphs.BAR_REST * (BAR - full), "faint")]


def notes(job: JobView, view: View) -> list[Run]:
    """What else there is to say about a job, the most important first."""
    match job.state:
        case Failed(error=error):
            return [Run(plain(error), "bad")]
        case Done(gaps=gaps):
            lost = [Run(f"gaps {clock(gaps)}  ", "bad")] if gaps else []
            return [*lost, Run(f"in {took(job.worked_ms)}" if job.worked_ms else "", "dim"), *_warned(job)]
        case Paused(since, reason=reason) if reason:
            return [Run(f"{plain(reason)}  ", "warn"), Run(f"since {time_of_day(since)}", "dim"), *_troubles(job)]
        case Paused(since) | Frozen(since) | Stopped(since):
            return [Run(f"since {time_of_day(since)}", "dim"), *_troubles(job)]
        case Pausing():
            return [Run("after this batch", "dim"), *_troubles(job)]
        case Running() if job.fetching is not None and not job.running:
            return [Run(amount(job.fetching.done, job.fetching.total), "dim"), *_troubles(job)]
        case Running():
            worker = worker_of("transcribe" if job.aligning_from is None else "align", view)
            if worker is not None and not worker.ready and not job.running:
                return [Run(f"loading {model_name(worker.model)}".rstrip(), "dim"), *_troubles(job)]
            return _troubles(job)
        case _:
            return _troubles(job)


def _troubles(job: JobView) -> list[Run]:
    """How much of the job is lost, was done lighter, or took more than one try: the strip's signs with lengths."""
    lengths = (
        (Cell.FAILED, length(job.gaps)),
        (Cell.DEGRADED, length(intersect(job.degraded, job.covered))),
        (Cell.RETRIED, length(job.retried)),
    )
    found: list[Run] = []
    for cell, ms in lengths:
        if ms:
            found += [Run("  " if found else ""), Run(CELLS[cell], STYLES[cell]), Run(f" {clock(ms)}", "dim")]
    return [*found, *_warned(job)] if found else _warned(job)[1:]


def _warned(job: JobView) -> list[Run]:
    return [Run("  "), Run(f"{glyphs.WARNING} {len(job.warnings)}", "warn")] if job.warnings else []


def _welcome(room: int) -> list[Line]:
    lines = [
        BLANK,
        line(Run("   Nothing is queued.", "strong")),
        BLANK,
        line(Run("   a", "key"), "  add a film or a talk: type its path, or drag the file here"),
        line(Run("   ?", "key"), "  all keys, and what the signs mean"),
        line(Run("   q", "key"), "  leave; the work goes on without the screen"),
        BLANK,
        line(Run("   From the shell:  scribetui talk.mp3 film.mkv", "dim")),
    ]
    return lines if room >= len(lines) else [each for each in lines if each.runs][:room]
