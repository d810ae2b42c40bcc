"""The main of a worker process: lanes that take spans from a feed, run the stage over them, and report.

Lanes share the stage, and so its weights. Where the stage says that they cannot, each but the first has a process of
its own (``crew``).

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
from engine.executors.crew import Mate, Relayed
from engine.executors.feed import Feed
from engine.executors.outbox import Outbox, beat
from engine.messages import Batch, Down, Drop, Failed, Fetching, Finding, Finished, Lanes, Load, Loaded, Release, Run
from engine.models import progress
from engine.recipe import FailureKind
from engine.redact import Redacting, redacted
from engine.stages.base import AudioLost, DiskFull, Stage, StageError, UnusableInput

OUT_OF_MEMORY = ("out of memory", "cannot allocate memory", "bad_alloc", "insufficient memory", "unable to allocate")
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
    text = redacted(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, Relayed):
        return error.kind, error.reason
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
    if isinstance(error, Relayed):
        return  # it was printed where it was raised
    # The log may lie on the very disk that is full.
    with contextlib.suppress(OSError, ValueError):
        traceback.print_exception(error)


def load(message: Load, out: Outbox) -> tuple[Stage, bool]:
    """Import the stage and load its model; a failure is reported and ends the worker.

    Returns:
        The stage, and whether lanes may share it.
    """
    began = time.monotonic()
    module, _, name = message.stage.partition(":")
    devices.prepare()
    progress.listen(lambda model, done, total: out.say(Fetching(model, done, total)))
    try:
        kind: type[Stage] = getattr(importlib.import_module(module), name)
        if not callable(kind):
            raise AttributeError(f"{name} is no class")
        is_shareable = getattr(kind, "is_shareable", True)
        stage = kind(message.recipe if is_shareable else msgspec.structs.replace(message.recipe, parallel=1))
    except BaseException as error:  # an exit, too: the process would live on with nobody at work
        failure, reason = judge(error)
        if isinstance(error, ImportError | AttributeError):
            failure, reason = FailureKind.UNUSABLE, redacted(f"The stage {message.stage} cannot be loaded: {error}.")
        out.say(Failed(0, (), failure, reason))
        _print(error)
        os._exit(0)
    devices.limit()
    out.say(Loaded(round((time.monotonic() - began) * 1000)))
    return stage, is_shareable


def serve(message: Load, feed: Feed, out: Outbox, mates: list[Mate]) -> None:
    """Load, work in as many lanes as are asked for until the feed is closed, and end the process.

    Args:
        message: what to load.
        feed: where the work comes from.
        out: where to report.
        mates: filled with the processes of the lanes that have their own.
    """
    stage, is_shareable = load(message, out)
    lanes = [threading.Thread(target=work_lane, args=(stage, feed, out))]
    if is_shareable:
        lanes += [threading.Thread(target=work_lane, args=(stage, feed, out)) for _ in range(message.lanes - 1)]
    for lane in lanes:
        lane.start()
    # Only now: the first may have downloaded the weights, or made them over.
    below = [] if is_shareable else _sign_on(message, feed, out, mates)
    for lane in lanes:
        lane.join()
    for lane, mate in below:
        if mate.is_ready.is_set():
            lane.join()
    # The interpreter's own end would wait for libraries' threads, and for mates that load.
    os._exit(0)


def _sign_on(message: Load, feed: Feed, out: Outbox, mates: list[Mate]) -> list[tuple[threading.Thread, Mate]]:
    """Start a process and a lane for each lane but the first; a failure to is reported and ends the worker."""
    lanes: list[tuple[threading.Thread, Mate]] = []
    try:
        for _ in range(message.lanes - 1):
            mate = Mate(msgspec.structs.replace(message, lanes=1), out.say)
            lane = threading.Thread(target=_work_below, args=(mate, feed, out))
            lane.start()
            mates.append(mate)
            lanes.append((lane, mate))
    except (OSError, RuntimeError) as error:  # no room for a process, or for a thread
        _give_up(feed, out, error)
    return lanes


def _work_below(mate: Mate, feed: Feed, out: Outbox) -> None:
    try:
        mate.wait()
    except Relayed as error:
        _give_up(feed, out, error)
    else:
        work_lane(mate, feed, out)


def _give_up(feed: Feed, out: Outbox, error: Exception) -> None:
    """Report that not all lanes could be made ready, and end after the batches under way."""
    out.say(Failed(0, (), *judge(error)))
    _print(error)
    feed.close()


def _die_with_parent() -> None:
    """Have the kernel end this process with the engine's, since a frozen worker cannot see its socket end (Linux).

    Elsewhere the next engine ends it as it starts.
    """
    ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def main() -> None:
    """Serve one engine until it says Release or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout, sys.stderr = Redacting(sys.stdout), Redacting(sys.stderr)
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
    mates: list[Mate] = []
    threading.Thread(target=beat, args=(out, mates), daemon=True).start()
    feed = Feed(first.lanes)
    threading.Thread(target=serve, args=(first, feed, out, mates), daemon=True).start()
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
