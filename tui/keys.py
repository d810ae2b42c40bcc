"""The keys of the main screen, in the key bar's order; help and commands are made from the same."""

from collections.abc import Iterable, Mapping
from functools import partial

from textual.binding import Binding

_chunk = partial(Binding, group=Binding.Group("Chunk", compact=True))
_batch = partial(Binding, group=Binding.Group("Batch", compact=True))
_order = partial(Binding, group=Binding.Group("Order", compact=True))
_hidden = partial(Binding, show=False)

PAUSE = Binding("space", "do('pause')", "Pause", id="pause", tooltip="stop after this batch, at no loss")
RESUME = Binding("space", "do('resume')", "Resume", id="resume", tooltip="let it go on in its turn")
FREEZE = Binding("P", "do('freeze')", "Freeze", id="freeze", tooltip="stop at once, in mid-batch; its memory stays")
PARK = Binding("S", "do('park')", "Park", id="park", tooltip="stop after this batch, and give its memory back")
CANCEL = Binding("x", "cancel", "Cancel", id="cancel", tooltip="give it up; what is transcribed is kept")
RETRY = Binding("r", "do('retry')", "Retry", id="retry", tooltip="do what is missing, once it has ended")
SHORTER = _chunk("minus", "do('shorter')", "Shorter", id="shorter", key_display="-", tooltip="chunks half as long")
LONGER = _chunk(
    "plus,equals_sign", "do('longer')", "Longer", id="longer", key_display="+", tooltip="chunks twice as long"
)
SMALLER = _batch(
    "left_square_bracket",
    "do('smaller')",
    "Smaller",
    id="smaller",
    key_display="[",
    tooltip="half the batch: less memory",
)
LARGER = _batch(
    "right_square_bracket", "do('larger')", "Larger", id="larger", key_display="]", tooltip="twice the batch: faster"
)

ADD = Binding("a", "add", "Add", id="add", tooltip="queue a film or a talk")
REMOVE = Binding("d", "do('remove')", "Remove", id="remove", tooltip="take it off the list; its files stay")
UP = _hidden("up,k", "select(-1)", "Up", id="up", tooltip="select the job above")
DOWN = _hidden("down,j", "select(1)", "Down", id="down", tooltip="select the job below")
EARLIER = _order("K", "do('earlier')", "Earlier", id="earlier", tooltip="move the job up in the queue")
LATER = _order("J", "do('later')", "Later", id="later", tooltip="move the job down in the queue")

COPY = Binding("y", "copy", "Copy", id="copy", tooltip="the paths of the job's files, or its last text")
TIME = Binding("t", "window", "Time", id="time", tooltip="memory of 5 minutes, 30 minutes, or all")
FOLLOW = Binding("f", "follow", "Follow", id="follow", tooltip="stay with the newest, and the running job")
PAGE_UP = _hidden("pageup", "page(-1)", "Page up", id="page_up", tooltip="scroll back the events, or the pane in focus")
PAGE_DOWN = _hidden("pagedown", "page(1)", "Page down", id="page_down", tooltip="scroll on")
NEXT_PANE = _hidden("tab", "app.focus_next", "Next pane", id="next_pane", tooltip="go to the text, then to the events")
BACK = _hidden("escape", "leave", "Back", id="back", tooltip="go back to the jobs")

HELP = Binding("question_mark", "help", "Help", id="help", key_display="?", tooltip="all keys, and what the signs mean")
DETACH = Binding("q", "app.detach", "Detach", id="detach", tooltip="leave; the jobs go on in the background")
STOP = Binding("Q", "stop", "Stop", id="stop", tooltip="end the work, too: after this batch, or at once")

KEPT = (HELP, DETACH)
"""What the key bar shows however narrow it is."""
MAIN: tuple[Binding, ...] = (
    *(
        PAUSE,
        RESUME,
        FREEZE,
        PARK,
        CANCEL,
        RETRY,
        SHORTER,
        LONGER,
        SMALLER,
        LARGER,
        ADD,
        COPY,
        TIME,
        FOLLOW,
        EARLIER,
        LATER,
        REMOVE,
        STOP,
    ),
    *(UP, DOWN, PAGE_UP, PAGE_DOWN, NEXT_PANE, BACK),
    *KEPT,
)
"""In the order of the key bar, which drops the last ones first."""
SECTIONS: Mapping[str, tuple[Binding, ...]] = {
    "The selected job": (PAUSE, RESUME, FREEZE, PARK, CANCEL, RETRY, SHORTER, LONGER, SMALLER, LARGER),
    "The queue": (ADD, REMOVE, UP, DOWN, EARLIER, LATER),
    "In sight": (COPY, TIME, FOLLOW, PAGE_UP, PAGE_DOWN, NEXT_PANE, BACK),
    "The program": (*KEPT, STOP),
}
"""In the order of the help."""


def unknown_actions(names: Iterable[str], known: Iterable[Binding] = MAIN) -> list[str]:
    """Those of the names that are no action one can give a key to."""
    ids = {binding.id for binding in known}
    return sorted(name for name in names if name not in ids)
