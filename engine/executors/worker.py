"""The main of a worker process: lanes that take spans from a feed, run the stage over them, and report.

Whatever a library prints goes to the log; engine and worker speak over a socket of their own. When the engine is
gone the socket ends, and so does the worker, whatever it is doing.
"""

import contextlib
import ctypes
import errno
import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator

import msgspec

from engine import devices
from engine.executors.feed import Feed
from engine.executors.outbox import Outbox, beat
from engine.messages import Batch, Down, Drop, Failed, Finding, Finished, Lanes, Load, Loaded, Release, Run
from engine.recipe import FailureKind
from engine.stages.base import AudioLost, DiskFull, Stage, StageError, UnusableInput

OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "bad_alloc", "insufficient memory")
"""How libraries word a lack of memory when they raise something else than MemoryError."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
"""The system's errors for a disk that is full, or of which no more may be used."""
NO_SPACE = "no space left on device"
"""How libraries word that when they raise something else than OSError."""

SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of <sys/prctl.h>."""

_to_down = msgspec.json.Decoder(Down).decode


def work_lane(stage: Stage, feed: Feed, out: Outbox) -> None:
    """Run the stage over one batch after the other until the feed is closed."""
    size = 0
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
            out.say(Failed(work.job, work.spans, *judge(error)))
            _print(error)
        else:
            out.say(Finished(work.job, work.spans))
        finally:
            if hasattr(batches, "close"):
                batches.close()
            if feed.finish(work):
                devices.tidy()
            if work.recipe.batch < size:
                devices.trim()  # the recipe has become lighter: the memory is to show it
            size = work.recipe.batch


def judge(error: BaseException) -> tuple[FailureKind, str]:
    """What kind of failure an exception is, and in one sentence why."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnusableInput):
        return FailureKind.UNUSABLE, text
    if isinstance(error, AudioLost):
        return FailureKind.AUDIO, text
    if isinstance(error, DiskFull) or (isinstance(error, StageError) and _lacks_room(error.__cause__)):
        return FailureKind.FULL, text
    if _lacks_room(error):
        return FailureKind.FULL, f"There is no room left on the disk, free some space: {text}."
    if isinstance(error, MemoryError) or any(words in text.lower() for words in OUT_OF_MEMORY):
        return FailureKind.OOM, f"Not enough memory: {text}."
    if isinstance(error, StageError):
        return FailureKind.ERROR, text
    return FailureKind.ERROR, f"The stage raised {type(error).__name__}: {text}."


def _lacks_room(error: BaseException | None) -> bool:
    return (isinstance(error, OSError) and error.errno in NO_ROOM) or NO_SPACE in str(error).lower()


def _print(error: BaseException) -> None:
    # The log may lie on the very disk that is full.
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exception(error)


def load(message: Load, out: Outbox) -> Stage:
    """Import the stage and load its model; a failure is reported and ends the worker."""
    began = time.monotonic()
    module, _, name = message.stage.partition(":")
    devices.prepare()
    try:
        stage: Stage = getattr(importlib.import_module(module), name)(message.recipe)
    except BaseException as error:  # an exit, too: the process would live on with nobody at work
        kind, reason = judge(error)
        if isinstance(error, ImportError | AttributeError):
            kind, reason = FailureKind.UNUSABLE, f"The stage {message.stage} cannot be loaded: {error}."
        out.say(Failed(0, (), kind, reason))
        _print(error)
        os._exit(0)
    devices.limit()
    out.say(Loaded(round((time.monotonic() - began) * 1000)))
    return stage


def _die_with_parent() -> None:
    """Have the kernel end this process with the engine's, since a frozen worker cannot see its socket end (Linux).

    Elsewhere the next engine ends it as it starts.
    """
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def main() -> None:
    """Serve one engine until it says Release or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _die_with_parent()
    connection = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    out = Outbox(connection)
    lines = connection.makefile("rb")
    if not (line := lines.readline()):
        os._exit(0)  # the engine was gone before it said anything
    first = _to_down(line)
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
