"""The command line: the contract that scripts depend on. Nothing heavy is loaded here, the screen only to open it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from engine.home import Home
    from engine.settings import Settings

OPEN = "open"


class _PathsFirst(TyperGroup):
    """Takes whatever is no command's name for paths to open: ``scribetui film.mkv``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own type is not exported
        first = next((arg for arg in args if not arg.startswith("-") or arg == "--"), None)
        asks_help = any(arg in ("--help", "--version") for arg in args)
        if first not in self.commands and not (asks_help and first is None):
            args = [OPEN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_PathsFirst,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turn films and talks into transcripts. With no command, queue the PATHs given and open the screen; "
    "it takes the options of 'run'.",
    subcommand_metavar="[PATH]... | COMMAND [ARGS]...",
)

# Whether a file can be read is found out when its turn comes to be queued: one that cannot must not keep others out.
Paths = Annotated[list[Path], typer.Argument(help="Media files.", metavar="PATH", show_default=False, readable=False)]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for the transcripts, instead of beside each file.",
        metavar="DIR",
        show_default=False,
        readable=False,
    ),
]
Formats = Annotated[
    str | None, typer.Option(help="Comma-separated: srt,vtt,txt,json.", metavar="LIST", show_default=False)
]
Model = Annotated[str | None, typer.Option(help="A model's name or folder.", metavar="M", show_default=False)]
Backend = Annotated[str | None, typer.Option(help="What runs the model.", metavar="B", show_default=False)]
Language = Annotated[str | None, typer.Option(help="The language spoken, such as en.", metavar="L", show_default=False)]
TrackOption = Annotated[
    str | None, typer.Option("--track", help="The audio track: its number from 0, or its language.", show_default=False)
]
Chunk = Annotated[int | None, typer.Option(help="Length of a chunk in seconds.", metavar="SECONDS", show_default=False)]
BatchOption = Annotated[
    int | None, typer.Option("--batch", help="Windows decoded together.", metavar="N", show_default=False)
]
Job = Annotated[int, typer.Argument(help="The job's number, as 'scribetui status' shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


def main() -> None:
    """The program."""
    app(prog_name="scribetui")


def _fail(message: str, status: int = 1) -> typer.Exit:
    from tui.text import plain

    typer.echo(plain(message), err=True)
    return typer.Exit(status)


@contextmanager
def errors_shown() -> Iterator[None]:
    """Turn what can be wrong before any work begins into one sentence and an exit status."""
    from engine.demo import DemoError
    from engine.home import HomeError
    from engine.ledger import LedgerError
    from engine.models import ModelMissing
    from engine.settings import SettingsError

    try:
        yield
    except SettingsError as error:
        raise _fail(str(error), 2) from error
    except (DemoError, HomeError, LedgerError, ModelMissing) as error:
        raise _fail(str(error)) from error


def _setting_up() -> "tuple[Home, Settings]":
    from engine.home import Home
    from engine.settings import load

    home = Home.find()
    with errors_shown():
        return home, load(home.settings)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"scribetui {version('scribetui')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options that come before any command."""


def _asked(
    out: Path | None,
    formats: str | None,
    model: str | None,
    backend: str | None,
    language: str | None,
    track: str | None,
    chunk: int | None,
    batch: int | None,
) -> dict[str, object]:
    """What the command line asks for in place of the settings."""
    return {
        "out": out,
        "formats": formats,
        "model": model,
        "backend": backend,
        "language": language,
        "track": track,
        "chunk": chunk,
        "chunking": None if chunk is None else "always",
        "batch": batch,
    }


@app.command()
def run(
    paths: Paths,
    out: Out = None,
    formats: Formats = None,
    model: Model = None,
    backend: Backend = None,
    language: Language = None,
    track: TrackOption = None,
    chunk: Chunk = None,
    batch: BatchOption = None,
    as_json: AsJson = False,
) -> None:
    """Transcribe files with no screen.

    Progress goes to stderr; with --json, every event is a line of JSON on stdout. Exit status: 0 all done, 1 a file
    failed, 2 usage, 3 done with gaps, 130 interrupted (run it again to go on).
    """
    import asyncio

    from tui import headless, setup

    home, settings = _setting_up()
    asked = _asked(out, formats, model, backend, language, track, chunk, batch)
    status = 1
    with errors_shown():
        options = setup.options(settings, asked)
        with home.lock():
            engine = setup.engine(home, settings, only_added=True)
            status = asyncio.run(headless.run(engine, [(str(path), options) for path in paths], as_json=as_json))
    raise typer.Exit(status)


@app.command(OPEN, hidden=True)
def open_screen(
    paths: Annotated[list[Path] | None, typer.Argument(show_default=False, readable=False)] = None,
    out: Out = None,
    formats: Formats = None,
    model: Model = None,
    backend: Backend = None,
    language: Language = None,
    track: TrackOption = None,
    chunk: Chunk = None,
    batch: BatchOption = None,
) -> None:
    """Queue the paths, then open the screen."""
    from tui import setup

    home, settings = _setting_up()
    asked = _asked(out, formats, model, backend, language, track, chunk, batch)
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        raise _fail("The screen needs a terminal; use 'scribetui run' to work without one.", 2)
    with errors_shown():
        setup.open_screen(home, settings, [str(path) for path in paths or ()], asked)


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Option(help="Where the demo's recording and transcripts go.")] = None,
    screen: Annotated[
        bool, typer.Option("--screen/--no-screen", help="Open the screen, where there is a terminal.")
    ] = True,
) -> None:
    """Speak a few minutes of a book and transcribe them, offline."""
    from tui import demonstration

    _, settings = _setting_up()
    with errors_shown():
        raise typer.Exit(demonstration.run(settings, folder, screen=screen))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every job and how far it is."""
    from tui import listing

    home, _ = _setting_up()
    with errors_shown():
        typer.echo(listing.as_json(home) if as_json else listing.as_text(home), nl=False)


@app.command()
def export(
    job: Job,
    formats: Annotated[str, typer.Option("--format", help="Comma-separated: srt,vtt,txt,json.")] = "srt",
    out: Out = None,
) -> None:
    """Write a job's transcript, as far as it has come."""
    from tui import exporting

    home, _ = _setting_up()
    try:
        paths = exporting.export(home, job, [part.strip() for part in formats.split(",") if part.strip()], out)
    except exporting.ExportError as error:
        raise _fail(str(error), error.status) from error
    from tui.text import plain

    for path in paths:
        typer.echo(plain(path))


