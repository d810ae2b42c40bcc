"""Measure: ``python -m bench [PART ...]``. The table goes to stdout, and with every figure to ``bench/results``."""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import (
    attach,
    budget,
    clients,
    cuts,
    memory,
    mlx_backend,
    recordings,
    resume,
    rivals,
    scale,
    speed,
    startup,
    terms,
)
from bench.processes import ROOT, BenchError
from bench.report import Report, machine

PARTS = {
    "help": "how long `scribetui --help` takes",
    "speed": "wall time and word error rate against faster-whisper's batched pipeline, and chunked against unchunked",
    "memory": "peak memory on the long and on the short recording, against the same pipeline",
    "whisperx": "wall time, peak memory and word error rate against whisperX's command line, short and long recording",
    "base": "the same with whisper base against the batched pipeline, on the short recording",
    "mlx": "the MLX backend on the processor against mlx_whisper.transcribe, 3 minutes and 30; where its time goes",
    "budget": "whether a budget too small for the batch asked for is kept, and what that costs",
    "first": "how soon the first line of text is there on the long recording",
    "scale": "how soon an engine with 1,000 finished jobs is ready, and a job of ten hours is told; and the memory",
    "resume": "how soon new text is committed when the program is killed in mid-job and started again",
    "attach": "how soon the screen is there again while a job runs",
    "clients": "what twenty clients cost the work, one of them stopped",
    "terms": "how often invented names are recognised with a list of terms and without, and whether all else stays",
    "cuts": "words lost or doubled where windows are cut, on the long recording and on speech without pauses",
}


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure scribetui; without PARTS, everything (about 40 minutes on two cores).",
        epilog="parts: " + "; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the speed measurement (default 5)")
    parser.add_argument("--runs", type=int, default=3, help="runs of the memory measurement (default 3)")
    parser.add_argument("--minutes", type=float, default=10, help="length of the short recording (default 10)")
    parser.add_argument("--long", type=float, default=60, metavar="MINUTES", help="length of the long one (default 60)")
    parser.add_argument("--audio", type=Path, help="a recording of yours as the short one")
    parser.add_argument("--reference", type=Path, help="what is said in it: .txt, or .json with segments")
    parser.add_argument("--long-audio", type=Path, help="a recording of yours as the long one")
    parser.add_argument("--long-reference", type=Path, help="what is said in that")
    parser.add_argument("--model", default="tiny.en", help="the model of both programs (default tiny.en)")
    parser.add_argument("--interval", type=float, default=0.05, metavar="SECONDS", help="between two looks at memory")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="folder for the results")
    asked = parser.parse_args(given)
    unknown = [part for part in asked.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if asked.rounds < 1 or asked.runs < 1 or asked.minutes <= 0 or asked.long <= 0 or asked.interval <= 0:
        parser.error("--rounds, --runs, --minutes, --long and --interval must be more than 0")
    return asked


def main(given: Sequence[str] | None = None) -> int:
    """Measure what is asked for; 1 when that cannot be done."""
    asked = _arguments(given)
    parts = set(asked.parts or PARTS)
    report = Report()
    try:
        _measure(report, asked, parts)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    about = machine()
    table = report.markdown(about)
    print(table, end="")
    asked.out.mkdir(parents=True, exist_ok=True)
    stem = asked.out / time.strftime("%Y%m%d-%H%M%S")
    stem.with_suffix(".md").write_text(table, encoding="utf-8")
    everything = {"machine": about, "arguments": vars(asked), **report.data}
    stem.with_suffix(".json").write_text(json.dumps(everything, default=str, indent=1) + "\n", encoding="utf-8")
    print(f"also in {stem}.md and .json", file=sys.stderr)
    return 0


def _measure(report: Report, asked: argparse.Namespace, parts: set[str]) -> None:
    if "help" in parts:
        startup.measure(report, runs=10)
    if "terms" in parts:
        terms.measure(report, asked.model)
    if "mlx" in parts:
        mlx_backend.measure(report, asked.model, asked.rounds, asked.interval)
    if "scale" in parts:
        scale.measure(report, runs=5)
    if parts & {"speed", "memory", "whisperx", "base", "budget", "resume", "attach", "clients"}:
        short = _recording(asked.audio, asked.reference, asked.minutes)
        if "speed" in parts:
            speed.measure(report, short, asked.model, asked.rounds)
        if "base" in parts:
            rivals.base(report, rivals.Match(short, 0.85, 0.8, asked.rounds, asked.runs), asked.interval)
        if "budget" in parts:
            budget.measure(report, short, asked.model, asked.rounds, asked.interval)
        if "resume" in parts:
            resume.measure(report, short, asked.model, runs=5)
        if "attach" in parts:
            attach.measure(report, short, asked.model, runs=10)
        if "clients" in parts:
            clients.measure(report, short, asked.model, asked.rounds)
    if parts & {"memory", "whisperx", "first", "cuts"}:
        long = _recording(asked.long_audio, asked.long_reference, asked.long)
        if "memory" in parts:
            memory.measure(report, short, long, asked.model, asked.runs, asked.interval)
        if "whisperx" in parts:
            matches = [
                rivals.Match(short, 0.4, 0.5, asked.rounds, asked.runs),
                rivals.Match(long, 0.55, 0.5, min(asked.rounds, asked.runs), 1),
            ]
            rivals.whisperx(report, matches, asked.model, asked.interval)
        if "first" in parts:
            memory.first_line(report, long, asked.model, runs=3)
        if "cuts" in parts:
            judged = [(long, 0)] if long.text is not None else []
            cuts.measure(report, [*judged, (recordings.breathless(), 1)], asked.model)


def _recording(audio: Path | None, reference: Path | None, minutes: float) -> recordings.Recording:
    return recordings.talk(minutes) if audio is None else recordings.load(audio, reference)


if __name__ == "__main__":
    sys.exit(main())
