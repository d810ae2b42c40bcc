"""Words lost, added or changed where one window ends and the next begins, and which of them the cut is to blame for.

Transcript and reference are aligned as a whole. What differs within ``NEAR_MS`` of a cut is looked at again: the same
stretch is decoded three more times in windows that are cut elsewhere. What is wrong there too is the model's own
mistake; what is right in all three is the cut's.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

from bench.alignment import align
from bench.processes import ROOT, BenchError
from bench.programs import Ours, ours
from bench.recordings import Recording
from bench.report import Report, Row, tell
from tests.wer import words

NEAR_MS = 1_000
"""A difference this near to a cut is looked into."""
SHIFTS_MS = (10_000, 15_000, 20_000)
"""How far before a cut the windows begin in which its surroundings are decoded again."""
WINDOW_MS = 30_000
AROUND = 110
"""Words on either side of a place that another decoding of it is compared with: more than 20 s of speech."""

Kind = Literal["lost", "added", "changed"]


@dataclass(frozen=True)
class Written:
    """A word of the transcript as it is compared, in milliseconds."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Fault:
    """A word that differs from the reference near a cut."""

    kind: Kind
    place: float
    """Number of the spoken word; for an added word, half a word before the spoken one that follows it."""
    cut: int
    """Number of the cut."""
    spoken: str
    written: str
    is_doubled: bool = False
    """Whether it is an added word that stands beside an equal one."""


@dataclass(frozen=True)
class Verdict:
    """What was found at all cuts of a recording."""

    cuts: int
    in_pauses: int | None
    """Cuts between two utterances of the reference; None where it has no times."""
    faults: tuple[Fault, ...]
    blamed: tuple[Fault, ...]
    """Those that come up in none of the other decodings."""
    error_rate: float

    @property
    def most_at_one(self) -> int:
        """Words lost or added by the cut that cost the most."""
        counts = Counter(fault.cut for fault in self.blamed if fault.kind != "changed")
        return max(counts.values(), default=0)


def examine(run: Ours, recording: Recording, model: str) -> Verdict:
    """Judge the cuts of a run."""
    if recording.text is None:
        raise BenchError(f"The cuts of {recording.name} cannot be judged without its reference.")
    spoken = words(recording.text)
    written = [
        Written(part, round(each["start"] * 1000), round(each["end"] * 1000))
        for each in run.transcript["word_segments"]
        for part in words(each["word"])
    ]
    pairs = align(spoken, [each.text for each in written])
    cuts = [(before[1], after[0]) for before, after in pairwise(run.windows)]
    faults = find(pairs, spoken, written, cuts)
    wrong = sum(i is None or j is None or spoken[i] != written[j].text for i, j in pairs)
    blamed = _blamed(faults, spoken, cuts, recording, model) if faults else ()
    return Verdict(
        cuts=len(cuts),
        in_pauses=_in_pauses(cuts, recording) if len(recording.spans) > 1 else None,
        faults=faults,
        blamed=blamed,
        error_rate=wrong / len(spoken),
    )


def find(
    pairs: Sequence[tuple[int | None, int | None]],
    spoken: Sequence[str],
    written: Sequence[Written],
    cuts: Sequence[tuple[int, int]],
) -> tuple[Fault, ...]:
    """The differences near cuts, each told to the nearest one.

    A lost word has no time of its own: it lies between the written words before and after it.
    """
    faults = []
    done = seen = 0
    for i, j in pairs:
        if j is not None:
            start, end = written[j].start, written[j].end
            seen = j + 1
        else:
            start = written[seen - 1].end if seen else 0
            end = max(start, written[seen].start if seen < len(written) else start)
        if i is not None:
            done = i + 1
        if i is not None and j is not None and spoken[i] == written[j].text:
            continue
        cut = _nearest(start, end, cuts)
        if cut is None:
            continue
        if i is not None:
            text = "" if j is None else written[j].text
            faults.append(Fault("changed" if text else "lost", i, cut, spoken[i], text))
        elif j is not None:
            word = written[j].text
            beside = [each.text for each in (*written[max(0, j - 1) : j], *written[j + 1 : j + 2])]
            faults.append(Fault("added", done - 0.5, cut, "", word, is_doubled=word in beside))
    return tuple(faults)


def _nearest(start: int, end: int, cuts: Sequence[tuple[int, int]]) -> int | None:
    """The number of the cut nearest to a stretch of time, if it is near at all."""
    away = [max(0, start - cut[1], cut[0] - end) for cut in cuts]
    nearest = min(range(len(cuts)), key=away.__getitem__, default=None)
    return nearest if nearest is not None and away[nearest] <= NEAR_MS else None


