"""``scribetui status``: every job, from the ledger alone, whether or not an engine is at work."""

from contextlib import closing
from typing import Any

import msgspec

from engine.home import Home
from engine.ledger import Ledger
from engine.machine.stimuli import JobRecord
from engine.states import Cancelled, Done, Failed, Frozen, Paused, Pausing, Queued, Running, Writing
from engine.timeline import length, union
from tui.text import clock, name_of, pad, plain


def as_json(home: Home) -> str:
    """One JSON object: the jobs in the order of the queue, lengths in seconds."""
    holder = home.holder()
    data = {"engine": holder, "jobs": [_data(job, alive=holder is not None) for job in _jobs(home)]}
    return msgspec.json.encode(data).decode() + "\n"


def as_text(home: Home) -> str:
    """A line a job."""
    alive = home.holder() is not None
    rows = [_data(job, alive=alive) for job in _jobs(home)]
    if not rows:
        return "The queue is empty.\n"
    lines = [
        f"{row['job']:>4}  {pad(row['state'], 9)}  {row['fraction']:>4.0%}  "
        f"{clock(int((row['duration'] or 0) * 1000)):>8}  {name_of(row['path'])}"
        + (f"  ({plain(row['error'])})" if row["error"] else "")
        for row in rows
    ]
    return "\n".join([" job  state      done    length  file", *lines]) + "\n"


def _jobs(home: Home) -> list[JobRecord]:
    if not home.ledger.exists():
        return []
    with closing(Ledger(home.ledger, read_only=True)) as ledger:
        return [found for each in ledger.jobs() if (found := ledger.job(each.id)) is not None]


def _data(job: JobRecord, *, alive: bool) -> dict[str, Any]:
    progress = job.progress
    covered, gaps = length(union(progress.covered)), length(union(progress.gaps))
    whole = length(union(progress.windows))
    reached = progress.heard / progress.duration if progress.duration else 0.0
    fraction = (covered + gaps) / whole * min(1.0, reached) if whole else float(isinstance(job.state, Done))
    state = _STATES[type(job.state)]
    if not alive:
        state = {"running": "stopped", "writing": "stopped", "pausing": "paused", "frozen": "stopped"}.get(state, state)
    return {
        "job": job.id,
        "path": job.source.path,
        "state": state,
        "error": job.state.error if isinstance(job.state, Failed) else None,
        "fraction": 1.0 if isinstance(job.state, Done) else round(fraction, 4),
        "duration": None if progress.duration is None else progress.duration / 1000,
        "heard": progress.heard / 1000,
        "transcribed": covered / 1000,
        "gaps": [[gap.start / 1000, gap.end / 1000] for gap in union(progress.gaps)],
        "outputs": list(job.outputs),
    }


_STATES = {
    Queued: "queued",
    Running: "running",
    Pausing: "pausing",
    Paused: "paused",
    Frozen: "frozen",
    Writing: "writing",
    Done: "done",
    Failed: "failed",
    Cancelled: "cancelled",
}
