"""Looking at a path before it becomes a job; nothing of the file is decoded here."""

import os
import stat

from engine.commands import CommandError
from engine.machine.stimuli import Source


def inspect(path: str) -> Source:
    """The file behind a path.

    Raises:
        CommandError: there is no readable file; one sentence saying what is there instead.
    """
    whole = os.path.abspath(os.path.expanduser(path))
    try:
        whole.encode()
    except UnicodeEncodeError:
        shown = whole.encode(errors="backslashreplace").decode()
        raise CommandError(f"{shown}: the name is not valid UTF-8; please rename the file.") from None
    try:
        found = os.stat(whole)
    except FileNotFoundError:
        raise CommandError(f"{whole}: there is no such file.") from None
    except OSError as error:
        raise CommandError(f"{whole}: cannot be looked at ({error.strerror}).") from error
    except ValueError:
        raise CommandError(f"{whole}: the name holds a zero byte, which no file can have.") from None
    if stat.S_ISDIR(found.st_mode):
        raise CommandError(f"{whole}: is a folder; please name the files in it.")
    if not stat.S_ISREG(found.st_mode):
        raise CommandError(f"{whole}: is not a regular file.")
    if not os.access(whole, os.R_OK):
        raise CommandError(f"{whole}: you have no permission to read it.")
    if found.st_size == 0:
        raise CommandError(f"{whole}: the file is empty.")
    return Source(whole, found.st_size, found.st_mtime_ns)
