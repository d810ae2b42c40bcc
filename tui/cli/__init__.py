"""The command line: the contract that scripts depend on. Nothing heavy is loaded here, the screen only to open it."""

import errno
import os
import signal
import sys

_is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
if _is_usual:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading takes a moment, and whoever ends it wants no traceback

from tui.cli import completion, control, look, models, service, upkeep, watching, work  # noqa: E402
from tui.cli.base import app  # noqa: E402

if _is_usual:
    signal.signal(signal.SIGINT, signal.default_int_handler)

__all__ = ["app", "completion", "control", "look", "main", "models", "service", "upkeep", "watching", "work"]


def main() -> None:
    """The program."""
    try:
        if completion.is_asked():
            completion.answer(sys.argv[1:])
        else:
            app(prog_name="scribetui")
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sentence = _elsewhere(error)
        if sentence is None:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # what could not be written is not tried again at the end
        print(sentence, file=sys.stderr)
        sys.exit(1)


def _elsewhere(error: OSError) -> str | None:
    """What is wrong around the program, which any command can meet with; None where it is not that."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO) and error.filename is None:
        return f"The output cannot be written ({error.strerror})."
    try:
        os.getcwd()
    except FileNotFoundError:
        return "The folder you are in was deleted; go to another one."
    return None
