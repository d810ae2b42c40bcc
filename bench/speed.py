"""Whole-process wall time of both programs on the same file, turn by turn, and the word error rate of each."""

import statistics
from collections.abc import Sequence

from bench import lanes
from bench.processes import Outcome
from bench.programs import NEVER, Ours, baseline, ours
from bench.recordings import Recording
from bench.report import Others, Report, Row, spread, tell
from tests.wer import wer

FASTER, SAME, WORSE = 0.8, 1.05, 0.005
"""At most: our time over the baseline's, chunked over unchunked, and our word error rate minus the baseline's."""


def measure(report: Report, recording: Recording, model: str, rounds: int) -> None:
    """Run every program once a round, always in the same order, after one round that does not count."""
    done: dict[str, list[Outcome]] = {}
    texts: dict[str, set[str]] = {}
    last: Ours | None = None

    def note(name: str, outcome: Outcome, text: str, counts: bool) -> None:
        texts.setdefault(name, set()).add(text)
        if counts:
            done.setdefault(name, []).append(outcome)
            tell(f"  {name}: {outcome.seconds:.2f} s, {outcome.cpu:.2f} s of processor")

    def ours_in_turn(name: str, options: Sequence[str], settings: str, counts: bool) -> Ours:
        run = ours(recording.path, model, options, settings=settings)
        note(name, run.outcome, run.text, counts)
        return run

    others = Others()
    for number in range(rounds + 1):
        tell(f"speed: round {number} of {rounds}" if number else "speed: warming up")
        counts = number > 0
        note("baseline", *baseline(recording.path, model), counts)
        last = ours_in_turn("scribetui", [], "", counts)
        if not counts:
            others = Others()
            continue
        ours_in_turn("chunk 60", ["--chunk", "60"], "", counts)
        ours_in_turn("unchunked", [], NEVER, counts)
        note("baseline with words", *baseline(recording.path, model, words=True), counts)
    noise = others.share(sum(each.cpu for outcomes in done.values() for each in outcomes))
    _tell_all(report, recording, done, texts, noise)
    if last is not None:
        lanes.describe(report, last)


def _tell_all(
    report: Report, recording: Recording, done: dict[str, list[Outcome]], texts: dict[str, set[str]], noise: float
) -> None:
    seconds = {name: [each.seconds for each in outcomes] for name, outcomes in done.items()}

    def pairs(name: str, other: str) -> list[float]:
        return [a / b for a, b in zip(seconds[name], seconds[other], strict=True)]

    plain = pairs("scribetui", "baseline")
    worded = pairs("scribetui", "baseline with words")
    chunked = pairs("chunk 60", "unchunked")
    mine, base = spread(seconds["scribetui"], 1), spread(seconds["baseline"], 1)
    report.rows += [
        Row(f"{recording.name}: wall time, seconds", mine, base, spread(plain), f"≤ {FASTER}", _most(plain, FASTER)),
        Row(
            "the same, baseline with word times, as ours has",
            mine,
            spread(seconds["baseline with words"], 1),
            spread(worded),
        ),
        Row(
            "`--chunk 60` against unchunked, seconds",
            spread(seconds["chunk 60"], 1),
            spread(seconds["unchunked"], 1),
            spread(chunked),
            f"≤ {SAME}",
            _most(chunked, SAME),
        ),
    ]
    rates: dict[str, float] = {}
    if recording.text is not None:
        known: dict[str, float] = {}
        for name, said in texts.items():
            for text in said - set(known):
                known[text] = wer(recording.text, text)
            rates[name] = max(known[text] for text in said)
        best = min(rates["baseline"], rates["baseline with words"])
        worst = max(rates[name] for name in ("scribetui", "chunk 60", "unchunked"))
        report.rows.append(
            Row(
                "word error rate",
                f"{worst:.4f}",
                f"{best:.4f}",
                f"{worst - best:+.4f}",
                f"≤ +{WORSE}",
                worst - best <= WORSE,
            )
        )
    same = len(texts["scribetui"] | texts["chunk 60"] | texts["unchunked"]) == 1
    report.notes += [
        f"Speed: whole processes from start to end on {recording.name}, {len(plain)} rounds of all programs in turn; "
        "medians, with the least and the most; a ratio is the median of the ratios within each round. "
        "The baseline is `bench/baseline.py`: `BatchedInferencePipeline.transcribe(file, batch_size=8)` with int8 and "
        "its default threads, without word times, which is its faster way; scribetui always gives word times. "
        f"Other programs took {noise:.0%} of the machine meanwhile.",
        f"The text of all scribetui's runs (default, `--chunk 60`, unchunked) is {'' if same else 'not '}the same.",
    ]
    report.data["speed"] = {
        "file": str(recording.path),
        "seconds": seconds,
        "cpu": {name: [each.cpu for each in outcomes] for name, outcomes in done.items()},
        "ratio": plain,
        "ratio_with_words": worded,
        "ratio_chunked": chunked,
        "wer": rates,
        "same_text": same,
        "others": noise,
    }


def _most(ratios: Sequence[float], allowed: float) -> bool:
    return statistics.median(ratios) <= allowed
