"""The real program for tests: started as a user starts it, watched from outside, its ledger read beside it."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from engine.events import BatchDone, BatchStarted, EngineStarted, Entry, Event, Progress
from engine.home import Home
from engine.ledger import Ledger, LedgerError
from engine.timeline import Span

ROOT = Path(__file__).parents[2]
SCRIBETUI = Path(sys.executable).with_name("scribetui")
PATIENCE = 90.0
"""Seconds after which anything the program does counts as never: generous, for a busy machine."""
FORMATS = ("srt", "vtt", "txt", "json")

to_entry = msgspec.json.Decoder(Entry).decode


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> object:
    """Look again and again until there is something; it."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        pause.wait(0.02)
    return found


@dataclass(frozen=True)
class Ended:
    """A run of the program that has ended."""

    status: int
    out: str
    err: str

    @property
    def entries(self) -> list[Entry]:
        """What ``--json`` said."""
        return [to_entry(line) for line in self.out.splitlines()]


class Sitting:
    """The program at work, with ``--json``, from its start to its end; its events are read as they come."""

    def __init__(self, process: "subprocess.Popen[bytes]", errors: Path) -> None:
        self.process = process
        self.entries: list[Entry] = []
        self._errors = errors
        self._lines = iter(process.stdout.readline, b"")

    def until(self, condition: Callable[[Event], bool]) -> Entry | None:
        """Read on until an event fits; None if the program ended before."""
        for line in self._lines:
            if not line.endswith(b"\n"):
                return None  # killed in the middle of a line
            entry = to_entry(line)
            self.entries.append(entry)
            if condition(entry.event):
                return entry
        return None

    def kill(self) -> None:
        """kill -9, and read what it had said before."""
        self.process.kill()
        self.read_rest()

    def read_rest(self) -> int:
        """Read to the end; the exit status."""
        self.until(lambda _: False)
        self.process.stdout.close()
        return self.process.wait(PATIENCE)

    @property
    def err(self) -> str:
        """What it has said on stderr."""
        return self._errors.read_text(encoding="utf-8")

    def said(self, kind: type) -> list:
        """Its events of one kind."""
        return [entry.event for entry in self.entries if isinstance(entry.event, kind)]


