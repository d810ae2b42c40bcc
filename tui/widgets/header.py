"""The header: what this is, where it runs, what the queue does, the memory, the time; never hidden."""

from collections.abc import Iterable

from engine.states import ENDED, Frozen, Paused, Pausing, Queued, Stopped
from engine.view import View
from tui import glyphs
from tui.frame import Frame
from tui.lines import Line, Run, StyleName, line, spread
from tui.status import is_at_work
from tui.text import size, time_of_day
from tui.widgets.pane import Pane

SOFT, HARD = 0.80, 0.95
"""Shares of the budget from which the figure warns, and from which it alarms."""


class Header(Pane):
    """One line at the top of the screen."""

    SHOWS_VIEW = False

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The name and the queue at the left, memory and clock at the right."""
        queue = (Run("  "), *state(frame))
        memory, clock = memory_figure(frame.view), Run(f"  {time_of_day(frame.now)} ")
        if frame.link.is_lost:
            memory = [Run(run.text, "dim") for run in memory] if width >= 60 else []
        whole = line(Run(" scribetui", "strong"), Run(f"  {frame.host}" if frame.host else "", "dim"), *queue)
        short = line(Run(" scribetui", "strong"), *queue)
        for left, label in ((whole, "memory "), (whole, "mem "), (short, "mem "), (short, "")):
            right = line(Run(label if memory else "", "dim"), *memory, clock)
            if left.width + right.width + 2 <= width:
                break
        yield spread(left, right, width, Run(" "))


def state(frame: Frame) -> list[Run]:
    """What the engine does: how the queue stands, unless there is something that matters more."""
    if frame.link.is_lost:
        return [Run(f"{glyphs.LOST} host lost, trying again", "stale")]
    if frame.link.is_stopping:
        return [Run(f"{glyphs.ALIVE} stopping after the batches under way", "warn")]
    return queue_summary(frame.view)


def memory_style(tree: int, budget: int) -> StyleName:
    """The style of a memory figure, by how near it comes to the budget."""
    share = tree / budget if budget else 0.0
    return "bad" if share >= HARD else "warn" if share >= SOFT else ""


def memory_figure(view: View) -> list[Run]:
    """The memory of everything against the budget: ``5.1G of 12.0G``."""
    if not view.memory:
        return []
    tree = view.memory[-1].tree
    style = memory_style(tree, view.budget)
    limit = f" of {size(view.budget)}" if view.budget else ""
    sign = f"{glyphs.WARNING} " if style else ""
    return [Run(f"{sign}{size(tree)}", style or "strong"), Run(limit, "dim")]


def queue_summary(view: View) -> list[Run]:
    """How many jobs run, wait, rest and have ended."""
    running = sum(is_at_work(job.state) and not isinstance(job.state, Pausing) for job in view.jobs)
    waiting = sum(isinstance(job.state, Queued) for job in view.jobs)
    paused = sum(isinstance(job.state, Paused | Pausing | Frozen) for job in view.jobs)
    stopped = sum(isinstance(job.state, Stopped) for job in view.jobs)
    ended = sum(isinstance(job.state, ENDED) for job in view.jobs)
    sign: StyleName = "active" if running else "warn" if paused else "dim"
    word = "running" if running else "paused" if paused else "waiting" if waiting else "stopped" if stopped else "idle"
    runs = [Run(f"{glyphs.ALIVE} {word}", sign)]
    runs += [
        Run(f"  {number} {what}", "dim")
        for number, what in ((waiting, "queued"), (paused, "paused"), (stopped, "stopped"), (ended, "ended"))
        if number and what != word
    ]
    return runs
