"""What all commands share: the program itself, its options, and how mistakes reach the user."""

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
ORDER = (
    *("run", "watch", "status", "pause", "resume", "cancel", "retry", "set", "move", "remove"),
    *("events", "export", "report", "stop", "settings", "models", "models", "doctor", "service", "completion", "demo"),
)
"""The commands as help lists them."""


class _PathsFirst(TyperGroup):
    """Takes whatever is no command's name for paths to open: ``scribetui film.mkv``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own type is not exported
        first = next((arg for arg in args if not arg.startswith("-") or arg == "--"), None)
        asks_help = any(arg in ("--help", "--version") for arg in args)
        if first not in self.commands and not (asks_help and first is None):
            args = [OPEN, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401
        """The commands in the order one meets them."""
        return sorted(super().list_commands(ctx), key=lambda name: (*ORDER, name).index(name))


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
Paths = Annotated[
    list[Path], typer.Argument(help="Media files.", metavar="PATH...", show_default=False, readable=False)
]


def job_number(text: str) -> int:
    """The number of a job, as it was typed."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**31):
        raise typer.BadParameter(f"a job is named by its number, as 'scribetui status' shows it, not \"{text}\".")
    return int(text)


Job = Annotated[
    int, typer.Argument(parser=job_number, metavar="JOB", help="The job's number, as 'scribetui status' shows it.")
]
_JOBS = typer.Argument(
    parser=job_number,
    metavar="JOB...",
    help="The jobs' numbers, as 'scribetui status' shows them.",
    show_default=False,
)
Jobs = Annotated[list[int], _JOBS]
JobsIfAny = Annotated[list[int] | None, _JOBS]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout.")]


def fail(message: str, status: int = 1) -> typer.Exit:
    """Say in one sentence what is wrong; what to raise then."""
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
        raise fail(str(error), 2) from error
    except (DemoError, HomeError, LedgerError, ModelMissing) as error:
        raise fail(str(error)) from error


def at_home() -> "Home":
    """The home; a mistake in the settings keeps nobody from steering what is at work."""
    from engine.home import Home

    return Home.find()


def setting_up() -> "tuple[Home, Settings]":
    """The home and the user's settings; a mistake in them ends the program with a sentence."""
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
