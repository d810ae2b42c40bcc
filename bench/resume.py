"""What a sudden end costs: ``kill -9`` in mid-job, the same command again, and the time to the next text committed."""

import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.processes import BenchError
from bench.programs import SCRIBETUI, SETTINGS
from bench.recordings import Recording
from bench.report import Report, Row, spread, tell

ALLOWED = 1.1
"""How many times the model's load plus one batch it may take until something new is committed; a tenth is noise."""
BATCHES = (2, 8)
"""After so many batches, at least and at most, it is killed."""
SEED = 1


@dataclass
class Sitting:
    """A run of the program up to the line that was waited for; all times in seconds since its start."""

    seconds: float
    entries: list[dict[str, Any]]
    began: float
    """Unix time."""

    def at(self, entry: dict[str, Any]) -> float:
        """When something was told."""
        return float(entry["at"]) / 1000 - self.began

    def said(self, kind: str) -> list[dict[str, Any]]:
        """Its events of one kind."""
        return [entry for entry in self.entries if entry["event"]["type"] == kind]

    @property
    def load(self) -> float:
        """From the program's start until the model is in memory."""
        workers = {each["event"]["worker"]: each["event"]["stage"] for each in self.said("WorkerStarted")}
        ready = [each for each in self.said("WorkerReady") if workers[each["event"]["worker"]] == "transcribe"]
        return self.at(ready[0])

    @property
    def batch(self) -> float:
        """The slowest batch."""
        return max(float(each["event"]["took_ms"]) for each in self.said("BatchDone")) / 1000

    @property
    def begun(self) -> set[tuple[int, int]]:
        """The windows that were begun."""
        return {(start, end) for each in self.said("BatchStarted") for start, end in each["event"]["spans"]}

    @property
    def done(self) -> set[tuple[int, int]]:
        """The windows that were committed."""
        return {(start, end) for each in self.said("BatchDone") for start, end in each["event"]["spans"]}


def measure(report: Report, recording: Recording, model: str, runs: int) -> None:
    """Kill and go on, so many times.

    Raises:
        BenchError: the program ended before its time.
    """
    chance = random.Random(SEED)
    costs, allowed, lost = [], [], []
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
            home = Path(folder, "home")
            home.mkdir()
            (home / "settings.toml").write_text(SETTINGS)
            first = _sit(recording.path, model, Path(folder), chance.randint(*BATCHES))
            second = _sit(recording.path, model, Path(folder), 1)
        costs.append(second.seconds)
        allowed.append(first.load + first.batch)
        lost.append(len(first.begun - first.done))
        again = len(second.begun & first.done)
        tell(f"resume: run {number + 1}, {costs[-1]:.2f} s of {allowed[-1]:.2f} s, {lost[-1]} windows lost")
        if again:
            raise BenchError(f"{again} windows were decoded again although they had been committed.")
    ratios = [cost / most for cost, most in zip(costs, allowed, strict=True)]
    ratio = statistics.median(ratios)
    report.rows.append(
        Row(
            f"from `kill -9` and `run` again to the next text, {recording.name}, seconds",
            spread(costs),
            f"start, model's load and slowest batch {spread(allowed)}",
            f"{ratio:.2f}",
            f"≤ {ALLOWED:g}",
            ratio <= ALLOWED,
        )
    )
    report.notes.append(
        f"A kill cost {spread(lost, 0)} windows that were being decoded; none that was committed was decoded again."
    )
    report.data["resume"] = {"seconds": costs, "load and batch": allowed, "windows lost": lost}


def _sit(audio: Path, model: str, folder: Path, batches: int) -> Sitting:
    """Run the program until so many batches are committed, and kill it."""
    command = [
        str(SCRIBETUI),
        "run",
        str(audio),
        "--out",
        str(folder / "out"),
        "--model",
        model,
        "--json",
        "--foreground",
    ]
    began, monotonic = time.time(), time.monotonic()
    entries: list[dict[str, Any]] = []
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=os.environ | {"SCRIBETUI_HOME": str(folder / "home")},
        )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            entries.append(json.loads(line))
            if entries[-1]["event"]["type"] == "BatchDone":
                batches -= 1
                if not batches:
                    break
    finally:
        seconds = time.monotonic() - monotonic
        process.kill()
        # It had said more by then; what was told was committed before.
        entries += [json.loads(line) for line in process.stdout if line.endswith(b"\n")]
        process.stdout.close()
        process.wait()
    if batches:
        said = (folder / "errors").read_text(errors="replace").strip().splitlines()
        raise BenchError(f"scribetui ended with {process.returncode} before it was killed: {' | '.join(said[-5:])}")
    return Sitting(seconds, entries, began)
