"""What every event says to the user, in one line; the only place where events become words."""

from collections.abc import Callable
from typing import Any

from engine import events as ev
from engine.languages import language_name
from engine.messages import Probed
from engine.recipe import FailureKind, Recipe
from engine.states import Queued
from tui import recognition
from tui.severity import Severity, Wording
from tui.statewords import state_wording
from tui.text import chunk_length, clock, count, name_of, plain, size, stretch, took

TOLD = 3
"""So many corrections of a batch are told one by one; the report tells all."""


LOADING: tuple[ev.StageName, ...] = ("transcribe", "align")
"""The stages whose workers load a model that has a name."""


_FAILURES = {
    FailureKind.OOM: "out of memory",
    FailureKind.CRASH: "the worker died",
    FailureKind.HANG: "no progress",
    FailureKind.ERROR: "error",
    FailureKind.REJECTED: "implausible text",
    FailureKind.UNUSABLE: "cannot be used",
    FailureKind.AUDIO: "the decoded audio is gone",
    FailureKind.FULL: "the disk is full",
}
_PRESSURES: dict[ev.Pressure, str] = {
    "normal": "the system has room",
    "warning": "the system is short of memory",
    "critical": "the system is out of memory",
}


def wording(event: ev.Event) -> Wording:
    """The event in one clear line, made safe for a terminal."""
    said = _WORDINGS[type(event)](event)
    return Wording(plain(said.text), said.severity)


def failure_word(kind: str) -> str:
    """A kind of failure in a few words; what is none stands for itself."""
    return _FAILURES[FailureKind(kind)] if kind in list(FailureKind) else plain(kind)


def job_of(event: ev.Event) -> int | None:
    """The number of the job an event concerns, if it concerns one."""
    return getattr(event, "job", None)


def parameters(recipe: Recipe) -> str:
    """How a recipe cuts up the work: ``chunks of 5m, batch 2 × 2``."""
    chunks = "one chunk" if recipe.chunk_ms <= 0 else f"chunks of {chunk_length(recipe.chunk_ms)}"
    return f"{chunks}, batch {recipe.batch} × {recipe.parallel}"


def _engine_started(event: ev.EngineStarted) -> Wording:
    return Wording(f"engine started with a memory budget of {size(event.budget)}", Severity.QUIET)


def _job_added(event: ev.JobAdded) -> Wording:
    known = event.progress.duration
    what = f"{size(event.size)}, {clock(known)}" if known else size(event.size)
    if isinstance(event.state, Queued) and not (event.progress.heard or event.progress.worked_ms):
        return Wording(f"queued ({what})")
    return Wording(f"on the list from before ({what}): {state_wording(event.state).text}", Severity.QUIET)


def _job_removed(event: ev.JobRemoved) -> Wording:
    return Wording("taken off the list", Severity.QUIET)


def _job_probed(event: ev.JobProbed) -> Wording:
    length = f"about {clock(event.duration)}" if event.duration else "of unknown length"
    return Wording(f"opened: {_media(event)}, {length}")


def media_words(probed: Probed) -> str:
    """What a media file holds: ``matroska, ac3 44.1 kHz, 5.1, track 1 of 2, eng``."""
    return plain(_media(probed))


def _media(probed: Probed | ev.JobProbed) -> str:
    parts = [probed.container]
    track = next((each for each in probed.tracks if each.index == probed.chosen), None)
    if track is not None:
        parts.append(f"{track.codec} {track.rate / 1000:g} kHz, {_channels(track.channels)}")
        if len(probed.tracks) > 1:
            language = f", {track.language}" if track.language else ""
            parts.append(f"track {probed.chosen} of {len(probed.tracks)}{language}")
    return ", ".join(parts)


def _channels(number: int) -> str:
    return {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}.get(number, f"{number} channels")


def _job_changed(event: ev.JobChanged) -> Wording:
    return state_wording(event.state)


def _queue_ordered(event: ev.QueueOrdered) -> Wording:
    return Wording("the order of the queue changed", Severity.QUIET)


def _worker_started(event: ev.WorkerStarted) -> Wording:
    loads = f", loading {event.model}" if event.stage in LOADING and event.model != "auto" else ""
    return Wording(f"worker {event.worker} started to {event.stage}{loads}", Severity.QUIET)


def _worker_ready(event: ev.WorkerReady) -> Wording:
    return Wording(f"worker {event.worker} ready after {took(event.took_ms)}")


def _worker_ended(event: ev.WorkerEnded) -> Wording:
    return Wording(f"worker {event.worker} ended: {event.reason}", Severity.QUIET)


def _model_fetched(event: ev.ModelFetched) -> Wording:
    is_at_an_end = event.done <= 0 or recognition.is_fetched(event.done, event.total)
    severity = Severity.INFO if is_at_an_end else Severity.QUIET
    return Wording(recognition.fetching(event.model, event.done, event.total), severity)


def _language_found(event: ev.LanguageFound) -> Wording:
    vote = recognition.vote(event.language, event.votes)
    return Wording(f"the language is {language_name(event.language)}" + (f" ({vote})" if vote else ""))


def _words_aligned(event: ev.WordsAligned) -> Wording:
    if event.reason:
        return Wording(f"words at {_spans(event.spans)} keep the recogniser's times: {event.reason.rstrip('. ')}")
    return Wording(f"words at {_spans(event.spans)} aligned in {took(event.took_ms)}", Severity.QUIET)


def _terms_corrected(event: ev.TermsCorrected) -> Wording:
    first = event.corrections[:TOLD]
    told = ", ".join(f"{recognition.change(each)} at {clock(each.at)}" for each in first)
    more = f" and {len(event.corrections) - len(first)} more" if len(event.corrections) > len(first) else ""
    return Wording(f"put right by the terms: {told or 'nothing'}{more}")


