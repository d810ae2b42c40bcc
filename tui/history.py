"""``scribetui events``: a job's story, an event a line, from the ledger alone, whether or not an engine is at work."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime
from enum import StrEnum

import msgspec
import typer

from engine.events import Entry
from engine.home import Home
from engine.ledger import Ledger, LedgerError
from engine.story import Story
from tui.lines import Line, Run, line
from tui.printing import Printer
from tui.severity import LOOKS, Severity, Wording
from tui.wording import wording

POLL = 0.5
"""Seconds between two looks at the ledger."""
INTERRUPTED = 130


class Level(StrEnum):
    """How much is told."""

    QUIET = "quiet"
    INFO = "info"
    WARNING = "warning"


_TOLD = {
    Level.QUIET: frozenset(Severity),
    Level.INFO: frozenset(Severity) - {Severity.QUIET},
    Level.WARNING: frozenset({Severity.WARNING, Severity.ERROR}),
}


class HistoryError(Exception):
    """There is nothing to tell; one clear sentence for the user."""


def opened(home: Home, job: int) -> Ledger:
    """The ledger, for reading beside whoever writes to it.

    Raises:
        HistoryError: there is none yet, or it holds nothing.
        LedgerError: it cannot be read.
    """
    try:
        return Ledger(home.ledger, read_only=True)
    except LedgerError as error:
        if home.ledger.exists() and home.ledger.stat().st_size:
            raise
        raise HistoryError(f"There is no job {job} yet; 'scribetui run FILE' makes the first.") from error


def unknown(job: int) -> HistoryError:
    """What to say about a job that is not there."""
    return HistoryError(f"There is no job {job}; 'scribetui status' lists those there are.")


def tell(home: Home, job: int, *, as_json: bool, follow: bool, level: Level) -> int:
    """Print a job's story, and what is added to it until the job has ended if that is to be followed; the exit status.

    Raises:
        HistoryError: there is no such job.
        LedgerError: the ledger cannot be read.
    """
    printer = Printer()

    def show(entries: Iterable[Entry]) -> None:
        if as_json:
            for entry, _ in told(entries, level):
                sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
            sys.stdout.flush()
        else:
            printer.print(formatted(entry, words) for entry, words in told(entries, level))

    with closing(opened(home, job)) as ledger:
        story = Story(ledger, job)
        try:
            first = list(story.new())
            if story.state is None:
                raise unknown(job)
            show(first)
            if follow and not story.has_ended and home.holder() is None:
                typer.echo(f"No scribetui is at work; waiting for job {job} to go on (ctrl+C ends this).", err=True)
            while follow and not story.has_ended:
                time.sleep(POLL)
                show(story.new())
        except KeyboardInterrupt:
            return INTERRUPTED
    return 0


def told(entries: Iterable[Entry], level: Level) -> Iterator[tuple[Entry, Wording]]:
    """The entries that a level lets through, each with its words."""
    for entry in entries:
        words = wording(entry.event)
        if words.severity in _TOLD[level]:
            yield entry, words


def formatted(entry: Entry, words: Wording) -> Line:
    """One line: local date and time, a sign for the severity, the words."""
    sign, style = LOOKS[words.severity]
    at = datetime.fromtimestamp(entry.at / 1000).strftime("%Y-%m-%d %H:%M:%S")
    return line(Run(f"{at}  ", "dim"), Run(f"{sign} ", style), Run(words.text, "" if style == "good" else style))
