"""Power cuts: host, workers and clients are gone at one moment; the queue and all committed work are there afterwards.

What a client had been told before the cut is the witness: that has to be in the ledger.
"""

import contextlib
import random
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from engine import events as ev
from engine.commands import Command, Move, Options, Pause, Set
from engine.ledger import Ledger
from engine.states import ENDED, Frozen, JobState, Paused, Pausing
from engine.timeline import Span
from engine.view import JobView
from tests.e2e.kills import check_story, cut_power, is_writing, of_kind
from tests.e2e.program import PATIENCE, Program, spans_of, until
from tests.e2e.witness import Witness
from tests.voices import Speech

CUTS = 30
WHILE_QUEUEING = 5
"""Cuts of these that come before all five are queued."""
SEED = 4
PIECES = {"a": 1, "b": 5, "c": 6, "d": 6, "e": 6}
"""The recordings, and of how many sentences each is."""
ORDERS = (
    (("a", "b", "c"), ("--batch", "1")),
    (("d", "e"), ("--batch", "1", "--chunk", "30", "--formats", "txt,json")),
)
"""Which are queued together, and how they are to be done."""
HELD = 5
"""A job that rests while there is another one to do."""

PHASES: dict[str, tuple[Callable[[ev.Event], bool] | None, int, float]] = {
    # The phase: what has to happen, up to how often, and up to how many seconds later the power fails.
    "queueing": (None, 2, 0.02),
    "start-up": (None, 1, 1.2),
    "listening": (of_kind(ev.WorkerStarted, ev.JobProbed, ev.SpeechHeard), 4, 0.05),
    "loading": (of_kind(ev.WorkerStarted, ev.WorkerReady), 2, 0.2),
    "transcribing": (of_kind(ev.BatchStarted), 2, 0.3),
    "committing": (of_kind(ev.BatchDone), 2, 0.02),
    "commanding": (None, 1, 0.004),
    "writing": (is_writing, 1, 0.04),
    "at rest": (None, 1, 0.1),
}
EARLY = ("listening", "loading")
"""Phases that are over once anything is committed."""


class Queue(NamedTuple):
    """The jobs in their order, how each is to be done, and which of them the user has paused."""

    order: tuple[int, ...] = ()
    options: Mapping[int, Options] = {}
    held: frozenset[int] = frozenset()

    @classmethod
    def kept(cls, program: Program) -> "Queue":
        """The queue as the ledger has it."""
        if not program.home.ledger.exists():
            return cls()
        with closing(Ledger(program.home.ledger, read_only=True)) as ledger:
            records = ledger.jobs()
        held = frozenset(each.id for each in records if is_held(each.state))
        return cls(tuple(each.id for each in records), {each.id: each.options for each in records}, held)

    def after(self, command: Command) -> "Queue":
        """The queue once a command is carried out."""
        match command:
            case Pause(job=job):
                return self._replace(held=self.held | {job})
            case Move(job=job, by=by):
                order = [each for each in self.order if each != job]
                order.insert(max(0, min(len(order), self.order.index(job) + by)), job)
                return self._replace(order=tuple(order))
            case Set(job=job, chunk_ms=chunk_ms):
                recipe = msgspec.structs.replace(self.options[job].recipe, chunk_ms=chunk_ms)
                options = msgspec.structs.replace(self.options[job], recipe=recipe, chunking="always")
                return self._replace(options={**self.options, job: options})
        raise AssertionError(command)


def is_held(state: JobState) -> bool:
    """Whether the user has paused a job in that state, one way or another."""
    return isinstance(state, Paused | Pausing | Frozen)


