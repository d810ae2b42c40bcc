"""How each thing the machine wants saved goes into the ledger's tables: one function a kind."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from engine.machine import stimuli as do

_encode = msgspec.json.encode


def _save_job(db: sqlite3.Connection, job: do.SaveJob) -> None:
    source = job.source
    values = (
        source.path,
        source.size,
        source.mtime_ns,
        _encode(job.options).decode(),
        _encode(job.state).decode(),
        job.position,
        _encode(job.outputs).decode(),
        job.worked_ms,
        job.id,
    )
    done = db.execute(
        "UPDATE job SET path=?, size=?, mtime_ns=?, options=?, state=?, position=?, outputs=?, worked_ms=? WHERE id=?",
        values,
    )
    if not done.rowcount:
        db.execute(
            "INSERT INTO job (path, size, mtime_ns, options, state, position, outputs, worked_ms, id)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            values,
        )


def _forget_job(db: sqlite3.Connection, forget: do.ForgetJob) -> None:
    # Positions stay those in the queue: the others are not saved anew for this.
    db.execute("UPDATE job SET position=position-1 WHERE position>(SELECT position FROM job WHERE id=?)", (forget.job,))
    db.execute("DELETE FROM job WHERE id=?", (forget.job,))


def _save_probed(db: sqlite3.Connection, save: do.SaveProbed) -> None:
    db.execute("UPDATE job SET duration=coalesce(duration, ?) WHERE id=?", (save.probed.duration, save.job))
    db.execute(
        "INSERT INTO listening (job, probed) VALUES (?,?) ON CONFLICT (job) DO UPDATE SET probed=excluded.probed",
        (save.job, _encode(save.probed).decode()),
    )


def _save_heard(db: sqlite3.Connection, save: do.SaveHeard) -> None:
    heard = save.heard
    db.execute(
        "INSERT INTO listening (job, heard, done, checkpoint) VALUES (?,?,?,?)"
        " ON CONFLICT (job) DO UPDATE SET heard=excluded.heard, done=excluded.done, checkpoint=excluded.checkpoint",
        (save.job, heard.span.end, heard.last, heard.checkpoint),
    )
    db.executemany(
        "INSERT INTO span VALUES (?,'listen',?,?,NULL,NULL)",
        [(save.job, window.start, window.end) for window in heard.windows],
    )
    if heard.last:
        db.execute("UPDATE job SET duration=? WHERE id=?", (heard.span.end, save.job))


def _save_decoded(db: sqlite3.Connection, save: do.SaveDecoded) -> None:
    db.executemany(
        "INSERT INTO span VALUES (?,'transcribe',?,?,?,?)",
        [
            (save.job, each.span.start, each.span.end, attempt, _encode(each.segments).decode())
            for attempt, each in save.decoded
        ],
    )


def _save_gaps(db: sqlite3.Connection, save: do.SaveGaps) -> None:
    db.execute("DELETE FROM span WHERE job=? AND stage='gap'", (save.job,))
    db.executemany(
        "INSERT INTO span VALUES (?,'gap',?,?,NULL,NULL)", [(save.job, gap.start, gap.end) for gap in save.gaps]
    )


def _save_attempt(db: sqlite3.Connection, save: do.SaveAttempt) -> None:
    if save.ended is None:
        db.execute(
            'INSERT INTO attempt (id, job, stage, start, "end", windows, recipe, began) VALUES (?,?,?,?,?,?,?,?)',
            (
                save.id,
                save.job,
                "transcribe",
                save.span.start,
                save.span.end,
                save.windows,
                _encode(save.recipe).decode(),
                save.began,
            ),
        )
    else:
        db.execute(
            "UPDATE attempt SET began=?, ended=?, outcome=?, reason=? WHERE id=?",
            (save.began, save.ended, save.outcome, save.reason, save.id),
        )


SAVERS: dict[type[Any], Callable[[sqlite3.Connection, Any], None]] = {
    do.SaveJob: _save_job,
    do.ForgetJob: _forget_job,
    do.SaveProbed: _save_probed,
    do.SaveHeard: _save_heard,
    do.SaveDecoded: _save_decoded,
    do.SaveGaps: _save_gaps,
    do.SaveAttempt: _save_attempt,
}
"""What saves each kind of instruction, within a transaction."""
