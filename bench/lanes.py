"""Where the time of a run goes, from its events: start-up, the lanes at work, the lanes idle, the end."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bench.programs import Ours
from bench.report import Report, tell


@dataclass(frozen=True)
class Course:
    """A run's course, in seconds from the start of the process; work and idleness in lane-seconds."""

    engine: float
    """The engine is up and the workers are being started."""
    listener: float
    """The listening worker is ready."""
    model: float
    """The model is loaded."""
    first_window: float
    """The first window is laid out."""
    heard: float
    """All is listened to."""
    first_batch: float
    """A lane begins its first batch."""
    first_text: float
    last_batch: float
    """The last batch is committed."""
    end: float
    lanes: int
    work: float
    """What the batches took in the worker, over all lanes."""
    idle: float
    """Lanes with nothing to do between the first batch and the last moment at which all were at work."""
    tail: float
    """Lanes with nothing to do after that."""


def course(run: Ours) -> Course:
    """The course of a run that went through."""
    began = run.outcome.began
    entries: list[tuple[float, dict[str, Any]]] = [(each["at"] / 1000 - began, each["event"]) for each in run.entries]
    workers = {event["worker"]: event["stage"] for _, event in entries if event["type"] == "WorkerStarted"}

    def first(kind: str, fits: Callable[[dict[str, Any]], object] = bool) -> float:
        return next(at for at, event in entries if event["type"] == kind and fits(event))

    # A batch's time as the worker took it, which the engine's own work does not blur.
    batches = [(at - event["took_ms"] / 1000, at) for at, event in entries if event["type"] == "BatchDone"]
    count = next(event["recipe"]["parallel"] for _, event in entries if event["type"] == "ChunkStarted")
    idle, tail = _idle(batches, count)
    return Course(
        engine=first("EngineStarted"),
        listener=first("WorkerReady", lambda event: workers[event["worker"]] == "listen"),
        model=first("WorkerReady", lambda event: workers[event["worker"]] == "transcribe"),
        first_window=first("SpeechHeard", lambda event: event["windows"]),
        heard=first("SpeechHeard", lambda event: event["last"]),
        first_batch=first("BatchStarted"),
        first_text=first("BatchDone"),
        last_batch=max(end for _, end in batches),
        end=run.outcome.seconds,
        lanes=count,
        work=sum(end - start for start, end in batches),
        idle=idle,
        tail=tail,
    )


def _idle(batches: list[tuple[float, float]], lanes: int) -> tuple[float, float]:
    """Lane-seconds without work while there was work for all, and after the last time that all worked."""
    changes = sorted([(start, 1) for start, _ in batches] + [(end, -1) for _, end in batches])
    idle = tail = 0.0
    at, busy = changes[0][0], 0
    for time, change in changes:
        tail += (lanes - busy) * (time - at)
        if busy == lanes:
            idle, tail = idle + tail, 0.0
        at, busy = time, busy + change
    return idle, tail


def describe(report: Report, run: Ours) -> None:
    """Tell the course of a run, and keep it with the figures."""
    found = course(run)
    tell(
        "  the last of scribetui's own runs, in seconds: " + ", ".join(f"{k} {v:.2f}" for k, v in asdict(found).items())
    )
    span = found.last_batch - found.first_batch
    report.notes.append(
        f"Where scribetui's time goes (one run of {found.end:.1f} s): {found.first_batch:.1f} s until the first batch "
        f"begins (engine up after {found.engine:.1f}, model loaded after {found.model:.1f}, first window after "
        f"{found.first_window:.1f}), {span:.1f} s of decoding on {found.lanes} lanes, idle for "
        f"{found.idle / found.lanes / span:.1%} of it between batches and {found.tail / found.lanes / span:.1%} at the "
        f"end, {found.end - found.last_batch:.1f} s from the last batch to the end."
    )
    report.data["course"] = asdict(found)
