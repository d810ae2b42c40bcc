"""Ledgers of earlier versions, as those versions wrote them; and how to have one as a file."""

import sqlite3
from pathlib import Path


def restore(version: int, path: Path) -> Path:
    """Make the ledger file that a version left.

    Each was written by the code of its time. ``v1.sql``: four jobs done, done with a gap, failed and paused, and a
    fifth one that was removed. ``v2.sql``: the same, the first with a doubtful text and speech that got no words, and
    a sixth one at work when the power was cut.
    """
    db = sqlite3.connect(path)
    db.executescript((Path(__file__).parent / f"v{version}.sql").read_text(encoding="utf-8"))
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    return path
