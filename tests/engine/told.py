"""Stories about one job for the tests: told event by event, on a clock of their own, into a ledger if wanted."""

from engine import events as ev
from engine.commands import Options
from engine.ledger import Ledger
from engine.machine import stimuli as do
from engine.messages import Correction, Decoded, Heard, Probed, Track
from engine.recipe import FailureKind, Recipe
from engine.states import Done, Frozen, JobState, Paused, Pausing, Queued, Running, Writing
from engine.timeline import Span
from engine.transcript import Segment

START = 1_775_052_180_000
"""2026-04-01, 14:03 in UTC."""
MIB = 2**20
BUDGET = 550 * MIB
RECIPE = Recipe(batch=4, parallel=2)
WINDOWS = tuple(Span(n * 30_000, n * 30_000 + 29_000) for n in range(8))
TRACK = Track(index=0, codec="aac", rate=48_000, channels=2)
HOSTILE = "/talks/<b>&\"'\x1b[31m \u202e]]>--.mkv"


class Told:
    """Entries in the making; ``at`` is the time."""

    def __init__(self, *, job: int = 1) -> None:
        self.job = job
        self.at = START
        self.entries: list[ev.Entry] = []

    def tell(self, *events: ev.Event) -> "Told":
        self.entries += [ev.Entry(len(self.entries) + n, self.at, event) for n, event in enumerate(events, start=1)]
        return self

    def later(self, ms: int) -> "Told":
        self.at += ms
        return self

    def add(self, path: str = "/talks/talk.mkv", state: JobState | None = None, **fields: object) -> "Told":
        options = Options(recipe=RECIPE)
        return self.tell(
            ev.JobAdded(job=self.job, path=path, size=9, options=options, state=state or Queued(), **fields)
        )

    def sit_down(self) -> "Told":
        return self.tell(ev.EngineStarted(BUDGET))

    def turn(self, state: JobState) -> "Told":
        return self.tell(ev.JobChanged(self.job, state))

    def run(self) -> "Told":
        return self.turn(Running(self.at))

    def start(self, worker: int, stage: ev.StageName, took: int = 400) -> "Told":
        self.tell(ev.WorkerStarted(job=self.job, worker=worker, stage=stage, model="tiny.en"))
        return self.later(took).tell(ev.WorkerReady(worker, took))

    def end(self, worker: int, reason: str = "no longer needed") -> "Told":
        return self.tell(ev.WorkerEnded(worker, reason))

    def begin(self, *windows: int) -> "Told":
        return self.tell(ev.BatchStarted(job=self.job, spans=tuple(WINDOWS[n] for n in windows)))

    def done(self, *windows: int, took: int = 2_000) -> "Told":
        spans = tuple(WINDOWS[n] for n in windows)
        return self.later(took).tell(ev.BatchDone(job=self.job, spans=spans, lines=(), took_ms=took))

    def fail(self, *windows: int, kind: FailureKind = FailureKind.OOM, reason: str = "Too little memory.") -> "Told":
        spans = tuple(WINDOWS[n] for n in windows)
        stage: ev.StageName = "transcribe" if windows else "listen"
        return self.tell(
            ev.AttemptFailed(job=self.job, stage=stage, spans=spans, kind=kind, reason=reason, follows="again")
        )

    def change(self, reason: str, **changes: object) -> "Told":
        recipe = Recipe(**({"batch": 4, "parallel": 2} | changes))
        return self.tell(ev.RecipeChanged(job=self.job, recipe=recipe, at=60_000, reason=reason))

    def sample(self, tree: int, seconds: int = 1, **fields: object) -> "Told":
        """A sample a second, the first one now."""
        for _ in range(seconds):
            self.tell(ev.MemorySampled(tree=tree * MIB, budget=BUDGET, available=2**30, **fields)).later(1_000)
        return self


def eventful(path: str = "/talks/talk.mkv") -> Told:
    """Two sittings: listening, a lack of memory, a lighter recipe, a kill, a pause, a gap, the end."""
    told = Told().sit_down().add(path).run().start(1, "listen").start(2, "transcribe", took=700)
    told.tell(
        ev.JobProbed(job=1, tracks=(TRACK,), chosen=0, container="matroska", duration=240_000),
        ev.SpeechHeard(job=1, until=240_000, windows=WINDOWS, last=True),
    ).end(1)
    told.later(100).sample(400, 3).begin(0, 1, 2, 3).sample(600, 2).fail(0, 1, 2, 3).end(2, "killed")
    told.change("Too little memory.", batch=2).later(1_000).start(3, "transcribe").begin(0, 1).sample(300, 4).done(0, 1)
    told.begin(2, 3).sample(310, 2)  # and then the power is cut
    told.later(3_600_000).sit_down().add(path, progress=ev.Progress(worked_ms=8_000)).run().start(1, "transcribe")
    told.change("The memory is tight.", batch=2).begin(2, 3).sample(420, 3).done(2, 3).turn(Pausing(told.at)).turn(
        Paused(told.at, "parked")
    ).end(1)
    told.later(20_000).run().start(2, "transcribe").change("3 clean chunks in a row", batch=4)
    told.begin(4, 5).sample(450, 2, pressure="warning", swap=MIB).fail(5, kind=FailureKind.ERROR, reason="Poison.")
    told.done(4).begin(5).later(900).fail(5, kind=FailureKind.ERROR, reason="Poison.")
    told.tell(ev.GapLeft(1, WINDOWS[5], "Poison.")).begin(6, 7).sample(440, 2).done(6, 7)
    told.tell(ev.TextDoubted(1, WINDOWS[6], "loops"), ev.SpeechAudited(job=1, recovered=(), unheard=(Span(1, 900),)))
    told.turn(Writing(told.at)).later(300)
    told.tell(ev.Written(job=1, partial=False, paths=("/talks/talk.srt",)))
    return told.turn(Done(told.at, gaps=29_000)).end(2)


