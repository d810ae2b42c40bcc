"""The most memory that each program's whole process tree takes, and how soon the first line of text is there."""

import statistics

from bench.processes import Peak
from bench.programs import baseline, ours, says_text
from bench.recordings import Recording
from bench.report import Report, Row, megabytes, spread, tell

GROWTH, LESS, SOON = 1.05, 0.75, 6.0
"""At most: our peak on the long file over the short one, ours over the baseline's, and seconds to the first line."""


def measure(report: Report, short: Recording, long: Recording, model: str, runs: int, interval: float) -> None:
    """Watch both programs on the long file and on the short one, in turn."""
    peaks: dict[str, list[Peak]] = {}

    def note(name: str, peak: Peak | None) -> None:
        if peak is None or not peak.samples:
            raise AssertionError("nothing was watched")
        peaks.setdefault(name, []).append(peak)
        parts = ", ".join(f"{role} {megabytes(size)}" for role, size in peak.parts)
        tell(f"  {name}: {megabytes(peak.total)} after {peak.at:.1f} s ({parts}), {peak.samples} looks")

    for number in range(runs):
        tell(f"memory: run {number + 1} of {runs}")
        note("scribetui short", ours(short.path, model, interval=interval).outcome.peak)
        note("scribetui long", ours(long.path, model, interval=interval).outcome.peak)
        note("baseline long", baseline(long.path, model, interval=interval)[0].peak)
    note("baseline short", baseline(short.path, model, interval=interval)[0].peak)
    size = {name: [peak.total / 2**20 for peak in found] for name, found in peaks.items()}
    middle = {name: statistics.median(sizes) for name, sizes in size.items()}
    growth = middle["scribetui long"] / middle["scribetui short"]
    share = middle["scribetui long"] / middle["baseline long"]
    report.rows += [
        Row(
            f"peak memory, {long.name} against {short.name}, MB",
            spread(size["scribetui long"], 0),
            spread(size["scribetui short"], 0),
            f"{growth:.2f}",
            f"≤ {GROWTH}",
            growth <= GROWTH,
        ),
        Row(
            f"peak memory, {long.name}, MB",
            spread(size["scribetui long"], 0),
            spread(size["baseline long"], 0),
            f"{share:.2f}",
            f"≤ {LESS}",
            share <= LESS,
        ),
    ]
    report.notes.append(
        f"Memory: proportional set size (PSS) of the program and all below it, read every {interval * 1000:.0f} ms; "
        f"medians of the peaks of {runs} run{'s' if runs > 1 else ''}, with the least and the most. The baseline takes "
        f"{middle['baseline short']:.0f} MB on {short.name}."
    )
    report.data["memory"] = {
        name: [{"total": peak.total, "at": peak.at, "parts": peak.parts, "samples": peak.samples} for peak in found]
        for name, found in peaks.items()
    }


def first_line(report: Report, long: Recording, model: str, runs: int) -> None:
    """Start both programs in turn, and stop each at its first line of text."""
    ours_at, other_at = [], []
    for number in range(runs):
        tell(f"first line: run {number + 1} of {runs}")
        lines = ours(long.path, model, until=says_text).outcome.lines
        ours_at.append(next(at for at, line in lines if says_text(line)))
        other_at.append(baseline(long.path, model, until=bool)[0].lines[0][0])
        tell(f"  scribetui {ours_at[-1]:.2f} s, baseline {other_at[-1]:.2f} s")
    median = statistics.median(ours_at)
    report.rows.append(
        Row(
            f"first line of text, {long.name}, seconds",
            spread(ours_at, 1),
            spread(other_at, 1),
            f"{median / statistics.median(other_at):.2f}",
            f"≤ {SOON:g} s",
            median <= SOON,
        )
    )
    report.data["first line"] = {"scribetui": ours_at, "baseline": other_at}
