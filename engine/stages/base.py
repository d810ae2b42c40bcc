"""The interface of a stage. A third party's stage needs this and an import path, nothing else."""

from collections.abc import Iterator
from typing import Protocol

from engine.messages import Finding, Work
from engine.recipe import Recipe


class StageError(Exception):
    """A stage's own failure: one clear sentence for the user."""


class UnusableInput(StageError):
    """The input is at fault, so that another try cannot help; one clear sentence for the user."""


class AudioLost(StageError):
    """The decoded audio is not on disk any more; it has to be made anew. One clear sentence for the user."""


class DiskFull(StageError):
    """There is no room on the disk; the work waits until there is. One clear sentence for the user."""


class Stage(Protocol):
    """Work that a worker process does for jobs, one batch of spans at a time.

    The constructor loads the model. ``run`` may be called from several threads at once when the recipe asks for
    parallel batches. A class for which that will not do says ``is_shareable = False``: then each lane has a process
    with a stage of its own, and so its own weights.
    """

    def __init__(self, recipe: Recipe) -> None: ...

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Do the work; each tuple yielded is committed as a whole, and the worker may be stopped after it.

        Raises:
            UnusableInput: the input cannot be worked on by anyone.
            DiskFull: there is no room to write; these spans come again once there is.
            AudioLost: the decoded audio is gone; these spans come again once it is made anew.
            MemoryError: the batch needs more memory than there is.
            Exception: anything else counts as this batch's failure.
        """
        ...
