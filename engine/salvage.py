"""Copying what can be read of a damaged ledger into a new one.

SQLite keeps no checksums, so damage shows as pages that cannot be read: a table is read from both its ends up to
there. What was lost in between is known from the index of the spans, which lies on other pages. A job of which anything
is missing begins anew, rather than going on as if there had been silence.
"""

import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from engine.recipe import Recipe
from engine.states import ENDED, JobState, Queued
from engine.transcript import Segment

_TABLES = ("job", "listening", "attempt", "span", "event", "memory", "known")
UNREAD = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading raises where there is damage: the latter where SQLite's own message quotes what is torn."""
_ROWS = 500
"""Rows written at a time."""

_to_state: msgspec.json.Decoder[Any] = msgspec.json.Decoder(JobState)
_CONTENT = (
    ("SELECT job, recipe FROM attempt", msgspec.json.Decoder(Recipe)),
    ("SELECT job, data FROM span WHERE stage='transcribe'", msgspec.json.Decoder(tuple[Segment, ...])),
)
"""What a job's text depends on, and what it has to read as."""


class Saved(NamedTuple):
    """How many jobs were saved, and how many of those begin anew when they are next asked for."""

    jobs: int
    anew: int


def salvage(old: sqlite3.Connection, new: sqlite3.Connection) -> Saved:
    """Copy what can be read, within a transaction of the new ledger that does not look at foreign keys.

    Args:
        old: a connection to the damaged ledger, of any version.
        new: one to an empty ledger of this version.
    """
    old.text_factory = _text
    whole = {table: _copy(old, new, table) for table in _TABLES}
    _keep_numbers(new)
    broken = _broken(old, new, spans_whole=whole["span"])
    for table in ("listening", "attempt", "span", "event"):
        new.execute(f"DELETE FROM {table} WHERE job NOT IN (SELECT id FROM job)")
    # A job that was removed is remembered; one that was lost may be found and done again.
    new.execute("DELETE FROM known WHERE NOT removed AND job NOT IN (SELECT id FROM job)")
    jobs = [job for (job,) in new.execute("SELECT id FROM job")]
    for job in broken.intersection(jobs):
        _begin_anew(new, job)
    return Saved(len(jobs), len(broken.intersection(jobs)))


def _text(raw: bytes) -> str:
    """Text as it is; torn text with something behind it that no JSON ends with, so that it is seen to be torn."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode(errors="replace") + "\N{REPLACEMENT CHARACTER}"


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> bool:
    """Copy a table's rows from both its ends; whether that was all of them."""
    try:
        had = {row[1] for row in old.execute(f"PRAGMA table_info({table})")}
    except UNREAD:
        return False
    columns = [(row[1], row[2]) for row in new.execute(f"PRAGMA table_info({table})") if row[1] in had]
    if not columns:
        return False
    names = ",".join(f'"{name}"' for name, _ in columns)
    numbers = [place for place, (_, kind) in enumerate(columns, 1) if kind == "INTEGER"]
    scan = _Scan(old, f"SELECT rowid, {names} FROM {table} ORDER BY rowid")
    found = (row[1:] for row in scan.rows() if all(isinstance(row[place], int | None) for place in numbers))
    marks = ",".join("?" * len(columns))
    while rows := list(islice(found, _ROWS)):
        new.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", rows)
    return scan.is_whole


class _Scan:
    """Rows by a rising key, their first column, from both ends up to where they cannot be read."""

    def __init__(self, db: sqlite3.Connection, query: str) -> None:
        self._db = db
        self._query = query
        self.is_whole = False
        """Whether all rows were read, once they were."""
        self.first = 0
        self.last = sys.maxsize
        """The keys next to what could not be read."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Each row once."""
        with suppress(*UNREAD):
            for row in self._db.execute(self._query):
                if not isinstance(row[0], int) or row[0] < self.first:
                    break
                self.first = row[0]
                yield row
            else:
                self.is_whole = True
                return
        with suppress(*UNREAD):
            for row in self._db.execute(f"{self._query} DESC"):
                if not isinstance(row[0], int) or not self.first < row[0] <= self.last:
                    return
                self.last = row[0]
                yield row


def _keep_numbers(new: sqlite3.Connection) -> None:
    """Numbers that anything tells of are never used again, whether or not what had them was saved."""
    job = "SELECT max(coalesce(max(job), 0), (SELECT coalesce(max(id), 0) FROM job)) FROM {}".format
    jobs = max(new.execute(job(table)).fetchone()[0] for table in ("listening", "attempt", "span", "event", "known"))
    attempts = new.execute(
        "SELECT max((SELECT coalesce(max(id), 0) FROM attempt), (SELECT coalesce(max(attempt), 0) FROM span))"
    ).fetchone()[0]
    new.execute("DELETE FROM sqlite_sequence WHERE name IN ('job', 'attempt')")
    new.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('job', ?), ('attempt', ?)", (jobs, attempts))


def _broken(old: sqlite3.Connection, new: sqlite3.Connection, *, spans_whole: bool) -> set[int]:
    """The jobs of which spans, or what gives them their meaning, are missing."""
    query = (
        "SELECT job FROM span WHERE job NOT IN (SELECT job FROM listening)"
        " UNION SELECT job FROM span WHERE stage='transcribe'"
        "  AND (attempt IS NULL OR attempt NOT IN (SELECT id FROM attempt))"
        " UNION SELECT job FROM span WHERE stage IN ('transcribe', 'gap')"
        "  AND (job, start) NOT IN (SELECT job, start FROM span WHERE stage='listen')"
    )
    broken = {job for (job,) in new.execute(query)}
    for rows, decoder in _CONTENT:
        broken |= {job for job, data in new.execute(rows) if not _reads(decoder, data)}
    if spans_whole:
        return broken
    # The index has the stage and the start behind the job, so its rows count but do not tell which are missing.
    scan = _Scan(old, "SELECT job FROM span INDEXED BY sqlite_autoindex_span_1 ORDER BY job")
    counted = Counter(job for (job,) in scan.rows())
    saved = dict(new.execute("SELECT job, count(*) FROM span GROUP BY job"))
    for (job,) in new.execute("SELECT id FROM job"):
        is_unknown = not scan.is_whole and scan.first <= job <= scan.last
        if is_unknown or counted[job] != saved.get(job, 0):
            broken.add(job)
    return broken


def _reads(decoder: "msgspec.json.Decoder[Any]", data: object) -> bool:
    try:
        decoder.decode(data)  # type: ignore[arg-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError):
        return False
    return True


def _begin_anew(new: sqlite3.Connection, job: int) -> None:
    """Forget what was found; a job that has ended stays ended until it is asked for again."""
    for table in ("listening", "span", "attempt"):
        new.execute(f"DELETE FROM {table} WHERE job=?", (job,))
    (state,) = new.execute("SELECT state FROM job WHERE id=?", (job,)).fetchone()
    if _reads(_to_state, state) and not isinstance(_to_state.decode(state), ENDED):
        new.execute("UPDATE job SET state=? WHERE id=?", (msgspec.json.encode(Queued()).decode(), job))
