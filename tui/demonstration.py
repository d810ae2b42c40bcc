"""``scribetui demo``: a recording made on the spot, transcribed for real, in a state folder of its own."""

import asyncio
import shutil
import sys
from contextlib import closing
from pathlib import Path

import typer

from engine.demo import make_demo
from engine.home import Home
from engine.ledger import Ledger
from engine.settings import Settings
from engine.states import Done
from tui import headless, setup
from tui.text import plain

FOLDER = "scribetui-demo"
SHOWN = 6
"""Lines of the transcript that are shown at the end."""


def run(settings: Settings, folder: Path | None, *, screen: bool) -> int:
    """Speak, transcribe, show; the exit status.

    The user's own queue is left alone: all state lies in the folder, and a demonstration that came to its end begins
    anew, while one that was broken off goes on.

    Raises:
        DemoError: the speech cannot be made.
        HomeError, LedgerError, ModelMissing, SettingsError: as for any other work.
    """
    folder = (folder or Path(FOLDER)).expanduser().absolute()
    media = make_demo(folder)
    typer.echo(f"Spoken: {plain(str(media))}", err=True)
    home = Home(folder / ".state")
    asked = {"model": "tiny.en", "language": "en", "out": str(folder)}
    if home.holder() is None:
        _begin_anew(home)
    if screen and sys.stdout.isatty() and sys.stdin.isatty():
        setup.open_screen(home, settings, [str(media)], asked)
        status = 0
    else:
        with home.lock():
            engine = setup.engine(home, settings)
            options = setup.options(settings, asked)
            status = asyncio.run(headless.run(engine, [(str(media), options)], as_json=False))
    _show(media.with_suffix(".txt"))
    return status


def _begin_anew(home: Home) -> None:
    """Forget a demonstration that came to its end, and the files it wrote: else the next ones need other names."""
    if not home.ledger.exists():
        return
    with closing(Ledger(home.ledger, read_only=True)) as ledger:
        jobs = ledger.jobs()
    if any(isinstance(job.state, Done) for job in jobs):
        for path in (path for job in jobs for path in job.outputs):
            Path(path).unlink(missing_ok=True)
        shutil.rmtree(home.path)


def _show(transcript: Path) -> None:
    """The beginning of what was heard."""
    if not transcript.exists():
        return
    lines = transcript.read_text(encoding="utf-8").splitlines()
    typer.echo()
    for line in lines[:SHOWN]:
        typer.echo(plain(line))
    typer.echo(f"\nThe whole transcript: {plain(str(transcript))}")
