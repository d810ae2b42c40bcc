"""Paths as people type, paste and drag them."""

import os
import re
from pathlib import Path

_ESCAPED = re.compile(r"\\(.)")


def typed_path(text: str) -> str:
    """The absolute path that was meant: quotes or backslashes of a dragged file taken off, ``~`` put in full.

    What exists as it was typed is never changed.
    """
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" and not os.path.lexists(text):
        text = text[1:-1]
    full = os.path.expanduser(text)
    if "\\" in full and not os.path.lexists(full):
        full = _ESCAPED.sub(r"\1", full)
    return os.path.abspath(full)


def completion(text: str) -> str | None:
    """The text completed to the first file or folder, by name, that begins so; None where there is none."""
    head, tail = os.path.split(text)
    if not tail:
        return None
    try:
        with os.scandir(Path(head or ".").expanduser()) as entries:
            found = [entry for entry in entries if entry.name.startswith(tail) and entry.name.isprintable()]
    except OSError:
        return None
    if not found:
        return None
    first = min(found, key=lambda entry: entry.name)
    return os.path.join(head, first.name) + (os.sep if first.is_dir() else "")
