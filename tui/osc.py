"""The clipboard of a terminal that may be at the other end of an SSH connection (OSC 52)."""

import os
from collections.abc import Mapping

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
