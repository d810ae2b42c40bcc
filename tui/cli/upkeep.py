"""Commands for keeping house: the settings."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tui.cli.base import AsJson, app, errors_shown, fail

settings_app = typer.Typer(rich_markup_mode=None)
app.add_typer(settings_app, name="settings")

WithMeaning = Annotated[bool, typer.Option("--all", help="Also what each means and may be.")]


@settings_app.callback(invoke_without_command=True)
def settings(context: typer.Context, as_json: AsJson = False, with_meaning: WithMeaning = False) -> None:
    """Show, edit, check or import the settings."""
    if context.invoked_subcommand is None:
        show(as_json, with_meaning)


@settings_app.command()
def show(as_json: AsJson = False, with_meaning: WithMeaning = False) -> None:
    """Show every setting and where it comes from."""
    from engine.home import Home
    from tui import preferences

    path = Home.find().settings
    with errors_shown():
        text = preferences.as_json(path) if as_json else preferences.as_text(path, with_meaning=with_meaning)
    typer.echo(text, nl=False)


@settings_app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Another file than the usual.", metavar="FILE", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the settings; exit status 2 if they are wrong."""
    from engine.home import Home
    from tui import preferences
    from tui.text import plain

    path = Home.find().settings if file is None else file.absolute()
    if not os.path.exists(path) and file is not None:
        raise fail(f"There is no file {path} to check.", 2)
    found = preferences.problems(path)
    is_wrong = any(each.severity == "error" for each in found)
    if as_json:
        typer.echo(preferences.problems_json(path, found), nl=False)
    else:
        for each in found:
            typer.echo(plain(preferences.sentence(each)), err=True)
        if not is_wrong:
            typer.echo(plain(preferences.verdict(path, found)))
    if is_wrong:
        raise typer.Exit(2)


@settings_app.command()
def edit() -> None:
    """Open the settings in your editor, then check them."""
    from engine.home import Home
    from tui import editing
    from tui.text import plain

    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()

    def ask(question: str) -> bool:
        if not on_terminal:
            return False
        try:
            return typer.confirm(question, default=True)
        except typer.Abort:
            return False

    try:
        with errors_shown():
            words = editing.editor(os.environ, on_terminal=on_terminal)
            is_in_order = editing.edit(Home.find(), words, lambda sentence: typer.echo(plain(sentence), err=True), ask)
    except editing.EditError as error:
        raise fail(str(error)) from error
    if not is_in_order:
        raise typer.Exit(2)


@settings_app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="The config.json of mlx-talks-categorizer, or the .env of cp-whisperx-app.",
            metavar="FILE",
            show_default=False,
            readable=False,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would become of each.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take over the settings of a predecessor."""
    from engine.home import Home
    from engine.settings.foreign import CannotImport
    from tui import takeover

    home, path = Home.find(), file.absolute()
    try:
        with errors_shown():
            found, before, after = takeover.take_over(home, path, writes=not dry_run)
    except CannotImport as error:
        raise fail(str(error)) from error
    if as_json:
        text = takeover.as_json(home, path, found, after, is_written=not dry_run)
    else:
        text = takeover.as_text(home, path, found, before, after, is_written=not dry_run)
    typer.echo(text, nl=False)
