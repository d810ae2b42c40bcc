"""The stages of the selected job: what each does, how far it is, how long it has run."""

from collections.abc import Iterable

from engine.timeline import length
from engine.view import JobView
from tui import glyphs
from tui.frame import Frame
from tui.layout import Need, Space
from tui.lines import Line, Run, line
from tui.recognition import amount, model_name
from tui.status import StageStatus, stages, worker_of
from tui.text import clock, name_of, pad, percent, plain
from tui.widgets.pane import Pane
from tui.wording import LOADING


class Stages(Pane):
    """A line a stage; where there is one column only, all of them in one line without a rule."""

    def need(self, frame: Frame, space: Space) -> Need | None:
        """One line, or a rule and a line or two for each stage."""
        if frame.job is None:
            return None
        lines = 1 + len(stages(frame.job, frame.view, frame.as_of))
        return Need(1, 1) if space.is_narrow else Need(lines, lines + 1)

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """The stages."""
        job = frame.job
        if job is None:
            return
        found = stages(job, frame.view, frame.as_of)
        if height == 1:
            yield _in_one(found)
            return
        yield self.rule("Stages", (), width)
        for stage in found:
            yield _stage(stage, detail(stage, job, frame))


def _in_one(found: tuple[StageStatus, ...]) -> Line:
    runs: list[Run] = []
    for stage in found:
        runs += [Run("   " if runs else " "), Run(f"{stage.status.sign} {stage.name}", stage.status.style)]
        if stage.status.word == "fetching":
            runs.append(Run(" fetching"))
        if stage.fraction is not None and stage.status.sign != glyphs.OK:
            runs.append(Run(f" {percent(stage.fraction)}"))
        if stage.took is not None:
            runs.append(Run(f" {clock(stage.took)}", "dim"))
    return line(*runs)


def _stage(stage: StageStatus, told: str) -> Line:
    share = percent(stage.fraction) if stage.fraction is not None else ""
    return line(
        Run(f" {stage.status.sign} {pad(stage.name, 10)}", stage.status.style),
        Run(pad(share, 5, right=True)),
        Run(pad(clock(stage.took) if stage.took is not None else "", 9, right=True), "dim"),
        Run(f"  {told}", "dim"),
    )


def detail(stage: StageStatus, job: JobView, frame: Frame) -> str:
    """What else there is to say about a stage."""
    if stage.status.word == "fetching" and (fetch := job.fetching) is not None:
        return " ".join(part for part in (plain(fetch.model), amount(fetch.done, fetch.total)) if part)
    if stage.status.word not in ("running", "done"):
        if stage.status.word == "loading" and (worker := worker_of(stage.name, frame.view)) is not None:
            return f"loading {model_name(worker.model)}".rstrip() if stage.name in LOADING else "starting"
        return stage.status.word
    match stage.name:
        case "listen" | "transcribe" | "align" if job.is_brief:
            return ""
        case "listen":
            return f"{clock(job.to_cover_ms)} of speech" if job.heard else ""
        case "transcribe":
            return f"{clock(job.covered_ms)} of {clock(job.to_cover_ms)}"
        case "align":
            return f"{clock(length(job.aligned))} of words" if job.aligned else ""
        case _:
            files = job.outputs or job.partial
            return " ".join(name_of(path).rpartition(".")[2] for path in files) or "the files"
