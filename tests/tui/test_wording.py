"""Every event in one clear, harmless line."""

import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as ev
from engine.commands import Options
from engine.messages import Correction, Track
from engine.recipe import FailureKind, Recipe
from engine.states import (
    Cancelled,
    Done,
    Failed,
    Frozen,
    JobState,
    Paused,
    Pausing,
    Queued,
    Running,
    Stopped,
    Writing,
)
from engine.timeline import Span
from tests.engine.test_view import EVENTS
from tui.severity import Severity
from tui.wording import job_of, parameters, wording

CHUNK = Span(300_000, 600_000)
TRACKS = (
    Track(index=0, codec="aac", rate=48_000, channels=2, language="ger"),
    Track(index=1, codec="ac3", rate=44_100, channels=6, language="eng"),
)

SAID = [
    (ev.EngineStarted(12 * 2**30), "engine started with a memory budget of 12.0G", Severity.QUIET),
    (
        ev.JobAdded(job=1, path="/a.mp3", size=2**20, options=Options(), state=Queued()),
        "queued (1M)",
        Severity.INFO,
    ),
    (
        ev.JobAdded(
            job=1,
            path="/a.mp3",
            size=2**20,
            options=Options(),
            state=Paused(0),
            progress=ev.Progress(duration=60_000),
        ),
        "on the list from before (1M, 1:00): paused",
        Severity.QUIET,
    ),
    (
        ev.JobAdded(job=1, path="/a.mp3", size=2**20, options=Options(), state=Queued(), progress=ev.Progress(heard=9)),
        "on the list from before (1M): waiting in the queue",
        Severity.QUIET,
    ),
    (ev.JobRemoved(1), "taken off the list", Severity.QUIET),
    (
        ev.JobProbed(job=1, tracks=TRACKS, chosen=1, container="matroska", duration=3_723_000),
        "opened: matroska, ac3 44.1 kHz, 5.1, track 1 of 2, eng, about 1:02:03",
        Severity.INFO,
    ),
    (
        ev.JobProbed(job=1, tracks=TRACKS[:1], chosen=0, container="mp4", duration=None),
        "opened: mp4, aac 48 kHz, stereo, of unknown length",
        Severity.INFO,
    ),
    (ev.QueueOrdered((2, 1)), "the order of the queue changed", Severity.QUIET),
    (
        ev.WorkerStarted(job=1, worker=3, stage="transcribe", model="tiny.en"),
        "worker 3 started to transcribe, loading tiny.en",
        Severity.QUIET,
    ),
    (
        ev.WorkerStarted(job=1, worker=4, stage="align", model="wav2vec2"),
        "worker 4 started to align, loading wav2vec2",
        Severity.QUIET,
    ),
    (
        ev.WorkerStarted(job=1, worker=4, stage="align", model="auto"),
        "worker 4 started to align",
        Severity.QUIET,
    ),
    (
        ev.WorkerStarted(job=1, worker=2, stage="listen", model="tiny.en"),
        "worker 2 started to listen",
        Severity.QUIET,
    ),
    (ev.WorkerReady(3, 310), "worker 3 ready after 0.3s", Severity.INFO),
    (ev.WorkerEnded(3, "no longer needed"), "worker 3 ended: no longer needed", Severity.QUIET),
    (
        ev.ModelFetched(job=1, worker=3, model="small", done=0, total=480 * 2**20),
        "fetching small, 480M",
        Severity.INFO,
    ),
    (
        ev.ModelFetched(job=1, worker=3, model="small", done=120 * 2**20, total=480 * 2**20),
        "fetching small, 120M of 480M",
        Severity.QUIET,
    ),
    (
        ev.ModelFetched(job=1, worker=3, model="small", done=480 * 2**20, total=480 * 2**20),
        "fetched small, 480M",
        Severity.INFO,
    ),
    (ev.ModelFetched(job=1, worker=3, model="small", done=0, total=0), "fetching small", Severity.INFO),
    (ev.ModelFetched(job=1, worker=3, model="small", done=2**20, total=0), "fetching small, 1M", Severity.QUIET),
    (
        ev.LanguageFound(job=1, language="de", votes=(("de", 0.91), ("nl", 0.05))),
        "the language is German (91% of the vote)",
        Severity.INFO,
    ),
    (
        ev.LanguageFound(job=1, language="nn", votes=(("nn", 0.48), ("da", 0.4), ("sv", 0.12))),
        "the language is Norwegian Nynorsk (48% of the vote, Danish 40%)",
        Severity.INFO,
    ),
    (ev.LanguageFound(job=1, language="tlh"), "the language is tlh", Severity.INFO),
    (ev.SpeechHeard(job=1, until=600_000, windows=(), last=True), "heard up to 10:00, the end", Severity.QUIET),
    (
        ev.ChunkStarted(job=1, attempt=1, span=CHUNK, windows=1, recipe=Recipe()),
        "chunk 5:00–10:00 begun: 1 window, batch 2 × 2",
        Severity.QUIET,
    ),
    (
        ev.BatchStarted(job=1, spans=(CHUNK, CHUNK, CHUNK)),
        "decoding 5:00–10:00 and 2 other windows",
        Severity.QUIET,
    ),
    (
        ev.BatchDone(job=1, spans=(CHUNK,), lines=(), took_ms=2_100),
        "5:00–10:00 transcribed in 2.1s, 0 lines",
        Severity.QUIET,
    ),
    (
        ev.ChunkDone(job=1, attempt=1, span=CHUNK, took_ms=60_000),
        "chunk 5:00–10:00 done in 1:00, 5.0x",
        Severity.GOOD,
    ),
    (
        ev.ChunkStopped(job=1, attempt=1, span=CHUNK, reason="paused"),
        "chunk 5:00–10:00 stopped with nothing lost: paused",
        Severity.INFO,
    ),
    (
        ev.AttemptFailed(
            job=1,
            stage="transcribe",
            spans=(CHUNK,),
            kind=FailureKind.OOM,
            reason="The worker was killed.",
            follows="again in 1 s, try 2 of 4",
        ),
        "transcribe failed at 5:00–10:00 (out of memory): The worker was killed; again in 1 s, try 2 of 4",
        Severity.WARNING,
    ),
    (
        ev.AttemptFailed(
            job=1,
            stage="listen",
            spans=(),
            kind=FailureKind.UNUSABLE,
            reason="No sound.",
            follows="the job is given up",
        ),
        "listen failed (cannot be used): No sound; the job is given up",
        Severity.WARNING,
    ),
    (
        ev.RecipeChanged(job=1, recipe=Recipe(chunk_ms=150_000, batch=4), at=60_000, reason="asked for"),
        "from 1:00 on: chunks of 2m30s, batch 4 × 2 (as asked for)",
        Severity.INFO,
    ),
    (
        ev.RecipeChanged(job=1, recipe=Recipe(batch=1), at=0, reason="The worker was killed."),
        "from 0:00 on: chunks of 5m, batch 1 × 2 (The worker was killed)",
        Severity.WARNING,
    ),
    (
        ev.RecipeChanged(job=1, recipe=Recipe(batch=4), at=0, reason="3 clean chunks in a row"),
        "from 0:00 on: chunks of 5m, batch 4 × 2 (3 clean chunks in a row)",
        Severity.INFO,
    ),
    (ev.GapLeft(1, CHUNK, "It failed."), "gap left at 5:00–10:00: It failed.", Severity.ERROR),
    (
        ev.TextDoubted(1, CHUNK, "the same words over and over."),
        "the text at 5:00–10:00 is doubtful (the same words over and over); it is kept",
        Severity.WARNING,
    ),
    (
        ev.SpeechAudited(job=1, recovered=(CHUNK,), unheard=()),
        "a second look found words at 5:00–10:00",
        Severity.INFO,
    ),
    (
        ev.SpeechAudited(job=1, recovered=(CHUNK, CHUNK), unheard=(Span(0, 7_000),)),
        "a second look found words at 5:00–10:00 and 1 other window; speech without words at 0:00–0:07",
        Severity.WARNING,
    ),
    (ev.SpeechAudited(job=1, recovered=(), unheard=()), "every stretch of speech has words", Severity.QUIET),
    (
        ev.WordsAligned(job=1, spans=(CHUNK, CHUNK), took_ms=2_100),
        "words at 5:00–10:00 and 1 other window aligned in 2.1s",
        Severity.QUIET,
    ),
    (
        ev.WordsAligned(job=1, spans=(CHUNK,), took_ms=0, reason="There is no model for Basque."),
        "words at 5:00–10:00 keep the recogniser's times: There is no model for Basque",
        Severity.INFO,
    ),
    (
        ev.TermsCorrected(job=1, corrections=(Correction(723_000, "comfy UI", "ComfyUI"),)),
        'put right by the terms: "comfy UI" → "ComfyUI" at 12:03',
        Severity.INFO,
    ),
    (
        ev.TermsCorrected(job=1, corrections=tuple(Correction(n * 1_000, "a", f"b{n}") for n in range(5))),
        'put right by the terms: "a" → "b0" at 0:00, "a" → "b1" at 0:01, "a" → "b2" at 0:02 and 2 more',
        Severity.INFO,
    ),
    (ev.Notice("The machine may sleep."), "The machine may sleep.", Severity.WARNING),
    (ev.Warning(1, "The file is cut short."), "The file is cut short.", Severity.WARNING),
    (
        ev.Written(job=1, partial=False, paths=("/t/a.srt", "/t/a.txt")),
        "files written: a.srt a.txt",
        Severity.INFO,
    ),
    (ev.Written(job=1, partial=True, paths=("/t/a.srt",)), "so far written: a.srt", Severity.QUIET),
    (
        ev.MemorySampled(tree=2**30, budget=2**31, available=0),
        "memory 1.0G of 2.0G",
        Severity.QUIET,
    ),
    (
        ev.MemorySampled(tree=2**30, budget=2**31, available=0, device=2**29, swap=3 * 2**30, pressure="critical"),
        "memory 1.0G of 2.0G, 512M on the device; the system is out of memory, 3.0G swapped out",
        Severity.QUIET,
    ),
    (
        ev.MemorySampled(tree=2**30, budget=2**31, available=0, swap=0, pressure="warning"),
        "memory 1.0G of 2.0G; the system is short of memory",
        Severity.QUIET,
    ),
    (ev.JobChanged(1, Queued()), "waiting in the queue", Severity.QUIET),
    (
        ev.JobChanged(1, Stopped(0)),
        "left unfinished; it goes on once it is resumed",
        Severity.INFO,
    ),
    (ev.JobChanged(1, Running(0)), "running", Severity.INFO),
    (ev.JobChanged(1, Pausing(0)), "pausing after the batches under way", Severity.INFO),
    (ev.JobChanged(1, Paused(0)), "paused", Severity.INFO),
    (
        ev.JobChanged(1, Pausing(0, reason="The disk is full.")),
        "pausing after the batches under way: The disk is full",
        Severity.WARNING,
    ),
    (ev.JobChanged(1, Pausing(0, how="parked")), "parking after the batches under way", Severity.INFO),
    (ev.JobChanged(1, Paused(0, how="parked")), "parked, its memory given back", Severity.INFO),
    (
        ev.JobChanged(1, Paused(0, how="parked", reason="There is no room on the disk.")),
        "parked, its memory given back: There is no room on the disk; it goes on by itself",
        Severity.WARNING,
    ),
    (ev.JobChanged(1, Frozen(0)), "frozen in mid-batch; its memory stays", Severity.INFO),
    (ev.JobChanged(1, Writing(0)), "all transcribed, writing the files", Severity.QUIET),
    (ev.JobChanged(1, Done(0)), "done", Severity.GOOD),
    (ev.JobChanged(1, Done(0, gaps=27_000)), "done, with gaps of 0:27", Severity.WARNING),
    (ev.JobChanged(1, Failed(0, "It has no sound.")), "failed: It has no sound.", Severity.ERROR),
    (ev.JobChanged(1, Cancelled(0)), "cancelled", Severity.INFO),
]


