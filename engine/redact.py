"""Keeps secrets out of whatever is kept: logs, events, the ledger, sentences for the user."""

import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

VARIABLES = re.compile(r"(TOKEN|SECRET|PASSWORD|API_?KEY)$", re.IGNORECASE)
"""How the names of environment variables end that hold a secret; HF_TOKEN and PYANNOTE_TOKEN among them."""
SHORTEST = 8
"""Characters that a secret has at least: what is shorter would take ordinary words out of sentences."""
HIDDEN = "[hidden]"

_FORMS = re.compile(
    r"\bhf_[A-Za-z0-9]{16,}"  # a token of the hub
    r"|(?<=Bearer )[^\s'\",]{8,}"  # one in a request's header, whoever issued it
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"  # user and password in an address
    r"|(?<=[?&])(?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|Signature|Policy|token)=[^&\s'\"]+",
    re.IGNORECASE,
)


def redacted(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text without the secrets that this process knows, and without what looks like one."""
    for secret in sorted(secrets(environment), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _FORMS.sub(HIDDEN, text)


def secrets(environment: Mapping[str, str] = os.environ) -> set[str]:
    """The secrets in the environment, and the token that a login to the hub has left."""
    found = {value.strip() for name, value in environment.items() if VARIABLES.search(name)}
    with contextlib.suppress(OSError, ValueError):  # there was no login
        found.add(token_file(environment).read_text().strip())
    return {each for each in found if len(each) >= SHORTEST}


def token_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the hub's client keeps the token of a login."""
    if path := environment.get("HF_TOKEN_PATH"):
        return Path(path).expanduser()
    if folder := environment.get("HF_HOME"):
        return Path(folder).expanduser() / "token"
    return Path(environment.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "huggingface" / "token"


class Redacting:
    """A text stream that hides secrets from what is written to it; for a worker's stdout and stderr."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text without its secrets; how many characters were taken in."""
        self._stream.write(redacted(text))
        return len(text)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