@dataclass
class PowerCuts:
    """Starts the program again and again, cuts the power each time, and looks at what is left."""

    program: Program
    random: random.Random
    done: "Counter[str]" = field(default_factory=Counter)
    starts: "Counter[str]" = field(default_factory=Counter)
    queue: Queue = field(default_factory=Queue)
    committed: dict[int, set[Span]] = field(default_factory=dict)

    # ---- before all are queued

    def queueing(self) -> None:
        """Queue the files, in vain."""
        before = self.queue
        files, options = self.random.choice(ORDERS)
        process = self._queue(files, options)
        witness = self._witness(process)
        _, most, longest = PHASES["queueing"]
        while len(witness.view.jobs) < len(before.order) + self.random.randint(0, most) and process.poll() is None:
            witness.listen(0.01)
        witness.listen(self.random.uniform(0, longest))
        cut_power(self.program)
        witness.close()
        self.done["queueing"] += 1
        self._check_queue_grew(before, witness)
        self._check_work(witness)

    def queue_all(self) -> None:
        """Queue all five, whatever is queued of them already."""
        before = self.queue
        for files, options in ORDERS:
            starter = self._queue(files, options)
            assert starter.wait(PATIENCE) == 0
        witness = self._witness(starter)
        assert len(witness.view.jobs) == len(PIECES)
        assert witness.answer(Pause(HELD, "park")).error is None
        cut_power(self.program)
        witness.close()
        self.done["queueing"] += 1
        self._check_queue_grew(before, witness)
        assert self.queue.held == {HELD}
        self._check_work(witness)

    def _queue(self, files: tuple[str, ...], options: tuple[str, ...]) -> "subprocess.Popen[bytes]":
        paths = [self.program.folder / f"{name}.wav" for name in files]
        return self._popen("run", "--detach", *paths, "--out", self.program.out, *options)

    def _check_queue_grew(self, before: Queue, witness: Witness) -> None:
        self.queue = Queue.kept(self.program)
        assert self.queue.order[: len(before.order)] == before.order
        for job in witness.view.jobs:
            assert self.queue.options[job.id] == job.options, "what was queued is lost, or is to be done otherwise"

    # ---- then

    def sitting(self) -> None:
        """Start the program one way or another, wait for a moment, cut the power, and look."""
        before = self.queue
        kind = self._kind()
        self.starts[kind] += 1
        self.program.settle(host_go_on='"always"' if kind == "always" else '"ask"')
        starter = self._popen("host") if kind == "always" else self._popen("resume", "--all")
        if self.random.random() < 0.3:
            self._popen("events", self.random.choice(before.order), "--follow", "--json")
        phase = self._phase()
        if phase == "start-up":
            with contextlib.suppress(subprocess.TimeoutExpired):
                starter.wait(self.random.uniform(0, PHASES[phase][2]))
            cut_power(self.program)
            self.done[phase] += 1
            self._check(before, Queue.kept(self.program), kind, None)
            self._check_work(None)
            return
        witness = self._witness(starter)
        assert tuple(job.id for job in witness.view.jobs) == before.order
        assert {job.id: job.options for job in witness.view.jobs} == before.options
        held = {job.id for job in witness.view.jobs if is_held(job.state)}
        assert held == before.held or (kind == "resume" and held < before.held)
        if kind == "resume":
            while starter.poll() is None:
                witness.listen(0.01)
            assert starter.returncode == 0
            before = before._replace(held=frozenset())
            if any(job.id != HELD for job in self._to_do(witness)):
                assert witness.answer(Pause(HELD)).error is None
                before = before.after(Pause(HELD))
        self._wait(phase, witness, before)

    def _wait(self, phase: str, witness: Witness, before: Queue) -> None:
        """Wait for a moment of that phase, and cut the power."""
        condition, most, longest = PHASES[phase]
        command, token = None, 0
        if phase == "commanding":
            command = self._command(self._to_do(witness), before)
            token = witness.ask(command)
        elif condition is not None:
            is_late = of_kind(ev.BatchDone) if phase in EARLY else of_kind()
            for _ in range(self.random.randint(1, most)):
                came = witness.until(lambda event: condition(event) or is_late(event))
                if came is None or is_late(came):
                    phase = "at rest" if came is None else "committing"
                    break
        witness.listen(self.random.uniform(0, longest))
        cut_power(self.program)
        witness.close()
        self.done[phase] += 1
        if command is not None and token in witness.answers and witness.answers[token].error is None:
            before, command = before.after(command), None
        self._check(before, Queue.kept(self.program), "", command)
        self._check_work(witness)

    def _kind(self) -> str:
        to_do = set(self.queue.order) - self._ended()
        if not to_do:
            return "always"
        return self.random.choice(("always", "resume")) if to_do - self.queue.held else "resume"

    def _phase(self) -> str:
        """A moment that is still to come, and soon."""
        ended = self._ended()
        if len(ended) == len(PIECES):
            return "at rest"
        first = next((job for job in self.queue.order if job not in ended | self.queue.held), HELD)
        progress = self.program.progress(first)
        left = sum(PIECES.values()) - sum(map(len, self.committed.values()))
        here = len(progress.windows) - len(progress.covered)
        is_work_left = left > (CUTS - self.done.total()) // 2 and (here or not progress.heard_all)
        phases = [
            *(["listening"] if not progress.heard_all else ["writing"] if here <= 3 else []),
            *(["committing", "transcribing"] if is_work_left else []),
            *("loading", "commanding", "start-up"),
        ]
        # What was never hit comes first, and what was rare is drawn rather.
        missing = [phase for phase in phases if not self.done[phase]]
        if missing:
            return missing[0]
        return self.random.choices(phases, [1 / self.done[phase] ** 2 for phase in phases])[0]

    def _command(self, to_do: list[JobView], queue: Queue) -> Command:
        job = self.random.choice(to_do).id
        match self.random.randrange(3):
            case 0:
                return Move(job, self.random.choice((-2, -1, 1, 2)))
            case 1:
                return Set(job=job, chunk_ms=1000 * self.random.randint(30, 300))
            case _:
                return Pause(job, self.random.choice(("pause", "park", "freeze")))

    def _to_do(self, witness: Witness) -> list[JobView]:
        return [job for job in witness.view.jobs if not isinstance(job.state, ENDED)]

    def _ended(self) -> set[int]:
        with closing(Ledger(self.program.home.ledger, read_only=True)) as ledger:
            return {each.id for each in ledger.jobs() if isinstance(each.state, ENDED)}

    def _popen(self, *args: object) -> "subprocess.Popen[bytes]":
        with (self.program.folder / "stderr").open("ab") as errors:
            return self.program.popen(*map(str, args), stdout=subprocess.DEVNULL, stderr=errors)

    def _witness(self, starter: "subprocess.Popen[bytes]") -> Witness:
        """A witness of the host that somebody starts."""

        def failed() -> str:
            return "" if starter.poll() in (None, 0) else (self.program.folder / "stderr").read_text()

        return Witness(self.program, failed)

    # ---- what must hold

    def _check(self, before: Queue, now: Queue, kind: str, unanswered: Command | None) -> None:
        """Prove that the queue is what it was, with all that was asked for and answered."""
        may_be = [before, *([before.after(unanswered)] if unanswered is not None else [])]
        ended = self._ended()
        assert now.order in [each.order for each in may_be]
        assert now.options in [each.options for each in may_be]
        held = [each.held - ended for each in may_be]
        if kind == "resume":  # it was cut off, before or after
            assert now.held <= before.held
        else:
            assert now.held in held
        self.queue = now

    def _check_work(self, witness: Witness | None) -> None:
        """Prove that what was committed is there and not begun again, and no more is lost than was under way."""
        for job in self.queue.order:
            before, now = self.committed.get(job, set()), set(self.program.covered(job))
            assert before <= now, "committed windows are gone"
            self.committed[job] = now
            if witness is None:
                continue
            begun, done = (set(spans_of(witness.entries, kind, job)) for kind in (ev.BatchStarted, ev.BatchDone))
            assert not begun & before, "committed windows were begun again"
            assert done <= now, "told as done before it was committed"
            recipe = self.queue.options[job].recipe
            assert len(begun - now) <= recipe.parallel * recipe.batch, "lost more than the batches under way"


