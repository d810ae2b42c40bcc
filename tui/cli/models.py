"""Commands for the speech models: which there are, fetching one, removing one, where one lies."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.cli.base import AsJson, app, errors_shown, fail, setting_up

if TYPE_CHECKING:
    from engine.models.shelf import Item
    from engine.settings import Settings

models_app = typer.Typer(rich_markup_mode=None)
app.add_typer(models_app, name="models")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A model's name, or OWNER/NAME on the hub.", show_default=False)
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend", help="What runs the model; align for those that align words.", metavar="B", show_default=False
    ),
]

WHERE = {
    "package": "comes in a Python package",
    "cache": "downloaded",
    "own": "made here",
    "folder": "a folder of yours",
    "parts": "comes in parts, put together when first used",
    "convertible": "converted when first used",
    "hub": "can be downloaded",
}
"""What is said of a model's state."""


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: AsJson = False, backend: BackendOption = None) -> None:
    """List, fetch or remove speech models."""
    if context.invoked_subcommand is None:
        list_models(as_json, backend)


@models_app.command("list")
def list_models(as_json: AsJson = False, backend: BackendOption = None) -> None:
    """Show models at hand and to be had; * is what auto takes."""
    import msgspec

    from engine.models import BACKENDS, ModelMissing
    from engine.models.shelf import shelf
    from engine.settings.resolve import choose_model

    with _prepared(backend) as (settings, chosen):
        auto: str | None = None
        try:
            if chosen.value in BACKENDS:
                auto, why = choose_model(settings, chosen.value)
            else:
                why = "auto takes the language's own model, by whisperX's table."
        except ModelMissing as error:
            why = str(error)
        items = shelf(chosen.value)
    if as_json:
        rows = [msgspec.to_builtins(each) | {"at_hand": each.is_at_hand, "auto": each.name == auto} for each in items]
        data = {"backend": chosen.value, "backend_why": chosen.why, "auto": auto, "auto_why": why, "models": rows}
        typer.echo(msgspec.json.encode(data).decode())
        return
    _show_list(items, auto)
    _say(f"With {chosen.value}: {chosen.why}.")
    _say(why if auto is None else f"auto takes {auto}: {why}.")


@models_app.command()
def get(name: Name, backend: BackendOption = None, as_json: AsJson = False) -> None:
    """Download a model, going on with what is there of it."""
    from engine.models import FASTER_WHISPER, locate, require
    from engine.models.shelf import damaged, forget, item
    from tui import fetching

    with _prepared(backend) as (settings, chosen):
        found = item(name, chosen.value)
        if found.state == "cache" and found.path is not None:
            from pathlib import Path

            torn = damaged(Path(found.path))
            if torn:
                _say(f'The model "{name}" is damaged ({", ".join(each.name for each in torn)}) and is fetched again.')
                forget(torn)
                found = item(name, chosen.value)
        if found.state == "parts":
            locate(name, FASTER_WHISPER)
        if found.state == "hub":
            require(name, chosen.value, settings.models.download)
            status = fetching.fetch(found.name, chosen.value)
            if status:
                raise typer.Exit(status)
        _tell_where(item(name, chosen.value), as_json)


@models_app.command()
def remove(
    name: Name,
    backend: BackendOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model that was downloaded or made here."""
    from engine.models.shelf import CannotRemove, removable
    from engine.models.shelf import remove as delete

    with _prepared(backend) as (_, chosen):
        try:
            folders = removable(name, chosen.value)
        except CannotRemove as error:
            raise fail(str(error)) from error
    for folder in folders:
        _say(f"{folder} is deleted." if yes else f"{folder} would be deleted.", err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise fail("Nobody can be asked here; say --yes to delete it.", 2)
        if not typer.confirm("Delete it?"):
            raise typer.Exit(1)
    try:
        freed = delete(folders)
    except OSError as error:
        raise fail(f"{error.filename} cannot be deleted ({error.strerror}).") from error
    _say(f"{size(freed)} are free again.")


@models_app.command()
def path(name: Name, backend: BackendOption = None, as_json: AsJson = False) -> None:
    """Show the folder of a model that is at hand."""
    from engine.models.shelf import item

    with _prepared(backend) as (_, chosen):
        found = item(name, chosen.value)
    if found.path is None:
        how = f"it is {WHERE[found.state]}" if found.state == "convertible" else f"it {WHERE[found.state]}"
        raise fail(f'The model "{name}" has no folder on this machine yet; {how}.')
    _tell_where(found, as_json)


def size(number: int) -> str:
    """A number of bytes, as people say it; megabytes of a million bytes, as the hub counts."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


@contextmanager
def _prepared(backend: str | None) -> "Iterator[tuple[Settings, Any]]":
    """The settings with the backend asked for, and the backend that counts; a mistake is said in a sentence."""
    from engine.models import ALIGN, BACKENDS
    from engine.settings.choosing import Choice, choose_backend
    from engine.settings.resolve import override
    from engine.stages.base import StageError

    _, settings = setting_up()
    with errors_shown():
        if backend == ALIGN:
            chosen = Choice(ALIGN, "it aligns the words of any backend")
        else:
            settings = override(settings, {"backend": backend})
            chosen = choose_backend(settings)
        if chosen.value not in (*BACKENDS, ALIGN):
            raise fail(f"{chosen.value} knows its own models; --backend names another one.")
        try:
            yield settings, chosen
        except StageError as error:
            raise fail(str(error)) from error


def _show_list(items: "list[Item]", auto: str | None) -> None:
    width = max((len(each.name) for each in items), default=0)
    for each in items:
        about = f"{size(each.size):>7}" if each.size else f"{'':7}"
        where = WHERE[each.state]
        if each.arrived:
            where += f", {size(each.arrived)} of it are here"
        _say(f"{'*' if each.name == auto else ' '} {each.name:<{width}}  {about}  {where}")


def _tell_where(found: "Item", as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _say(found.path or f"{found.name} {WHERE[found.state]}.")


def _say(text: str, *, err: bool = False) -> None:
    from tui.text import plain

    typer.echo(plain(text), err=err)
