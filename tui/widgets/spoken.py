"""The text of the selected job as it comes, each line with its place, the newest at the bottom."""

from collections.abc import Sequence

from engine.states import ENDED
from tui.frame import Frame
from tui.layout import Need, Space
from tui.lines import Line, Run, line
from tui.strip import label_width, total
from tui.text import clock, plain, wrap
from tui.widgets.follow import FollowPane, Row


class Spoken(FollowPane):
    """The live text."""

    HELP = "The text of the selected job as it is transcribed."

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._job: int | None = None

    def need(self, frame: Frame, space: Space) -> Need | None:
        """A rule and a few lines; more where there is room."""
        return None if frame.job is None else Need(3, max(8, space.height // 3))

    def title(self, frame: Frame) -> str:
        """The word in the rule line."""
        return "Text"

    def rows(self, frame: Frame, width: int) -> Sequence[Row]:
        """The last lines of the job, wrapped."""
        job = frame.job
        if job is None:
            return ()
        if job.id != self._job:
            self._job, self._is_following = job.id, True
        label = label_width(max(total(job), 600_000))
        room = max(8, width - label - 3)
        return [
            Row((said.start, said.end, n), (f"{clock(said.start):>{label}}" if n == 0 else " " * label, text))
            for said in job.lines
            for n, text in enumerate(wrap(plain(said.text), room))
        ]

    def format(self, row: Row, frame: Frame, width: int) -> Line:
        """The place in grey, then the text."""
        place, text = row.content
        return line(Run(f" {place}  ", "dim"), text)

    def empty(self, frame: Frame) -> str:
        """Why there is no text."""
        job = frame.job
        if job is None:
            return ""
        if isinstance(job.state, ENDED):
            return "the text is in the files" if job.outputs else "no text"
        return "no new text yet" if job.covered_before else "no text yet"
