"""The main of a worker process: lanes that take spans from a feed, run the stage over them, and report.

Whatever a library prints goes to the log; engine and worker speak over a socket of their own. When the engine is
gone the socket ends, and so does the worker, whatever it is doing.
"""

import importlib
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator
from math import ceil

import msgspec

from engine.messages import (
    Batch,
    Begun,
    Down,
    Drop,
    Dropped,
    Failed,
    Finding,
    Finished,
    Heartbeat,
    Lanes,
    Load,
    Loaded,
    Release,
    Run,
    Up,
    Work,
)
from engine.recipe import FailureKind
from engine.stages.base import AudioLost, Stage, StageError, UnusableInput
from engine.timeline import Span

HEARTBEAT = 1.0
"""Seconds between two signs of life."""
OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "bad_alloc", "insufficient memory")
"""How libraries word a lack of memory when they raise something else than MemoryError."""

_to_down = msgspec.json.Decoder(Down).decode


class Feed:
    """Spans that wait for a lane, in order."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._waiting: deque[tuple[Work, Span]] = deque()
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

    def take(self, begun: "Outbox") -> Work | None:
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
            spans: list[Span] = []
            while self._waiting and len(spans) < min(share, first.recipe.batch):
                work, span = self._waiting[0]
                if (work.job, work.recipe) != (first.job, first.recipe):
                    break
                spans.append(span)
                self._waiting.popleft()
            begun.say(Begun(first.job, tuple(spans)))
        return msgspec.structs.replace(first, spans=tuple(spans))

    def finish(self) -> None:
        """A lane is through with its batch."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def limit(self, lanes: int) -> None:
        """Let at most so many lanes hold a batch."""
        with self._changed:
            self._lanes = lanes
            self._changed.notify_all()

    def drop(self, dropped: "Outbox") -> None:
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


class Outbox:
    """The way up: whole lines, whichever thread speaks."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def say(self, message: Up) -> None:
        """Send a message; without an engine to hear it there is nothing left to do."""
        line = msgspec.json.encode(message) + b"\n"
        with self._lock:
            try:
                self._connection.sendall(line)
            except OSError:
                os._exit(0)


def work_lane(stage: Stage, feed: Feed, out: Outbox) -> None:
    """Run the stage over one batch after the other until the feed is closed."""
    while (work := feed.take(out)) is not None:
        began = time.monotonic()
        batches: Iterator[tuple[Finding, ...]] = iter(())
        try:
            batches = stage.run(work)
            for found in batches:
                now = time.monotonic()
                out.say(Batch(work.job, found, round((now - began) * 1000)))
                began = now
                if feed.is_closed:
                    break
        except BaseException as error:  # a lane that ended unheard would keep its windows for ever
            traceback.print_exc()
            out.say(Failed(work.job, work.spans, *judge(error)))
        else:
            out.say(Finished(work.job, work.spans))
        finally:
            if hasattr(batches, "close"):
                batches.close()
            feed.finish()


def judge(error: BaseException) -> tuple[FailureKind, str]:
    """What kind of failure an exception is, and in one sentence why."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnusableInput):
        return FailureKind.UNUSABLE, text
    if isinstance(error, AudioLost):
        return FailureKind.AUDIO, text
    if isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY):
        return FailureKind.OOM, f"Not enough memory: {text}."
    if isinstance(error, StageError):
        return FailureKind.ERROR, text
    return FailureKind.ERROR, f"The stage raised {type(error).__name__}: {text}."


def beat(out: Outbox) -> None:
    """Give signs of life for ever."""
    unit = 1 if sys.platform == "darwin" else 1024
    while True:
        out.say(Heartbeat(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit))
        time.sleep(HEARTBEAT)


def load(message: Load, out: Outbox) -> Stage:
    """Import the stage and load its model; a failure is reported and ends the worker."""
    began = time.monotonic()
    module, _, name = message.stage.partition(":")
    try:
        stage: Stage = getattr(importlib.import_module(module), name)(message.recipe)
    except BaseException as error:  # an exit, too: the process would live on with nobody at work
        traceback.print_exc()
        kind, reason = judge(error)
        if isinstance(error, ImportError | AttributeError):
            kind, reason = FailureKind.UNUSABLE, f"The stage {message.stage} cannot be loaded: {error}."
        out.say(Failed(0, (), kind, reason))
        os._exit(0)
    out.say(Loaded(round((time.monotonic() - began) * 1000)))
    return stage


def main() -> None:
    """Serve one engine until it says Release or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    out = Outbox(connection)
    lines = connection.makefile("rb")
    first = _to_down(lines.readline())
    if not isinstance(first, Load):
        raise SystemExit("a worker is first told what to load")
    threading.Thread(target=beat, args=(out,), daemon=True).start()
    feed = Feed(first.lanes)

    def serve() -> None:
        stage = load(first, out)
        lanes = [threading.Thread(target=work_lane, args=(stage, feed, out)) for _ in range(first.lanes)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        # The interpreter's own end would wait for libraries' threads.
        os._exit(0)

    threading.Thread(target=serve, daemon=True).start()
    for line in lines:
        match _to_down(line):
            case Run(work=work):
                feed.put(work)
            case Lanes(count):
                feed.limit(count)
            case Drop():
                feed.drop(out)
            case Release():
                feed.close()
            case Load():
                raise SystemExit("a worker loads once")
    os._exit(0)


if __name__ == "__main__":
    main()
