"""The demonstration: a few minutes of speech made on the spot, so that a first run needs no recording and no network.

The text is in the public domain everywhere, its authors being dead for more than seventy years; passages are shortened.
In order: Charles Dickens, A Tale of Two Cities (1859); Lewis Carroll, Alice's Adventures in Wonderland (1865); Henry
David Thoreau, Walden (1854), twice; the Declaration of Independence (1776); Jane Austen, Pride and Prejudice (1813);
Kenneth Grahame, The Wind in the Willows (1908); Abraham Lincoln, the Gettysburg Address (1863).
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import wave
from pathlib import Path

TEXT = Path(__file__).with_name("demo_text.txt")
TIMEOUT = 300
"""Seconds after which speaking has failed; it takes 2 on a small machine."""


class DemoError(Exception):
    """The demonstration's speech cannot be made; one clear sentence for the user."""


def demo_text() -> str:
    """What is spoken."""
    return TEXT.read_text(encoding="utf-8")


def make_demo(folder: Path) -> Path:
    """Speak the demonstration's text into a WAV file of that folder, unless the file is there already.

    Returns:
        The file: mono, 16 bit, 24 kHz, some 200 s.

    Raises:
        DemoError: the voice is not installed, or the file cannot be made.
    """
    text = demo_text()
    # The text's mark in the name: another text is another file, and a job that knows the old one stays true.
    path = folder / f"demo-{hashlib.sha256(text.encode()).hexdigest()[:8]}.wav"
    if _is_whole(path):
        return path
    if importlib.util.find_spec("hibari") is None:
        raise DemoError('The demonstration needs a voice that is not installed; install "scribetui[demo]".')
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"The folder {folder} cannot be made ({error.strerror}); name another one.") from error
    command = [sys.executable, "-m", "engine.speak", str(path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    try:
        subprocess.run(
            command, input=text, capture_output=True, text=True, check=True, timeout=TIMEOUT, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"The demonstration's speech was not made within {TIMEOUT} s; try again.") from error
    except subprocess.CalledProcessError as error:
        why = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise DemoError(f"The demonstration's speech could not be made in {folder} ({why}).") from error
    return path


def _is_whole(path: Path) -> bool:
    try:
        with wave.open(str(path), "rb") as file:
            return file.getnframes() > 0 and path.stat().st_size >= 44 + 2 * file.getnframes()
    except (OSError, EOFError, wave.Error):
        return False
