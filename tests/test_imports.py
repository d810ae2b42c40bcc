"""What gets loaded when: the heavy libraries in workers only, the screen never with the engine."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine
import tui

ROOT = Path(__file__).parents[1]

HEAVY = (
    "av",
    "ctranslate2",
    "faster_whisper",
    "hibari",
    "mlx",
    "mlx_whisper",
    "numpy",
    "onnxruntime",
    "pyannote",
    "senko",
    "torch",
    "transformers",
    "whisperx",
)
SCREEN = ("textual", "tui", "rich", "typer")

WORKERS_OWN = (
    "engine.audiofile",
    "engine.decoding",
    "engine.downmix",
    "engine.media",
    "engine.hearing",
    "engine.pyannote_vad",
    "engine.silero",
    "engine.stages.align",
    "engine.stages.asr",
    "engine.stages.audio",
    "engine.stages.listen",
    "engine.tracks",
)
"""What only workers import; all else must stay light."""


def modules(package) -> list[str]:
    return [package.__name__, *(each.name for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))]


def loaded(code: str, names: tuple[str, ...]) -> list[str]:
    """Which of the modules are loaded after a fresh interpreter has run the code."""
    report = f"\nimport sys\nprint('loaded:', *[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.splitlines()[-1].split()[1:]


def test_importing_the_engine_loads_nothing_heavy_and_no_screen():
    light = [name for name in modules(engine) if not name.startswith(WORKERS_OWN) and not name.endswith("__main__")]
    assert "engine.engine" in light
    assert loaded("\n".join(f"import {name}" for name in light), HEAVY + SCREEN) == []


def test_no_module_of_the_engine_loads_the_screen():
    names = [name for name in modules(engine) if not name.endswith("__main__")]
    assert loaded("\n".join(f"import {name}" for name in names), SCREEN[:2]) == []


def test_importing_the_screen_loads_nothing_heavy():
    names = [name for name in modules(tui) if not name.endswith("__main__")]
    assert "tui.app" in names
    assert loaded("\n".join(f"import {name}" for name in names), HEAVY) == []


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"]])
def test_help_loads_neither_screen_nor_models(arguments):
    code = (
        f"import sys; sys.argv = ['scribetui', *{arguments!r}]\n"
        "from tui.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code"
    )
    assert loaded(code, (*HEAVY, "textual", "tomlkit", "asyncio", "engine.engine")) == []


def test_the_worker_finds_its_heavy_modules():
    names = [name for name in modules(engine) if name.startswith(WORKERS_OWN)]
    assert {"av", "ctranslate2", "numpy", "onnxruntime"} <= set(loaded("\n".join(f"import {n}" for n in names), HEAVY))
