"""A report in lines of text, for a terminal."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from engine.recipe import FailureKind, Recipe
from engine.report import Attempt, Flaw, Report
from engine.states import Cancelled, Done, Failed
from engine.timeline import Spans, length
from tui import glyphs
from tui.lines import BLANK, Line, Run, StyleName, line
from tui.memorygraph import memory_graph
from tui.reportfound import found_lines
from tui.reportparts import LABEL, label, row
from tui.statewords import state_words
from tui.text import clock, count, name_of, pad, percent, plain, size, stretch, time_of_day, times_realtime, took
from tui.wording import LOADING, failure_word, media_words, parameters

OTHERS = 12
"""So many stretches of one kind are listed at most."""


def report_lines(report: Report, width: int, *, ascii_only: bool = False) -> list[Line]:
    """The whole report."""
    blocks = (
        _file(report),
        _outcome(report),
        found_lines(report, width),
        _stages(report),
        _recipes(report),
        _attempts(report),
        _failures(report),
        _pauses(report),
        [*_memory(report), *memory_graph(report, width, ascii_only=ascii_only)],
    )
    found: list[Line] = []
    for block in blocks:
        if block:
            found += [BLANK] if found else []
            found += block
    return found


# ---- the file, and what became of it


def _file(report: Report) -> list[Line]:
    lines = [line(Run(f"job {report.job}  ", "dim"), Run(name_of(report.path), "strong"))]
    lines.append(row("file", f"{plain(report.path)} ({size(report.size)})"))
    if report.probed is not None:
        lines.append(row("sound", media_words(report.probed)))
    if report.duration:
        share = percent(length(report.speech) / report.duration) if report.heard_all else ""
        text = clock(report.duration)
        if report.heard_all:
            text += f", speech {clock(length(report.speech))} ({share}) in {count(report.windows, 'window')}"
        elif report.heard:
            text += f", listened to up to {clock(report.heard)}"
        lines.append(row("length", text))
    return lines


def _outcome(report: Report) -> list[Line]:
    style: StyleName = ""
    match report.state:
        case Done(gaps=0):
            sign, style = f"{glyphs.OK} ", "good"
        case Failed():
            sign, style = f"{glyphs.FAILED} ", "bad"
        case Done():
            sign, style = f"{glyphs.WARNING} ", "warn"
        case _:
            sign = ""
    words = state_words(report.state)
    if not isinstance(report.state, Done | Failed | Cancelled):
        words += f", {percent(report.fraction)} done"
    parts = []
    if report.worked_ms:
        parts.append(f"worked {took(report.worked_ms)}")
    if report.speed is not None:
        parts.append(times_realtime(report.speed))
    if report.tally.sittings > 1:
        parts.append(f"in {count(report.tally.sittings, 'sitting')}")
    lines = [line(label("state"), Run(f"{sign}{words}", style), Run("".join(f"  {part}" for part in parts), "dim"))]
    if report.tally.added is not None:
        began = report.tally.began
        lines.append(row("added", _moment(report.tally.added) + (f", begun {_moment(began)}" if began else "")))
    lines += _flaws("gaps", report.gaps, "bad")
    lines += _flaws("doubtful", report.doubtful, "warn")
    lines += _places("no words", report.unheard, "warn")
    lines += _places("second look", report.recovered, "")
    lines += [line(label("warning"), Run(plain(warning), "warn")) for warning in report.warnings]
    lines += [row("written" if n == 0 else "", plain(path)) for n, path in enumerate(report.outputs)]
    return lines


def _flaws(left: str, flaws: Sequence[Flaw], style: StyleName) -> list[Line]:
    lines = [
        line(
            label(left if n == 0 else ""),
            Run(stretch(each.span.start, each.span.end), style),
            f"  {plain(each.reason)}" if each.reason else None,
        )
        for n, each in enumerate(flaws[:OTHERS])
    ]
    return [*lines, row("", f"and {len(flaws) - OTHERS} more")] if len(flaws) > OTHERS else lines


def _places(left: str, spans: Spans, style: StyleName) -> list[Line]:
    if not spans:
        return []
    told = ", ".join(stretch(span.start, span.end) for span in spans[:OTHERS])
    more = f" and {len(spans) - OTHERS} more" if len(spans) > OTHERS else ""
    return [line(label(left), Run(f"{clock(length(spans))} of speech", style), f": {told}{more}")]


# ---- how it was done


def _stages(report: Report) -> list[Line]:
    lines = [_heading("stage", f"{'took':>7}  {'memory':>7}  workers")]
    for stage in report.stages:
        loads = [each for each in report.tally.loads if each.stage == stage.name]
        loaded = [each.took_ms for each in loads if each.took_ms is not None]
        workers = ""
        if loads:
            models = " ".join(dict.fromkeys(plain(each.model) for each in loads)) if stage.name in LOADING else ""
            cost = f"loaded in {took(min(loaded))}" if loaded else "never ready"
            if len(loaded) > 1 and max(loaded) - min(loaded) >= 100:
                cost = f"loaded in {took(min(loaded))} to {took(max(loaded))}"
            workers = " ".join(part for part in (f"{count(len(loads), 'worker')},", models, cost) if part)
        peak = size(stage.peak) if stage.peak else glyphs.NONE
        spent = took(stage.took_ms) if stage.took_ms else glyphs.NONE
        lines.append(line(Run(pad(stage.name, LABEL)), f"{spent:>7}  {peak:>7}  ", Run(workers, "dim")))
    return lines


def short(recipe: Recipe) -> str:
    """A recipe in a few cells: ``tiny.en int8 2×2``."""
    device = "" if recipe.device == "cpu" else f" {recipe.device}"
    return plain(f"{recipe.model} {recipe.compute_type}{device} {recipe.batch}×{recipe.parallel}")


def difference(before: Recipe, after: Recipe) -> str:
    """What changed from one recipe to another: ``batch 4 → 2``."""
    names = {"compute_type": "numbers", "chunk_ms": "chunk"}
    parts = []
    for name in after.__struct_fields__:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            if name == "chunk_ms":
                old, new = (clock(value) if value else "whole" for value in (old, new))
            parts.append(f"{names.get(name, name)} {old} → {new}")
    return plain(", ".join(parts) or "nothing")


def _recipes(report: Report) -> list[Line]:
    recipes = report.recipes or (report.options.recipe,)
    lines = [
        row("recipe" if n == 0 else "", plain(f"{each.backend}, {each.model}, {each.compute_type}, {each.device}, ")
             + parameters(each) + "".join(f", {plain(told)}" for told in _asked(each))
             + (f", temperature {each.temperature:g}" if each.temperature else ""))
        for n, each in enumerate(recipes[:OTHERS])
    ]  # fmt: skip
    looks: dict[str, tuple[str, StyleName]] = {"lighter": ("↓", "warn"), "heavier": ("↑", "good"), "set": ("◆", "")}
    for n, each in enumerate(report.tally.changes):
        sign, style = looks[each.kind]
        lines.append(
            line(
                label("changes" if n == 0 else ""),
                Run(f"{time_of_day(each.at, seconds=True)} at {clock(each.place)}  ", "dim"),
                Run(f"{sign} {difference(each.before, each.recipe)}", style),
                f"  {plain(each.reason)}",
            )
        )
    return lines


def _asked(recipe: Recipe) -> list[str]:
    """What a recipe asks for beyond a plain transcript."""
    asked = [f"language {recipe.language}"] if recipe.language else []
    asked += ["translated into English"] if recipe.task == "translate" else []
    asked += [f"speech found by {recipe.vad}"] if recipe.vad != "silero" else []
    return asked + ([f"aligned by {recipe.align}"] if recipe.align else [])


def _attempts(report: Report) -> list[Line]:
    if not report.attempts:
        return []
    cells = max(len("recipe"), *(len(short(recipe)) for recipe in report.recipes))
    spans = max(len("attempt"), *(len(_what(each)) for each in report.attempts))
    head = f"{pad('recipe', cells)}  {'began':<8}  {'took':>6}  {'speed':>6}  {'peak':>5}  outcome"
    lines = [line(Run(f"{pad('attempt', spans)}  {'windows':>7}  {head}", "dim"))]
    return lines + [_attempt(each, spans, cells) for each in report.attempts]


def _attempt(attempt: Attempt, spans: int, cells: int) -> Line:
    spent = attempt.took_ms
    figures = "  ".join(
        (
            pad(_what(attempt), spans),
            f"{attempt.windows:>7}",
            pad(short(attempt.recipe), cells),
            time_of_day(attempt.began, seconds=True),
            f"{glyphs.NONE if spent is None else took(spent):>6}",
            f"{times_realtime(attempt.speed):>6}",
            f"{size(attempt.peak) if attempt.peak else glyphs.NONE:>5}",
        )
    )
    word, style = _outcomes(attempt)
    why = f": {plain(attempt.reason)}" if attempt.reason else ""
    return line(f"{figures}  ", Run(word, style), Run(why, "dim" if attempt.outcome == "stopped" else ""))


def _what(attempt: Attempt) -> str:
    """The stretch that was attempted; the stage where that failed as a whole."""
    return stretch(attempt.span.start, attempt.span.end) if attempt.windows else attempt.stage


def _outcomes(attempt: Attempt) -> tuple[str, StyleName]:
    match attempt.outcome:
        case None:
            return f"{glyphs.RUNNING} under way", "active"
        case "done":
            return f"{glyphs.OK} done", "good"
        case "stopped":
            return f"{glyphs.PAUSED} stopped", ""
        case "lost":
            return f"{glyphs.WARNING} lost", "warn"
        case kind:
            return f"{glyphs.FAILED} {failure_word(kind)}", "bad"


def _failures(report: Report) -> list[Line]:
    troubles = report.tally.troubles
    if not troubles:
        return [row("failures", "none")]
    times = Counter((each.kind, each.stage, plain(each.reason)) for each in troubles)
    again = f"{report.tally.retries}× tried again"
    lines = [line(label("failures"), f"{len(troubles)}: {kinds(report.failures)}; {again}")]
    lines += [
        line(label(""), Run(f"{number}×  {stage}, {failure_word(kind)}", "warn"), f"  {reason}")
        for (kind, stage, reason), number in times.most_common(OTHERS)
    ]
    return lines


def kinds(failures: dict[str, int]) -> str:
    """How often each kind of failure happened: ``2× out of memory, 1× error``."""
    ordered = [kind.value for kind in FailureKind if kind.value in failures]
    return ", ".join(f"{failures[kind]}× {failure_word(kind)}" for kind in ordered)


def _pauses(report: Report) -> list[Line]:
    found = []
    for n, each in enumerate(report.tally.pauses):
        lasted = "until now" if each.until is None else f"for {took(each.until - each.at)}"
        text = f"{_moment(each.at)}  {each.how} {lasted}"
        found.append(row("pauses" if n == 0 else "", text + (f"  {plain(each.reason)}" if each.reason else "")))
    return found


def _memory(report: Report) -> list[Line]:
    memory, highest = report.memory, report.memory.highest
    if highest is None:
        return [row("memory", "not measured, or so long ago that the samples are gone")]
    parts = [f"at most {size(highest.tree)} at {time_of_day(highest.at, seconds=True)}"]
    if memory.budget:
        parts.append(f"{highest.tree / memory.budget:.0%} of the budget of {size(memory.budget)}")
    if any(sample.device for sample in memory.samples):
        parts.append(f"device at most {size(max(sample.device for sample in memory.samples))}")
    if memory.swap:
        parts.append(f"swap at most {size(memory.swap)}")
    if memory.pressure != "normal":
        parts.append(f"the system's pressure came to {memory.pressure}")
    over = [Run(f"  {glyphs.WARNING} over the budget for {memory.over} s", "bad")] if memory.over else []
    return [line(label("memory"), ", ".join(parts), *over)]


# ---- the parts of a line


def _heading(label: str, rest: str) -> Line:
    return line(Run(pad(label, LABEL) + rest, "dim"))


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000).strftime("%Y-%m-%d %H:%M:%S")
