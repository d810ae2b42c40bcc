"""Starting the host as a process of its own, and hearing from it whether that went well."""

import asyncio
import os
import socket
import subprocess
import sys
import threading

import msgspec

from engine.home import Home, HomeError
from engine.wire import UNREADABLE, Wire

LOG_LIMIT = 2**20
"""Bytes after which the host's log is begun anew."""
REPORT_LIMIT = 2**16
"""Bytes of the longest report."""
PATIENCE = 60.0
"""Seconds that a host may take to be ready; one that has to mend its ledger takes a while."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The host takes clients."""

    pid: int


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The host could not start, and why, in one sentence."""

    error: str
    is_busy: bool = False
    """Whether the only reason is that another process holds the home."""


Report = Ready | Failed
_to_report = msgspec.json.Decoder[Report](Report).decode


async def start(home: Home) -> Report:
    """Start a host over a home, and wait until it is ready or has failed.

    Raises:
        HomeError: the home cannot be used, or no process can be started.
    """
    home.create()
    ours, theirs = socket.socketpair()
    wire = Wire(ours, REPORT_LIMIT)
    try:
        with theirs:
            process = _spawn(home, theirs.fileno())
        # It only makes the host; whoever does not wait so long for that is to leave nothing behind either.
        threading.Thread(target=process.wait, daemon=True).start()
        async with asyncio.timeout(PATIENCE):
            report: Report = _to_report(await wire.hear())
    except TimeoutError:
        return Failed(f"The host was not ready within {PATIENCE:.0f} seconds; {home.logs / 'host.log'} may tell why.")
    except OSError as error:
        raise HomeError(f"The host could not be started ({error.strerror or error}).") from error
    except UNREADABLE:
        return Failed(f"The host ended before it was ready; {home.logs / 'host.log'} tells why.")
    finally:
        wire.close()
    return report


def _spawn(home: Home, stdout: int) -> "subprocess.Popen[bytes]":
    env = os.environ | {"SCRIBETUI_HOME": str(home.path), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with (home.logs / "host.log").open("ab") as log:
        if log.tell() > LOG_LIMIT:
            log.truncate(0)
        return subprocess.Popen(
            (sys.executable, "-P", "-m", "engine.host"),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=log,
            cwd="/",  # or it would keep the disk busy that its starter stands on
            start_new_session=True,
            env=env,
        )