def _speech_heard(event: ev.SpeechHeard) -> Wording:
    return Wording(f"heard up to {clock(event.until)}{', the end' if event.last else ''}", Severity.QUIET)


def _chunk_started(event: ev.ChunkStarted) -> Wording:
    recipe = event.recipe
    windows = count(event.windows, "window")
    text = (
        f"chunk {stretch(event.span.start, event.span.end)} begun: {windows}, batch {recipe.batch} × {recipe.parallel}"
    )
    return Wording(text, Severity.QUIET)


def _batch_started(event: ev.BatchStarted) -> Wording:
    return Wording(f"decoding {_spans(event.spans)}", Severity.QUIET)


def _batch_done(event: ev.BatchDone) -> Wording:
    return Wording(
        f"{_spans(event.spans)} transcribed in {took(event.took_ms)}, {count(len(event.lines), 'line')}",
        Severity.QUIET,
    )


def _chunk_done(event: ev.ChunkDone) -> Wording:
    span = event.span
    speed = f", {span.length / event.took_ms:.1f}x" if event.took_ms > 0 else ""
    return Wording(f"chunk {stretch(span.start, span.end)} done in {took(event.took_ms)}{speed}", Severity.GOOD)


def _chunk_stopped(event: ev.ChunkStopped) -> Wording:
    return Wording(f"chunk {stretch(event.span.start, event.span.end)} stopped with nothing lost: {event.reason}")


def _attempt_failed(event: ev.AttemptFailed) -> Wording:
    where = f" at {_spans(event.spans)}" if event.spans else ""
    text = f"{event.stage} failed{where} ({_FAILURES[event.kind]}): {event.reason.rstrip('. ')}; {event.follows}"
    return Wording(text, Severity.WARNING)


def _recipe_changed(event: ev.RecipeChanged) -> Wording:
    is_welcome = event.reason == ev.ASKED or event.reason.endswith(ev.CLEAN)
    severity = Severity.INFO if is_welcome else Severity.WARNING
    why = "as asked for" if event.reason == ev.ASKED else event.reason
    return Wording(f"from {clock(event.at)} on: {parameters(event.recipe)} ({why.rstrip('. ')})", severity)


def _gap_left(event: ev.GapLeft) -> Wording:
    return Wording(f"gap left at {stretch(event.span.start, event.span.end)}: {event.reason}", Severity.ERROR)


def _text_doubted(event: ev.TextDoubted) -> Wording:
    where = stretch(event.span.start, event.span.end)
    return Wording(f"the text at {where} is doubtful ({event.reason.rstrip('. ')}); it is kept", Severity.WARNING)


def _speech_audited(event: ev.SpeechAudited) -> Wording:
    parts = []
    if event.recovered:
        parts.append(f"a second look found words at {_spans(event.recovered)}")
    if event.unheard:
        parts.append(f"speech without words at {_spans(event.unheard)}")
    return Wording("; ".join(parts) or "every stretch of speech has words", _audited(event))


def _audited(event: ev.SpeechAudited) -> Severity:
    if event.unheard:
        return Severity.WARNING
    return Severity.INFO if event.recovered else Severity.QUIET


def _notice(event: ev.Notice) -> Wording:
    return Wording(event.message, Severity.WARNING)


def _warning(event: ev.Warning) -> Wording:
    return Wording(event.message, Severity.WARNING)


def _written(event: ev.Written) -> Wording:
    names = " ".join(name_of(path) for path in event.paths)
    if event.partial:  # every few seconds
        return Wording(f"so far written: {names}", Severity.QUIET)
    return Wording(f"files written: {names}")


def _memory_sampled(event: ev.MemorySampled) -> Wording:
    text = f"memory {size(event.tree)} of {size(event.budget)}"
    if event.device:
        text += f", {size(event.device)} on the device"
    if event.pressure == "normal":
        return Wording(text, Severity.QUIET)
    swapped = f", {size(event.swap)} swapped out" if event.swap else ""
    return Wording(f"{text}; {_PRESSURES[event.pressure]}{swapped}", Severity.QUIET)


def _spans(spans: tuple[Any, ...]) -> str:
    if not spans:
        return "nothing"
    text = stretch(spans[0].start, spans[0].end)
    return text if len(spans) == 1 else f"{text} and {count(len(spans) - 1, 'other window')}"


_WORDINGS: dict[type[Any], Callable[[Any], Wording]] = {
    ev.EngineStarted: _engine_started,
    ev.JobAdded: _job_added,
    ev.JobRemoved: _job_removed,
    ev.JobProbed: _job_probed,
    ev.JobChanged: _job_changed,
    ev.QueueOrdered: _queue_ordered,
    ev.WorkerStarted: _worker_started,
    ev.WorkerReady: _worker_ready,
    ev.WorkerEnded: _worker_ended,
    ev.ModelFetched: _model_fetched,
    ev.LanguageFound: _language_found,
    ev.SpeechHeard: _speech_heard,
    ev.ChunkStarted: _chunk_started,
    ev.BatchStarted: _batch_started,
    ev.BatchDone: _batch_done,
    ev.ChunkDone: _chunk_done,
    ev.ChunkStopped: _chunk_stopped,
    ev.AttemptFailed: _attempt_failed,
    ev.RecipeChanged: _recipe_changed,
    ev.GapLeft: _gap_left,
    ev.TextDoubted: _text_doubted,
    ev.SpeechAudited: _speech_audited,
    ev.WordsAligned: _words_aligned,
    ev.TermsCorrected: _terms_corrected,
    ev.Notice: _notice,
    ev.Warning: _warning,
    ev.Written: _written,
    ev.MemorySampled: _memory_sampled,
}
