"""How soon the program answers: with 1,000 finished jobs and 100 hours of speech, and about one job of ten hours."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.processes import Outcome, run
from bench.programs import SCRIBETUI
from bench.report import Report, Row, megabytes, spread, tell
from engine import events as ev
from engine.commands import Options
from engine.events import Entry
from engine.home import Home
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.messages import Decoded, Heard, Probed, Track
from engine.states import Done, Queued, Running, Writing
from engine.timeline import Span
from engine.transcript import Segment, Word

ALLOWED, MOST = 1.0, 80
"""Seconds to the first view, and megabytes."""
JOBS, HOURS = 1_000, 100
FILM = 10
"""Hours of the one long job."""
WINDOW, SPEECH, HEARD, WORD = 25_000, 4_000, 30_000, 400
"""Milliseconds: of a window, a run of speech, a stretch listened to, a word."""
QUICKER = 10
"""How much quicker than the speech its transcription is."""
SAID = ("nobody", "in", "the", "house", "was", "looking", "out", "of", "its", "windows", "when", "somebody", "came")
START = """
import asyncio, sys
from engine.engine import Engine
from engine.home import Home

async def main():
    home = Home.find()
    with home.lock():
        async with Engine(home) as engine:
            view, _ = engine.subscribe()
            print(len(view.jobs), flush=True)
            await asyncio.sleep(1.5)
            print("idle", flush=True)