def cut_into_pieces(speech: Speech) -> Iterator[tuple[str, Speech]]:
    """The recordings: one after the other out of a longer one, each with a pause before and after its sentences."""
    first = 0
    for name, sentences in PIECES.items():
        spans = speech.spans[first : first + sentences]
        start, end = spans[0].start - 1_500, spans[-1].end + 1_500
        samples = speech.samples[start * 16 : end * 16]
        yield name, Speech(speech.voice, samples, speech.sentences[first : first + sentences], spans)
        first += sentences


@pytest.fixture(scope="module")
def pieces(apart: Speech) -> dict[str, Speech]:
    """The five recordings."""
    return dict(cut_into_pieces(apart))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, pieces: dict[str, Speech]) -> Program:
    """The program that has done all five with nothing going wrong."""
    program = Program(tmp_path_factory.mktemp("calm"))
    for names, options in ORDERS:
        done = program.run(*(pieces[name].save(program.folder / f"{name}.wav") for name in names), *options)
        assert done.status == 0, done.err
    return program


def check_files(program: Program, calm: Program, name: str) -> None:
    """Prove that a recording's files say the same, to the last byte where they hold nothing but the text."""
    for ending in {"srt", "vtt", "txt"} & set(endings(calm, name)):
        assert (program.out / f"{name}.{ending}").read_bytes() == (calm.out / f"{name}.{ending}").read_bytes()
    ours, theirs = program.transcript(name), calm.transcript(name)
    told = ("language", "complete", "word_segments", "gaps", "doubtful", "unheard", "warnings")
    assert {key: ours[key] for key in told} == {key: theirs[key] for key in told}
    assert [each["text"] for each in ours["segments"]] == [each["text"] for each in theirs["segments"]]


def endings(program: Program, name: str) -> list[str]:
    """The formats a recording was written in."""
    return sorted(path.suffix[1:] for path in program.out.glob(f"{name}.*"))


@pytest.mark.timeout(600)
def test_thirty_power_cuts_lose_nothing_that_was_queued_or_committed(program, calm, pieces):
    """In every phase, and started again in two ways: queue, order, options, pauses stay; no window is done twice."""
    for name, piece in pieces.items():
        piece.save(program.folder / f"{name}.wav")
    program.settle(host_go_on='"ask"')
    cuts = PowerCuts(program, random.Random(SEED))
    while cuts.done.total() < WHILE_QUEUEING - 1:
        cuts.queueing()
    cuts.queue_all()
    while cuts.done.total() < CUTS:
        cuts.sitting()
    assert set(PHASES) <= {*cuts.done, "at rest"}, f"not every phase was hit: {cuts.done}"
    assert set(cuts.starts) == {"always", "resume"}

    assert program("resume", "--all").status == 0
    until(lambda: {row["state"] for row in program.status()} == {"done"}, "the end of all five")
    assert [row["job"] for row in program.status()] == list(cuts.queue.order)
    assert program("stop").status == 0
    for row in program.status():
        name = Path(row["path"]).stem
        assert program.windows(row["job"]), name
        check_story(program, row["job"], ("done", "lost", "stopped"))
        check_files(program, calm, name)
    assert program.outputs() == calm.outputs()
    program.check_nothing_left()