@dataclass
class Program:
    """The program over a home and an output folder of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    """What comes before the program's own name, to run it with fewer rights, for example."""
    started: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    _sittings: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Home:
        return Home(Path(self.environment.get("SCRIBETUI_HOME", self.folder / "home")))

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def env(self) -> dict[str, str]:
        """The environment it runs in: this one's, without what would change its output, or larger models."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCRIBETUI", "COLUMNS"))}
        ours = {"SCRIBETUI_HOME": str(self.home.path), "HF_HUB_CACHE": str(self.folder / "hub"), "NO_COLOR": "1"}
        return kept | ours | self.environment

    def __call__(self, *args: str | Path, timeout: float = PATIENCE, cwd: Path | None = None) -> Ended:
        """Run it to its end."""
        done = subprocess.run(
            [*self.command, str(SCRIBETUI), *map(str, args)],
            env=self.env,
            cwd=cwd or self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def run(self, *args: str | Path, **kwargs) -> Ended:
        """``scribetui run`` into the output folder, all in one process."""
        return self("run", "--foreground", *args, "--out", self.out, **kwargs)

    def hosted(self, *args: str | Path, **kwargs) -> Ended:
        """``scribetui run`` into the output folder, at the host."""
        return self("run", *args, "--out", self.out, **kwargs)

    def start(self, *args: str | Path, out: Path | None = None, foreground: bool = True) -> Sitting:
        """``scribetui run --json`` into the output folder; the test reads its events, and ends it."""
        self._sittings += 1
        errors = self.folder / f"stderr-{self._sittings}"
        with errors.open("wb") as file:
            where = ("--foreground",) if foreground else ()
            command = ("run", *where, *args, "--out", out or self.out, "--json")
            process = self.popen(*command, stdout=subprocess.PIPE, stderr=file)
        return Sitting(process, errors)

    def popen(self, *args: str | Path, **how) -> "subprocess.Popen[bytes]":
        """Start it, in a session of its own."""
        command = [*self.command, str(SCRIBETUI), *map(str, args)]
        how = {"stdin": subprocess.DEVNULL, "env": self.env} | how
        process = subprocess.Popen(command, cwd=self.folder, start_new_session=True, **how)
        self.started.append(process)
        return process

    def end(self) -> None:
        """Let nothing of it live on."""
        for process in self.started:
            process.kill()
            process.wait(PATIENCE)
            if process.stdout is not None:
                process.stdout.close()
        until(self._kill_all, "the end of all processes")

    def _kill_all(self) -> bool:
        """Kill whatever is left of it; whether that was nothing. A host may start a worker meanwhile."""
        left = self.processes()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not left

    # ---- its host

    def settle(self, **settings: str) -> None:
        """Write settings, each ``group_name="value as TOML"``."""
        self.home.create()
        lines = [f"{name.replace('_', '.', 1)} = {value}" for name, value in settings.items()]
        self.home.settings.write_text("\n".join(lines) + "\n")

    def host(self) -> psutil.Process:
        """The host of this home, which has to run."""
        pid = self.home.holder()
        assert pid, "no host is at work"
        return psutil.Process(pid)

    def standing(self) -> dict:
        """All that ``scribetui status --json`` tells."""
        done = self("status", "--json")
        assert done.status == 0, done
        return json.loads(done.out)

    def job(self, number: int) -> dict:
        """A job, as ``scribetui status --json`` tells it."""
        return next(row for row in self.status() if row["job"] == number)

    def until_job(self, number: int, *states: str) -> dict:
        """Wait until a job is in one of these states; the job."""

        def found() -> dict | None:
            row = self.job(number)
            return row if row["state"] in states else None

        return until(found, f"job {number} to be {' or '.join(states)}")

    # ---- what is left

    def processes(self) -> list[psutil.Process]:
        """Every living process that belongs to this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("SCRIBETUI_HOME") == str(self.home.path) and (
                    process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        """Every living worker of this home."""
        found = []
        for process in self.processes():
            try:
                if "engine.executors.worker" in process.cmdline():
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def is_gone(self) -> bool:
        """Whether none of its processes lives any more."""
        return not self.processes()

    def outputs(self) -> set[str]:
        """The names of all files in the output folder."""
        return {path.name for path in self.out.iterdir()} if self.out.exists() else set()

    def text(self, stem: str) -> str:
        """What it wrote of a recording, as text."""
        return (self.out / f"{stem}.txt").read_text(encoding="utf-8")

    def transcript(self, stem: str) -> dict:
        """What it wrote of a recording, as JSON."""
        return json.loads((self.out / f"{stem}.json").read_text(encoding="utf-8"))

    def status(self) -> list[dict]:
        """The jobs, as ``scribetui status --json`` tells them."""
        return self.standing()["jobs"]

    def check_nothing_left(self) -> None:
        """Prove that no process, no decoded audio, no partial or temporary file is left, and that the home is free."""
        until(self.is_gone, f"the end of {self.processes()}")
        assert self.home.holder() is None
        left = list(self.home.cache.iterdir()) if self.home.cache.exists() else []
        left += [path for path in self.folder.rglob("*") if ".partial" in path.name or path.name.endswith(".scribetui")]
        assert left == []

    # ---- the ledger

    def events(self, job: int | None = None) -> list[Entry]:
        """What the ledger tells of all sittings."""
        with closing(Ledger(self.home.ledger, read_only=True)) as ledger:
            return list(ledger.entries(job))

    def progress(self, job: int) -> Progress:
        """How far a job has come; nowhere while it is not there yet."""
        try:
            with closing(Ledger(self.home.ledger, read_only=True)) as ledger:
                found = ledger.job(job)
        except LedgerError:
            found = None  # it is being made at this moment
        return Progress() if found is None else found.progress

    def windows(self, job: int) -> tuple[Span, ...]:
        """Every window of a job."""
        return self.progress(job).windows

    def covered(self, job: int) -> tuple[Span, ...]:
        """The windows of a job that are committed."""
        return self.progress(job).covered

    def attempts(self, job: int) -> list[dict]:
        """Every attempt of a job."""
        with closing(Ledger(self.home.ledger, read_only=True)) as ledger:
            return ledger.attempts(job)

    def made_by(self, job: int) -> "Counter[int]":
        """How many windows each attempt of a job has committed."""
        query = "SELECT attempt, count(*) FROM span WHERE job=? AND stage='transcribe' GROUP BY attempt"
        with closing(sqlite3.connect(f"{self.home.ledger.as_uri()}?mode=ro", uri=True)) as database:
            return Counter(dict(database.execute(query, (job,)).fetchall()))


def spans_of(entries: Sequence[Entry], kind: type, job: int | None = None) -> "Counter[Span]":
    """How often each window was begun (``BatchStarted``), or committed (``BatchDone``)."""
    events = (entry.event for entry in entries if isinstance(entry.event, kind))
    return Counter(span for event in events if job in (None, event.job) for span in event.spans)


def sittings(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The events, sitting by sitting."""
    current: list[Entry] = []
    for entry in entries:
        if isinstance(entry.event, EngineStarted) and current:
            yield current
            current = []
        current.append(entry)
    if current:
        yield current


def check_each_window_once(program: Program, job: int) -> None:
    """Prove from the ledger that every window was decoded, and none twice."""
    entries, windows = program.events(job), program.windows(job)
    assert windows, "no speech was found"
    for kind in (BatchStarted, BatchDone):
        counts = spans_of(entries, kind)
        assert set(counts) == set(windows), f"{kind.__name__}: not the windows that were heard"
        assert set(counts.values()) == {1}, f"{kind.__name__}: {[span for span in counts if counts[span] > 1]} twice"
    assert program.covered(job) == windows
    made = program.made_by(job)
    for attempt in program.attempts(job):
        if attempt["outcome"] == "done":
            assert made[attempt["id"]] == attempt["windows"], attempt
        else:
            assert attempt["outcome"] == "stopped"
            assert made[attempt["id"]] < attempt["windows"], attempt


def children(pid: int) -> list[psutil.Process]:
    """The processes that a process has started and that live."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
