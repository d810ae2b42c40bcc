"""Looking at a file before it becomes a job; nothing of it is decoded here."""

import os
import stat
from collections.abc import Collection
from pathlib import Path

import msgspec

from engine import glossary
from engine.commands import Add, CommandError
from engine.fingerprint import fingerprint
from engine.machine.stimuli import Source
from engine.neighbours import near
from engine.render import FORMATS
from engine.settings.groups import EXTENSIONS
from engine.terms import merged


def check_name(path: str, what: str) -> None:
    """See to it that a path can be kept in the ledger.

    Raises:
        CommandError: it is no text.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="backslashreplace").decode()
        raise CommandError(f"{shown}: the name is not valid UTF-8; please rename the {what}.") from None


def inspect(path: str) -> Source:
    """The file behind a path.

    Raises:
        CommandError: there is no readable file; one sentence saying what is there instead.
    """
    whole = os.path.abspath(os.path.expanduser(path))
    check_name(whole, "file")
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


def examine(add: Add) -> tuple[Source, str]:
    """The file that is to be queued, and its fingerprint; both may take a while on a slow disk.

    The fingerprint is empty for a file that changes meanwhile: what it will hold in the end is not known yet.

    Raises:
        CommandError: something speaks against it; one sentence saying what.
    """
    source = inspect(add.path)
    folder = add.options.out or str(Path(source.path).parent)
    check_name(folder, "folder")
    check_folder(folder)
    check_formats(add.options.formats)
    found = fingerprint(source.path)
    if inspect(add.path) == source:
        return source, found
    if add.is_found:
        raise CommandError(f"{source.path}: is still being written; it can be added once it is whole.", is_passing=True)
    return source, ""


def with_terms(add: Add, source: Source, written: Collection[str]) -> tuple[Add, tuple[str, ...]]:
    """The same with the terms that lie beside the file or near it, as far as they are wanted.

    Args:
        add: what was asked for.
        source: the file.
        written: the ``path_key`` of files that scribetui wrote.

    Returns:
        The command, and a sentence about each file of terms that could not be read.
    """
    media, options = Path(source.path), add.options
    beside = glossary.beside(media, EXTENSIONS) if options.terms_beside else glossary.Found(())
    around = near(media, written) if options.terms_near else ()
    terms = merged(options.terms, beside.terms, around)
    return msgspec.structs.replace(add, options=msgspec.structs.replace(options, terms=terms)), beside.problems


def check_formats(formats: tuple[str, ...]) -> None:
    """Look whether transcripts can be written in these formats.

    Raises:
        CommandError: one is not known, or there is none.
    """
    unknown = [each for each in formats if each not in FORMATS]
    if unknown or not formats:
        what = f'There is no format "{unknown[0][:20]}"' if unknown else "No format is named"
        raise CommandError(f"{what}; there are {', '.join(FORMATS)}.")


def check_folder(folder: str) -> None:
    """Look whether transcripts can go into a folder, before hours are spent on them; it need not exist yet.

    Raises:
        CommandError: they cannot; one sentence saying why.
    """
    try:
        nearest = next(each for each in (Path(folder), *Path(folder).parents) if each.exists())
    except OSError as error:
        raise CommandError(f"{folder}: no transcripts can go there ({error.strerror}).") from error
    if not nearest.is_dir():
        raise CommandError(f"{nearest}: is no folder, so no transcripts can go into {folder}; name another with --out.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise CommandError(f"{nearest}: you have no permission to write transcripts there; name a folder with --out.")
