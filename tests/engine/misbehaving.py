"""Stages that misbehave as processes, not as stages: on the protocol, towards their children, in what they print."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.executors import outbox
from engine.messages import Finding, Warned, Work
from engine.recipe import Recipe
from engine.stages.base import StageError

SOCKET = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdecimal() else -1


def for_ever() -> None:
    threading.Event().wait()


class Stage:
    def __init__(self, recipe: Recipe) -> None:
        pass

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        self.misbehave(work)
        yield ()

    def misbehave(self, work: Work) -> None:
        raise NotImplementedError


class Garbage(Stage):
    def misbehave(self, work):
        os.write(SOCKET, b"\x1b[31mno message at all\xff\n")
        for_ever()


class Unknown(Stage):
    def misbehave(self, work):
        os.write(SOCKET, b'{"type":"Surprise","worker":1}\n')
        for_ever()


class BreaksOff(Stage):
    """Ends in the middle of a message."""

    def __init__(self, recipe):
        outbox.HEARTBEAT = outbox.RISE = float("inf")  # nothing is to come in between

    def misbehave(self, work):
        os.write(SOCKET, b'{"type":"Loaded","took')
        os._exit(0)


class Endless(BreaksOff):
    """Says more than any message is long."""

    def misbehave(self, work):
        with open(SOCKET, "wb", closefd=False) as out:
            out.write(b"x" * (9 * 2**20))
        for_ever()


class DiesSpeaking(BreaksOff):
    """Crashes in the middle of a message."""

    def misbehave(self, work):
        os.write(SOCKET, b'{"type":"Loaded","took')
        os.kill(os.getpid(), signal.SIGSEGV)
        for_ever()


class HangsUp(Stage):
    """Hangs up, and lives on with no other thread ever having its turn."""

    def misbehave(self, work):
        sys.setswitchinterval(1_000)
        socket.socket(fileno=os.dup(SOCKET)).shutdown(socket.SHUT_WR)
        while True:
            pass


class Heir(Stage):
    """Leaves a child with the socket in a session of its own, and ends."""

    def misbehave(self, work):
        if os.fork() == 0:
            os.setsid()
            Path(work.media).write_text(str(os.getpid()))
            for_ever()
        while not Path(work.media).exists():
            pass
        os._exit(3)


class Flees(Stage):
    """Starts a child that starts another in a session of its own, and lives on."""

    def misbehave(self, work):
        code = (
            "import subprocess, sys; subprocess.Popen([sys.executable, '-c',"
            " 'import os, sys, threading; open(sys.argv[1], \"w\").write(str(os.getpid())); threading.Event().wait()',"
            " sys.argv[1]], start_new_session=True)"
        )
        subprocess.run([sys.executable, "-c", code, work.media], check=True)
        for_ever()


class Prints(Stage):
    """Prints twenty megabytes, on both ways out."""

    def misbehave(self, work):
        for number in range(2_000):
            print(f"{number:05}" + "o" * 5_000)
            print("e" * 5_000, file=sys.stderr)
        print("the last word", flush=True)


class Talks(Stage):
    """Says something for ever."""

    def run(self, work):
        ticks = threading.Event()
        while True:
            ticks.wait(0.01)
            yield (Warned(message=str(os.getpid())),)


class Exits(Stage):
    def misbehave(self, work):
        os._exit(7)


class Apart(Stage):
    """Lanes cannot share it. Goes on once as many processes as there are lanes have begun a window."""

    is_shareable = False

    def __init__(self, recipe):
        assert recipe.parallel == 1
        self.ballast = b""

    def run(self, work):
        folder = Path(work.media)
        for span in work.spans:
            (folder / f"{span.start}.begun").write_text(str(os.getpid()))
            self.meet(folder, 2 if work.recipe.model == "two" else work.recipe.parallel)
            yield (Warned(message=f"{span.start} by {os.getpid()}"),)
            self.misbehave(work)

    def meet(self, folder: Path, count: int) -> None:
        """Wait until so many processes have begun something."""
        while len({path.read_text() for path in folder.glob("*.begun")} - {""}) < count:
            threading.Event().wait(0.005)

    def misbehave(self, work):
        pass


class ApartFalls(Apart):
    """The process of a lane's own ends in the way the model's name says; that of the first lane waits."""

    def misbehave(self, work):
        if os.getppid() == os.getsid(0):
            match work.recipe.model:
                case "exit":
                    os._exit(9)
                case "raise":
                    raise StageError("Nobody can say this.")
                case "oom":
                    raise MemoryError("no room")
                case "babble":
                    os.write(SOCKET, b"no message\n")
                case number:
                    os.kill(os.getpid(), int(number))
            for_ever()
        elif work.recipe.model not in ("raise", "oom"):
            for_ever()


class ApartUnloadable(Apart):
    """Can be loaded in the worker, and not below it."""

    def __init__(self, recipe):
        if os.getppid() == os.getsid(0):
            if recipe.model == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise StageError("The second is one too many.")


class ApartGrows(Apart):
    """The process of a lane's own takes 200 MB more and keeps them."""

    def misbehave(self, work):
        if os.getppid() == os.getsid(0):
            self.ballast = os.urandom(2**20) * 200
        for_ever()


class ApartLoads(Apart):
    """Loads for ever, but in the worker itself."""

    def __init__(self, recipe):
        if os.getppid() == os.getsid(0):
            for_ever()
