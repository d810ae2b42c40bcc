"""Commands that look: what is queued, what happened, what came of it, and whether all is well."""

from typing import Annotated

import typer

from tui.cli.asking import Out
from tui.cli.base import AsJson, Job, app, errors_shown, fail, setting_up


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show every job and how far it is."""
    from tui import listing

    home, _ = setting_up()
    with errors_shown():
        stands = listing.standing(home)
    typer.echo(listing.as_json(stands) if as_json else listing.as_text(stands), nl=False)


@app.command()
def export(
    job: Job,
    formats: Annotated[
        str, typer.Option("--format", help="Comma-separated: srt,vtt,txt,json.", metavar="LIST")
    ] = "srt",
    out: Out = None,
) -> None:
    """Write a job's transcript, as far as it has come."""
    from tui import exporting

    home, _ = setting_up()
    try:
        paths = exporting.export(home, job, [part.strip() for part in formats.split(",") if part.strip()], out)
    except exporting.ExportError as error:
        raise fail(str(error), error.status) from error
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
        raise fail(f"--level must be quiet, info or warning, not {level}.", 2)
    home, _ = setting_up()
    try:
        with errors_shown():
            status = history.tell(home, job, as_json=as_json, follow=follow, level=history.Level(level))
    except history.HistoryError as error:
        raise fail(str(error)) from error
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

    home, _ = setting_up()
    try:
        with errors_shown():
            reporting.tell(home, job, as_json=as_json, svg=svg)
    except history.HistoryError as error:
        raise fail(str(error)) from error


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check what is installed and at hand; exit status 1 if amiss."""
    from engine import doctor as examination
    from engine.home import Home

    checks = examination.examine(Home.find())
    typer.echo(examination.to_json(checks) if as_json else examination.render_text(checks), nl=False)
    if any(check.is_failure for check in checks):
        raise typer.Exit(1)
