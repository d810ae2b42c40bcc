"""The programs as the measurements call them: scribetui, the script around faster-whisper's pipeline, and whisperX."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.processes import ROOT, BenchError, Outcome, run
from engine.models import ModelMissing, locate

SCRIBETUI = Path(sys.executable).with_name("scribetui")
SETTINGS = '[transcribe]\ndevice = "cpu"\n'
"""Both run on the processor, whatever the machine has; all else is left at its default."""
WHISPERX = (
    *("--device", "cpu", "--compute_type", "int8", "--batch_size", "8", "--no_align", "--language", "en"),
    *("--output_format", "json", "--verbose", "False"),
)
"""What whisperX's command line is given; all else, its voice detector and its threads included, is its default."""
NEVER = '[chunks]\nchunking = "never"\n'


@dataclass(frozen=True)
class Ours:
    """A run of scribetui: what was measured, what it told and what it wrote."""

    outcome: Outcome
    transcript: dict[str, Any]
    """The JSON transcript; empty when the run was broken off."""

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The events, each with its ``at`` in Unix milliseconds."""
        return [json.loads(line) for _, line in self.outcome.lines]

    @property
    def text(self) -> str:
        """All that was written down."""
        return " ".join(each["text"] for each in self.transcript["segments"])

    @property
    def windows(self) -> list[tuple[int, int]]:
        """Every window, in milliseconds and in order."""
        heard = (each["event"] for each in self.entries if each["event"]["type"] == "SpeechHeard")
        return sorted((start, end) for each in heard for start, end in each["windows"])


def ours(
    audio: Path,
    model: str,
    options: Sequence[str] = (),
    *,
    settings: str = "",
    interval: float | None = None,
    until: Callable[[str], bool] | None = None,
) -> Ours:
    """``scribetui run`` in a fresh home."""
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        home, out = Path(folder, "home"), Path(folder, "out")
        home.mkdir()
        (home / "settings.toml").write_text(SETTINGS + settings)
        command: list[str | Path] = [
            SCRIBETUI,
            "run",
            audio,
            "--out",
            out,
            "--model",
            model,
            "--json",
            "--foreground",
            *options,
        ]
        outcome = run(command, environment={"SCRIBETUI_HOME": str(home)}, interval=interval, until=until)
        found = [] if until else list(out.glob("*.json"))
        transcript = json.loads(found[0].read_text()) if found else {}
    return Ours(outcome, transcript)


def baseline(
    audio: Path,
    model: str,
    *,
    batch: int = 8,
    words: bool = False,
    interval: float | None = None,
    until: Callable[[str], bool] | None = None,
) -> tuple[Outcome, str]:
    """faster-whisper's batched pipeline with the same model; what was measured, and the text."""
    script = ROOT / "bench" / "baseline.py"
    command: list[str | Path] = [sys.executable, script, model_folder(model), audio, "--batch", str(batch)]
    if words:
        command.append("--words")
    outcome = run(command, interval=interval, until=until)
    return outcome, " ".join(json.loads(line)["text"] for _, line in outcome.lines)


def whisperx(audio: Path, model: str, *, interval: float | None = None) -> tuple[Outcome, str]:
    """whisperX's command line with the same model, batch 8, no alignment; what was measured, and the text."""
    command = [SCRIBETUI.with_name("whisperx"), audio, "--model", model_folder(model), *WHISPERX]
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        environment = {"HF_HUB_OFFLINE": "1"}
        if not has_ffmpeg():
            program = Path(folder, "ffmpeg")
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "bench" / "ffmpeg.py"}" "$@"\n')
            program.chmod(0o755)
            environment["PATH"] = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
        outcome = run([*command, "--output_dir", folder], environment=environment, interval=interval)
        written = Path(folder, f"{audio.stem}.json")
        if not written.is_file():
            raise BenchError(f"whisperX wrote no transcript of {audio.name}.")
        segments = json.loads(written.read_text())["segments"]
    return outcome, " ".join(each["text"].strip() for each in segments)


def has_ffmpeg() -> bool:
    """Whether the program is there that whisperX decodes files with; else ``bench/ffmpeg.py`` stands in for it."""
    return shutil.which("ffmpeg") is not None


def model_folder(model: str) -> str:
    """Where the model lies, as scribetui finds it.

    Raises:
        BenchError: it is not on this machine, and cannot be fetched.
    """
    try:
        return locate(model)
    except ModelMissing as error:
        raise BenchError(str(error)) from error


def says_text(line: str) -> bool:
    """Whether a line of ``run --json`` is the first to bring text."""
    event = json.loads(line)["event"]
    return event["type"] == "BatchDone" and bool(event["lines"])
