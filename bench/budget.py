"""A memory budget that the recipe asked for cannot meet: whether it is kept, and what keeping it costs in time."""

import statistics

from bench.programs import Ours, ours
from bench.recordings import Recording
from bench.report import Report, Row, megabytes, spread, tell

BUDGET = 550
"""MB; the batch asked for takes half as much again."""
ASKED = "[chunks]\nbatch = 16\nparallel = 2\n"
OVER, SLOWER = 1.05, 1.3
"""At most: the highest sample over the budget, and the time over that of a run begun with what it settles on."""


def measure(report: Report, short: Recording, model: str, rounds: int, interval: float) -> None:
    """The run under the budget, and the one begun with the recipe that it settles on, in turn."""
    limited: list[Ours] = []
    settled: list[Ours] = []
    for number in range(rounds):
        tell(f"budget: round {number + 1} of {rounds}")
        run = ours(short.path, model, settings=f'{ASKED}[memory]\nbudget = "{BUDGET}MB"\n', interval=interval)
        limited.append(_whole(run))
        recipe = _last_recipe(run)
        chunks = f"[chunks]\nbatch = {recipe['batch']}\nparallel = {recipe['parallel']}\n"
        settled.append(_whole(ours(short.path, model, settings=chunks, interval=interval)))
        peak = run.outcome.peak
        tell(
            f"  {run.outcome.seconds:.1f} s, peak {megabytes(peak.total if peak else 0)}, settled on batch "
            f"{recipe['batch']} × {recipe['parallel']}; begun with that {settled[-1].outcome.seconds:.1f} s"
        )
    if any(run.text != limited[0].text for run in (*limited, *settled)):
        raise AssertionError("the budget has changed the text")
    peaks = [run.outcome.peak.total / 2**20 for run in limited if run.outcome.peak is not None]
    times = [run.outcome.seconds for run in limited]
    ratios = [one.outcome.seconds / other.outcome.seconds for one, other in zip(limited, settled, strict=True)]
    report.rows += [
        Row(
            f"highest memory with batch 16 × 2 and a budget of {BUDGET} MB, MB",
            spread(peaks, 0),
            f"budget {BUDGET}",
            f"{max(peaks) / BUDGET:.2f}",
            f"≤ {OVER}",
            max(peaks) <= OVER * BUDGET,
        ),
        Row(
            "the same: wall time, seconds, against a run begun with what it settles on",
            spread(times, 1),
            spread([run.outcome.seconds for run in settled], 1),
            f"{statistics.median(ratios):.2f}",
            f"≤ {SLOWER}",
            statistics.median(ratios) <= SLOWER,
        ),
    ]
    report.data["budget"] = {"peaks": peaks, "seconds": times, "ratios": ratios}


def _whole(run: Ours) -> Ours:
    if run.transcript.get("gaps"):
        raise AssertionError("the budget has cost a chunk")
    return run


def _last_recipe(run: Ours) -> dict[str, int]:
    chunks = [each["event"] for each in run.entries if each["event"]["type"] == "ChunkStarted"]
    recipe: dict[str, int] = chunks[-1]["recipe"]
    return recipe
