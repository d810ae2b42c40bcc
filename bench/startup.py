"""How long ``scribetui --help`` takes, against a Python that does nothing."""

import statistics
import sys

from bench.processes import run
from bench.programs import SCRIBETUI
from bench.report import Report, Row, spread, tell

ALLOWED = 0.3
"""Seconds."""


def measure(report: Report, runs: int) -> None:
    """Start both in turn, so many times."""
    helps, bare = [], []
    for _ in range(runs):
        helps.append(run([SCRIBETUI, "--help"]).seconds)
        bare.append(run([sys.executable, "-c", "pass"]).seconds)
    tell(f"help: {spread(helps)} s, python {spread(bare)} s")
    median = statistics.median(helps)
    report.rows.append(
        Row(
            "`scribetui --help`, seconds",
            spread(helps),
            f"`python -c pass` {spread(bare)}",
            "",
            f"under {ALLOWED}",
            median < ALLOWED,
        )
    )
    report.data["help"] = {"scribetui": helps, "python": bare}
