"""The states of a job; each carries its own data."""

from typing import Literal

import msgspec

Rest = Literal["warm", "parked"]
"""What becomes of a paused job's model."""


class Queued(msgspec.Struct, frozen=True, tag=True):
    """Waiting for its turn."""


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """Left unfinished when the engine last ended, and not taken up again since then (Unix milliseconds).

    It goes on from where it was once it is resumed, or its file is added again.
    """

    since: int


class Running(msgspec.Struct, frozen=True, tag=True):
    """At work since then (Unix milliseconds)."""

    since: int


class Pausing(msgspec.Struct, frozen=True, tag=True):
    """Asked to pause; the batches under way are still being finished. ``how`` and ``reason`` as in ``Paused``."""

    since: int
    how: Rest = "warm"
    reason: str = ""


class Paused(msgspec.Struct, frozen=True, tag=True):
    """At rest until it is resumed.

    ``how`` says whether its model stays in memory (``warm``) or was given back (``parked``). A ``reason`` means that
    nobody asked for it: the job goes on by itself once the reason is gone.
    """

    since: int
    how: Rest = "warm"
    reason: str = ""


class Frozen(msgspec.Struct, frozen=True, tag=True):
    """Stopped at once in the middle of its batches; its workers keep their memory and take no processor time."""

    since: int


class Writing(msgspec.Struct, frozen=True, tag=True):
    """Everything is transcribed; the final files are being written."""

    since: int


class Done(msgspec.Struct, frozen=True, tag=True):
    """The final files are written; ``gaps`` milliseconds of speech could not be transcribed."""

    at: int
    gaps: int = 0


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Given up, and why, in one sentence."""

    at: int
    error: str


class Cancelled(msgspec.Struct, frozen=True, tag=True):
    """Given up by the user, or because the recording is shorter than was asked for."""

    at: int


JobState = Queued | Stopped | Running | Pausing | Paused | Frozen | Writing | Done | Failed | Cancelled
"""What a job can be."""

ENDED = (Done, Failed, Cancelled)
"""The states a job does not leave by itself."""
