"""Wall time, peak memory and word error rate against another program on the same recordings, turn by turn.

``whisperx`` is whisperX's command line with the same model, ``base`` the batched pipeline of ``bench/baseline.py`` with
whisper ``base``, which either program has to find the language for.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench import programs
from bench.processes import Outcome, Peak
from bench.recordings import Recording
from bench.report import Others, Report, Row, megabytes, spread, tell
from tests.wer import wer

WORSE = 0.005
"""At most: our word error rate minus the other's."""
BASE = "base"

Program = Callable[[Recording, float | None], tuple[Outcome, str]]
"""Runs a program on a recording, watching its memory if it is told how often; what was measured, and the text."""


@dataclass(frozen=True)
class Match:
    """A recording, and what is asked for on it."""

    recording: Recording
    faster: float
    """At most: our wall time over the other's."""
    less: float
    """At most: our peak memory over the other's."""
    rounds: int
    """For the time."""
    runs: int
    """For the memory."""


@dataclass
class Course:
    """What was measured of both programs on one recording."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, list[Peak]] = field(default_factory=dict)
    texts: dict[str, set[str]] = field(default_factory=dict)
    others: float = 0.0

    def megabytes(self, name: str) -> list[float]:
        """The peaks of a program."""
        return [peak.total / 2**20 for peak in self.peaks[name]]


def whisperx(report: Report, matches: list[Match], model: str, interval: float) -> None:
    """Measure against whisperX's command line."""
    rivals = {
        "scribetui": _ours(model),
        "whisperX": lambda each, look: programs.whisperx(each.path, model, interval=look),
    }
    for match in matches:
        _compare(report, match, rivals, interval)
    report.notes.append(
        f"whisperX: its command line as a whole process, offline, with {' '.join(programs.WHISPERX)} and the same "
        f"{model}; its voice detector (pyannote's) and its threads are its defaults."
        f"{'' if programs.has_ffmpeg() else ' For want of the ffmpeg program PyAV decodes the file for it.'} "
        "scribetui gives word times, whisperX none."
    )


def base(report: Report, match: Match, interval: float) -> None:
    """Measure against faster-whisper's batched pipeline with whisper base; both have to find the language."""
    rivals = {
        "scribetui": _ours(BASE),
        "baseline": lambda each, look: programs.baseline(each.path, BASE, interval=look),
    }
    _compare(report, match, rivals, interval, of=" with base")
    report.notes.append(
        "base: whisper `base` with int8, the language not told; the baseline, batch 8, hears it from the first window, "
        "scribetui from a vote of several. scribetui gives word times, the baseline none."
    )


def _ours(model: str) -> Program:
    def run(recording: Recording, interval: float | None) -> tuple[Outcome, str]:
        found = programs.ours(recording.path, model, interval=interval)
        return found.outcome, found.text

    return run


def _compare(report: Report, match: Match, rivals: dict[str, Program], interval: float, of: str = "") -> None:
    """Runs of both for the memory, which warm the caches up, too; then rounds of both for the time, not watched."""
    course = Course()
    for number in range(match.runs):
        tell(f"{match.recording.name}{of}: memory, run {number + 1} of {match.runs}")
        for name, program in rivals.items():
            outcome, text = program(match.recording, interval)
            if outcome.peak is None or not outcome.peak.samples:
                raise AssertionError("nothing was watched")
            course.peaks.setdefault(name, []).append(outcome.peak)
            course.texts.setdefault(name, set()).add(text)
            tell(f"  {name}: {megabytes(outcome.peak.total)} after {outcome.peak.at:.1f} s")
    others = Others()
    for number in range(match.rounds):
        tell(f"{match.recording.name}{of}: time, round {number + 1} of {match.rounds}")
        for name, program in rivals.items():
            outcome, text = program(match.recording, None)
            course.seconds.setdefault(name, []).append(outcome.seconds)
            course.cpu.setdefault(name, []).append(outcome.cpu)
            course.texts.setdefault(name, set()).add(text)
            tell(f"  {name}: {outcome.seconds:.2f} s, {outcome.cpu:.2f} s of processor")
    course.others = others.share(sum(sum(each) for each in course.cpu.values()))
    _tell(report, match, course, of)


def _tell(report: Report, match: Match, course: Course, of: str) -> None:
    name, (mine, other) = match.recording.name, course.seconds
    ratios = [a / b for a, b in zip(course.seconds[mine], course.seconds[other], strict=True)]
    sizes = {each: course.megabytes(each) for each in course.peaks}
    share = statistics.median(sizes[mine]) / statistics.median(sizes[other])
    report.rows += [
        Row(
            f"{name}{of}: wall time, seconds, against {other}",
            spread(course.seconds[mine], 1),
            spread(course.seconds[other], 1),
            spread(ratios),
            f"≤ {match.faster}",
            statistics.median(ratios) <= match.faster,
        ),
        Row(
            "the same: peak memory, MB",
            spread(sizes[mine], 0),
            spread(sizes[other], 0),
            f"{share:.2f}",
            f"≤ {match.less}",
            share <= match.less,
        ),
    ]
    rates: dict[str, float] = {}
    if match.recording.text is not None:
        # The worst of ours, the best of the other's.
        rates[mine] = max(wer(match.recording.text, text) for text in course.texts[mine])
        rates[other] = min(wer(match.recording.text, text) for text in course.texts[other])
        worse = rates[mine] - rates[other]
        report.rows.append(
            Row(
                "the same: word error rate",
                f"{rates[mine]:.4f}",
                f"{rates[other]:.4f}",
                f"{worse:+.4f}",
                f"≤ +{WORSE}",
                worse <= WORSE,
            )
        )
    report.notes.append(
        f"{name}{of}, against {other}: {match.rounds} rounds in turn for the time, {match.runs} for the memory; "
        f"other programs took {course.others:.0%} of the machine meanwhile."
    )
    data: dict[str, Any] = {
        "file": str(match.recording.path),
        "seconds": course.seconds,
        "cpu": course.cpu,
        "peaks": {each: [[peak.total, peak.at, peak.parts] for peak in found] for each, found in course.peaks.items()},
        "wer": rates,
        "others": course.others,
    }
    report.data.setdefault(f"against {other}", {})[f"{name}{of}"] = data
