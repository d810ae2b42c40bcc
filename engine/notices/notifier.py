"""Tells a program of the user's choice when a job has ended or needs somebody; the engine never waits for it."""

import asyncio
import contextlib
import logging
import os
import shlex
import signal
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from engine.api import EngineAPI
from engine.executors.logs import Logs
from engine.home import Home
from engine.notices.lookout import Lookout
from engine.notices.ondone import Facts, command_for, problem
from engine.settings import Settings, SettingsError

_log = logging.getLogger(__name__)

LIMIT = 60.0
"""Seconds a command may take."""
PARTING = 10.0
"""Seconds for all that is still to be told once the engine has ended."""
WAITING = 500
"""How many commands may wait for their turn."""
LOG_LIMIT = 2**20
"""Bytes of what commands print that are kept."""
LOG = "on_done"
"""The name of that log."""


class Notifier:
    """Follows an engine, and runs the user's command for what there is to tell of: one at a time, in order.

    Args:
        api: the engine.
        template: the command, as ``ondone.command_for`` takes it.
        logs: the folder for what the command prints.
        limit: seconds after which a command is killed, with all it started.
        parting: seconds for all that is still to be told once the engine has ended.
        tell: called with a sentence for each kind of trouble with the command, once.
    """

    def __init__(
        self,
        api: EngineAPI,
        template: str,
        logs: Path,
        *,
        limit: float = LIMIT,
        parting: float = PARTING,
        tell: Callable[[str], None] = _log.warning,
    ) -> None:
        self._api = api
        self._template = template
        self._logs = Logs(logs, LOG_LIMIT)
        self._limit = limit
        self._parting = parting
        self._tell = tell
        self._told: set[str] = set()
        self._waiting: deque[Facts] = deque()
        self._something = asyncio.Event()
        self._is_over = False

    async def run(self) -> None:
        """Work until the engine ends, and then for as long as parting takes, until what there was to tell is told.

        When this is cancelled, the command under way is killed.
        """
        view, stream = self._api.subscribe()
        self._lookout = Lookout(view, time.time_ns() // 1_000_000)
        self._something.set()
        teller = asyncio.create_task(self._tell_all())
        try:
            async for news in stream:
                self._take(self._lookout.hear(news))
            self._is_over = True
            self._something.set()
            await asyncio.wait([teller], timeout=self._parting)
            if not teller.done():
                self._complain(f"on_done commands given up because scribetui ended: {len(self._waiting) + 1}.")
        finally:
            teller.cancel()
            (fault,) = await asyncio.gather(teller, return_exceptions=True)
            if isinstance(fault, Exception):
                _log.error("on_done commands are not run any more: %r", fault)

    def _take(self, found: list[Facts]) -> None:
        for facts in found:
            if len(self._waiting) >= WAITING:
                self._complain("The on_done command is too slow: it is not run for every job.")
                break
            self._waiting.append(facts)
        self._something.set()

    async def _tell_all(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            if (unfinished := self._lookout.unfinished()) is not None:
                await self._run(unfinished)
            while self._waiting:
                await self._run(self._waiting.popleft())
            if self._is_over and not self._something.is_set():
                return

    async def _run(self, facts: Facts) -> None:
        arguments = command_for(self._template, facts)
        try:
            await self._run_command([_program(arguments[0]), *arguments[1:]], facts)
        except FileNotFoundError:
            self._complain(f"The on_done command cannot be run: there is no program {arguments[0]}.")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._complain(f"The on_done command cannot be run ({why}).")

    async def _run_command(self, arguments: list[str], facts: Facts) -> None:
        with self._logs.open(LOG) as log:
            at = datetime.now().isoformat(" ", "seconds")
            log.write(f"[{at}] {shlex.join(arguments)}\n".encode("utf-8", "backslashreplace"))
            log.flush()
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_somewhere(),
                env={**os.environ, **facts.environment()},
                start_new_session=True,
            )
        try:
            status = await self._ended(process)
        finally:
            if process.returncode is None:
                with contextlib.suppress(OSError):  # it may have ended at this very moment
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if status is None:
            self._complain(f"The on_done command was killed, since it took longer than {self._limit:g} s.")
        elif status:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            self._complain(f"The on_done command {how}; what it said is in {LOG}.log among the logs.")

    async def _ended(self, process: asyncio.subprocess.Process) -> int | None:
        """The status a command ended with, None if it did not in time; what it prints is kept from filling the disk."""
        end = asyncio.create_task(process.wait())
        deadline = time.monotonic() + self._limit
        try:
            while (left := deadline - time.monotonic()) > 0:
                done, _ = await asyncio.wait([end], timeout=min(1.0, left))
                self._logs.trim()
                if done:
                    return end.result()
        finally:
            end.cancel()
            await asyncio.gather(end, return_exceptions=True)
        return None

    def _complain(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            self._tell(sentence)


def notifying(
    api: EngineAPI, home: Home, settings: Settings, *, tell: Callable[[str], None] = _log.warning
) -> Notifier | None:
    """What runs the user's command for an engine; None where the settings name no command.

    Raises:
        SettingsError: the command in the settings is none.
    """
    template = settings.notify.on_done
    if (wrong := problem(template)) is not None:
        raise SettingsError(f"notify.on_done {wrong}", "notify.on_done")
    return Notifier(api, template, home.logs, tell=tell) if template.strip() else None


def _program(word: str) -> str:
    """The program that a command begins with; there is no shell to say what ``~`` is."""
    return os.path.expanduser(word)


def _somewhere() -> Path:
    """The folder a command begins in: the user's own, as for whatever cron starts."""
    folder = Path.home()
    return folder if folder.is_dir() else Path("/")
