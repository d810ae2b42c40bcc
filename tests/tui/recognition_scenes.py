"""Queues in which a model is fetched, a language is found, words are aligned and put right; made from events only."""

import msgspec

from engine import events as ev
from engine.messages import Correction
from engine.states import Done, Running, Writing
from engine.view import View
from tests.tui.scenes import NOW, OPTIONS, RECIPE, Scene, begun, files

MIB = 2**20
SMALL = msgspec.structs.replace(RECIPE, model="small")
ALIGNED = msgspec.structs.replace(SMALL, align="auto", language=None)
VOTES = (("de", 0.91), ("nl", 0.06), ("en", 0.03))
CORRECTIONS = (
    Correction(12_300, "comfy UI", "ComfyUI"),
    Correction(31_900, "come for you, I", "ComfyUI"),
    Correction(44_000, "Queen", "Qwen"),
    Correction(61_000, "[b]Quen[/b]\x1b[31m", "Qwen"),
)


def added(recipe=SMALL) -> Scene:
    options = msgspec.structs.replace(OPTIONS, recipe=recipe)
    scene = begun().add(1, "/talks/vortrag.m4a", options=options).add(2, "/talks/lecture-07.wav")
    scene.now = NOW - 8 * 60_000
    return scene


def fetch(done: int, total: int = 464 * MIB, *, model: str = "small", worker: int = 2) -> ev.ModelFetched:
    return ev.ModelFetched(job=1, worker=worker, model=model, done=done, total=total)


def fetching(done: int = 116 * MIB, total: int = 464 * MIB, model: str = "small") -> View:
    """A model is on its way while the film is being listened to."""
    scene = added()
    scene.now = NOW - 30_000
    scene.tell(ev.JobChanged(1, Running(scene.now)))
    scene.tell(ev.WorkerStarted(job=1, worker=1, stage="listen", model=model))
    scene.tell(ev.WorkerStarted(job=1, worker=2, stage="transcribe", model=model)).later(400)
    scene.tell(ev.WorkerReady(1, 400), fetch(0, total, model=model)).later(20_000)
    scene.hear(1, 900_000).tell(fetch(done, total, model=model))
    scene.now = NOW
    return scene.memory(30, high=0.4).view


def found() -> View:
    """The language was found, and the terms put something right."""
    scene = transcribed(ALIGNED, windows=12)
    scene.now = NOW
    return scene.decoding(1, 2).memory(310, high=1.4).view


def transcribed(recipe=ALIGNED, *, windows: int = 60) -> Scene:
    scene = added(recipe).run(1, 1_200_000).hear(1, 1_200_000, last=True)
    scene.tell(ev.LanguageFound(job=1, language="de", votes=VOTES))
    scene.chunk(1, windows, took=3_000)
    return scene.tell(ev.TermsCorrected(job=1, corrections=CORRECTIONS))


def aligning(done: int = 20) -> View:
    """All is transcribed, and the words of so many windows have finer times."""
    scene = transcribed()
    scene.tell(ev.WorkerEnded(2, "no longer needed"))
    scene.tell(ev.WorkerStarted(job=1, worker=3, stage="align", model="auto")).later(3_000)
    scene.tell(ev.WorkerReady(3, 3_000))
    windows = scene.view.job(1).windows
    for n, span in enumerate(windows[:done]):
        reason = "No word of it could be found in the sound." if n == 7 else ""
        scene.later(1_000).tell(ev.WordsAligned(job=1, spans=(span,), took_ms=1_000, reason=reason))
    scene.now = NOW
    return scene.memory(310, high=1.4).view


def aligned() -> View:
    """The same job, done."""
    scene = Scene()
    scene.view, scene.now = aligning(43), NOW
    scene.tell(ev.JobChanged(1, Writing(NOW))).later(300)
    scene.tell(ev.Written(job=1, partial=False, paths=files("/talks/vortrag")), ev.JobChanged(1, Done(scene.now)))
    return scene.view


def hostile() -> View:
    """Names of models and terms that would take over a careless screen."""
    return fetching(model="\x1b[31m[red]org/\u202emodel\n")
