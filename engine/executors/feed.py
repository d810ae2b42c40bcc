"""What waits for a worker's lanes: spans in order, made into batches."""

import threading
from collections import deque
from math import ceil

import msgspec

from engine.executors.outbox import Outbox
from engine.messages import Begun, Dropped, Work
from engine.timeline import Span


class Feed:
    """Spans that wait for a lane, in order."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._waiting: deque[tuple[Work, Span]] = deque()
        self._taken: list[tuple[Work, list[Work]]] = []
        self._changed = threading.Condition()
        self._busy = 0
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether no lane is to begin anything more."""
        return self._is_closed

    def put(self, work: Work) -> None:
        """Append a work's spans."""
        with self._changed:
            self._waiting.extend((work, span) for span in work.spans)
            self._changed.notify_all()

    def take(self, begun: Outbox) -> Work | None:
        """The next batch, once there is one; None when the feed is closed.

        A batch is filled from consecutive works of one job and one recipe. Near the end it is smaller, so that all
        lanes share what is left. That it was begun is said before anyone else can take or drop.
        """
        with self._changed:
            self._changed.wait_for(lambda: (self._waiting and self._busy < self._lanes) or self._is_closed)
            if self._is_closed:
                return None
            self._busy += 1
            first = self._waiting[0][0]
            share = ceil(len(self._waiting) / self._lanes)
            taken: list[tuple[Work, Span]] = []
            while self._waiting and len(taken) < min(share, first.recipe.batch):
                if not _fits(self._waiting[0][0], first):
                    break
                taken.append(self._waiting.popleft())
            batch = _together(taken)
            self._taken.append((batch, [work for work, _ in taken]))
            begun.say(Begun(batch.job, batch.spans))
        return batch

    def finish(self, batch: Work) -> bool:
        """A lane is through with its batch; whether that was the last of a chunk."""
        with self._changed:
            self._busy -= 1
            ended = [work for taken, works in self._taken if taken is batch for work in works]
            self._taken = [(taken, works) for taken, works in self._taken if taken is not batch]
            left = {id(work) for _, works in self._taken for work in works}
            left |= {id(work) for work, _ in self._waiting}
            self._changed.notify_all()
            return any(id(work) not in left for work in ended)

    def limit(self, lanes: int) -> None:
        """Let at most so many lanes hold a batch."""
        with self._changed:
            self._lanes = lanes
            self._changed.notify_all()

    def drop(self, dropped: Outbox) -> None:
        """Forget all that waits, and say what it was."""
        with self._changed:
            job = self._waiting[0][0].job if self._waiting else 0
            spans = tuple(span for _, span in self._waiting)
            self._waiting.clear()
            dropped.say(Dropped(job, spans))

    def close(self) -> None:
        """Let every lane end after its batch."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _fits(work: Work, first: Work) -> bool:
    """Whether two works' spans may be in one batch; speech that is not known is another thing than none."""
    return (work.job, work.recipe, bool(work.speech)) == (first.job, first.recipe, bool(first.speech))


def _together(taken: list[tuple[Work, Span]]) -> Work:
    """One work of spans that were taken from several, with the speech in them, and the texts of those that have any."""
    first = taken[0][0]
    works = {id(work): work for work, _ in taken}.values()
    spans = tuple(span for _, span in taken)
    speech = {
        each
        for work in works
        for each in work.speech
        if any(each.start < span.end and span.start < each.end for span in spans)
    }
    said = {span: text for work in works for span, text in zip(work.spans, work.texts, strict=False)}
    texts = tuple(said[span] for span in spans if span in said)
    return msgspec.structs.replace(
        first, spans=spans, texts=texts, speech=tuple(sorted(speech, key=lambda each: each.start))
    )
