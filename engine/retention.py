"""What the ledger lets go of in time, so that its file does not grow without end.

Jobs, their spans and their attempts stay until the job is removed, and so does its story: what was warned of, what
failed, what state it was in. Samples of the memory, and the events that only moved a bar on the screen, go after
``KEPT_MS``.
"""

import sqlite3

from engine.states import ENDED

KEPT_MS = 30 * 24 * 3_600_000
"""Thirty days."""
STEP = 10_000
"""Rows of each sort that go at a time: more than a day's work brings, and a few hundredths of a second."""

# The very words of the indices that find them, or SQLite does not use those.
_QUIET = "kind IN ('SpeechHeard','ChunkStarted','ChunkDone','BatchStarted','BatchDone','QueueOrdered')"
_ENDED = ",".join(f"'{state.__name__}'" for state in ENDED)


def prune(db: sqlite3.Connection, now: int) -> None:
    """Delete a bounded number of rows that are not needed any more, within a transaction.

    Args:
        db: the ledger's connection.
        now: Unix milliseconds.
    """
    before = now - KEPT_MS
    db.execute(
        "DELETE FROM memory WHERE at < ?1 AND seq IN (SELECT seq FROM memory ORDER BY seq LIMIT ?2)", (before, STEP)
    )
    db.execute(
        f"DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE {_QUIET} AND at < ?1 AND (job IS NULL OR job IN"
        f" (SELECT id FROM job WHERE json_valid(state) AND json_extract(state, '$.type') IN ({_ENDED}))) LIMIT ?2)",
        (before, STEP),
    )
    # Every sitting tells all jobs anew; only the first time tells something, and the last makes the view.
    db.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event AS again WHERE kind = 'JobAdded'"
        " AND seq < (SELECT max(seq) FROM event WHERE kind IN"
        " ('EngineStarted','WorkerStarted','WorkerReady','WorkerEnded') AND kind = 'EngineStarted')"
        " AND seq > (SELECT min(seq) FROM event AS first WHERE first.kind = 'JobAdded' AND first.job = again.job)"
        " LIMIT ?)",
        (STEP,),
    )
    # What came before the first event of the oldest job is of jobs that were removed. The last event of all stays,
    # because numbers go on from it.
    db.execute(
        "DELETE FROM event WHERE seq IN (SELECT seq FROM event WHERE seq <"
        " (SELECT coalesce(min((SELECT min(seq) FROM event WHERE event.job = job.id)),"
        " (SELECT max(seq) FROM event)) FROM job) ORDER BY seq LIMIT ?)",
        (STEP,),
    )
