"""``scribetui report``: what became of a job, for a terminal, as JSON, and as a picture; from the ledger alone."""

import sys
from contextlib import closing
from pathlib import Path

from engine.files import WriteError, shown, write_atomically
from engine.home import Home
from engine.report import Report, report_of
from tui.history import HistoryError, opened, unknown
from tui.lines import Run, line
from tui.printing import Printer


def tell(home: Home, job: int, *, as_json: bool, svg: str | None) -> None:
    """Print what became of a job; draw its memory into a file, too, or to stdout (``-``) and nothing else.

    Raises:
        HistoryError: there is no such job, or the picture cannot be written.
        LedgerError: the ledger cannot be read.
    """
    with closing(opened(home, job)) as ledger:
        report = report_of(ledger, job)
    if report is None:
        raise unknown(job)
    if svg is not None:
        from tui.plot import memory_plot

        picture = memory_plot(report)
        if svg == "-":
            sys.stdout.write(picture)
            return
        write_picture(Path(svg), picture)
    if as_json:
        from tui.reportdata import as_json as to_json

        sys.stdout.write(to_json(report) + "\n")
        return
    _print(report)
    if svg is not None:
        Printer().print([line(" "), line(Run("picture ", "dim"), shown(Path(svg)))])


def _print(report: Report) -> None:
    from tui.reportlines import report_lines

    printer = Printer()
    printer.print(report_lines(report, min(printer.width, 120), ascii_only=printer.ascii_only))


def write_picture(path: Path, picture: str) -> None:
    """Write a picture, in place of an earlier picture at most.

    Raises:
        HistoryError: there is something else of that name, or it cannot be written.
    """
    try:
        if path.exists() and not path.read_bytes().startswith(b"<svg"):
            raise HistoryError(f"{shown(path)} is there already and is no picture of ours; choose another name.")
        write_atomically(path, picture.encode(), durable=False)
    except OSError as error:
        raise HistoryError(f"{shown(path)} cannot be written: {error.strerror or error}.") from error
    except WriteError as error:
        raise HistoryError(str(error)) from error
