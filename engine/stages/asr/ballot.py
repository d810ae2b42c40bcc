"""Which language is spoken: by a vote of some windows of the recording, or window by window."""

import threading
from collections.abc import Callable, Mapping, Sequence

from engine.languages import language_name
from engine.messages import Finding, Spoken, Warned, Work
from engine.recipe import EACH_WINDOW
from engine.timeline import Span, intersect, length, union

Hearing = Callable[[Work, Sequence[Span]], Sequence[Mapping[str, float]]]
"""The likelihood of each language for each of the spans."""

ELSE = "en"
"""Where nobody is heard at all."""
TOLD = 5
"""Languages whose share of the vote is told."""
MUCH = 0.2
"""From this share of the vote on, a second language is worth a word to the user."""
SURE = 0.5
"""A model this sure of a window's language has heard somebody speak it."""
KEPT = 16
"""Jobs whose language is remembered; a worker has one at a time, and the next ones as they come."""


class Ballot:
    """Settles the language of each job once; safe to call from several threads.

    A window's vote counts by how long somebody speaks in it, and by the square of how sure the model is of its language
    (the sum of the squares of all likelihoods: the chance that two guesses drawn by them agree). Measured with whisper
    ``base``: speech 0.8 to 1.0 (seven seconds of Latvian 0.5), music, noise and silence 0.13 to 0.29. So a film whose
    first minutes are logo music is none the worse for it.
    """

    def __init__(self, hear: Hearing) -> None:
        self._hear = hear
        self._changed = threading.Condition()
        self._votes: dict[int, _Vote] = {}
        self._settled: dict[int, str] = {}
        self._untold: dict[int, tuple[Finding, ...]] = {}

    def languages(self, work: Work) -> list[str]:
        """The language of each of the work's spans; lanes that ask while a vote is held take part in it."""
        asked = work.recipe.language
        if asked == EACH_WINDOW:
            return [_likeliest(each) for each in self._hear(work, work.spans)]
        return [self._language(work) if asked is None else asked] * len(work.spans)

    def news(self, job: int) -> tuple[Finding, ...]:
        """The outcome of a job's vote, to whoever asks first.

        To be asked for when a batch is through: what a batch that failed was told would be lost.
        """
        with self._changed:
            return self._untold.pop(job, ())

    def _language(self, work: Work) -> str:
        with self._changed:
            vote = self._votes.setdefault(work.job, _Vote(work)) if work.job not in self._settled else None
            while vote is not None and work.job not in self._settled:
                if vote.is_over:
                    self._settle(work.job, vote.outcome)
                elif (number := vote.next) is not None:
                    self._listen(vote, number, work)
                else:
                    self._changed.wait()
            return self._settled[work.job]

    def _listen(self, vote: "_Vote", number: int, work: Work) -> None:
        """Hear one of a vote's windows, while others are let in."""
        vote.begun.add(number)
        self._changed.release()
        try:
            (heard,) = self._hear(work, [vote.windows[number][0]])
        except BaseException:
            self._changed.acquire()
            vote.begun.discard(number)  # another lane may have more luck
            self._changed.notify_all()
            raise
        self._changed.acquire()
        vote.heard[number] = heard
        self._changed.notify_all()

    def _settle(self, job: int, found: "tuple[Spoken] | tuple[Spoken, Warned]") -> None:
        del self._votes[job]
        self._settled[job], self._untold[job] = found[0].language, found
        for old in list(self._settled)[:-KEPT]:
            del self._settled[old]
            self._untold.pop(old, None)
        self._changed.notify_all()


class _Vote:
    """The windows of one vote, in the order in which they count, and what was heard in them so far."""

    def __init__(self, work: Work) -> None:
        # Every other one first: then a part of them is spread over the recording, too.
        spans = work.samples or work.spans
        self.windows = [(span, size) for span in (*spans[::2], *spans[1::2]) if (size := _speech(work, span))]
        self.begun: set[int] = set()
        self.heard: dict[int, Mapping[str, float]] = {}

    @property
    def next(self) -> int | None:
        """The next window to hear; None where all are begun."""
        return next((number for number in range(len(self.windows)) if number not in self.begun), None)

    @property
    def counted(self) -> int | None:
        """How many windows count: up to where the rest cannot change the outcome; None while that is open.

        So what comes out does not depend on who hears what when.
        """
        weights: dict[str, float] = {}
        left = sum(size for _, size in self.windows)
        for number, (_, size) in enumerate(self.windows):
            if _is_decided(weights, left):
                return number
            if number not in self.heard:
                return None
            _add(weights, self.heard[number], size)
            left -= size
        return len(self.windows)

    @property
    def is_over(self) -> bool:
        """Whether the outcome is certain."""
        return self.counted is not None

    @property
    def outcome(self) -> tuple[Spoken] | tuple[Spoken, Warned]:
        """The language, and a word where a second one is spoken."""
        weights: dict[str, float] = {}
        sure: set[str] = set()
        for number in range(self.counted or 0):
            _add(weights, self.heard[number], self.windows[number][1])
            if _sureness(self.heard[number]) >= SURE:
                sure.add(_likeliest(self.heard[number]))
        total = sum(weights.values()) or 1.0
        votes = tuple(sorted(((each, weight / total) for each, weight in weights.items()), key=_by_share)[:TOLD])
        spoken = Spoken(language=votes[0][0] if votes else ELSE, votes=votes)
        if len(votes) > 1 and votes[1][1] >= MUCH and sure.issuperset(language for language, _ in votes[:2]):
            return spoken, _two_languages(*votes[:2])
        return (spoken,)


def _add(weights: dict[str, float], heard: Mapping[str, float], size: int) -> None:
    """Count a window's vote."""
    for language, likelihood in heard.items():
        weights[language] = weights.get(language, 0.0) + size * _sureness(heard) ** 2 * likelihood


def _sureness(heard: Mapping[str, float]) -> float:
    return sum(likelihood**2 for likelihood in heard.values())


def _two_languages(first: tuple[str, float], second: tuple[str, float]) -> Warned:
    (one, more), (other, less) = first, second
    return Warned(
        f"{language_name(one)} and {language_name(other)} are spoken ({more:.0%} and {less:.0%} of the vote), and all "
        f'was taken for {language_name(one)}; the language "{EACH_WINDOW}" tells them apart.'
    )


def _speech(work: Work, span: Span) -> int:
    """Milliseconds of speech in a window: what is known of it, else its length, for windows are laid out by speech."""
    if work.speech and span in work.spans:
        return length(intersect(union(work.speech), (span,)))
    return span.length


def _is_decided(weights: Mapping[str, float], left: float) -> bool:
    """Whether the first is so far ahead that the rest, all for the second and quite sure, would not reach it."""
    first, second = sorted((0.0, 0.0, *weights.values()), reverse=True)[:2]
    return first - second > left


def _likeliest(heard: Mapping[str, float]) -> str:
    return min(heard.items(), key=_by_share)[0] if heard else ELSE


def _by_share(vote: tuple[str, float]) -> tuple[float, str]:
    """The highest share first, and of equal ones always the same."""
    language, share = vote
    return -share, language
