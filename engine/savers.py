"""How each thing the machine wants saved goes into the ledger's tables: one function a kind."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from engine.machine import stimuli as do
from engine.messages import Correction
from engine.timeline import Span
from engine.transcript import text_of

_encode = msgspec.json.encode


class Flaws(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is doubtful about a window's text, or was put right in it; the fields are those of ``Decoded``."""

    doubt: str = ""
    unheard: tuple[Span, ...] = ()
    recovered: tuple[Span, ...] = ()
    corrections: tuple[Correction, ...] = ()
    unaligned: str = ""
    """Of an aligned window: why words kept the recogniser's times."""


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


def _save_known(db: sqlite3.Connection, save: do.SaveKnown) -> None:
    db.execute(
        "INSERT INTO known (fingerprint, path, job, at) VALUES (?,?,?,?) ON CONFLICT (fingerprint, path)"
        " DO UPDATE SET job=excluded.job, at=excluded.at, removed=0",
        (save.fingerprint, save.path, save.job, save.at),
    )


def _forget_job(db: sqlite3.Connection, forget: do.ForgetJob) -> None:
    # Positions stay those in the queue: the others are not saved anew for this.
    db.execute("UPDATE job SET position=position-1 WHERE position>(SELECT position FROM job WHERE id=?)", (forget.job,))
    db.execute("UPDATE known SET removed=1 WHERE job=?", (forget.job,))
    db.execute("DELETE FROM event WHERE job=?", (forget.job,))
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
        "INSERT INTO span (job, stage, start, \"end\") VALUES (?,'listen',?,?)",
        [(save.job, window.start, window.end) for window in heard.windows],
    )
    # Speech is what a listener says it is: two runs of it that begin together are one.
    db.executemany(
        "INSERT INTO span (job, stage, start, \"end\") VALUES (?,'speech',?,?)"
        ' ON CONFLICT DO UPDATE SET "end"=max("end", excluded."end")',
        [(save.job, speech.start, speech.end) for speech in heard.speech if speech.end > speech.start],
    )
    if heard.last:
        db.execute("UPDATE job SET duration=? WHERE id=?", (heard.span.end, save.job))


def _save_decoded(db: sqlite3.Connection, save: do.SaveDecoded) -> None:
    rows = []
    for attempt, each in save.decoded:
        flaws = Flaws(doubt=each.doubt, unheard=each.unheard, recovered=each.recovered, corrections=each.corrections)
        data = _encode(each.segments).decode()
        rows.append((save.job, each.span.start, each.span.end, attempt, data, _told(flaws)))
    db.executemany(
        "INSERT INTO span (job, stage, start, \"end\", attempt, data, flaws) VALUES (?,'transcribe',?,?,?,?,?)", rows
    )
    # That a window has no words is asked for without touching any text.
    db.executemany(
        "INSERT INTO span (job, stage, start, \"end\") VALUES (?,'wordless',?,?)",
        [(save.job, each.span.start, each.span.end) for _, each in save.decoded if not text_of(each.segments)],
    )


def _told(flaws: Flaws) -> str | None:
    return None if flaws == Flaws() else _encode(flaws).decode()


def _save_spoken(db: sqlite3.Connection, save: do.SaveSpoken) -> None:
    """The vote is kept as a span of its own kind, from the first to the last window that was heard for it."""
    start, end = (save.samples[0].start, save.samples[-1].end) if save.samples else (0, 1)
    db.execute("DELETE FROM span WHERE job=? AND stage='language'", (save.job,))
    db.execute(
        "INSERT INTO span (job, stage, start, \"end\", data) VALUES (?,'language',?,?,?)",
        (save.job, start, end, _encode(save.spoken).decode()),
    )


def _save_aligned(db: sqlite3.Connection, save: do.SaveAligned) -> None:
    db.executemany(
        "INSERT INTO span (job, stage, start, \"end\", data, flaws) VALUES (?,'align',?,?,?,?)",
        [
            (
                save.job,
                each.span.start,
                each.span.end,
                _encode(each.segments).decode() if each.segments else None,
                _told(Flaws(unaligned=each.reason)),
            )
            for each in save.aligned
        ],
    )


def _forget_aligned(db: sqlite3.Connection, forget: do.ForgetAligned) -> None:
    db.execute("DELETE FROM span WHERE job=? AND stage='align'", (forget.job,))


def _save_gaps(db: sqlite3.Connection, save: do.SaveGaps) -> None:
    db.execute("DELETE FROM span WHERE job=? AND stage='gap'", (save.job,))
    db.executemany(
        "INSERT INTO span (job, stage, start, \"end\") VALUES (?,'gap',?,?)",
        [(save.job, gap.start, gap.end) for gap in save.gaps],
    )


def _save_attempt(db: sqlite3.Connection, save: do.SaveAttempt) -> None:
    if save.ended is None:
        db.execute(
            'INSERT INTO attempt (id, job, stage, start, "end", windows, recipe, began) VALUES (?,?,?,?,?,?,?,?)',
            (
                save.id,
                save.job,
                save.stage,
                save.span.start,
                save.span.end,
                save.windows,
                _encode(save.recipe).decode(),
                save.began,
            ),
        )
    else:
        db.execute(
            "UPDATE attempt SET began=?, ended=?, outcome=?, reason=?, peak=?, slowest_ms=? WHERE id=?",
            (save.began, save.ended, save.outcome, save.reason, save.peak, save.slowest_ms, save.id),
        )


SAVERS: dict[type[Any], Callable[[sqlite3.Connection, Any], None]] = {
    do.SaveJob: _save_job,
    do.SaveKnown: _save_known,
    do.ForgetJob: _forget_job,
    do.SaveProbed: _save_probed,
    do.SaveHeard: _save_heard,
    do.SaveDecoded: _save_decoded,
    do.SaveSpoken: _save_spoken,
    do.SaveAligned: _save_aligned,
    do.ForgetAligned: _forget_aligned,
    do.SaveGaps: _save_gaps,
    do.SaveAttempt: _save_attempt,
}
"""What saves each kind of instruction, within a transaction."""
