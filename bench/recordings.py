"""The recordings that are measured on, each with the exact words that are said in it.

They are made from the folder ``shared/audio`` beside the checkout (or where SCRIBETUI_AUDIO points) when it is there,
else spoken by a synthetic voice. What is made is kept, since it takes half a minute an hour.
"""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from bench.processes import ROOT, BenchError

if TYPE_CHECKING:
    from tests.voices import Samples, Speech

CACHE = platformdirs.user_cache_path("scribetui", appauthor=False) / "bench"
TALK_MINUTES = 10
"""The length of the talk that lies ready in ``shared/audio``, about."""
QUIET_DB = -40.0
"""Below this much of full scale, 10 ms count as quiet."""
KEPT_MS = 40
"""So much of a quiet stretch is kept where pauses are cut out: the closures of p, t and k are about as long."""
BREATHLESS_S = 180
RATE = 16_000


@dataclass(frozen=True)
class Recording:
    """A media file and what is said in it."""

    path: Path
    text: str | None
    """Every word, as printed; None where nobody knows."""
    spans: tuple[tuple[int, int], ...] = ()
    """Where somebody speaks, in milliseconds, where that is known."""

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


def load(audio: Path, reference: Path | None) -> Recording:
    """A recording of the user's own.

    Args:
        audio: the media file.
        reference: plain text, or JSON with ``segments`` that have a ``text`` each.

    Raises:
        BenchError: a file is not there, or the reference is neither.
    """
    for path in (audio, reference):
        if path is not None and not path.is_file():
            raise BenchError(f"There is no file {path}.")
    if reference is None:
        return Recording(audio.absolute(), None)
    if reference.suffix != ".json":
        return Recording(audio.absolute(), reference.read_text(encoding="utf-8"))
    try:
        segments = json.loads(reference.read_text(encoding="utf-8"))["segments"]
        spans = tuple((round(each["start"] * 1000), round(each["end"] * 1000)) for each in segments)
        return Recording(audio.absolute(), " ".join(each["text"] for each in segments), spans)
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{reference} is no reference: it needs segments with start, end and text.") from error


def talk(minutes: float) -> Recording:
    """One person reading, with pauses, for so many minutes."""
    shared = Path(os.environ.get("SCRIBETUI_AUDIO") or ROOT.parent / "shared" / "audio")
    ready = shared / "talk-10min.opus"
    if minutes == TALK_MINUTES and ready.is_file():
        return load(ready, ready.with_suffix(".json"))
    CACHE.mkdir(parents=True, exist_ok=True)
    generator = shared / "make_long.py"
    kind = "talk" if generator.is_file() else "spoken"
    path = CACHE / f"{kind}-{minutes:g}min{'.opus' if kind == 'talk' else '.wav'}"
    if not path.is_file():
        print(f"making {path.name} ...", file=sys.stderr, flush=True)
        partial = path.with_stem(f"{path.stem}-partial")
        if kind == "talk":
            command = [generator, partial, "--minutes", f"{minutes:g}", "--style", "talk", "--speakers", "LJ"]
            subprocess.run([sys.executable, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
        else:
            _speak(partial, minutes)
        partial.with_suffix(".json").replace(path.with_suffix(".json"))
        partial.replace(path)
    return load(path, path.with_suffix(".json"))


def breathless() -> Recording:
    """Three minutes of synthetic speech from which every pause was cut out."""
    import numpy as np

    path = CACHE / "breathless.wav"
    if not path.is_file():
        speech = _voice(pause_ms=(0, 0))
        size = RATE // 100
        frames = speech.samples[: len(speech.samples) // size * size].reshape(-1, size)
        level = np.sqrt(np.mean(np.square(frames.astype(np.float64)), axis=1)) / 32_768
        quiet = 20 * np.log10(np.maximum(level, 1e-6)) < QUIET_DB
        kept: list[int] = []
        run = 0
        for number, is_quiet in enumerate(quiet):
            run = run + 1 if is_quiet else 0
            if run <= KEPT_MS // 10:
                kept.append(number)
        said = len(kept) / 100
        if said < BREATHLESS_S:
            raise BenchError(f"Only {said:.0f} s of speech without a pause could be made.")
        save(path, frames[kept].reshape(-1), [(0, round(said * 1000), speech.text)])
    return load(path, path.with_suffix(".json"))


def _speak(path: Path, minutes: float) -> None:
    """The same sentences over and over, each time in another order and with other pauses."""
    import numpy as np

    speech = _voice(pause_ms=(400, 900))
    takes = [
        (speech.samples[span.start * 16 : span.end * 16], text)
        for span, text in zip(speech.spans, speech.sentences, strict=True)
    ]
    dice = random.Random(1)
    parts: list[Samples] = []
    segments: list[tuple[int, int, str]] = []
    order = list(takes)
    at, total = 0, round(minutes * 60 * RATE)
    while True:
        samples, text = order.pop(0)
        pause = np.zeros(dice.randint(300, 1200) * 16, np.int16)
        start = at + len(pause)
        if start + len(samples) > total:
            break
        at = start + len(samples)
        parts += [pause, samples]
        segments.append((start // 16, at // 16, text))
        order = order or dice.sample(takes, len(takes))
    parts.append(np.zeros(total - at, np.int16))
    save(path, np.concatenate(parts), segments)


def _voice(pause_ms: tuple[int, int]) -> "Speech":
    from engine.demo import demo_text
    from tests.voices import TEXT, Studio

    return Studio(CACHE / "voices").speak("heart", f"{TEXT}\n{demo_text()}", pause_ms)


def save(path: Path, samples: "Samples", segments: list[tuple[int, int, str]]) -> None:
    """Keep a recording that was made: samples of 16 kHz, and what is said from when to when in milliseconds."""
    from engine.speak import write_wav

    told = [{"start": start / 1000, "end": end / 1000, "text": text} for start, end, text in segments]
    path.with_suffix(".json").write_text(json.dumps({"segments": told}, indent=1) + "\n")
    write_wav(str(path), samples, RATE)
