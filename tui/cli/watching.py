"""The command that watches folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tui.cli.asking import takes_options
from tui.cli.base import AsJson, app, errors_shown, fail, setting_up


@app.command()
@takes_options
def watch(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Folders; those of the settings where none is given.",
            metavar="FOLDER...",
            show_default=False,
            readable=False,
        ),
    ] = None,
    *,
    asked: dict[str, object],
    once: Annotated[
        bool, typer.Option("--once", help="End when everything there has stopped growing and is queued.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Queue recordings that appear in folders.

    Files are taken, from all folders below too, once they have stopped growing; what was done already is known by its
    content. The settings' group "watch" says which files, and when. It ends when interrupted, and the jobs go on in
    the background.

    With --json, stdout has an object a line: {"type": "Found", "path", "job"}; {"type": "PassedOver", "path",
    "reason", "is_known"}; {"type": "FolderLost", "folder", "reason"}; {"type": "FolderBack", "folder"};
    {"type": "FolderClosed", "folder", "reason"}; {"type": "Held", "reason"}; and {"type": "Ended", "path", "job",
    "state": "done" or "failed" or "cancelled", "gaps" in seconds, "error", "outputs"}.

    Exit status: 0 all queued (--once), 1 a folder is missing, or something could not be queued (--once), 2 usage,
    130 interrupted.
    """
    home, settings = setting_up()
    wanted = [str(folder) for folder in folders or ()] or list(settings.watch.folders)
    if not wanted:
        raise fail('No folder to watch: name one, or set "folders" in the group "watch" of the settings.', 2)
    import asyncio

    from tui import setup, watching

    with errors_shown():
        options = setup.options(settings, asked)
        if folders or once:
            _check(wanted)
        status = asyncio.run(watching.watch(home, settings.watch, wanted, options, once=once, as_json=as_json))
    raise typer.Exit(status)


def _check(folders: Sequence[str]) -> None:
    """See to it that there are folders to be watched; one on a disk that is away later on is waited for."""
    for folder in folders:
        path = os.path.expanduser(folder)
        if not os.path.lexists(path):
            raise fail(f"{folder}: there is no such folder.")
        if not os.path.isdir(path):
            raise fail(f"{folder}: is not a folder; name the folder it is in, or use 'scribetui run' for a file.")
        if not os.access(path, os.R_OK | os.X_OK):
            raise fail(f"{folder}: you have no permission to look into it.")
