"""Names that no model knows: how often they are recognised with a list of terms and without, and what that costs.

40 invented names are spoken three times each in 20 minutes of other sentences. The list has them and 20 others that
nobody says.
"""

import random
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.alignment import align
from bench.processes import BenchError
from bench.programs import Ours, ours
from bench.recordings import CACHE, RATE, Recording, load, save
from bench.report import Report, Row, tell
from tests.wer import words

NAMES = (
    *("Oradelle", "Tavrick", "Quenlow", "Sibrand", "Maveloth", "Drusken", "Halvoren", "Pellinast", "Corvash"),
    *("Yentara", "Brindlemoor", "Fasquith", "Lorvane", "Umbrick", "Kestrova", "Wenlith", "Jarrowmere", "Nivandra"),
    *("Tolquist", "Eskaline", "Grathwyn", "Zelmira", "Portavel", "Icandor", "Rusmeyla", "Varnholt", "Osselby"),
    *("Chandrix", "Mirewyn", "Dalverin", "Thessaby", "Kolmandra", "Bexaroth", "Ampelor", "Senvik", "Farrolune"),
    *("Godrissa", "Lintavar", "Hesperlin", "Vantorque"),
)
"""People, places and things of no language."""
DECOYS = (
    *("Calvestra", "Dornwick", "Elmarith", "Fendraxa", "Gulvane", "Harpindel", "Ixmora", "Jundalee", "Krestomir"),
    *("Lumeroth", "Mandrovix", "Norbellan", "Ostrivane", "Pruxley", "Quillamar", "Rendovar", "Stavrelle", "Torquemby"),
    *("Ulvarine", "Weskandra"),
)
"""Names like those, which nobody says."""
FRAMES = (
    "{} came home late in the evening and said nothing about the journey.",
    "Have you ever heard the story of {} and the old lighthouse?",
    "The road to {} was closed because of the snow.",
    "My brother bought a new coat from {} for very little money.",
    "Nobody in the village had seen {} since the beginning of summer.",
    "The letter was signed by {} and sent to the wrong address.",
    "We asked {} to bring the papers to the second meeting.",
    "When the rain stopped, {} opened the door and looked outside.",
    "The first prize went to {} and the second to nobody at all.",
    "A small boat called {} was waiting at the end of the pier.",
    "They say that {} used to be the richest house in the country.",
    "Please tell {} that the dinner will be ready at eight.",
)
TIMES = 3
"""How often each name is spoken."""
TURN = 5
"""Sentences in a row by the same voice."""
RECALL, SAME = 1.5, 0.003
"""At least: names recalled with the list over those without. At most: how far the word error rates of the other words
are apart."""


@dataclass(frozen=True)
class Judged:
    """A transcript held against what was spoken."""

    recalled: int
    spoken: int
    """How often a name was spoken."""
    error_rate: float
    """Of all other words; what stands beside a name that was not recognised counts as part of it."""
    invented: tuple[str, ...]
    """Names of the list that were written where none of them was spoken, or another one."""


def judge(text: str, reference: str) -> Judged:
    """Hold a transcript against what was spoken."""
    said, found = words(reference), words(text)
    names, listed = ({each.lower() for each in some} for some in (NAMES, (*NAMES, *DECOYS)))
    pairs = align(said, found)
    recalled = wrong = 0
    invented: list[str] = []
    for at, (i, j) in enumerate(pairs):
        was, now = (said[i] if i is not None else ""), (found[j] if j is not None else "")
        if was == now:
            recalled += was in names
            continue
        if now in listed:
            invented.append(now)
        if was not in names and (was or not _is_beside_a_name(pairs, at, said)):
            wrong += 1
    spoken = sum(word in names for word in said)
    return Judged(recalled, spoken, wrong / (len(said) - spoken), tuple(invented))


def _is_beside_a_name(pairs: Sequence[tuple[int | None, int | None]], at: int, said: Sequence[str]) -> bool:
    """Whether a word put in stands next to a name, of which it may be a part."""
    names = {each.lower() for each in NAMES}
    before = next((i for i, _ in reversed(pairs[:at]) if i is not None), None)
    behind = next((i for i, _ in pairs[at:] if i is not None), None)
    return any(i is not None and said[i] in names for i in (before, behind))


def sentences_spoken() -> list[str]:
    """The sentences in order: each name in three frames, among plain sentences; the same each time."""
    from engine.demo import demo_text
    from engine.speak import sentences
    from tests.voices import TEXT

    dice = random.Random(5)
    named = [
        FRAMES[(number + turn * 5) % len(FRAMES)].format(name)
        for turn in range(TIMES)
        for number, name in enumerate(dice.sample(NAMES, len(NAMES)))
    ]
    plain = sentences(f"{TEXT}\n{demo_text()}")
    return dice.sample([*named, *plain, *plain], len(named) + 2 * len(plain))


