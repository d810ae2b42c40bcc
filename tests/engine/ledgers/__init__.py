"""Ledgers of earlier versions, as those versions wrote them; and how to have one as a file."""

import sqlite3
from pathlib import Path


def restore(version: int, path: Path) -> Path:
    """Make the ledger file that a version left.

    ``v1.sql`` was written by version 0.1 itself: four jobs done, done with a gap, failed and paused, and a fifth one
    that was removed.
    """
    db = sqlite3.connect(path)
    db.executescript((Path(__file__).parent / f"v{version}.sql").read_text(encoding="utf-8"))
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    return path
