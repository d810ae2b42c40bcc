"""The command that makes the host a service of the user's session."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tui.cli.base import AsJson, app, errors_shown, fail

if TYPE_CHECKING:
    from engine.service.managers import Manager, Place

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be written and run.")]

service = typer.Typer(
    help="Have the system run the host for you, with no root.\n\nIt then starts whenever you log in.",
    no_args_is_help=True,
)
app.add_typer(service, name="service")


def _found() -> "tuple[Manager, Place]":
    from engine.home import Home
    from engine.service.managers import Place, manager

    place = Place.here(Home.find())
    found = manager(place)
    if found is None:
        raise fail(
            "scribetui can be a service of launchd and of systemd only; run 'scribetui host --foreground' yourself."
        )
    return found, place


@service.command()
def install(dry_run: DryRun = False) -> None:
    """Write the service's file and start it."""
    from engine.service import service as work

    found, place = _found()
    if not place.program.exists():
        raise fail(f"There is no program {place.program} for a service to run; install scribetui with pip, uv or pipx.")
    with errors_shown(), _sentence():
        if dry_run:
            text, commands = work.plan(found)
            _show([f"Would write {found.path}:", "", text.decode()])
            _show_commands(commands)
        else:
            _show(work.install(found, place))


@service.command()
def remove(dry_run: DryRun = False) -> None:
    """Stop the service and delete its file."""
    from engine.service import service as work

    found, _ = _found()
    with errors_shown(), _sentence():
        if dry_run and work.is_installed(found):
            _show_commands(found.to_stop())
            _show([f"Would delete {found.path}."])
        else:
            _show(work.remove(found))


@service.command()
def status(as_json: AsJson = False) -> None:
    """Show whether there is a service and whether it runs."""
    import msgspec

    from engine.service import service as work

    found, place = _found()
    with errors_shown(), _sentence():
        state = work.status(found, place)
    _show([msgspec.json.encode(state).decode()] if as_json else work.told(state))


@contextmanager
def _sentence() -> Iterator[None]:
    from engine.service.service import ServiceError

    try:
        yield
    except ServiceError as error:
        raise fail(str(error)) from error


def _show(lines: Iterable[str]) -> None:
    from tui.text import plain

    for line in lines:
        for each in line.splitlines() or [""]:
            typer.echo(plain(each))


def _show_commands(commands: list[list[str]]) -> None:
    import shlex

    for command in commands:
        _show([f"Would run: {shlex.join(command)}"])
