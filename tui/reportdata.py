"""A report as JSON: seconds as floats (clock times since 1970), memory in bytes, as in all that leaves the program."""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.report import Attempt, Flaw, Report
from engine.timeline import Span, length
from tui.axes import MOST_POINTS, thinned


def as_json(report: Report) -> str:
    """One JSON object on one line."""
    return msgspec.json.encode(as_data(report)).decode()


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain values."""
    told, memory, highest = report.tally, report.memory, report.memory.highest
    found = report.recognised
    probed = report.probed
    return {
        "job": report.job,
        "path": report.path,
        "size": report.size,
        "state": _plain(report.state),
        "fraction": round(report.fraction, 4),
        "media": None if probed is None else {
            "container": probed.container,
            "tracks": [_plain(track) for track in probed.tracks],
            "chosen": probed.chosen,
        },
        "duration": _seconds(report.duration),
        "heard": _seconds(report.heard),
        "speech": _seconds(length(report.speech)),
        "windows": report.windows,
        "transcribed": _seconds(report.covered_ms),
        "gaps": _flaws(report.gaps),
        "doubtful": _flaws(report.doubtful),
        "unheard": _spans(report.unheard),
        "recovered": _spans(report.recovered),
        "language": _language(report),
        "aligned": {
            "seconds": _seconds(found.aligned_ms),
            "windows": len(found.aligned),
            "not": _flaws(Flaw(*each) for each in found.unaligned),
        },
        "corrections": [{"at": _seconds(each.at), "was": each.was, "now": each.now} for each in found.corrections],
        "outputs": list(report.outputs),
        "warnings": list(report.warnings),
        "added": _seconds(told.added),
        "began": _seconds(told.began),
        "worked": _seconds(report.worked_ms),
        "sittings": told.sittings,
        "stages": [
            {"stage": each.name, "took": _seconds(each.took_ms), "peak": each.peak} for each in report.stages
        ],
        "workers": [
            {
                "worker": each.worker,
                "stage": each.stage,
                "model": each.model,
                "started": _seconds(each.at),
                "loaded_in": _seconds(each.took_ms),
                "ended": _seconds(each.ended),
                "reason": each.reason,
            }
            for each in told.loads
        ],
        "downloads": [
            {
                "model": each.model,
                "began": _seconds(each.at),
                "took": _seconds(each.until - each.at),
                "done": each.done,
                "total": each.total or None,
            }
            for each in found.downloads
        ],
        "attempts": [_attempt(each) for each in report.attempts],
        "recipes": [_plain(recipe) for recipe in report.recipes],
        "changes": [
            {
                "at": _seconds(each.at),
                "place": _seconds(each.place),
                "kind": each.kind,
                "before": _plain(each.before),
                "recipe": _plain(each.recipe),
                "reason": each.reason,
            }
            for each in told.changes
        ],
        "failures": report.failures,
        "failed": [
            {
                "at": _seconds(each.at),
                "stage": each.stage,
                "kind": each.kind.value,
                "spans": _spans(each.spans),
                "reason": each.reason,
                "follows": each.follows,
            }
            for each in told.troubles
        ],
        "retries": told.retries,
        "pauses": [
            {"at": _seconds(each.at), "until": _seconds(each.until), "how": each.how, "reason": each.reason}
            for each in told.pauses
        ],
        "memory": {
            "budget": memory.budget,
            "peak": None if highest is None else highest.tree,
            "peak_at": None if highest is None else _seconds(highest.at),
            "samples_over_budget": memory.over,
            "available_least": memory.available,
            "swap_most": memory.swap,
            "pressure_worst": memory.pressure,
            "samples": [
                {"at": _seconds(each.at), "tree": each.tree, "device": each.device}
                for each in thinned(memory.samples, MOST_POINTS)
            ],
        },
    }  # fmt: skip


def _language(report: Report) -> dict[str, Any]:
    """What was asked for, what was found, and by what vote."""
    found = report.recognised
    return {
        "asked": report.options.recipe.language or "auto",
        "found": found.language,
        "votes": [{"language": code, "share": round(share, 4)} for code, share in found.votes],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "attempt": attempt.id,
        "stage": attempt.stage,
        "start": _seconds(attempt.span.start),
        "end": _seconds(attempt.span.end),
        "windows": attempt.windows,
        "recipe": _plain(attempt.recipe),
        "began": _seconds(attempt.began),
        "took": _seconds(attempt.took_ms),
        "speed": None if attempt.speed is None else round(attempt.speed, 2),
        "peak": attempt.peak or None,
        "slowest_batch": _seconds(attempt.slowest_ms or None),
        "outcome": attempt.outcome,
        "reason": attempt.reason,
    }


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON can hold
    return msgspec.to_builtins(value)


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _spans(spans: Iterable[Span]) -> list[list[float]]:
    return [[span.start / 1000, span.end / 1000] for span in spans]


def _flaws(flaws: Iterable[Flaw]) -> list[dict[str, Any]]:
    return [{"start": each.span.start / 1000, "end": each.span.end / 1000, "reason": each.reason} for each in flaws]