@app.command()
def events(
    job: Job,
    as_json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job has ended.")] = False,
    level: Annotated[
        str, typer.Option(metavar="quiet|info|warning", help="How much to tell: quiet tells all there is.")
    ] = "info",
) -> None:
    """Tell a job's story, an event a line."""
    from tui import history

    if level not in list(history.Level):
        raise _fail(f"--level must be quiet, info or warning, not {level}.", 2)
    home, _ = _setting_up()
    try:
        with errors_shown():
            status = history.tell(home, job, as_json=as_json, follow=follow, level=history.Level(level))
    except history.HistoryError as error:
        raise _fail(str(error)) from error
    raise typer.Exit(status)


@app.command()
def report(
    job: Job,
    as_json: AsJson = False,
    svg: Annotated[
        str | None,
        typer.Option("--svg", help="Draw the memory into an SVG file; - for stdout.", metavar="FILE"),
    ] = None,
) -> None:
    """Tell what became of a job: chunks, failures, time, memory."""
    from tui import history, reporting

    home, _ = _setting_up()
    try:
        with errors_shown():
            reporting.tell(home, job, as_json=as_json, svg=svg)
    except history.HistoryError as error:
        raise _fail(str(error)) from error


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check what is installed and at hand; exit status 1 if amiss."""
    from engine import doctor as examination
    from engine.home import Home

    checks = examination.examine(Home.find())
    typer.echo(examination.to_json(checks) if as_json else examination.render_text(checks), nl=False)
    if any(check.is_failure for check in checks):
        raise typer.Exit(1)
