"""What recognition found out, as lines of a report: language, downloads, finer times, what the terms put right."""

from collections import Counter

from engine.languages import language_name
from engine.messages import Correction
from engine.recipe import EACH_WINDOW
from engine.recognised import Recognised
from engine.report import Report
from tui import recognition
from tui.lines import Line, Run, line
from tui.reportparts import LABEL, label, row
from tui.text import clock, count, plain, size, took, wrap

REASONS = 12
"""So many reasons why words were not aligned are listed at most."""


def found_lines(report: Report, width: int) -> list[Line]:
    """All there is to say of it; nothing where there is nothing."""
    found = report.recognised
    return [*_language(report), *_downloads(found), *_alignment(found), *_corrections(found, width)]


def _language(report: Report) -> list[Line]:
    found = report.recognised
    if found.language is None:
        asked = report.options.recipe.language
        return [row("language", "detected window by window")] if asked == EACH_WINDOW else []
    name = language_name(found.language)
    code = f" ({found.language})" if name != found.language else ""
    vote = recognition.vote(found.language, found.votes)
    told = plain(f"{name}{code}") + (f", {vote}" if vote else "")
    return [line(label("language"), Run(told, "warn" if recognition.is_unsure(found.language, found.votes) else ""))]


def _downloads(found: Recognised) -> list[Line]:
    lines = []
    for n, each in enumerate(found.downloads):
        if recognition.is_fetched(each.done, each.total):
            told = f"{plain(each.model)}, {size(each.total)} in {took(each.until - each.at)}"
        else:
            told = f"{plain(each.model)}, {recognition.amount(each.done, each.total) or 'nothing'} so far"
        lines.append(row("download" if n == 0 else "", told))
    return lines


def _alignment(found: Recognised) -> list[Line]:
    if not found.aligned and not found.unaligned:
        return []
    lines = [row("aligned", f"{count(len(found.aligned), 'window')}, {clock(found.aligned_ms)} of speech")]
    reasons = Counter(reason for _, reason in found.unaligned)
    first = {reason: span for span, reason in reversed(found.unaligned)}
    lines += [
        line(
            label(""),
            Run(f"{count(number, 'window')} with the recogniser's times", "warn"),
            f", from {clock(first[reason].start)} on: {plain(reason)}",
        )
        for reason, number in reasons.most_common(REASONS)
    ]
    return lines


def _corrections(found: Recognised, width: int) -> list[Line]:
    """Every change, those alike together, with each place."""
    if not found.corrections:
        return []
    places: dict[str, list[Correction]] = {}
    for each in found.corrections:
        places.setdefault(recognition.change(each), []).append(each)
    lines = [row("put right", f"{count(len(found.corrections), 'place')} by the terms")]
    for change, changed in places.items():
        told = f"{change} at {', '.join(clock(each.at) for each in changed)}"
        lines += [row("", part) for part in wrap(told, max(40, width - LABEL))]
    return lines
