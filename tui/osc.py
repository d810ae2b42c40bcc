"""What a terminal does for a program that may be at the other end of an SSH connection: clipboard and notices."""

import os
from collections.abc import Mapping
from typing import Literal

from tui.text import crop, plain

CLIPBOARD_BYTES = 74_994
"""What terminals accept at most in one OSC 52 sequence once it is base64, the limit that k9s found."""


def clipped(text: str) -> str:
    """The text, or so much of its end as fits into one OSC 52 sequence."""
    encoded = text.encode("utf-8", "replace")
    return encoded[-CLIPBOARD_BYTES:].decode("utf-8", "ignore")


def clipboard_hint(environment: Mapping[str, str] = os.environ) -> str | None:
    """What the user may have to set for copying to work in this terminal; None where nothing is known."""
    if environment.get("TMUX"):
        return "In tmux this needs: set -g set-clipboard on"
    if environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return "Terminal.app takes no text from programs; iTerm2, kitty and others do."
    return None


TITLE_CELLS = 80
"""How long a notice's title may be."""
BODY_CELLS = 240
"""How long a notice's text may be."""

_TERMS: tuple[tuple[str, Literal[9, 777]], ...] = (
    ("xterm-kitty", 9),
    ("xterm-ghostty", 777),
    ("ghostty", 777),
    ("wezterm", 777),
    ("foot", 777),
    ("rxvt-unicode", 777),
)
"""Terminals that show notices, by how TERM begins, which SSH hands on."""
_PROGRAMS: dict[str, Literal[9, 777]] = {
    "iTerm.app": 9,
    "iTerm2": 9,
    "ghostty": 777,
    "WezTerm": 777,
    "WarpTerminal": 777,
}
"""The same by TERM_PROGRAM, and by LC_TERMINAL, which SSH hands on."""
_TRACES: dict[str, Literal[9, 777]] = {
    "KITTY_WINDOW_ID": 9,
    "ITERM_SESSION_ID": 9,
    "GHOSTTY_RESOURCES_DIR": 777,
    "WEZTERM_PANE": 777,
}
"""Variables that only one terminal sets: within tmux, all there is to know it by."""


def notice(title: str, body: str, environment: Mapping[str, str] = os.environ) -> str:
    """What to write to this terminal so that the desktop shows a notice; empty where it is not known to show any.

    A terminal gets one of the two sequences, never both: OSC 777 with its own place for the title, or OSC 9. Within
    tmux it is wrapped so that tmux hands it on, which it does after ``set -g allow-passthrough on``.
    """
    kind = _notice_kind(environment)
    title, body = _part(title, TITLE_CELLS), _part(body, BODY_CELLS)
    if kind is None or not (title or body):
        return ""
    text = f"777;notify;{title};{body}" if kind == 777 else f"9;{': '.join(part for part in (title, body) if part)}"
    sequence = f"\x1b]{text}\a"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


def _notice_kind(environment: Mapping[str, str]) -> Literal[9, 777] | None:
    if environment.get("STY") and not environment.get("TMUX"):
        return None  # GNU screen keeps such sequences to itself
    term = environment.get("TERM", "")
    if term in ("", "dumb", "linux") or environment.get("TERM_PROGRAM") == "Apple_Terminal":
        return None
    for start, kind in _TERMS:
        if term == start or term.startswith(f"{start}-"):
            return kind
    for name in ("TERM_PROGRAM", "LC_TERMINAL"):
        if known := _PROGRAMS.get(environment.get(name, "")):
            return known
    return next((kind for name, kind in _TRACES.items() if environment.get(name)), None)


def _part(text: str, cells: int) -> str:
    """Text for within a sequence: no control characters, and no semicolons, which part its fields."""
    return crop(plain(" ".join(text.split())).replace(";", ","), cells)
