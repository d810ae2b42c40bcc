"""An engine put together from home and settings."""

import logging
import os
from logging.handlers import RotatingFileHandler

from engine.engine import Engine
from engine.home import Home
from engine.settings import Settings, budget_bytes, environment, policy


def assemble(home: Home, settings: Settings, *, go_on: bool) -> Engine:
    """An engine over a home whose lock is held; faults go to its log.

    Args:
        home: where all state lies.
        settings: the user's.
        go_on: take up unfinished jobs of earlier sittings at once; else they wait to be resumed.

    Raises:
        LedgerError: the ledger cannot be used.
    """
    handler = RotatingFileHandler(home.logs / "engine.log", maxBytes=2**20, backupCount=1, delay=True)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    os.environ.update(environment(settings))
    return Engine(
        home,
        policy=policy(settings),
        budget=budget_bytes(settings),
        go_on=go_on,
        keep_awake=settings.power.keep_awake,
    )
