"""Options from the settings, and the screen opened on the host."""

import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from logging.handlers import RotatingFileHandler
from typing import Any

from engine.api import EngineAPI
from engine.commands import Add, CommandError, Options
from engine.home import Home
from engine.languages import code_of
from engine.models import ModelMissing
from engine.settings import Settings, SettingsError, resolve
from tui.text import plain


def options(settings: Settings, asked: Mapping[str, Any]) -> Options:
    """How files are to be done, by the settings and what the command line asks for; a language may have its name.

    Raises:
        SettingsError: a value cannot be.
        ModelMissing: the model is not on this machine and may not be fetched.
    """
    language = asked.get("language")
    if isinstance(language, str):
        asked = {**asked, "language": code_of(language)}
    return resolve(settings, asked)


def open_screen(home: Home, settings: Settings, paths: Sequence[str], asked: Mapping[str, Any]) -> None:
    """Queue the paths and show the screen until it is left; the jobs go on in the host, which is started if need be.

    Raises:
        SettingsError: a value cannot be.
        ModelMissing: the model is not on this machine and may not be fetched.
        HomeError: no host can be had, or the home cannot be used.
    """
    from tui.environment import prepare_environment

    prepare_environment()
    import asyncio

    last_words = asyncio.run(_show(home, settings, [os.path.abspath(path) for path in paths], asked))
    if last_words:
        print(plain(last_words), file=sys.stderr)


async def _show(home: Home, settings: Settings, paths: Sequence[str], asked: Mapping[str, Any]) -> str | None:
    """Attach, show the screen, and leave; what to say to the user then."""
    import asyncio

    from engine.remote import Remote

    given = options(settings, asked)
    faults = RotatingFileHandler(home.logs / "screen.log", maxBytes=2**20, backupCount=1, delay=True)
    logging.basicConfig(handlers=[faults], level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Textual takes a while to import, and so does a host to start.
    screen = asyncio.create_task(asyncio.to_thread(importlib.import_module, "tui.app"))
    async with await Remote.attach(home, tell=_tell) as remote:
        await screen
        from tui.app import ScribeApp

        app = ScribeApp(
            remote,
            make_options=_maker(settings, asked),
            ascii_only=_is_ascii(settings),
            theme=settings.screen.theme,
            keys=settings.screen.keys,
            notes=await _add(remote, paths, given),
            bell=settings.notify.bell,
            desktop=settings.notify.desktop,
            goodbye=lambda: remote.goodbye,
        )
        # Whoever ends the screen means no more than that. A hang-up leaves no terminal to put in order.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, app.action_detach)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        return await app.run_async(mouse=settings.screen.mouse)


def _tell(text: str) -> None:
    print(plain(text), file=sys.stderr)


async def _add(engine: EngineAPI, paths: Sequence[str], given: Options) -> list[str]:
    """Queue the paths; a sentence for each that cannot be."""
    refused = []
    for path in paths:
        try:
            await engine.submit(Add(path=path, options=given))
        except CommandError as error:
            refused.append(str(error))
    return refused


def _is_ascii(settings: Settings) -> bool:
    """Whether to draw with ASCII only: as the settings say, else where the terminal's encoding is not UTF-8."""
    from tui.environment import is_utf8

    return not is_utf8() if settings.screen.ascii == "auto" else settings.screen.ascii


def _maker(settings: Settings, asked: Mapping[str, Any]) -> Callable[[str, Mapping[str, str]], Options]:
    def make(_: str, special: Mapping[str, str]) -> Options:
        try:
            return options(settings, {**asked, **special})
        except (SettingsError, ModelMissing) as error:
            raise CommandError(str(error)) from error

    return make
