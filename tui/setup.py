"""Putting an engine together from home and settings, and opening the screen on it."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from typing import Any

from engine.commands import Add, CommandError, Options
from engine.engine import Engine
from engine.home import Home
from engine.models import ModelMissing
from engine.settings import Settings, SettingsError, budget_bytes, environment, policy, resolve
from tui.text import plain


def options(settings: Settings, asked: Mapping[str, Any]) -> Options:
    """How files are to be done, by the settings and what the command line asks for.

    Raises:
        SettingsError: a value cannot be.
        ModelMissing: the model is not on this machine and may not be fetched.
    """
    return resolve(settings, asked)


def engine(home: Home, settings: Settings, *, only_added: bool = False) -> Engine:
    """An engine over a home whose lock is held; faults go to its log."""
    handler = RotatingFileHandler(home.logs / "engine.log", maxBytes=2**20, backupCount=1, delay=True)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    os.environ.update(environment(settings))
    return Engine(
        home,
        policy=policy(settings),
        budget=budget_bytes(settings),
        only_added=only_added,
        keep_awake=settings.power.keep_awake,
    )


def open_screen(home: Home, settings: Settings, paths: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Queue the paths and show the screen until it is left; the batches under way are finished then.

    Raises:
        SettingsError: a value cannot be.
        ModelMissing: the model is not on this machine and may not be fetched.
        HomeError: another process holds the home, or it cannot be used.
    """
    from tui.environment import prepare_environment

    prepare_environment()
    import asyncio

    from tui.app import ScribeApp

    given = options(settings, asked)

    async def serve() -> None:
        work = engine(home, settings)
        async with work:
            refused = await _add(work, paths, given)
            app = ScribeApp(
                work,
                make_options=_maker(settings, asked),
                ascii_only=_is_ascii(settings),
                theme=settings.screen.theme,
                keys=settings.screen.keys,
                notes=refused,
            )
            await app.run_async(mouse=settings.screen.mouse)
            if any(worker.stage == "transcribe" for worker in work.view.workers):
                asyncio.get_running_loop().add_signal_handler(signal.SIGINT, work.kill)
                print("Finishing the batches under way; press ctrl+c to stop at once.", file=sys.stderr)
        if work.error is not None:
            print(plain(work.error), file=sys.stderr)

    with home.lock():
        asyncio.run(serve())


async def _add(work: Engine, paths: Sequence[str], given: Options) -> list[str]:
    """Queue the paths; a sentence for each that cannot be."""
    refused = []
    for path in paths:
        try:
            await work.submit(Add(path=path, options=given))
        except CommandError as error:
            refused.append(str(error))
    return refused


def _is_ascii(settings: Settings) -> bool:
    """Whether to draw with ASCII only: as the settings say, else where the terminal's encoding is not UTF-8."""
    from tui.environment import is_utf8

    return not is_utf8() if settings.screen.ascii == "auto" else settings.screen.ascii


def _maker(settings: Settings, asked: Mapping[str, Any]) -> Callable[[str], Options]:
    def make(_: str) -> Options:
        try:
            return options(settings, asked)
        except (SettingsError, ModelMissing) as error:
            raise CommandError(str(error)) from error

    return make
