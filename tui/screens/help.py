"""The keys, as they are bound, and what the signs mean."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import keys
from tui.glyphs import CELLS, MARKS, Cell, to_ascii

SIGNS = {
    Cell.PENDING: "heard, to be transcribed",
    Cell.RUNNING: "being transcribed now",
    Cell.DONE: "transcribed",
    Cell.RETRIED: "transcribed after several tries",
    Cell.DEGRADED: "transcribed, but lighter",
    Cell.FAILED: "a gap; r tries it again",
    Cell.SILENCE: "no speech",
    Cell.UNHEARD: "not listened to yet",
}
"""What each cell of the strip means; where several share a cell, the worst is shown."""
MARKED = {
    "set": "you changed chunk or batch",
    "lighter": "made lighter after a failure",
    "heavier": "heavier again",
    "paused": "paused",
    "resumed": "went on",
}
"""What each mark under the strip means."""


class HelpScreen(ModalScreen[None]):
    """A panel over the main screen; any of the usual keys closes it."""

    CSS_PATH = "help.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "close", "Close", id="help-close", tooltip="back to the jobs"),
        Binding("down,j", "scroll(1)", "Down", id="help-down", show=False),
        Binding("up,k", "scroll(-1)", "Up", id="help-up", show=False),
    ]

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only
        self._panel = VerticalScroll(classes="dialog")

    def compose(self) -> ComposeResult:
        """The keys by section, then the signs."""
        with self._panel:
            with_keys = [
                Content.assemble((f"{title}\n", "$primary bold"), *self._keys(bindings))
                for title, bindings in keys.SECTIONS.items()
            ]
            yield Static(Content("\n").join(with_keys), classes="keys")
            yield Static(Content("\n").join(self._signs()), classes="signs")

    def on_mount(self) -> None:
        """Let the wheel and the arrows scroll."""
        self._panel.focus()
        self._panel.border_title = "Keys and signs"
        self._panel.border_subtitle = "esc closes"

    def _keys(self, bindings: Iterable[Binding]) -> Iterable[Content]:
        keymap = self.app._keymap
        for binding in bindings:
            key = keymap.get(binding.id or "")
            bound = binding.with_key(key) if key else binding
            display = " ".join(dict.fromkeys(self._key(each) for each in Binding.make_bindings([bound])))
            yield Content.assemble(
                (f"{display:>9}  ", "$accent bold"),
                f"{binding.id or '':<10} ",
                (f"{binding.tooltip}\n", "$line-dim"),
            )

    def _signs(self) -> Iterable[Content]:
        yield Content.assemble(("The strip: the worst of a cell shows", "$primary bold"))
        for cell, meaning in SIGNS.items():
            sign = self._drawn(CELLS[cell] * 3)
            yield Content.assemble((f"{sign:>5}  ", f"$chunk-{cell}"), (meaning, "$line-dim"))
        yield Content("")
        yield Content.assemble(("Marks under it", "$primary bold"))
        for kind, meaning in MARKED.items():
            yield Content.assemble(f"{self._drawn(MARKS[kind]):>5}  ", (meaning, "$line-dim"))

    def _key(self, binding: Binding) -> str:
        display = self.app.get_key_display(binding)
        return display if display.isascii() or not self._ascii_only else binding.key

    def _drawn(self, text: str) -> str:
        return to_ascii(text) if self._ascii_only else text

    def action_scroll(self, lines: int) -> None:
        """Scroll the panel."""
        self._panel.scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Back to the jobs."""
        self.dismiss(None)
