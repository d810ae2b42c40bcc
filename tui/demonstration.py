"""``scribetui demo``: a recording made on the spot, transcribed for real, in a state folder of its own."""

import asyncio
import shutil
import sys
from contextlib import closing
from pathlib import Path

import typer

from engine.assembly import assemble
from engine.demo import make_demo
from engine.home import Home
from engine.ledger import Ledger
from engine.settings import Settings
from engine.states import ENDED, Done
from tui import ending, headless, listing, setup
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
    _end_idle_host(home)
    if home.holder() is None:
        _begin_anew(home)
    if screen and sys.stdout.isatty() and sys.stdin.isatty():
        setup.open_screen(home, settings, [str(media)], asked)
        _end_idle_host(home)
        status = 0
    else:
        options = setup.options(settings, asked)
        with home.lock():
            engine = assemble(home, settings, go_on=False)
            status = asyncio.run(headless.in_foreground(engine, [(str(media), options)], as_json=False))
    _show(media.with_suffix(".txt"))
    return status


def _end_idle_host(home: Home) -> None:
    """Nobody will come back to the host of a demonstration that is over; another one that begins just now is none."""
    if home.holder() is None or not listing.has_host(home):
        return
    jobs = listing.standing(home).view.jobs
    if jobs and all(isinstance(job.state, ENDED) for job in jobs):
        ending.stop(home, now=False, say=lambda _: None)


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
