"""What the host and its clients say to each other: tagged structs, one JSON line each, over the host's socket.

The client begins with ``Hello`` and is answered by ``Welcome`` or ``Refused``; these three never change, so that any
two versions can tell that they do not go together.
"""

import msgspec

from engine.commands import Command
from engine.events import Entry
from engine.view import View

PROTOCOL = 2
"""Raised with every change that the other side would not understand."""
MESSAGE_LIMIT = 2**20
"""Bytes of the longest message a client may send; a command is a few hundred."""
SNAPSHOT_LIMIT = 2**30
"""Bytes of the longest message from the host; a view of a thousand long films is some 100 MB."""

# ---- from the client


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Who is calling: the protocol and the version of the program."""

    protocol: int
    version: str


class Subscribe(msgspec.Struct, frozen=True, tag=True):
    """Send the view, and all news from now on."""


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Carry out a command, and say what came of it in an ``Answered`` with the same token."""

    token: int
    command: Command


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End the host: after the batches under way, or now."""

    token: int
    now: bool = False


FromClient = Hello | Subscribe | Ask | Stop

# ---- from the host


class Welcome(msgspec.Struct, frozen=True, tag=True):
    """The host talks to this client."""

    version: str
    pid: int
    is_ending: bool = False
    """Whether it takes no new work, since it ends after the batches under way."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """A message, or the client itself, is not accepted, and why, in one sentence."""

    reason: str


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """The view as it is now; what follows comes after it."""

    view: View


class Told(msgspec.Struct, frozen=True, tag=True):
    """An event."""

    entry: Entry


class Answered(msgspec.Struct, frozen=True, tag=True):
    """What came of a command: the number of the job it concerns, or why it cannot be done."""

    token: int
    job: int | None = None
    error: str | None = None
    is_known: bool = False
    """As in ``CommandError``."""
    is_passing: bool = False
    """As in ``CommandError``."""


class Goodbye(msgspec.Struct, frozen=True, tag=True):
    """The host ends, and why, in one sentence."""

    reason: str
    is_failure: bool = False
    """Whether it had to, since the work could not go on."""


FromHost = Welcome | Refused | Snapshot | Told | Answered | Goodbye


def line(message: FromClient | FromHost) -> bytes:
    """A message as it is sent."""
    return msgspec.json.encode(message) + b"\n"