def _blamed(
    faults: Sequence[Fault],
    spoken: Sequence[str],
    cuts: Sequence[tuple[int, int]],
    recording: Recording,
    model: str,
) -> tuple[Fault, ...]:
    numbers = sorted({fault.cut for fault in faults})
    middles = [sum(cuts[number]) // 2 for number in numbers]
    spans = [(middle - shift, middle - shift + WINDOW_MS) for middle in middles for shift in SHIFTS_MS]
    texts = iter(_decode(spans, recording, model))
    again = {number: [words(next(texts)) for _ in SHIFTS_MS] for number in numbers}
    return tuple(fault for fault in faults if all(_is_right(fault, spoken, other) for other in again[fault.cut]))


def _is_right(fault: Fault, spoken: Sequence[str], other: Sequence[str]) -> bool:
    """Whether another decoding has the place of a fault as it was spoken."""
    first = max(0, int(fault.place) - AROUND)
    part = spoken[first : int(fault.place) + AROUND]
    pairs = align(part, other, within=True)
    right = {first + i for i, j in pairs if i is not None and j is not None and part[i] == other[j]}
    if fault.kind != "added":
        return fault.place in right
    before, after = int(fault.place - 0.5), int(fault.place + 0.5)
    beside = [j for i, j in pairs if i is not None and first + i in (before, after) and j is not None]
    return {before, after} & set(range(len(spoken))) <= right and max(beside) - min(beside) < 2


def _decode(spans: Sequence[tuple[int, int]], recording: Recording, model: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.control", model, str(recording.path)],
        input=json.dumps(spans),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"The stretches could not be decoded again: {done.stderr.strip().splitlines()[-1:]}")
    texts: list[str] = json.loads(done.stdout)
    return texts


def _in_pauses(cuts: Sequence[tuple[int, int]], recording: Recording) -> int:
    spans = recording.spans
    pauses = [(before[1], after[0]) for before, after in pairwise(spans)]
    return sum(any(start <= cut[0] and cut[1] <= end for start, end in pauses) for cut in cuts)


def measure(report: Report, recordings: Sequence[tuple[Recording, int]], model: str) -> None:
    """Judge the cuts of scribetui's own runs.

    Args:
        report: where the findings go.
        recordings: each with the words that a cut may lose or add; 0 asks that none is lost or added in all.
        model: the model's name or folder.
    """
    for recording, allowed in recordings:
        tell(f"cuts: {recording.name}")
        found = examine(ours(recording.path, model), recording, model)
        _tell(report, recording, found, allowed)
    report.notes.append(
        f"Cuts: differences between transcript and reference (aligned as a whole) within {NEAR_MS // 1000} s of a cut "
        f"between two windows. Those that also come up in one of {len(SHIFTS_MS)} further decodings of the same place, "
        "in windows that begin "
        f"{', '.join(str(shift // 1000) for shift in SHIFTS_MS)} s before the cut, are the model's; the others are "
        "counted as caused by the cut."
    )


def _tell(report: Report, recording: Recording, found: Verdict, allowed: int) -> None:
    near, blamed = (Counter(fault.kind for fault in faults) for faults in (found.faults, found.blamed))
    for fault in found.faults:
        mark = "the cut's" if fault in found.blamed else "the model's"
        tell(f"  cut {fault.cut}: {fault.kind} {fault.spoken!r} {fault.written!r} ({mark})")
    doubled = sum(fault.is_doubled for fault in found.blamed)
    pauses = "" if found.in_pauses is None else f", {found.in_pauses} of them between two utterances"
    total = blamed["lost"] + blamed["added"]
    is_met = total == 0 if allowed == 0 else found.most_at_one <= allowed
    report.rows.append(
        Row(
            f"words lost or added by {found.cuts} cuts{pauses}, {recording.name}",
            f"{total} ({blamed['lost']} lost, {blamed['added']} added, {doubled} of them doubled); "
            f"most at one cut {found.most_at_one}; {blamed['changed']} more changed",
            f"near cuts in all: {near['lost']} lost, {near['added']} added, {near['changed']} changed",
            "",
            "none" if allowed == 0 else f"≤ {allowed} a cut",
            is_met,
        )
    )
    tell(f"  {found.cuts} cuts, near them {dict(near)}, caused by them {dict(blamed)}, WER {found.error_rate:.4f}")
    report.data.setdefault("cuts", {})[recording.name] = {
        "cuts": found.cuts,
        "in_pauses": found.in_pauses,
        "wer": found.error_rate,
        "faults": [asdict(fault) | {"blamed": fault in found.blamed} for fault in found.faults],
    }