asyncio.run(main())
"""


def measure(report: Report, runs: int) -> None:
    """Build the ledger, start an engine over it and ask for the status, so many times."""
    with tempfile.TemporaryDirectory(prefix="scribetui-bench-") as folder:
        home = Home(Path(folder, "home"))
        home.create()
        began = time.monotonic()
        build(home.ledger, JOBS, HOURS)
        tell(f"scale: built in {time.monotonic() - began:.0f} s, {megabytes(home.ledger.stat().st_size)}")
        sizes = [home.ledger.stat().st_size]
        starts, statuses = _Runs([sys.executable, "-c", START], home), _Runs([SCRIBETUI, "status"], home)
        for number in range(runs):
            starts.go()
            assert int(starts.last.lines[0][1]) == JOBS, "the view does not hold every job"
            sizes.append(home.ledger.stat().st_size)
            statuses.go()
            assert len(statuses.last.lines) == JOBS + 2, "the status does not tell every job"
            tell(f"scale: run {number + 1} of {runs}: {starts.last.lines[0][0]:.2f} s, {statuses.last.seconds:.2f} s")
        many = f"{JOBS:,} jobs"
        _add(report, f"engine start to first view, {many}", [each.lines[0][0] for each in starts.timed], starts)
        _add(report, f"`scribetui status`, {many}", [each.seconds for each in statuses.timed], statuses)
        long = Home(Path(folder, "long"))
        long.create()
        build(long.ledger, 1, FILM)
        for command in ("report", "events"):
            told = _Runs([SCRIBETUI, command, "1"], long)
            for _ in range(runs):
                told.go()
                assert told.last.lines, "nothing is told"
            _add(report, f"`scribetui {command}`, a job of {FILM} hours", [each.seconds for each in told.timed], told)
        report.notes.append(
            f"Scale: a ledger of {JOBS:,} finished jobs and {HOURS} hours of speech ({megabytes(sizes[0])}, "
            f"{megabytes(sizes[-1])} after {runs} starts), built through the engine's own savers, dropped from the "
            "page cache before each start where the system lets us. Times are from just before the process is started; "
            "the engine's memory (PSS) is the highest until 1.5 s after its first view."
        )
        report.data["scale"] = {"sizes": sizes}


class _Runs:
    """Runs of one program over a home: each timed on its own, and then watched, which slows it down."""

    def __init__(self, command: list[str | Path], home: Home) -> None:
        self._command = command
        self._home = home
        self.timed: list[Outcome] = []
        self.peaks: list[float] = []
        """Megabytes."""

    @property
    def last(self) -> Outcome:
        return self.timed[-1]

    def go(self) -> None:
        environment = {"SCRIBETUI_HOME": str(self._home.path)}
        _forget(self._home.ledger)
        self.timed.append(run(self._command, environment=environment))
        peak = run(self._command, environment=environment, interval=0.01).peak
        assert peak is not None
        self.peaks.append(peak.total / 2**20)


def _add(report: Report, what: str, seconds: list[float], runs: _Runs) -> None:
    for unit, values, allowed in (("seconds", seconds, ALLOWED), ("MB", runs.peaks, MOST)):
        middle = statistics.median(values)
        report.rows.append(Row(f"{what}, {unit}", spread(values), asked=f"under {allowed:g}", met=middle < allowed))
    report.data[f"scale: {what}"] = {"seconds": seconds, "megabytes": runs.peaks}


def _forget(path: Path) -> None:
    """Have the system drop a file from its page cache."""
    if not hasattr(os, "posix_fadvise"):
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def build(path: Path, jobs: int, hours: float) -> None:
    """Make a ledger as an engine would have left it: so many finished jobs, so many hours of speech in all."""
    ledger = Ledger(path)
    at = time.time_ns() // 1_000_000 - jobs * 100_000
    seq, attempt = ledger.next_seq(), 0
    length = round(hours * 3_600_000 / jobs)
    for job in range(1, jobs + 1):
        with ledger.transaction():
            attempt += 1
            for saved in _saved(job, attempt, length, at):
                ledger.save(saved)
            for event in _told(job, attempt, length):
                at += 1 if not isinstance(event, ev.MemorySampled) else 1_000
                ledger.record(Entry(seq, at, event))
                seq += 1
    ledger.close()


def _spans(length: int, step: int) -> list[Span]:
    return [Span(start, min(start + step, length)) for start in range(0, length, step)]


def _segment(window: Span) -> Segment:
    starts = range(window.start, window.end, WORD)
    words = [
        Word(f" {SAID[n % len(SAID)]}", start, start + WORD - 20, round(0.5 + n % 47 / 100, 4))
        for n, start in enumerate(starts)
    ]
    return Segment(window.start, window.end, "".join(word.text for word in words), tuple(words))


def _saved(job: int, attempt: int, length: int, at: int) -> Iterator[do.Instruction]:
    options, windows = Options(), _spans(length, WINDOW)
    first = do.SaveJob(
        id=job,
        source=do.Source(f"/media/films of {job % 30 + 1990}/film number {job}.mkv", 10**9 + job, at * 10**6),
        options=options,
        state=Queued(),
        position=job - 1,
        outputs=(),
        worked_ms=0,
    )
    yield first
    yield do.SaveProbed(job, _probed(length))
    for stretch in _spans(length, HEARD):
        yield do.SaveHeard(
            job,
            Heard(
                span=stretch,
                speech=tuple(each for each in _spans(length, SPEECH) if stretch.start <= each.start < stretch.end),
                windows=tuple(each for each in windows if stretch.start <= each.start < stretch.end),
                checkpoint="c" * 2_000,
                last=stretch.end == length,
            ),
        )
    run_of = do.SaveAttempt(
        id=attempt, job=job, span=Span(0, length), windows=len(windows), recipe=options.recipe, began=at
    )
    yield run_of
    yield do.SaveDecoded(
        job, tuple((attempt, Decoded(span=window, segments=(_segment(window),))) for window in windows)
    )
    took = length // QUICKER
    yield do.SaveAttempt(
        id=attempt,
        job=job,
        span=Span(0, length),
        windows=len(windows),
        recipe=options.recipe,
        began=at,
        ended=at + took,
        outcome="done",
        peak=400 * 2**20 + job,
        slowest_ms=3_000,
    )
    yield do.SaveJob(
        id=job,
        source=first.source,
        options=options,
        state=Done(at + took),
        position=job - 1,
        outputs=tuple(f"/media/films of {job % 30 + 1990}/film number {job}.{each}" for each in options.formats),
        worked_ms=took,
    )


def _probed(length: int) -> Probed:
    return Probed(tracks=_TRACKS, chosen=0, container="matroska", duration=length, offset=0)


_TRACKS = (Track(index=0, codec="aac", rate=48_000, channels=2, language="en"),)


def _told(job: int, attempt: int, length: int) -> Iterator[ev.Event]:
    options, windows = Options(), _spans(length, WINDOW)
    yield ev.JobAdded(job=job, path=f"/media/film number {job}.mkv", size=10**9, options=options, state=Queued())
    yield ev.JobChanged(job, Running(1))
    yield ev.WorkerStarted(job=job, worker=job, stage="transcribe", model="tiny.en")
    yield ev.WorkerReady(job, 700)
    yield ev.JobProbed(job=job, tracks=_TRACKS, chosen=0, container="matroska", duration=length)
    for stretch in _spans(length, HEARD):
        yield ev.SpeechHeard(job=job, until=stretch.end, windows=(stretch,), last=stretch.end == length)
    span = Span(0, length)
    yield ev.ChunkStarted(job=job, attempt=attempt, span=span, windows=len(windows), recipe=options.recipe)
    samples = length // QUICKER // 1_000 // len(windows) + 1
    for window in windows:
        yield ev.BatchStarted(job=job, spans=(window,))
        text = _segment(window).text
        lines = tuple(ev.Line(window.start, window.end, text[at : at + 80]) for at in range(0, len(text), 80))
        yield ev.BatchDone(job=job, spans=(window,), lines=lines, took_ms=2_000)
        for _ in range(samples):
            yield ev.MemorySampled(tree=4 * 10**8, budget=10**9, available=10**9)
    yield ev.ChunkDone(job=job, attempt=attempt, span=span, took_ms=length // QUICKER)
    yield ev.WorkerEnded(job, "nothing to do")
    yield ev.JobChanged(job, Writing(1))
    yield ev.Written(
        job=job, partial=False, paths=tuple(f"/media/film number {job}.{each}" for each in options.formats)
    )
    yield ev.JobChanged(job, Done(2))
