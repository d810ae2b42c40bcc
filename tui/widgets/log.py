"""The event log: what the engine did, a line an event."""

from collections.abc import Sequence

from tui.frame import Frame
from tui.layout import Need, Space
from tui.lines import Line, Run, line
from tui.severity import LOOKS, Severity, Wording
from tui.text import name_of, pad, time_of_day, wrap
from tui.widgets.follow import FollowPane, Row
from tui.wording import job_of, wording

NAME_CELLS = 22
"""Most cells for the job's name, which gets at most a fifth of the line."""
TIME_CELLS, SIGN_CELLS = 11, 2

_LOOKS = LOOKS | {Severity.QUIET: (" ", "dim")}
"""Without a sign where little happened: the pane is narrower than a terminal's line."""


class Log(FollowPane):
    """The list of events."""

    HELP = "What the engine did, the newest at the bottom."

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._names: dict[int, str] = {}
        self._said: dict[int, Wording] = {}

    def need(self, frame: Frame, space: Space) -> Need:
        """A rule and three lines; all the rest where there is any."""
        return Need(4, max(6, space.height // 2))

    def title(self, frame: Frame) -> str:
        """The word in the rule line."""
        return "Events"

    def rows(self, frame: Frame, width: int) -> Sequence[Row]:
        """The events kept in the view, wrapped, because the reason often comes last."""
        logged = {number for entry in frame.view.log if (number := job_of(entry.event)) is not None}
        self._names |= {number: f"job {number}" for number in logged - set(self._names)}
        self._names |= {job.id: name_of(job.path) for job in frame.view.jobs}
        known, self._said = self._said, {}
        room = width - TIME_CELLS - self._name_cells(width) - SIGN_CELLS
        rows = []
        for entry in frame.view.log:
            said = self._said[entry.seq] = known.get(entry.seq) or wording(entry.event)
            texts = wrap(said.text, max(20, room))
            rows += [Row((entry.seq, n), (entry, text, said.severity, n == 0)) for n, text in enumerate(texts)]
        return rows

    def format(self, row: Row, frame: Frame, width: int) -> Line:
        """Time, job, sign, words."""
        entry, text, severity, is_first = row.content
        sign, style = _LOOKS[severity]
        cells = self._name_cells(width)
        if not is_first:
            return line(" " * (TIME_CELLS + cells + SIGN_CELLS), Run(text, style))
        job = job_of(entry.event)
        name = "" if job is None else self._names.get(job, f"job {job}")
        return line(
            Run(pad(f" {time_of_day(entry.at, seconds=True)}", TIME_CELLS), "dim"),
            Run(pad(name, cells - 2) + "  " if cells else "", "dim"),
            Run(pad(sign, SIGN_CELLS), style),
            Run(text, "" if style == "good" else style),
        )

    def _name_cells(self, width: int) -> int:
        """Cells for the column of names, which is not needed for one job."""
        return min(NAME_CELLS, width // 5) + 2 if len(self._names) > 1 else 0

    def empty(self, frame: Frame) -> str:
        """What to say before anything has happened."""
        return "nothing has happened yet"
