"""The selected job's timeline: the strip to scale, what its signs amount to, and how the job ended."""

from collections.abc import Iterable

from engine.states import ENDED, Cancelled, Done, Failed
from engine.view import JobView
from tui import glyphs, recognition
from tui.frame import Frame
from tui.glyphs import CELLS, Cell
from tui.layout import Need, Space
from tui.lines import Line, Run, StyleName, joined, line
from tui.strip import STYLES, lengths, strip_lines
from tui.text import clock, count, crop, crop_left, name_of, plain, wrap
from tui.widgets.pane import Pane
from tui.wording import parameters

NAMES = {
    Cell.DONE: "done",
    Cell.RUNNING: "running",
    Cell.PENDING: "to do",
    Cell.UNHEARD: "unheard",
    Cell.RETRIED: "retried",
    Cell.DEGRADED: "lighter",
    Cell.FAILED: "gap",
    Cell.SILENCE: "silence",
}
"""What the signs of the strip are called, in the order in which they are told."""


class Timeline(Pane):
    """The chunk strip with its legend."""

    def need(self, frame: Frame, space: Space) -> Need | None:
        """The strip in as many rows as suit its length, the legend, and what became of the job."""
        if frame.job is None:
            return None
        most = max(1, min(space.height // 4, 12))
        strip = len(_strip(frame.job, space.width - 2, most))
        below = len(_legend(frame.job, space.width - 2)) + len(_outcome(frame.job, space.width - 2))
        return Need(2 + below, 1 + strip + below)

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The rule line, the strip, its legend, the outcome; the strip gives way first, but keeps a row."""
        job = frame.job
        if job is None:
            yield self.rule("Timeline", (), width)
            return
        spoken = recognition.spoken(job.recipe, job.language)
        notes = [[Run(plain(_recipe(job)), "dim")], *([[Run(spoken, "dim")]] if spoken else [])]
        yield self.rule(name_of(job.path), notes, width)
        legend, outcome = _legend(job, width - 2), _outcome(job, width - 2)
        room = height - 1
        strip = _strip(job, width - 2, max(1, room - len(legend) - len(outcome)))
        for each in [*strip, *legend, *outcome][:room]:
            yield line(" ", *each.runs)


def _recipe(job: JobView) -> str:
    return f"{job.recipe.model} {job.recipe.compute_type}, {parameters(job.recipe)}"


def _strip(job: JobView, width: int, most_lines: int) -> list[Line]:
    """The strip, or why there is none."""
    if job.is_brief:
        told = f"{clock(job.duration or 0)}, from an earlier sitting; its story: scribetui report {job.id}"
        return [line(Run(crop(told, width), "dim"))]
    none = line(Run("nothing was heard" if isinstance(job.state, ENDED) else "not opened yet", "dim"))
    return strip_lines(job, width, most_lines) or [none]


def _legend(job: JobView, width: int) -> list[Line]:
    """How much of the timeline each sign stands for."""
    if job.is_brief:
        return []
    amounts = lengths(job)
    parts = [
        [Run(CELLS[cell], STYLES[cell]), Run(f" {name} {clock(amounts[cell])}", "dim")]
        for cell, name in NAMES.items()
        if amounts[cell]
    ]
    return joined(parts, width)


def _outcome(job: JobView, width: int) -> list[Line]:
    """How the job ended, or what it warned of last."""
    match job.state:
        case Failed(error=error):
            return _said(glyphs.FAILED, error, "bad", width)
        case Done(gaps=gaps):
            lines = [_files(job, width)]
            if gaps:
                lines += _said(
                    glyphs.WARNING, f"{clock(gaps)} could not be transcribed; r tries that again", "bad", width
                )
            elif job.heard_all and not job.windows and not job.is_brief:
                lines += _said(glyphs.WARNING, "no speech was found", "warn", width)
            return lines
        case Cancelled():
            return _said(
                glyphs.GIVEN_UP, "cancelled; what is transcribed is kept, and r goes on from there", "dim", width
            )
        case _:
            return _said(glyphs.WARNING, job.warnings[-1], "warn", width, most=1) if job.warnings else []


def _said(sign: str, text: str, style: StyleName, width: int, *, most: int = 2) -> list[Line]:
    """A sentence in so many lines at most."""
    rows = wrap(plain(text), max(8, width - 2))
    if len(rows) > most:
        rows = (*rows[: most - 1], crop(" ".join(rows[most - 1 :]), max(8, width - 2)))
    return [line(Run(f"{sign if n == 0 else ' '} {row}", style)) for n, row in enumerate(rows)]


def _files(job: JobView, width: int) -> Line:
    if not job.outputs:
        return line(Run(f"{glyphs.OK} done", "good"))
    folder, _, first = plain(job.outputs[0]).rpartition("/")
    stem = first.rpartition(".")[0]
    endings = " ".join(plain(path).rpartition(".")[2] for path in job.outputs)
    left = f"{count(len(job.outputs), 'file')} written: "
    place = crop_left(f"{folder}/{stem}", max(8, width - len(left) - len(endings) - 4))
    return line(Run(f"{glyphs.OK} ", "good"), Run(left, "dim"), Run(place), Run(f" .{endings}", "dim"))
