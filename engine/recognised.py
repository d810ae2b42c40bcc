"""Pure: what recognition found out about a job, by its story: language, finer times, corrections, downloads."""

from collections.abc import Iterable

import msgspec

from engine import events as ev
from engine.messages import Correction
from engine.timeline import Span, Spans, length, union


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was downloaded: from when until when (Unix milliseconds), and how many of how many bytes."""

    model: str
    at: int
    until: int
    done: int
    total: int
    """0 where it is not known."""


class Recognised(msgspec.Struct, frozen=True, kw_only=True):
    """What recognition found out. Spans are on the media's timeline, those of ``aligning`` on the clock."""

    language: str | None = None
    """The language that was detected; None where none was."""
    votes: tuple[tuple[str, float], ...] = ()
    corrections: tuple[Correction, ...] = ()
    """What the terms put right, in the order of the timeline."""
    aligned: tuple[Span, ...] = ()
    """The windows whose words were given finer times."""
    unaligned: tuple[tuple[Span, str], ...] = ()
    """The windows in which words kept the recogniser's times, and why."""
    aligning: Spans = ()
    """When words were being aligned."""
    downloads: tuple[Download, ...] = ()

    @property
    def aligned_ms(self) -> int:
        """Length of the windows whose words were given finer times."""
        return length(union(self.aligned))


def recognised(story: Iterable[ev.Entry]) -> Recognised:
    """Gather it from the entries of ``engine.story``; what was found last counts."""
    language: str | None = None
    votes: tuple[tuple[str, float], ...] = ()
    corrections: set[tuple[int, str, str]] = set()
    windows: dict[Span, str] = {}
    aligning: list[Span] = []
    fetched: dict[tuple[int, int, str], Download] = {}
    sitting = 0
    for entry in story:
        match entry.event:
            case ev.EngineStarted():
                sitting += 1
            case ev.LanguageFound():
                language, votes = entry.event.language, entry.event.votes
            case ev.TermsCorrected(corrections=found):
                corrections.update((each.at, each.was, each.now) for each in found)
            case ev.WordsAligned(spans=spans, took_ms=took, reason=reason):
                windows |= dict.fromkeys(spans, reason)
                aligning.append(Span(entry.at - took, entry.at))
            case ev.ModelFetched(worker=worker, model=model):
                key = (sitting, worker, model)  # numbers of workers begin anew with each sitting
                began = fetched[key].at if key in fetched else entry.at
                fetched[key] = Download(
                    model=model, at=began, until=entry.at, done=entry.event.done, total=entry.event.total
                )
            case _:
                pass
    return Recognised(
        language=language,
        votes=votes,
        corrections=tuple(Correction(*each) for each in sorted(corrections)),
        aligned=tuple(sorted(span for span, reason in windows.items() if not reason)),
        unaligned=tuple(sorted((span, reason) for span, reason in windows.items() if reason)),
        aligning=union(aligning),
        downloads=tuple(fetched.values()),
    )
