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


class Endless(Stage):
    """Says more than any message is long."""

    def misbehave(self, work):
        with open(SOCKET, "wb", closefd=False) as out:
            out.write(b"x" * (9 * 2**20))
        for_ever()


class BreaksOff(Stage):
    """Ends in the middle of a message."""

    def __init__(self, recipe):
        outbox.HEARTBEAT = outbox.RISE = float("inf")  # nothing is to come in between

    def misbehave(self, work):
        os.write(SOCKET, b'{"type":"Loaded","took')
        os._exit(0)


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
