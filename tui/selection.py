"""Which job is selected: the one that runs, until the user chooses another."""

from engine.view import JobView
from tui.status import is_at_work


def selected(
    jobs: tuple[JobView, ...], before: tuple[JobView, ...], chosen: int | None, *, follows: bool
) -> int | None:
    """The number of the job to select.

    Args:
        jobs: the queue as it is.
        before: the queue as it was when ``chosen`` was selected.
        chosen: the job that is selected.
        follows: whether the selection goes to the job that runs.
    """
    if not jobs:
        return None
    numbers = [job.id for job in jobs]
    if follows:
        running = next((job.id for job in jobs if is_at_work(job.state)), None)
        if running is not None:
            return running
    if chosen in numbers:
        return chosen
    place = next((n for n, job in enumerate(before) if job.id == chosen), 0)
    return numbers[min(place, len(numbers) - 1)]


def neighbour(jobs: tuple[JobView, ...], chosen: int | None, by: int) -> int | None:
    """The number of the job so many places on, or the last one in that direction."""
    numbers = [job.id for job in jobs]
    if not numbers:
        return None
    place = numbers.index(chosen) if chosen in numbers else 0
    return numbers[max(0, min(len(numbers) - 1, place + by))]
