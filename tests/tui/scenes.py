"""Queues as an engine would tell of them, made from events only."""

import math

import msgspec

from engine import events as ev
from engine.commands import Options
from engine.messages import Track
from engine.recipe import FailureKind, Recipe
from engine.states import Cancelled, Done, Failed, JobState, Paused, Pausing, Queued, Running, Stopped, Writing
from engine.timeline import Span
from engine.view import View, fold

NOW = 1_775_052_180_000
"""The time of every scene: a Wednesday, 14:03 in UTC."""
GIB = 2**30
RECIPE = Recipe(model="large-v3", compute_type="int8", batch=4, parallel=2, chunk_ms=300_000)
OPTIONS = Options(recipe=RECIPE)
TEXT = (
    "So the second item is the budget, and I would ask everyone to turn to page four.",
    "We have spent rather less than we had planned, and I want to explain why that is.",
    "There was a delay with the roof, which is nobody's fault, least of all the architect's.",
    "Could you say how long the delay will be?",
    "Six weeks, if the weather holds.",
    "Then let us come to the question of the windows on the north side of the building.",
    "I should like to hear what the committee thinks about that before we vote.",
)


class Scene:
    """Folds events as they are told; the clock moves with ``later``."""

    def __init__(self, now: int = NOW - 3_600_000) -> None:
        self.view = View()
        self.now = now
        self._attempt = 0

    def tell(self, *events: ev.Event) -> "Scene":
        for event in events:
            self.view = fold(self.view, ev.Entry(self.view.seq + 1, self.now, event))
        return self

    def later(self, ms: int) -> "Scene":
        self.now += ms
        return self

    # ---- what usually happens

    def add(
        self,
        job: int,
        path: str,
        *,
        options: Options = OPTIONS,
        state: JobState | None = None,
        progress: ev.Progress | None = None,
        size: int = 48_000_000,
        outputs: tuple[str, ...] = (),
    ) -> "Scene":
        return self.tell(
            ev.JobAdded(
                job=job,
                path=path,
                size=size,
                options=options,
                state=state or Queued(),
                progress=progress or ev.Progress(),
                outputs=outputs,
            )
        )

    def run(self, job: int, duration: int) -> "Scene":
        """The job starts, its file is opened, its workers load."""
        track = Track(index=0, codec="aac", rate=48_000, channels=2, language="eng")
        self.tell(ev.JobChanged(job, Running(self.now)))
        self.tell(ev.WorkerStarted(job=job, worker=1, stage="listen", model=RECIPE.model))
        self.tell(ev.WorkerStarted(job=job, worker=2, stage="transcribe", model=RECIPE.model))
        self.later(400)
        self.tell(ev.WorkerReady(1, 400))
        self.tell(ev.JobProbed(job=job, tracks=(track,), chosen=0, container="mov,mp4,m4a", duration=duration))
        return self.later(1_900).tell(ev.WorkerReady(2, 2_300))

    def hear(self, job: int, until: int, *, start: int = 0, last: bool = False, silences: bool = True) -> "Scene":
        """Listen from start to until: windows of 28 s with a breath between, and a long silence now and then."""
        windows = []
        at = start
        while at < until:
            end = min(until, at + 28_000)
            if not silences or (at // 28_000) % 23 not in (7, 8, 9):
                windows.append(Span(at, end - 300))
            at = end
        self.tell(ev.SpeechHeard(job=job, until=until, windows=tuple(windows), last=last))
        if last:
            self.tell(ev.WorkerEnded(1, "no longer needed"))
        return self

    def windows(self, job: int) -> list[Span]:
        found = self.view.job(job)
        assert found is not None
        taken = [*found.covered, *found.gaps, *found.running]
        return [each for each in found.windows if not any(span.overlaps(each) for span in taken)]

    def chunk(self, job: int, windows: int, *, took: int = 6_000) -> "Scene":
        """Transcribe so many windows as one chunk."""
        spans = self.windows(job)[:windows]
        if not spans:
            return self
        found = self.view.job(job)
        assert found is not None
        self._attempt += 1
        whole = Span(spans[0].start, spans[-1].end)
        self.tell(ev.ChunkStarted(job=job, attempt=self._attempt, span=whole, windows=len(spans), recipe=found.recipe))
        for n, span in enumerate(spans):
            self.tell(ev.BatchStarted(job=job, spans=(span,)))
            self.later(took)
            line = ev.Line(span.start, span.end, TEXT[(span.start // 28_000 + n) % len(TEXT)])
            self.tell(ev.BatchDone(job=job, spans=(span,), lines=(line,), took_ms=took))
        return self.tell(ev.ChunkDone(job=job, attempt=self._attempt, span=whole, took_ms=took * len(spans)))

    def fail(self, job: int, kind: FailureKind, reason: str, *, follows: str) -> "Scene":
        """The next window fails."""
        span = self.windows(job)[0]
        self.tell(ev.BatchStarted(job=job, spans=(span,))).later(2_000)
        return self.tell(
            ev.AttemptFailed(job=job, stage="transcribe", spans=(span,), kind=kind, reason=reason, follows=follows)
        )

    def lighter(self, job: int, reason: str) -> "Scene":
        found = self.view.job(job)
        assert found is not None
        recipe = msgspec.structs.replace(found.recipe, batch=max(1, found.recipe.batch // 2))
        return self.tell(ev.RecipeChanged(job=job, recipe=recipe, at=self.windows(job)[0].start, reason=reason))

    def decoding(self, job: int, windows: int) -> "Scene":
        """So many windows are being decoded right now."""
        for span in self.windows(job)[:windows]:
            self.tell(ev.BatchStarted(job=job, spans=(span,)))
        return self

    def memory(self, seconds: int, *, budget: int = 12 * GIB, high: float = 5.1) -> "Scene":
        """Samples for the last so many seconds, up to now."""
        began = self.now
        for second in range(seconds, -1, -1):
            self.now = began - second * 1000
            wave = 0.5 + 0.5 * math.sin(second / 23) * math.sin(second / 7)
            rise = 1.0 if second < seconds * 0.7 else 0.25
            tree = int(high * rise * (0.85 + 0.15 * wave) * GIB) if second else int(high * GIB)
            self.tell(ev.MemorySampled(tree=tree, budget=budget, available=9 * GIB))
        return self

    def at_the_end(self) -> View:
        """The view, with the clock at ``NOW``."""
        return self.view


def begun() -> Scene:
    return Scene().tell(ev.EngineStarted(12 * GIB))


def empty() -> View:
    scene = begun()
    scene.now = NOW
    return scene.memory(40, high=0.1).view


def running() -> View:
    """A long meeting in mid-job, with three more jobs behind it and one done before."""
    scene = begun()
    whole = (Span(0, 300_000),)
    before = ev.Progress(
        duration=301_000, heard=301_000, heard_all=True, windows=whole, covered=whole, worked_ms=61_000
    )
    scene.add(1, "/talks/opening.mp3", state=Done(NOW), progress=before, outputs=files("/talks/opening"))
    scene.add(2, "/talks/board-meeting.m4a", size=212_000_000)
    scene.add(3, "/talks/lecture-07.wav", size=644_000_000)
    scene.add(4, "/films/interview-b.mkv", size=2_100_000_000)
    scene.add(5, "/talks/field-notes.flac", size=80_000_000)
    scene.now = NOW - 25 * 60_000
    scene.run(2, 7_530_000).hear(2, 4_000_000)
    for _ in range(7):
        scene.chunk(2, 10, took=8_500)
    scene.now = NOW
    return scene.decoding(2, 2).memory(310).view


def troubled() -> View:
    """A job with retries, a lighter recipe, a gap, a pause and changed chunks."""
    scene = begun()
    scene.add(1, "/talks/hearing-2.mp3").add(2, "/talks/lecture-07.wav")
    scene.now = NOW - 10 * 60_000
    scene.run(1, 3_600_000).hear(1, 3_600_000, last=True)
    scene.chunk(1, 10)
    reason = "The worker was killed; most likely there was not enough memory."
    scene.fail(1, FailureKind.OOM, reason, follows="again in 1 s, try 2 of 4").chunk(1, 4)
    scene.lighter(1, reason).chunk(1, 20, took=4_000)
    lost = scene.windows(1)[0]
    scene.fail(1, FailureKind.ERROR, "The model raised ValueError.", follows="left as a gap")
    scene.tell(ev.GapLeft(1, lost, "The model raised ValueError."))
    scene.tell(ev.JobChanged(1, Pausing(scene.now)), ev.JobChanged(1, Paused(scene.now))).later(30_000)
    scene.tell(ev.JobChanged(1, Running(scene.now))).chunk(1, 10, took=4_000)
    recipe = msgspec.structs.replace(RECIPE, batch=2, chunk_ms=150_000)
    scene.tell(ev.RecipeChanged(job=1, recipe=recipe, at=scene.windows(1)[0].start, reason="asked for"))
    scene.tell(ev.Warning(1, "The file ends in the middle of a frame; what can be decoded is transcribed."))
    scene.chunk(1, 8, took=4_000)
    scene.now = NOW
    return scene.decoding(1, 2).memory(310, high=10.2).view


def paused() -> View:
    scene = begun()
    scene.add(1, "/talks/interview-b.flac").add(2, "/talks/lecture-07.wav")
    scene.now = NOW - 10 * 60_000
    scene.run(1, 2_400_000).hear(1, 2_400_000, last=True).chunk(1, 10).chunk(1, 9)
    scene.tell(ev.JobChanged(1, Pausing(scene.now))).later(2_000)
    scene.tell(ev.ChunkStopped(job=1, attempt=3, span=Span(600_000, 900_000), reason="paused"))
    scene.tell(ev.JobChanged(1, Paused(scene.now)))
    scene.now = NOW
    return scene.memory(310, high=2.4).view


def left(jobs: int = 3) -> View:
    """Jobs that the last sitting left unfinished, the first of them in mid-way, and one it had finished."""
    names = ("board-meeting.m4a", "lecture-07.wav", "interview-b.mkv", "field-notes.flac", "hearing-2.mp3")
    scene = begun()
    whole = tuple(Span(at, at + 28_000) for at in range(0, 2_800_000, 28_000))
    before = ev.Progress(
        duration=7_530_000, heard=2_800_000, windows=whole, covered=(Span(0, 1_120_000),), worked_ms=340_000
    )
    ended = ev.Progress(duration=301_000, heard=301_000, heard_all=True, worked_ms=61_000, is_brief=True)
    scene.add(1, "/talks/opening.mp3", state=Done(NOW), progress=ended, outputs=files("/talks/opening"))
    for n, name in enumerate(names[:jobs]):
        scene.add(n + 2, f"/talks/{name}", state=Stopped(NOW - 7_200_000), progress=ev.Progress() if n else before)
    scene.now = NOW
    return scene.memory(40, high=0.1).view


def done() -> View:
    scene = begun()
    scene.add(1, "/talks/lecture-07.wav")
    scene.now = NOW - 5 * 60_000
    scene.run(1, 600_000).hear(1, 600_000, last=True).chunk(1, 30, took=5_000)
    scene.tell(ev.JobChanged(1, Writing(scene.now))).later(300)
    scene.tell(ev.Written(job=1, partial=False, paths=files("/talks/lecture-07")), ev.JobChanged(1, Done(scene.now)))
    scene.now = NOW
    return scene.memory(310, high=1.2).view


def failed() -> View:
    scene = begun()
    scene.add(1, "/films/home-video.mp4").add(2, "/talks/lecture-07.wav")
    scene.now = NOW - 60_000
    reason = "home-video.mp4 has no sound: there is no audio track in it. Choose another file."
    scene.tell(ev.JobChanged(1, Running(scene.now))).later(300)
    scene.tell(ev.WorkerStarted(job=1, worker=1, stage="listen", model=RECIPE.model)).later(500)
    scene.tell(
        ev.AttemptFailed(
            job=1,
            stage="listen",
            spans=(),
            kind=FailureKind.UNUSABLE,
            reason=reason,
            follows="the job is given up",
        )
    )
    scene.tell(ev.JobChanged(1, Failed(scene.now, reason)))
    scene.now = NOW
    return scene.memory(60, high=0.3).view


def hostile() -> View:
    """Names that would take over a careless screen."""
    names = (
        "/talks/two\nlines.mp3",
        "/talks/[red]not red[bold].mp3",
        "/talks/\x1b[31mred\x1b[0m\x1b]0;owned\x07.mp3",
        "/talks/\u202egpm.exe\u2069 right to left.mp3",
        "/talks/会議の録音 二〇二六年四月一日 とても長い名前のファイル.m4a",
        "/talks/bad-\udcff\udcfe-bytes.wav",
    )
    scene = begun()
    for n, name in enumerate(names, start=1):
        scene.add(n, name)
    scene.now = NOW - 60_000
    scene.run(5, 600_000).hear(5, 600_000, last=True)
    span = scene.windows(5)[0]
    said = "[bold]会議[/bold] を始めます。\x1b[2J \u202ereversed\nand a second line"
    scene.tell(ev.BatchStarted(job=5, spans=(span,))).later(9_000)
    scene.tell(ev.BatchDone(job=5, spans=(span,), lines=(ev.Line(span.start, span.end, said),), took_ms=9_000))
    scene.tell(ev.Warning(5, "\x1b[31m[red]a warning\x07"))
    scene.tell(ev.JobChanged(3, Failed(scene.now, "\x1b]52;c;AAAA\x07 [blink]cannot be read[/blink]\n")))
    scene.tell(ev.JobChanged(2, Cancelled(scene.now)))
    scene.now = NOW
    return scene.memory(60, high=1.0).view


def many(jobs: int = 500) -> View:
    scene = begun()
    for n in range(1, jobs + 1):
        scene.add(n, f"/talks/talk-{n:04}.mp3")
    scene.run(1, 600_000).hear(1, 600_000, last=True).chunk(1, 4)
    scene.now = NOW
    return scene.view


def files(stem: str) -> tuple[str, ...]:
    return tuple(f"{stem}.{ending}" for ending in ("srt", "vtt", "txt", "json"))
