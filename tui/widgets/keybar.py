"""The key bar: what the keys do now, in one line; what there is no room for is left out, never help and the way out."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from textual import events
from textual.binding import ActiveBinding, Binding
from textual.reactive import reactive
from textual.screen import Screen

from tui import keys
from tui.frame import Frame
from tui.lines import Line, Run, line
from tui.widgets.pane import Pane


class Hint(NamedTuple):
    """A key, or a pair of keys that belong together, and what it does."""

    keys: str
    word: str
    action_keys: tuple[str, ...]
    is_enabled: bool
    is_kept: bool

    @property
    def width(self) -> int:
        """Cells, with the gap behind."""
        return len(self.keys) + 1 + len(self.word) + 2


class KeyBar(Pane):
    """Painted from the screen's own bindings, so that it cannot say anything else than they do."""

    SHOWS_VIEW = False

    hints: reactive[tuple[Hint, ...]] = reactive((), repaint=False)

    def on_mount(self) -> None:
        """Keep up with the bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if screen is self.screen:
            self.hints = hints(screen.active_bindings.values(), self.app.get_key_display)

    def watch_hints(self) -> None:
        """Other keys work, or do something else."""
        self.repaint()

    def paint(self, frame: Frame, width: int, height: int) -> Iterable[Line]:
        """All hints that fit."""
        runs: list[Run] = []
        for hint in fitting(self.hints, width - 1):
            runs.append(Run("  " if runs else " "))
            runs.append(Run(hint.keys, "key" if hint.is_enabled else "off"))
            runs.append(Run(f" {hint.word}", "" if hint.is_enabled else "off"))
        yield line(*runs)

    async def on_click(self, event: events.Click) -> None:
        """A click on a hint is a press of its key; on a pair, of the key that was hit."""
        x = 1
        for hint in fitting(self.hints, self.size.width - 1):
            if x <= event.x < x + hint.width - 2:
                n = min(len(hint.action_keys) - 1, event.x - x)
                self.app.simulate_key(hint.action_keys[n])
                return
            x += hint.width


def hints(bindings: Iterable[ActiveBinding], display: Callable[[Binding], str]) -> tuple[Hint, ...]:
    """The hints for the bindings that want to be shown, in their order; keys of a group are told together."""
    shown: dict[str, ActiveBinding] = {}
    for active in bindings:
        if active.binding.show and active.binding.id:
            shown.setdefault(active.binding.action, active)
    kept = {binding.id for binding in keys.KEPT}
    found = []
    for _, each in groupby(shown.values(), lambda active: active.binding.group or active.binding.action):
        group = list(each)
        first = group[0].binding
        found.append(
            Hint(
                keys="".join(display(active.binding) for active in group),
                word=first.group.description if first.group else first.description,
                action_keys=tuple(active.binding.key for active in group),
                is_enabled=any(active.enabled for active in group),
                is_kept=first.id in kept,
            )
        )
    return tuple(found)


def fitting(all_hints: Sequence[Hint], width: int) -> tuple[Hint, ...]:
    """The hints that fit: first those go that cannot be used now, then the last ones."""
    left = list(all_hints)
    useless = [hint for hint in reversed(left) if not hint.is_enabled]
    for hint in (*useless, *reversed(all_hints)):
        if sum(each.width for each in left) - 2 <= width:
            break
        if hint in left and not hint.is_kept:
            left.remove(hint)
    return tuple(left)
