"""A world for the machine: workers, a ledger and a disk that exist only as data, moved by a seeded random."""

import random
from collections import Counter, deque
from dataclasses import dataclass, field

from engine import commands as cmd
from engine import events
from engine import messages as msg
from engine.events import Entry, Event, Progress, WorkerStarted
from engine.machine import Machine
from engine.machine import stimuli as do
from engine.recipe import FailureKind, Policy, Recipe
from engine.states import ENDED, Done, Failed, Frozen, JobState, Paused, Stopped
from engine.timeline import Span
from engine.transcript import Segment

WINDOW = 10_000
POLICY = Policy(retries=2, retry_delay_ms=500, partial_every_ms=2_000, keep_warm_ms=5_000)


@dataclass
class FakeWorker:
    """What a real worker process does, one step at a time."""

    load: msg.Load
    ready: bool = False
    queue: deque[tuple[msg.Work, Span]] = field(default_factory=deque)
    lanes: list[tuple[msg.Work, list[Span]]] = field(default_factory=list)
    drops: int = 0
    allowed: int = 99
    released: bool = False
    frozen: bool = False
    hung: bool = False
    """Whether it does nothing any more and says nothing; it must be found out and killed."""
    killed: bool = False

    @property
    def listens(self) -> bool:
        return "listen" in self.load.stage

    @property
    def aligns(self) -> bool:
        return "align" in self.load.stage


@dataclass
class Book:
    """One job in the ledger."""

    source: do.Source
    options: cmd.Options
    state: JobState
    position: int
    outputs: tuple[str, ...] = ()
    heard: int = 0
    done: bool = False
    windows: list[Span] = field(default_factory=list)
    decoded: dict[Span, int] = field(default_factory=dict)
    gaps: tuple[Span, ...] = ()
    speech: list[Span] = field(default_factory=list)
    wordless: set[Span] = field(default_factory=set)
    aligned: dict[Span, str] = field(default_factory=dict)
    """Windows that the align stage is through with, each with why words keep their times."""
    language: str | None = None

    @property
    def is_long_enough(self) -> bool:
        """Whether something may be transcribed of it, as far as it was heard; one that is cut off may."""
        is_cut_off = any(gap.start >= self.heard for gap in self.gaps)
        return self.heard >= self.options.min_duration_ms or is_cut_off or bool(self.decoded)

    def progress(self) -> Progress:
        return Progress(
            heard=self.heard,
            heard_all=self.done,
            windows=tuple(self.windows),
            covered=tuple(sorted(self.decoded)),
            gaps=self.gaps,
            speech=tuple(self.speech),
            wordless=tuple(sorted(self.wordless)),
            aligned=tuple(sorted(self.aligned)),
            language=self.language,
        )


