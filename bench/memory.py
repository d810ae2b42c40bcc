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
        note("baseline short", baseline(short.path, model, interval=interval)[0].peak)
        note("baseline long", baseline(long.path, model, interval=interval)[0].peak)
    most = {name: max(peak.total for peak in found) for name, found in peaks.items()}
    # The baseline's least against our most: no lucky sample of ours, no unlucky one of its.
    other = {name: min(peak.total for peak in found) for name, found in peaks.items() if name.startswith("baseline")}
    growth, share = most["scribetui long"] / most["scribetui short"], most["scribetui long"] / other["baseline long"]
    report.rows += [
        Row(
            f"peak memory, {long.name} against {short.name}",
            megabytes(most["scribetui long"]),
            megabytes(most["scribetui short"]),
            f"{growth:.2f}",
            f"≤ {GROWTH}",
            growth <= GROWTH,
        ),
        Row(
            f"peak memory, {long.name}",
            megabytes(most["scribetui long"]),
            megabytes(other["baseline long"]),
            f"{share:.2f}",
            f"≤ {LESS}",
            share <= LESS,
        ),
    ]
    report.notes.append(
        f"Memory: proportional set size (PSS) of the program and all below it, read every {interval * 1000:.0f} ms, "
        f"{runs} run{'s' if runs > 1 else ''} each; scribetui's most against the baseline's least. The baseline takes "
        f"{megabytes(other['baseline short'])} on {short.name}."
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
