"""``scribetui settings edit``: the user's editor on the settings, and a look at them afterwards."""

import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.home import Home
from engine.settings import Settings, SettingsError, load
from engine.settings.file import create
from tui import preferences

USUAL = ("nano", "vi")
"""What is taken where the environment names no editor."""


class EditError(Exception):
    """The settings cannot be edited; one clear sentence for the user."""


def editor(environment: Mapping[str, str], *, on_terminal: bool) -> list[str]:
    """The command of the user's editor, in words.

    Raises:
        EditError: there is none.
    """
    for name in ("VISUAL", "EDITOR"):
        if not environment.get(name, "").strip():
            continue
        try:
            return shlex.split(environment[name])
        except ValueError as error:
            raise EditError(f"${name} cannot be split into words ({error}); correct it.") from error
    found = next((path for name in USUAL if (path := shutil.which(name, path=environment.get("PATH")))), None)
    if found is None or not on_terminal:
        why = "No editor was found" if on_terminal else "There is no terminal to edit on"
        raise EditError(
            f"{why}; set $EDITOR to one, or change the file that 'scribetui settings' names by other means."
        )
    return [found]


def edit(home: Home, words: Sequence[str], say: Callable[[str], None], ask: Callable[[str], bool]) -> bool:
    """Have the settings edited until they are in order or the user gives up; whether they are in order.

    What was there before is kept in a file beside them until they are in order again.

    Args:
        home: where the settings are; they begin as the commented default.
        words: the editor's command.
        say: tells the user a sentence.
        ask: asks the user a question.

    Raises:
        EditError: the editor cannot be run, or the file cannot be kept.
        HomeError: the home cannot be used.
        SettingsError: the file cannot be made.
    """
    home.create()
    path = home.settings
    if create(path):
        say(f"{path} was made, with every setting at its default.")
    before = _settings(path)
    kept = _keep(path, is_in_order=before is not None)
    while True:
        status = _run(words, path)
        changed = _differ(path, kept)
        found = preferences.problems(path)
        for each in found:
            say(preferences.sentence(each))
        if all(each.severity == "warning" for each in found):
            break
        if not ask("Edit it again?"):
            say(f"{path} stays as you left it; what was there before is in {kept}.")
            return False
    kept.unlink(missing_ok=True)
    if status:
        say(f"The editor {words[0]} ended with status {status}.")
    if not changed:
        say("Nothing was changed.")
        return True
    say(preferences.verdict(path, found))
    for sentence in preferences.in_force(before or Settings(), load(path)):
        say(sentence)
    return True


def _settings(path: Path) -> Settings | None:
    """The settings as they are; None where something is wrong with them."""
    try:
        return load(path)
    except SettingsError:
        return None


def _keep(path: Path, *, is_in_order: bool) -> Path:
    """Copy the file beside itself; one that is wrong never takes the place of a copy that was in order."""
    kept = path.with_name(f"{path.name}.before")
    if is_in_order or not kept.exists():
        try:
            shutil.copy2(path, kept)
        except OSError as error:
            raise EditError(f"{path} cannot be copied to {kept.name} first ({error.strerror}).") from error
    return kept


def _differ(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() != other.read_bytes()
    except OSError:
        return True  # one of them is gone


def _run(words: Sequence[str], path: Path) -> int:
    """Run the editor to its end; its exit status."""
    try:
        with _interrupts_left_to_it(), subprocess.Popen([*words, str(path)]) as process:
            return process.wait()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise EditError(f"The editor {words[0]} cannot be run ({why}); set $EDITOR to one that can.") from error
    except ValueError as error:
        raise EditError("$EDITOR holds a character that no command can hold; correct it.") from error


@contextmanager
def _interrupts_left_to_it() -> Iterator[None]:
    """Let ctrl+c reach the editor alone. A handler that does nothing is not handed on to it, as ignoring would be."""
    before = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
