"""Third-party stages for the tests, loaded by import path as any other: quick ones, and faulty ones.

A media file of these stages is a text file of ``key=value`` words: ``windows=6 poison=2 kill=3``.
"""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from engine.messages import Aligned, Decoded, Finding, Heard, Probed, Spoken, Track, Warned, Work
from engine.models import progress
from engine.recipe import Recipe
from engine.stages.audio import read_window
from engine.stages.base import StageError, UnusableInput
from engine.timeline import Span
from engine.transcript import Segment, Word

WINDOW = 10_000


def script(work: Work) -> dict[str, str]:
    """What the media file says."""
    return dict(pair.split("=", 1) for pair in Path(work.media).read_text().split() if "=" in pair)


def window_number(span: Span) -> int:
    """Which window this is, from 0."""
    return span.start // WINDOW


class Listen:
    """Lays out as many windows as the media file says, one a block."""

    def __init__(self, recipe: Recipe) -> None:
        pass

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        told = script(work)
        if "unusable" in told:
            raise UnusableInput(f"{work.media}: cannot be used ({told['unusable']}).")
        count = int(told.get("windows", 3))
        Path(work.audio).write_bytes(bytes(32 * WINDOW * count))
        track = Track(index=0, codec="none", rate=16_000, channels=1)
        yield (Probed(tracks=(track,), chosen=0, container="text", duration=count * WINDOW, offset=0),)
        if "warn" in told:
            yield (Warned(message=told["warn"]),)
        for n in range(work.spans[0].start // WINDOW, count):
            window = Span(n * WINDOW, (n + 1) * WINDOW)
            yield (Heard(span=window, windows=(window,), checkpoint=str(n), last=n == count - 1),)
        if not count or work.spans[0].start >= count * WINDOW:
            yield (Heard(span=Span(work.spans[0].start, count * WINDOW), last=True),)


class Echo:
    """Says each window's number; fails the windows that the media file names, in the way it names."""

    def __init__(self, recipe: Recipe) -> None:
        pass

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        told = script(work)
        with Path(work.media + ".begun").open("a") as log:
            log.write("".join(f"{window_number(span)}\n" for span in work.spans))
        for span in work.spans:
            self._fail(told, window_number(span), Path(work.media))
        yield tuple(self._decoded(span) for span in work.spans)

    def _decoded(self, span: Span) -> Decoded:
        text = f"window {window_number(span)}."
        words = (
            Word(" window", span.start + 100, span.start + 900, 0.9),
            Word(f" {window_number(span)}.", span.start + 1_000, span.start + 1_500, 0.8),
        )
        return Decoded(span=span, segments=(Segment(span.start + 100, span.start + 1_500, text, words),))

    def _fail(self, told: dict[str, str], window: int, media: Path) -> None:
        def names(key: str) -> bool:
            return str(window) in told.get(key, "").split(",")

        def first_time(key: str) -> bool:
            mark = media.with_suffix(f".{key}.{window}")
            if mark.exists():
                return False
            mark.touch()
            return True

        if names("poison"):
            raise StageError(f"Window {window} is poison.")
        if names("raise") and first_time("raise"):
            raise ValueError("a passing fault")
        if names("oom") and first_time("oom"):
            raise MemoryError("no room for the batch")
        for key, number in (("kill", signal.SIGKILL), ("segv", signal.SIGSEGV)):
            if names(key) and first_time(key):
                signal.pthread_kill(threading.get_ident(), number)
                threading.Event().wait()
        if names("hold"):
            # Until the test takes the file away; it is the test that ends this, never a clock.
            while media.with_suffix(".hold").exists():
                threading.Event().wait(0.01)


class Polyglot(Echo):
    """Hears that German is spoken, once, where it is not told; says what it was told."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        with Path(work.media + ".told").open("a") as log:
            log.write(f"{work.recipe.language} {len(work.samples)}\n")
        if work.recipe.language is None:
            yield (Spoken(language="de", votes=(("de", 0.75), ("en", 0.25))),)
        yield from super().run(work)


class Align:
    """Moves every word by 10 ms; fails the windows that the media file names: ``align_kill=2 align_raise=1``."""

    def __init__(self, recipe: Recipe) -> None:
        self.language = recipe.language

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        told = script(work)
        for span, segments in zip(work.spans, work.texts, strict=True):
            read_window(work.audio, span)
            number = window_number(span)
            with Path(work.media + ".aligning").open("a") as log:
                log.write(f"{number} {self.language}\n")
            if str(number) in told.get("align_raise", "").split(","):
                raise StageError(f"Window {number} has no words that fit.")
            if str(number) in told.get("align_kill", "").split(","):
                signal.pthread_kill(threading.get_ident(), signal.SIGKILL)
                threading.Event().wait()
            if str(number) in told.get("align_hold", "").split(","):
                while Path(work.media).with_suffix(".hold").exists():
                    threading.Event().wait(0.01)
            yield (Aligned(span=span, segments=tuple(map(_moved, segments))),)


def _moved(segment: Segment) -> Segment:
    words = tuple(msgspec.structs.replace(word, start=word.start + 10, end=word.end + 10) for word in segment.words)
    return msgspec.structs.replace(segment, words=words)


class Fetches(Echo):
    """Downloads its model at first: says so a few times while it loads, and is done."""

    def __init__(self, recipe: Recipe) -> None:
        for done in (0, 50, 100):
            progress.tell(recipe.model, done, 100)


class Garbage(Echo):
    """Writes nonsense where messages belong."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        mark = Path(work.media + ".garbage")
        if not mark.exists():
            mark.touch()
            for descriptor in range(3, 64):
                try:
                    if os.readlink(f"/proc/self/fd/{descriptor}").startswith("socket:"):
                        os.write(descriptor, b"this is no message\n")
                except OSError:
                    continue
        yield from super().run(work)


class Eager(Echo):
    """Fails where it is called, not where it is read from: its ``run`` is no generator."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        self._fail(script(work), window_number(work.spans[0]), Path(work.media))
        return iter([tuple(self._decoded(span) for span in work.spans)])


class Exits(Echo):
    """Asks the whole program to end, as a library might."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        try:
            yield from super().run(work)
        except StageError as error:
            raise SystemExit(str(error)) from error


class Apart(Echo):
    """Cannot be shared by lanes; goes on once as many processes as there are lanes have begun something."""

    is_shareable = False

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        pids = Path(work.media + ".pids")
        with pids.open("a") as log:
            log.write(f"{os.getpid()}\n")
        while len(set(pids.read_text().split())) < work.recipe.parallel:
            threading.Event().wait(0.005)
        yield from super().run(work)


class Forgetful(Echo):
    """Leaves out the windows that should fail, and says nothing of it."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        left_out = script(work).get("poison", "").split(",")
        yield tuple(self._decoded(span) for span in work.spans if str(window_number(span)) not in left_out)


class Reads(Echo):
    """Reads the decoded audio, as a real backend does."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        for found in super().run(work):
            for span in work.spans:
                read_window(work.audio, span)
            yield found


class Deaf(Listen):
    """Stops listening before the end."""

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        yield from list(super().run(work))[:-1]


class ExitsLoading:
    """Asks the whole program to end while it loads."""

    def __init__(self, recipe: Recipe) -> None:
        raise SystemExit("no licence")


class LoadsAtLast(Echo):
    """Cannot be loaded at first: the model's name is a folder, and each file in it is one more way to fail."""

    def __init__(self, recipe: Recipe) -> None:
        for way in sorted(Path(recipe.model).iterdir()):
            way.unlink()
            match way.suffix:
                case ".raise":
                    raise RuntimeError("the weights cannot be read at present")
                case ".oom":
                    raise MemoryError("no room for the weights")
                case ".segv":
                    signal.pthread_kill(threading.get_ident(), signal.SIGSEGV)
                    threading.Event().wait()


class Unloadable:
    """Cannot be loaded."""

    def __init__(self, recipe: Recipe) -> None:
        raise RuntimeError("the weights are damaged")
