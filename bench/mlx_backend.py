"""The MLX backend against ``mlx_whisper.transcribe``: time, memory, and where the time goes; on Linux without Metal."""

import contextlib
import importlib.util
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.processes import ROOT, BenchError, Outcome, run
from bench.programs import ours
from bench.recordings import Recording, talk
from bench.report import Others, Report, Row, megabytes, spread, tell
from engine.models import MLX, locate
from tests.mlx_child import blas
from tests.wer import wer

FASTER, WORSE, GROWTH = 1.3, 0.005, 1.05
"""At least: the baseline's time over ours. At most: our word error rate minus the baseline's, and the peak at 30
minutes over the one at 3."""
MINUTES, LONG_MINUTES = 3, 30
OPTIONS = ("--backend", "mlx")
NUMBERS = 'compute_type = "float32"\n'


def measure(report: Report, model: str, rounds: int, interval: float) -> None:
    """Run all programs once a round, in turn, after one round that does not count.

    Raises:
        BenchError: mlx-whisper is not installed.
    """
    if not all(importlib.util.find_spec(each) for each in ("mlx", "mlx_whisper")):
        raise BenchError("mlx-whisper is not installed: pip install scribetui[mlx].")
    with _blas() as is_fast:
        folder = locate(model, MLX)
        short, long = talk(MINUTES), talk(LONG_MINUTES)
        done: dict[str, list[Outcome]] = {}
        texts: dict[str, str] = {}
        others = Others()
        for number in range(rounds + 1):
            tell(f"mlx: round {number} of {rounds}" if number else "mlx: warming up")
            for name, (outcome, text) in _programs(short, model, folder, interval):
                texts[name] = text
                if number:
                    done.setdefault(name, []).append(outcome)
                    tell(f"  {name}: {outcome.seconds:.2f} s, {outcome.cpu:.2f} s of processor")
            others = others if number else Others()
        noise = others.share(sum(each.cpu for outcomes in done.values() for each in outcomes))
        tell(f"mlx: {long.name}")
        tall = ours(long.path, model, OPTIONS, settings=NUMBERS, interval=interval)
        parts = _profile(folder, short)
    _tell_all(report, short, done, texts)
    _tell_memory(report, (short, long), done, tall.outcome)
    spent = parts["seconds"]
    whole = sum(spent.values())
    report.notes += [
        f"MLX: whole processes on {short.name}, {rounds} rounds in turn, float32 on the processor, "
        f"{'OpenBLAS loaded for both' if is_fast else 'with the BLAS that MLX brings along'}; scribetui with its "
        "defaults and word times, which it always gives. The baseline is `bench/mlx_baseline.py`, "
        f"`mlx_whisper.transcribe` with the same weights. Other programs took {noise:.0%} of the machine meanwhile.",
        f"Where one lane's time goes on {short.name}, of {whole:.1f} s: "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in spent.items())
        + " (`bench/mlx_profile.py`).",
    ]
    report.data["mlx"] = {
        "seconds": {name: [each.seconds for each in outcomes] for name, outcomes in done.items()},
        "cpu": {name: [each.cpu for each in outcomes] for name, outcomes in done.items()},
        "profile": parts,
        "others": noise,
    }


@contextlib.contextmanager
def _blas() -> Iterator[bool]:
    """Have all programs load OpenBLAS, where it is installed."""
    with tempfile.TemporaryDirectory(prefix="scribetui-blas-") as folder:
        environment = blas(Path(folder))
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield bool(environment)
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def _programs(
    recording: Recording, model: str, folder: str, interval: float
) -> Iterator[tuple[str, tuple[Outcome, str]]]:
    yield "mlx-whisper", _baseline(folder, recording, interval)
    mine = ours(recording.path, model, OPTIONS, settings=NUMBERS, interval=interval)
    yield "scribetui", (mine.outcome, mine.text)
    yield "mlx-whisper with words", _baseline(folder, recording, interval, "--words")


def _baseline(folder: str, recording: Recording, interval: float, *options: str) -> tuple[Outcome, str]:
    script = ROOT / "bench" / "mlx_baseline.py"
    outcome = run([sys.executable, script, folder, recording.path, *options], interval=interval)
    return outcome, " ".join(json.loads(line)["text"] for _, line in outcome.lines)


def _profile(folder: str, recording: Recording) -> dict[str, dict[str, float]]:
    outcome = run(
        [sys.executable, "-m", "bench.mlx_profile", folder, recording.path], environment={"OPENBLAS_NUM_THREADS": "1"}
    )
    found: dict[str, dict[str, float]] = json.loads(outcome.lines[-1][1])
    return found


def _tell_all(report: Report, recording: Recording, done: dict[str, list[Outcome]], texts: dict[str, str]) -> None:
    seconds = {name: [each.seconds for each in outcomes] for name, outcomes in done.items()}
    for name, title in (("mlx-whisper", "without word times"), ("mlx-whisper with words", "with word times")):
        ratios = [other / mine for other, mine in zip(seconds[name], seconds["scribetui"], strict=True)]
        report.rows.append(
            Row(
                f"mlx, {recording.name}: seconds, mlx-whisper {title}",
                spread(seconds["scribetui"], 1),
                spread(seconds[name], 1),
                f"{spread(ratios)} times as fast",
                f"≥ {FASTER}",
                statistics.median(ratios) >= FASTER,
            )
        )
    if recording.text is None:
        return
    rates = {name: wer(recording.text, text) for name, text in texts.items()}
    best = min(rates["mlx-whisper"], rates["mlx-whisper with words"])
    worse = rates["scribetui"] - best
    report.rows.append(
        Row(
            "mlx: word error rate",
            f"{rates['scribetui']:.4f}",
            f"{best:.4f}",
            f"{worse:+.4f}",
            f"≤ +{WORSE}",
            worse <= WORSE,
        )
    )


def _tell_memory(
    report: Report, recordings: tuple[Recording, Recording], done: dict[str, list[Outcome]], long: Outcome
) -> None:
    peaks = {name: [each.peak.total for each in outcomes if each.peak] for name, outcomes in done.items()}
    middle = {name: statistics.median(sizes) for name, sizes in peaks.items()}
    if long.peak is None:
        raise AssertionError("nothing was watched")
    growth = long.peak.total / middle["scribetui"]
    report.rows += [
        Row(
            f"mlx: peak memory, {recordings[0].name}",
            megabytes(middle["scribetui"]),
            f"{megabytes(middle['mlx-whisper'])}, {megabytes(middle['mlx-whisper with words'])} with word times",
            f"{middle['scribetui'] / middle['mlx-whisper']:.2f}",
        ),
        Row(
            f"mlx: peak memory, {recordings[1].name} against {recordings[0].name}",
            megabytes(long.peak.total),
            megabytes(middle["scribetui"]),
            f"{growth:.2f}",
            f"≤ {GROWTH}",
            growth <= GROWTH,
        ),
    ]