def recording() -> Recording:
    """About 20 minutes by a woman's and a man's synthetic voices in turn."""
    path = CACHE / "names.wav"
    if not path.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        _speak(path)
    return load(path, path.with_suffix(".json"))


def _speak(path: Path) -> None:
    import numpy as np

    from tests.voices import Studio

    studio, dice = Studio(CACHE / "voices"), random.Random(1)
    lines = sentences_spoken()
    speakers = [("heart", "joe")[number // TURN % 2] for number in range(len(lines))]
    takes = {}
    for voice in ("heart", "joe"):
        own = dict.fromkeys(line for speaker, line in zip(speakers, lines, strict=True) if speaker == voice)
        speech = studio.speak(voice, "\n\n".join(own))  # type: ignore[arg-type]
        if speech.sentences != tuple(own):
            raise BenchError("The sentences with names cannot be told apart in what was spoken.")
        spans = zip(speech.sentences, speech.spans, strict=True)
        takes.update({(voice, line): speech.samples[span.start * 16 : span.end * 16] for line, span in spans})
    parts, segments, at = [], [], 0
    for speaker, line in zip(speakers, lines, strict=True):
        pause, take = np.zeros(dice.randint(300, 1200) * 16, np.int16), takes[speaker, line]
        start, at = at + len(pause), at + len(pause) + len(take)
        parts += [pause, take]
        segments.append((start * 1000 // RATE, at * 1000 // RATE, line))
    save(path, np.concatenate(parts), segments)


def measure(report: Report, model: str) -> None:
    """Run once without the list, once with it, and once with it and the correction."""
    said = recording()
    if said.text is None:
        raise BenchError(f"What is said in {said.name} is not known.")
    listed = random.Random(3).sample([*NAMES, *DECOYS], len(NAMES) + len(DECOYS))
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        file = Path(folder, "names.txt")
        file.write_text("\n".join(listed) + "\n", encoding="utf-8")
        plain = _run("without terms", said, model, [])
        told = _run("with terms", said, model, ["--terms", str(file)])
        corrected = _run("with terms and correction", said, model, ["--terms", str(file), "--correct"])
    _tell(report, model, plain, told, corrected)


def _run(name: str, said: Recording, model: str, options: list[str]) -> tuple[Ours, Judged]:
    run = ours(said.path, model, options)
    found = judge(run.text, said.text or "")
    tell(f"terms: {name}: {run.outcome.seconds:.1f} s, {found}")
    return run, found


def _tell(
    report: Report, model: str, plain: tuple[Ours, Judged], told: tuple[Ours, Judged], corrected: tuple[Ours, Judged]
) -> None:
    (without, before), (run, after), (_, put_right) = plain, told, corrected
    ratio = after.recalled / max(1, before.recalled)
    apart = after.error_rate - before.error_rate
    rows = [
        Row(
            f"invented names recognised, of {after.spoken} spoken, {model}",
            f"{after.recalled} (with the correction {put_right.recalled})",
            f"{before.recalled} without the list",
            f"{ratio:.1f}",
            f"≥ {RECALL:g}",
            ratio >= RECALL,
        ),
        Row(
            "word error rate of the other words",
            f"{after.error_rate:.4f} (with the correction {put_right.error_rate:.4f})",
            f"{before.error_rate:.4f} without the list",
            f"{apart:+.4f}",
            f"±{SAME:g}",
            abs(apart) <= SAME and abs(put_right.error_rate - before.error_rate) <= SAME,
        ),
        Row(
            "names written that were not spoken there",
            f"{len(after.invented)} (with the correction {len(put_right.invented)})",
            f"{len(before.invented)} without the list",
            "",
            "none",
            not after.invented and not put_right.invented,
        ),
        Row(
            "wall time with a list of 60 terms",
            f"{run.outcome.seconds:.1f} s",
            f"{without.outcome.seconds:.1f} s without",
            f"{run.outcome.seconds / without.outcome.seconds:.2f}",
        ),
    ]
    report.rows += rows
    report.notes.append(
        f"Terms: {len(NAMES)} invented names, each spoken {TIMES} times by two synthetic voices among other sentences; "
        f"the list has them and {len(DECOYS)} others, in no order. One run each."
    )
    report.data.setdefault("terms", {})[model] = {
        name: asdict(judged) | {"seconds": ran.outcome.seconds}
        for name, (ran, judged) in {"without": plain, "with": told, "corrected": corrected}.items()
    }