@pytest.mark.parametrize(("event", "words", "severity"), SAID)
def test_events_in_words(event, words, severity):
    assert wording(event) == (words, severity)


def test_every_kind_of_event_and_state_has_words():
    assert {type(event) for event, _, _ in SAID} == set(get_args(ev.Event))
    told = {type(event.state) for event, _, _ in SAID if isinstance(event, ev.JobChanged)}
    assert told == set(get_args(JobState))


@given(st.one_of(*EVENTS.values()))
def test_any_event_is_one_harmless_line(event):
    said = wording(event)
    assert said.text
    assert not {unicodedata.category(char) for char in said.text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert job_of(event) == getattr(event, "job", None)


@pytest.mark.parametrize(
    "event",
    [
        ev.Warning(1, "\x1b]0;owned\x07[red]\n"),
        ev.JobChanged(1, Failed(0, "\x1b]0;owned\x07[red]\n")),
        ev.Written(job=1, partial=False, paths=("/t/\x1b]0;owned\x07[red]\n",)),
        ev.WorkerEnded(1, "\x1b]0;owned\x07[red]\n"),
        ev.ModelFetched(job=1, worker=1, model="\x1b]0;owned\x07[red]\n", done=1, total=2),
        ev.LanguageFound(job=1, language="\x1b]0;owned\x07[red]\n"),
        ev.LanguageFound(job=1, language="de", votes=(("de", 0.6), ("\x1b]0;owned\x07[red]\n", 0.4))),
        ev.WordsAligned(job=1, spans=(), took_ms=0, reason="\x1b]0;owned\x07[red]\n"),
        ev.TermsCorrected(job=1, corrections=(Correction(0, "a", "\x1b]0;owned\x07[red]\n"),)),
    ],
)
def test_words_from_outside_are_shown_not_obeyed(event):
    assert "␛]0;owned\\x07[red]␊" in wording(event).text


def test_one_chunk_a_job():
    assert parameters(Recipe(chunk_ms=0, batch=3, parallel=1)) == "one chunk, batch 3 × 1"
