"""The watchdog: a worker that shows no progress for far longer than its like has ever needed is ended."""

from collections.abc import Iterable

from engine.machine.core import Core
from engine.machine.holdings import Batch, Pace, Worker
from engine.recipe import FailureKind, ModelKey
from engine.timeline import Span

FACTOR = 3
"""How many times the slowest batch seen a batch may take."""
FLOOR_MS = 8_000
"""What it may take on top: eight signs of life."""
LISTENING_MS = 60_000
"""What a stretch of listening may take on top: the file may lie on a slow disk, or behind a network."""
LOADING_MS = 60_000
"""How long a worker that loads may be silent: imports of large libraries hold up all its threads."""
ANSWER_MS = 30_000
"""How long a worker may take to say what it dropped, or to end once its lanes are idle."""
ASLEEP_MS = 5_000
"""After a longer pause between two looks the whole machine, or the engine, was held up, and nobody is to blame."""
UNLIKE = 4
"""How many times slower the same model may be with other numbers."""
DOUBLINGS = 6
"""How often the patience may double where batch after batch takes too long: the machine may have become slow."""
LONGER = 3
"""How much longer a batch may take with a temperature, as several texts are sampled and loops go on to the end; or
while the recording's language is voted on, as other windows are heard first."""


def advance(core: Core, now: int) -> None:
    """Look at every worker."""
    before, core.looked_at = core.looked_at, now
    if before is not None and now - before > ASLEEP_MS:
        for worker in core.workers.values():
            if worker.frozen_at is None:
                core.excuse(worker, now - before)
    for worker in core.workers.values():
        if worker.frozen_at is None and worker.doom is None:
            _look(core, worker, now)


def _look(core: Core, worker: Worker, now: int) -> None:
    limit = core.policy.listen_limit_ms if worker.stage == "listen" else core.policy.transcribe_limit_ms
    silent = now - (worker.started_at if worker.heard_at is None else worker.heard_at)
    quiet = patience(core, worker, 1) if worker.is_ready else LOADING_MS
    if silent > quiet:
        _end(core, worker, f"gave no sign of life for {_seconds(silent)}")
    elif not worker.is_ready and now - worker.loading_since > limit:
        what = "did not get its model loaded" if worker.fetched < 0 else "got no more of its model downloaded"
        _end(core, worker, f"{what} within {_seconds(limit)}")
    elif _owes_an_answer(worker) and now - worker.asked_at > ANSWER_MS:
        _end(core, worker, f"did not answer for {_seconds(now - worker.asked_at)}")
    for batch in worker.batches:
        took = now - batch.since
        if took > _allowed(core, worker, batch, limit):
            _end(core, worker, f"made no progress for {_seconds(took)}; its like took {_usual(core, worker)} at most")
            for pace in _alike(core, worker).values():
                pace.hangs += 1
            return


def _owes_an_answer(worker: Worker) -> bool:
    is_unwanted = worker.job == 0  # its job was cancelled, and others may wait for it
    ends = worker.is_ending and (worker.stage == "listen" or not worker.batches)  # a listener can stop anywhere
    return worker.is_ready and (worker.is_dropping or ends or (is_unwanted and bool(worker.batches)))


def patience(core: Core, worker: Worker, windows: int) -> int:
    """How long a batch of so many windows may take, in milliseconds, by what earlier ones took."""
    pace = _pace(core, worker) or Pace()
    return round(FACTOR * pace.slowest_ms * max(1.0, windows / pace.windows)) + FLOOR_MS


def _allowed(core: Core, worker: Worker, batch: Batch, limit: int) -> int:
    pace = _pace(core, worker)
    if pace is None:
        return limit
    on_top = LISTENING_MS if worker.stage == "listen" else 0
    doublings = min(max(batch.hangs, pace.hangs), DOUBLINGS)
    return min(limit, (patience(core, worker, len(batch.spans)) + on_top) * batch.factor << doublings)


def begun(worker: Worker, spans: Iterable[Span], now: int, *, is_longer: bool = False, hangs: int = 0) -> None:
    """A lane took these spans."""
    worker.batches.append(Batch(frozenset(spans), now, LONGER if is_longer else 1, hangs))


def progressed(core: Core, worker: Worker, now: int) -> None:
    """Something came of the one batch that a listener is at."""
    for batch in worker.batches:
        learn(core, worker, now - batch.since, 1)
        batch.since = now


def finished(core: Core, worker: Worker, spans: Iterable[Span], now: int, *, learns: bool) -> None:
    """A lane is through with these spans."""
    mine = set(spans)
    for batch in [each for each in worker.batches if each.spans & mine]:
        worker.batches.remove(batch)
        if learns:
            learn(core, worker, now - batch.since, len(batch.spans))


def so_far(worker: Worker, spans: Iterable[Span], now: int) -> int:
    """For how long a lane has been at these spans, in milliseconds; frozen time not counted."""
    mine = set(spans)
    return max((now - batch.since for batch in worker.batches if batch.spans & mine), default=0)


def learn(core: Core, worker: Worker, took: int, windows: int) -> None:
    """A batch of so many windows took so many milliseconds."""
    core.paces.setdefault(_kind(worker), Pace()).saw(took, windows)
    for pace in _alike(core, worker).values():
        pace.hangs = 0


def _kind(worker: Worker) -> object:
    return worker.stage if worker.stage == "listen" else worker.key


def _pace(core: Core, worker: Worker) -> Pace | None:
    """What a worker's like has needed; where there was none, the slowest with the same model, made slower still."""
    kind = _kind(worker)
    alike = _alike(core, worker)
    if kind in alike or not isinstance(kind, ModelKey) or not alike:
        return alike.get(kind)
    times = ((key, pace.slowest_ms) for key, pace in alike.items() if isinstance(key, ModelKey))
    slowest = max(took if key.weights == kind.weights else took * UNLIKE for key, took in times)
    paces = alike.values()
    return Pace(slowest, min(pace.windows for pace in paces), max(pace.hangs for pace in paces))


def _alike(core: Core, worker: Worker) -> dict[object, Pace]:
    """What is known of workers of the same kind, and of those with the same model on the same device."""
    kind = _kind(worker)
    return {key: pace for key, pace in core.paces.items() if key == kind or _is_same_model(key, kind)}


def _is_same_model(one: object, other: object) -> bool:
    """Whether one tells about the other; what a processor needs says nothing about a card."""
    if not isinstance(one, ModelKey) or not isinstance(other, ModelKey):
        return False
    return (one.backend, one.model, one.device) == (other.backend, other.model, other.device)


def _usual(core: Core, worker: Worker) -> str:
    pace = _pace(core, worker)
    return "nothing known" if pace is None else _seconds(pace.slowest_ms)


def _end(core: Core, worker: Worker, what: str) -> None:
    core.kill(worker, FailureKind.HANG, f"The worker {what}, so it was ended.")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.0f} s"
