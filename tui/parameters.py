"""The next longer or shorter chunk, and the next larger or smaller batch."""

from engine.view import JobView

CHUNK_MS = (30_000, 1_800_000)
"""The shortest and the longest chunk the keys can ask for, in milliseconds."""
BATCH = (1, 32)
"""The smallest and the largest batch the keys can ask for, in windows."""


def longer(job: JobView) -> int | None:
    """Twice the job's chunk length, in milliseconds; None where it cannot be longer."""
    now = job.recipe.chunk_ms
    return _within(now * 2, CHUNK_MS) if 0 < now < CHUNK_MS[1] else None


def shorter(job: JobView) -> int | None:
    """Half the job's chunk length, in milliseconds; None where it cannot be shorter."""
    now = job.recipe.chunk_ms or max(job.duration or 0, job.heard) or CHUNK_MS[1] * 2
    return _within(now // 2, CHUNK_MS) if now > CHUNK_MS[0] or not job.recipe.chunk_ms else None


def larger(job: JobView) -> int | None:
    """Twice the job's batch; None where it cannot be larger."""
    now = job.recipe.batch
    return _within(now * 2, BATCH) if now < BATCH[1] else None


def smaller(job: JobView) -> int | None:
    """Half the job's batch; None where it cannot be smaller."""
    now = job.recipe.batch
    return _within(now // 2, BATCH) if now > BATCH[0] else None


def _within(value: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], value))