class World:
    """Carries out instructions and offers the machine whatever may happen next."""

    def __init__(self, seed: int, *, faults: bool = True, budget: int = 8 * 2**30) -> None:
        self.random = random.Random(seed)
        self.go_on = True
        """Whether the next sitting goes on with what the last one left unfinished."""
        self.known: dict[str, do.Known] = {}
        """Every content that was queued, by its fingerprint."""
        self.contents: dict[str, str] = {}
        """The fingerprint of a file by its path, where that is not the path itself."""
        self.faults = faults
        self.budget = budget
        self.policy = POLICY
        self.seen: tuple[do.Seen, ...] = ()
        self.saved_attempts: list[do.SaveAttempt] = []
        self.now = 1_000_000
        self.books: dict[int, Book] = {}
        self.attempts: dict[int, str | None] = {}
        self.began: Counter[tuple[int, Span]] = Counter()
        self.began_aligning: Counter[tuple[int, Span]] = Counter()
        self.entries: list[Entry] = []
        self.answers: dict[int, str | None] = {}
        self.token = 0
        self.lengths: dict[str, int] = {}
        self.poison = self.random.choice((4, 9, 99, 99, 99))
        """Every so many windows there is one that can never be decoded."""
        self.hottest = self.random.choice((0.2, 0.6, 2.0))
        """At this temperature an implausible text becomes plausible."""
        self.start()

    def start(self) -> None:
        """A new engine over the same ledger; whatever ran before is gone."""
        self.machine = Machine(self.policy, "cache", go_on=self.go_on)
        self.workers: dict[int, FakeWorker] = {}
        self.writes: list[do.WriteFiles] = []
        for attempt, outcome in self.attempts.items():
            self.attempts[attempt] = outcome or "lost"
        records = tuple(
            do.JobRecord(
                id=job,
                source=book.source,
                options=book.options,
                state=book.state,
                outputs=book.outputs,
                progress=Progress() if isinstance(book.state, ENDED) else book.progress(),
            )
            for job, book in sorted(self.books.items(), key=lambda each: each[1].position)
        )
        next_job = max(self.books, default=0) + 1
        self.feed(do.Restored(records, self.budget, next_job, max(self.attempts, default=0) + 1, self.seen))

    # ---- the machine's wishes

    def feed(self, stimulus: do.Stimulus) -> None:
        for instruction in self.machine.handle(stimulus, self.now):
            self.carry_out(instruction)
        self.machine.check_invariants()
        assert sorted(book.position for book in self.books.values()) == list(range(len(self.books)))

    def carry_out(self, instruction: do.Instruction) -> None:
        match instruction:
            case do.StartWorker(worker, load):
                assert worker not in self.workers
                self.workers[worker] = FakeWorker(load)
            case do.SendTo(worker, message):
                self.receive(self.workers.get(worker), message)
            case do.SendTexts(worker, work):
                assert self.workers[worker].aligns, "texts for a stage that needs none"
                book = self.books[work.job]
                assert all(span in book.decoded for span in work.spans), "to be aligned before it is transcribed"
                assert not book.wordless.intersection(work.spans), "nothing to align"
                self.receive(self.workers[worker], msg.Run(work=work))
            case do.KillWorker(worker):
                if worker in self.workers:
                    self.workers[worker].killed = True
            case do.FreezeWorker(worker):
                if worker in self.workers:
                    assert not self.workers[worker].frozen, "frozen twice"
                    self.workers[worker].frozen = True
            case do.ThawWorker(worker):
                if worker in self.workers:
                    assert self.workers[worker].frozen, "thawed though not frozen"
                    self.workers[worker].frozen = False
            case do.SaveJob():
                book = self.books.setdefault(
                    instruction.id, Book(instruction.source, instruction.options, instruction.state, 0)
                )
                book.source, book.options, book.state = instruction.source, instruction.options, instruction.state
                book.position, book.outputs = instruction.position, instruction.outputs
                assert not isinstance(book.state, Stopped), "what one sitting leaves alone, the next may go on with"
            case do.SaveKnown(fingerprint=fingerprint, path=path, job=job):
                assert job in self.books, "known as a job that is none"
                self.known[fingerprint] = do.Known(path, job)
            case do.ForgetJob(job):
                place = self.books.pop(job).position
                for book in self.books.values():
                    book.position -= book.position > place
            case do.SaveHeard(job, heard):
                book = self.books[job]
                assert heard.span.start == book.heard, "heard out of order"
                book.heard, book.done = heard.span.end, heard.last
                book.windows.extend(heard.windows)
                book.speech.extend(heard.speech)
            case do.SaveDecoded(job, decoded):
                for attempt, each in decoded:
                    assert self.attempts[attempt] is None, "decoded by an attempt that is over"
                    assert each.span in self.books[job].windows, "decoded what is no window"
                    assert each.span not in self.books[job].decoded, "committed twice"
                    self.books[job].decoded[each.span] = attempt
                    if not each.segments:
                        self.books[job].wordless.add(each.span)
            case do.SaveSpoken(job, samples, spoken):
                assert samples, "a vote of nobody"
                assert set(samples) <= set(self.books[job].windows), "a vote of what is no window"
                self.books[job].language = spoken.language
            case do.SaveAligned(job, aligned):
                for found in aligned:
                    assert found.span in self.books[job].decoded, "aligned what is not transcribed"
                    assert found.span not in self.books[job].aligned, "aligned twice"
                    self.books[job].aligned[found.span] = found.reason
            case do.ForgetAligned(job):
                self.books[job].aligned.clear()
            case do.SaveGaps(job, gaps):
                self.books[job].gaps = gaps
            case do.SaveAttempt():
                assert self.attempts.get(instruction.id) is None, "an attempt ended twice"
                self.attempts[instruction.id] = instruction.outcome
                self.saved_attempts.append(instruction)
            case do.WriteFiles():
                self.writes.append(instruction)
            case do.Answer(token, _, error, is_known):
                assert error or not is_known
                assert token not in self.answers
                self.answers[token] = error
            case do.Publish(event):
                self.publish(event)
            case do.SaveProbed() | do.CleanUp():
                pass

    def unaligned(self) -> set[int]:
        """The jobs whose alignment was given up as a whole at some time."""
        return {each.job for each in self.told(events.Warning) if "keep the times" in each.message}

    def told(self, kind: type) -> list:
        """The events of a kind so far."""
        return [entry.event for entry in self.entries if isinstance(entry.event, kind)]

    def publish(self, event: Event) -> None:
        if isinstance(event, WorkerStarted) and event.stage == "transcribe":
            assert self.books[event.job].is_long_enough, "a model is loaded for what may be too short"
        self.entries.append(Entry(len(self.entries) + 1, self.now, event))

    def receive(self, worker: FakeWorker | None, message: msg.Down) -> None:
        if worker is None:
            return
        match message:
            case msg.Run(work=work):
                assert not worker.released, "work for a worker that was released"
                if not worker.listens:
                    book = self.books[work.job]
                    named = work.recipe.language or book.language
                    assert named == work.recipe.language, "a language that was found is not told"
                    assert worker.aligns or named or work.samples, "nothing tells the language"
                    assert self.books[work.job].is_long_enough, "handed out though it may be too short"
                    assert all(any(span.contains(each) for each in work.speech) for span in work.spans), (
                        "no speech told"
                    )
                worker.queue.extend((work, span) for span in work.spans)
            case msg.Lanes(count):
                assert 1 <= count <= worker.load.lanes
                worker.allowed = count
            case msg.Drop():
                worker.drops += 1
            case msg.Release():
                worker.released = True

    # ---- what may happen

    def step(self) -> None:
        """Let one thing happen."""
        roll = self.random.random()
        if roll < 0.18:
            self.command()
        elif roll < 0.25:
            self.pass_time(self.random.choice((10, 300, 1_500, 6_000)))
        elif roll < 0.27:
            self.sample()
        elif roll < 0.28 and self.faults:
            self.go_on = self.random.random() < 0.7
            self.start()
        elif roll < 0.29 and self.faults:
            self.feed(do.DiskRead(self.random.choice((2**20, 2**40))))
        elif roll < 0.37 and self.writes:
            self.write(fails=self.faults and self.random.random() < 0.1)
        elif self.workers:
            self.work(faults=self.faults)
        else:
            self.pass_time(700)

    def pass_time(self, milliseconds: int) -> None:
        """The clock goes on; who lives says so."""
        self.now += milliseconds
        for number, worker in list(self.workers.items()):
            if not (worker.hung or worker.frozen or worker.killed):
                self.say(number, msg.Heartbeat(2**20, 0, self.random.randrange(2**21)))
        self.feed(do.Ticked())

    def sample(self) -> None:
        """The memory is read; with faults it may be anything."""
        most = 2**33 if self.faults else 2**30
        workers = {number: self.random.randrange(most // 4) for number in self.workers}
        tree = sum(workers.values()) + self.random.randrange(most // 4)
        pressure = self.random.choice(("normal",) * 8 + ("warning", "critical")) if self.faults else "normal"
        self.feed(do.MemoryRead(tree=tree, available=2**33, workers=workers, pressure=pressure))

    def command(self) -> None:
        number = self.random.choice([*self.books, 99])
        kind = self.random.randrange(9)
        pick = self.random.choice
        command: cmd.Command
        if kind <= 2:
            path = f"/media/{self.random.randrange(4)}.wav"
            recipe = Recipe(
                batch=pick((1, 2, 4)),
                parallel=pick((1, 2)),
                chunk_ms=pick((30_000, 60_000, 300_000)),
                language=pick(("en", "en", None)),
                align=pick(("", "", "auto", "large")),
            )
            options = cmd.Options(
                recipe=recipe,
                chunking=pick(("auto", "always", "never")),
                min_duration_ms=pick((0, 0, WINDOW, 5 * WINDOW)),
            )
            command = cmd.Add(path=path, options=options, is_found=pick((False, False, True)))
        else:
            command = pick(
                (
                    cmd.Pause(number, pick(("pause", "park", "freeze"))),
                    cmd.Resume(number),
                    cmd.Resume(number),
                    cmd.Cancel(number),
                    cmd.Retry(number),
                    cmd.Set(job=number, chunk_ms=pick((None, 30_000, 45_000, 120_000)), batch=pick((None, 1, 2, 3))),
                    cmd.Move(number, pick((-1, 1))),
                    cmd.Remove(number),
                )
            )
        self.ask(command)

    def ask(self, command: cmd.Command) -> str | None:
        """Ask for something, as the shell would; the error, if it cannot be done."""
        self.token += 1
        source = progress = known = None
        fingerprint = ""
        if isinstance(command, cmd.Add):
            source = do.Source(command.path, 1_000, 1)
            fingerprint = self.contents.get(command.path, command.path)
            known = self.known.get(fingerprint)
            same = self.machine.find(source, command.options)
            progress = None if same is None else self.books[same].progress()
        elif isinstance(command, cmd.Retry) and command.job in self.books:
            progress = self.books[command.job].progress()
        self.feed(
            do.Asked(
                token=self.token,
                command=command,
                source=source,
                progress=progress,
                fingerprint=fingerprint,
                known=known,
            )
        )
        return self.answers[self.token]

    def write(self, *, fails: bool = False) -> None:
        writing = self.writes.pop(0)
        if fails:
            is_full = self.faults and self.random.random() < 0.5
            self.feed(do.WriteFailed(writing.job, writing.partial, "no space", is_full))
        else:
            self.feed(do.FilesWritten(writing.job, writing.partial, ("a.srt",)))

    def work(self, *, faults: bool) -> None:
        """One step of one worker."""
        number = self.random.choice(list(self.workers))
        worker = self.workers[number]
        roll = self.random.random()
        if worker.killed:
            self.end(number, FailureKind.CRASH)
        elif worker.frozen or worker.hung:
            self.pass_time(900)
        elif faults and roll < 0.01:
            worker.hung = True
        elif faults and roll < 0.04:
            kind = self.random.choice((FailureKind.CRASH, FailureKind.OOM, FailureKind.ERROR))
            self.end(number, kind)
        elif worker.drops:
            worker.drops -= 1
            spans = tuple(span for _, span in worker.queue)
            worker.queue.clear()
            self.say(number, msg.Dropped(0, spans))
        elif not worker.ready:
            if worker.released:
                self.end(number, FailureKind.CRASH)
            elif faults and roll < 0.1:
                self.say(number, msg.Failed(0, (), FailureKind.ERROR, "cannot load"))
                self.end(number, FailureKind.CRASH)
            else:
                worker.ready = True
                self.say(number, msg.Loaded(5))
        elif worker.lanes and (
            roll < 0.6 or len(worker.lanes) >= min(worker.allowed, worker.load.lanes) or worker.released
        ):
            self.finish(number, worker, faults=faults)
        elif worker.released:
            self.end(number, FailureKind.CRASH)
        elif worker.queue and len(worker.lanes) < min(worker.allowed, worker.load.lanes):
            work = worker.queue[0][0]
            spans = [worker.queue.popleft()[1] for _ in range(min(len(worker.queue), work.recipe.batch))]
            worker.lanes.append((work, spans))
            for span in spans:
                (self.began_aligning if worker.aligns else self.began)[work.job, span] += 1
            self.say(number, msg.Begun(work.job, tuple(spans)))
        elif not worker.lanes:
            self.pass_time(1_000)

    def step_workers(self, times: int) -> None:
        """Let the workers do some steps."""
        for _ in range(times):
            if self.workers:
                self.work(faults=False)

    def finish(self, number: int, worker: FakeWorker, *, faults: bool) -> None:
        """A lane comes to the end of a batch, or of a stretch of listening."""
        self.now += 900 if self.faults else 300
        work, spans = worker.lanes[0]
        is_poisoned = self.faults and any((span.start // WINDOW) % self.poison == 1 for span in spans)
        if (faults and self.random.random() < 0.08) or (is_poisoned and not worker.listens):
            worker.lanes.pop(0)
            kinds = (FailureKind.ERROR, FailureKind.OOM, FailureKind.UNUSABLE, FailureKind.AUDIO, FailureKind.FULL)
            kind = FailureKind.ERROR if is_poisoned else self.random.choice(kinds)
            self.say(number, msg.Failed(work.job, tuple(spans), kind, "it went wrong"))
        elif not worker.listens:
            worker.lanes.pop(0)
            told = spans[1:] if faults and self.random.random() < 0.03 else spans
            found = [self.align(span) if worker.aligns else self.decode(work, span) for span in told]
            if work.samples and work.recipe.language is None:
                found.append(msg.Spoken(language="de", votes=(("de", 1.0),)))
            self.say(number, msg.Batch(work.job, tuple(found)))
            self.say(number, msg.Finished(work.job, tuple(spans)))
        elif faults and self.random.random() < 0.03:
            worker.lanes.pop(0)
            self.say(number, msg.Finished(work.job, tuple(spans)))
        else:
            self.listen(number, worker, work, spans[0])

    def decode(self, work: msg.Work, span: Span) -> msg.Decoded:
        """A window's text; now and then it stays implausible up to some temperature, or for good."""
        if (span.start // WINDOW) % 7 == 6:
            return msg.Decoded(span=span)
        doubtful = self.faults and (span.start // WINDOW) % 13 == 5 and work.recipe.temperature < self.hottest
        segment = Segment(0, 1, "words" * 3 if doubtful else "words")
        return msg.Decoded(span=span, segments=(segment,), doubt="it repeats itself" if doubtful else "")

    def align(self, span: Span) -> msg.Aligned:
        """A window's words with finer times."""
        return msg.Aligned(span=span, segments=(Segment(0, 2, "words"),))

    def listen(self, number: int, worker: FakeWorker, work: msg.Work, span: Span) -> None:
        length = self.lengths.setdefault(work.media, self.random.choice((0, 1, 3, 7, 20)) * WINDOW)
        start = span.start
        end = min(length, start + 3 * WINDOW)
        # The same windows whatever happened before, with a silence now and then.
        windows = tuple(Span(at, at + WINDOW - 500) for at in range(start, end, WINDOW) if (at // WINDOW) % 5 != 4)
        last = end >= length
        speech = tuple(Span(each.start + 100, each.end - 100) for each in windows)
        heard = msg.Heard(span=Span(start, end), windows=windows, speech=speech, checkpoint=str(end), last=last)
        worker.lanes[0][1][0] = Span(end, span.end)
        if last or worker.released:
            worker.lanes.pop(0)
        self.say(number, msg.Batch(work.job, (heard,)))
        if last or worker.released:
            self.say(number, msg.Finished(work.job, (span,)))

    def say(self, number: int, message: msg.Up) -> None:
        self.feed(do.FromWorker(number, message))

    def end(self, number: int, kind: FailureKind) -> None:
        del self.workers[number]
        self.feed(do.WorkerGone(number, kind, "it died"))

    # ---- the end

    def settle(self) -> None:
        """Let everything that can still happen happen, without further faults."""
        self.feed(do.DiskRead(2**40))
        self.resume_all()
        for _ in range(5_000):
            if self.machine.is_at_rest and not self.writes:
                return
            if self.writes:
                self.write()
            elif self.workers:
                self.work(faults=False)
            else:
                self.pass_time(700)
            if any(isinstance(b.state, Paused | Frozen) for b in self.books.values()):
                self.resume_all()
        raise AssertionError(f"never at rest: {[b.state for b in self.books.values()]}")

    def resume_all(self) -> None:
        """Let every job go on that rests, whether it was asked to or was only left alone by this sitting."""
        for job, book in list(self.books.items()):
            if isinstance(book.state, Paused | Frozen) or not (self.go_on or isinstance(book.state, ENDED)):
                self.ask(cmd.Resume(job))

    def check_end(self) -> None:
        """Every job has ended, and a job that is done has every window once."""
        for job, book in self.books.items():
            assert isinstance(book.state, ENDED), f"job {job} is left {book.state}"
            if isinstance(book.state, Done):
                cut = {gap for gap in book.gaps if gap.start >= book.heard and not book.done}
                assert book.done or cut, f"job {job} was not listened to"
                assert set(book.windows) == (set(book.decoded) | set(book.gaps)) - cut, f"job {job} lost a window"
                assert not set(book.decoded) & set(book.gaps)
                assert bool(book.gaps) == bool(book.state.gaps)
                if book.options.recipe.align and job not in self.unaligned():
                    left = set(book.decoded) - book.wordless - set(book.aligned)
                    assert not left, f"job {job} left {left} unaligned"
            if isinstance(book.state, Failed):
                assert book.state.error
        assert None not in self.attempts.values(), "an attempt never ended"
