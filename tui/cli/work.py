"""Commands that work: transcribe with no screen, open the screen, give a demonstration."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.asking import takes_options
from tui.cli.base import OPEN, ORDER, AsJson, Paths, app, errors_shown, fail, setting_up

if TYPE_CHECKING:
    from engine.home import Home


@app.command()
@takes_options
def run(
    paths: Paths,
    *,
    asked: dict[str, object],
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Do the work in this process, not at the host.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Queue the files, and do not wait for them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Transcribe files with no screen.

    The work goes on at the host if the terminal is closed. Progress goes to stderr; with --json, every event is a line
    of JSON on stdout. Exit status: 0 all done, 1 a file failed, 2 usage, 3 done with gaps, 130 interrupted (run it
    again to go on).
    """
    import asyncio

    from engine.assembly import assemble
    from engine.notices.notifier import notifying
    from tui import headless, setup

    if foreground and detach:
        raise fail("What is done in the foreground cannot be left alone; give --foreground or --detach.", 2)
    home, settings = setting_up()
    status = 1
    with errors_shown():
        options = setup.options(settings, asked)
        files = [(str(path), options) for path in paths]
        if foreground:
            with home.lock():
                engine = assemble(home, settings, go_on=False)
                notifier = notifying(engine, home, settings)
                status = asyncio.run(headless.in_foreground(engine, files, as_json=as_json, notifier=notifier))
        elif detach:
            status = asyncio.run(headless.detach(home, files, as_json=as_json))
        else:
            status = asyncio.run(headless.through_host(home, files, as_json=as_json))
    raise typer.Exit(status)


@app.command(OPEN, hidden=True)
@takes_options
def open_screen(
    paths: Annotated[list[Path] | None, typer.Argument(show_default=False, readable=False)] = None,
    *,
    asked: dict[str, object],
) -> None:
    """Queue the paths, then open the screen."""
    from tui import setup

    if paths and (meant := _meant(paths[0])) is not None:
        raise fail(f"There is no command and no file {paths[0]}; did you mean 'scribetui {meant}'?", 2)
    home, settings = setting_up()
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise fail("The screen needs a terminal; use 'scribetui run' to work without one.", 2)
    with errors_shown():
        setup.open_screen(home, settings, [str(path) for path in paths or ()], asked)


def _meant(path: Path) -> str | None:
    """The command that somebody meant who has named no file, but nearly a command."""
    from difflib import get_close_matches

    if path.name != str(path) or path.suffix or os.path.lexists(path):
        return None
    return next(iter(get_close_matches(path.name, ORDER, n=1, cutoff=0.75)), None)


@app.command()
def demo(
    folder: Annotated[
        Path | None, typer.Option(help="Where the demo's recording and transcripts go.", metavar="DIR")
    ] = None,
    screen: Annotated[
        bool, typer.Option("--screen/--no-screen", help="Open the screen, where there is a terminal.")
    ] = True,
) -> None:
    """Speak a few minutes of a book and transcribe them, offline."""
    from tui import demonstration

    _, settings = setting_up()
    with errors_shown():
        raise typer.Exit(demonstration.run(settings, folder, screen=screen))


@app.command(hidden=True)
def host(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Be the host in this process, until it is told to stop.")
    ] = False,
    go_on: Annotated[bool, typer.Option("--go-on", help="Go on with jobs that were left unfinished.")] = False,
) -> None:
    """See to it that a host is at work, and print its process number."""
    home, settings = setting_up()
    with errors_shown():
        if foreground:
            from engine.host import serve

            error = serve(home, settings, go_on=go_on or settings.host.go_on == "always", idle=None)
            if error is not None:
                raise fail(error)
        else:
            typer.echo(_hosted(home, go_on=go_on))


def _hosted(home: "Home", *, go_on: bool) -> int:
    """The process of the host, started if need be."""
    import asyncio

    from engine.remote import Remote
    from tui import control

    async def attached() -> int:
        async with await Remote.attach(home, subscribes=False) as remote:
            return remote.pid

    pid = asyncio.run(attached())
    if go_on:
        control.resume_all(home)
    return pid