def found() -> Told:
    """A job whose model was fetched, whose language was found, and whose words were put right and aligned."""
    wild = "\x1b[31m[red]Quen\n"
    told = Told().sit_down().add().run()
    told.tell(ev.WorkerStarted(job=1, worker=1, stage="transcribe", model="small"))
    told.tell(ev.ModelFetched(job=1, worker=1, model="small", done=0, total=464 * MIB)).later(62_000)
    told.tell(ev.ModelFetched(job=1, worker=1, model="small", done=464 * MIB, total=464 * MIB)).later(900)
    told.tell(ev.WorkerReady(1, 62_900), ev.SpeechHeard(job=1, until=240_000, windows=WINDOWS, last=True))
    told.tell(ev.LanguageFound(job=1, language="de", votes=(("de", 0.91), ("nl", 0.09))))
    told.begin(0, 1).done(0, 1).tell(
        ev.TermsCorrected(
            job=1, corrections=(Correction(31_000, "comfy UI", "ComfyUI"), Correction(12_000, wild, "Qwen"))
        )
    )
    told.begin(2, 3).done(2, 3).tell(
        ev.TermsCorrected(job=1, corrections=(Correction(65_000, "comfy UI", "ComfyUI"),))
    ).end(1)
    told.start(2, "align")
    told.later(3_000).tell(ev.WordsAligned(job=1, spans=WINDOWS[:3], took_ms=3_000))
    told.tell(ev.WordsAligned(job=1, spans=WINDOWS[3:4], took_ms=0, reason="Too noisy."))
    return told.turn(Writing(told.at)).later(300).turn(Done(told.at)).end(2)


def frozen() -> Told:
    """A job frozen for a minute in mid-batch."""
    told = Told().sit_down().add().run().start(1, "transcribe").begin(0).later(1_000).turn(Frozen(START + 1_400))
    return told.later(60_000).run().done(0, took=1_000).turn(Done(told.at))


def save(ledger: Ledger, told: Told, path: str = "/talks/talk.mkv") -> None:
    """Write a story into a ledger, with a job whose spans and attempts go with ``eventful``."""
    entries, job = told.entries, told.job
    recipe = RECIPE
    segment = Segment(0, 900, "hello")
    attempts = (
        do.SaveAttempt(id=1, job=job, span=Span(0, 119_000), windows=4, recipe=recipe, began=START),
        do.SaveAttempt(id=2, job=job, span=Span(0, 239_000), windows=8, recipe=Recipe(batch=2), began=START + 9_000),
    )
    ends = (
        do.SaveAttempt(
            id=1, job=job, span=attempts[0].span, windows=4, recipe=recipe, began=START, ended=START + 8_000,
            outcome="oom", reason="Too little memory.", peak=600 * MIB, slowest_ms=5_000,
        ),
        do.SaveAttempt(
            id=2, job=job, span=attempts[1].span, windows=8, recipe=Recipe(batch=2), began=START + 9_000,
            ended=START + 33_900, outcome="done", peak=450 * MIB, slowest_ms=4_000,
        ),
    )  # fmt: skip
    decoded = tuple(
        (2, Decoded(span=span, segments=(segment,), doubt="loops" * (n == 6), unheard=(Span(1, 900),) * (n == 0)))
        for n, span in enumerate(WINDOWS)
        if n != 5
    )
    saved = (
        do.SaveJob(
            id=job,
            source=do.Source(path, 9, 1),
            options=Options(recipe=recipe),
            state=_state(entries),
            position=0,
            outputs=("/talks/talk.srt",),
            worked_ms=34_000,
        ),
        do.SaveProbed(job, Probed(tracks=(TRACK,), chosen=0, container="matroska", duration=240_000, offset=0)),
        do.SaveHeard(job, Heard(span=Span(0, 240_000), speech=WINDOWS[:7], windows=WINDOWS, last=True)),
        *attempts,
        do.SaveDecoded(job, decoded),
        do.SaveGaps(job, (WINDOWS[5],)),
        *ends,
    )
    with ledger.transaction():
        for each in saved:
            assert ledger.save(each)
        for entry in entries:
            ledger.record(entry)


def _state(entries: list[ev.Entry]) -> JobState:
    return [entry.event.state for entry in entries if isinstance(entry.event, ev.JobChanged)][-1]
