"""The app: one reader of the engine's events, one tick that shows what they amount to, and the way commands go."""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.timer import Timer

from engine import events as ev
from engine.api import EngineAPI
from engine.commands import Add, Command, CommandError, Options
from engine.states import Done, Failed
from engine.view import JobView, View, fold
from tui import keys as bindings
from tui import themes
from tui.screens.add import AddScreen
from tui.screens.confirm import ConfirmScreen, Question
from tui.screens.main import MainScreen
from tui.status import is_at_work
from tui.text import clock as clocked
from tui.text import count, name_of, plain

_log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at the clock."""
BLURRED_TICK = 5
"""Ticks that are one while the terminal tells that nobody looks."""
SOONEST = 0.25
"""The least time in seconds between two refreshes that events ask for."""
BREATH = 200
"""Events after which other work has its turn, however many more wait."""
CALM = (ev.MemorySampled, ev.SpeechHeard, ev.BatchStarted)
"""Events that can wait for the next tick."""
TOASTS = 3
"""More ended jobs than that at a time are told in one notice."""


def unix_ms() -> int:
    """The time now, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class ScribeApp(App[None]):
    """The screen of an engine.

    Args:
        engine: where views and events come from, and commands go.
        clock: Unix milliseconds.
        ascii_only: draw in ASCII.
        make_options: the options for a file that is added on the screen; may raise CommandError.
        host: the name of the machine, for the header.
        theme: a theme's name, or ``auto``.
        keys: other keys for actions, by the actions' names.
        notes: sentences to show at the start.
    """

    TITLE = "scribetui"
    CSS_PATH = ["scribetui.tcss", "screens/main.tcss"]  # noqa: RUF012 - as Textual has it; a default screen's is not read
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "quit", "Quit", id="quit-always", show=False, priority=True, system=True)
    ]

    def __init__(
        self,
        engine: EngineAPI,
        *,
        clock: Callable[[], int] = unix_ms,
        ascii_only: bool = False,
        make_options: Callable[[str], Options] | None = None,
        host: str | None = None,
        theme: str = "auto",
        keys: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        # Without colour the terminal keeps its own two, which needs Textual to leave them alone from the start.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") is not None else None)
        self._engine = engine
        self._clock = clock
        self._make_options = make_options or (lambda _: Options())
        self._notes = list(notes)
        self._main = MainScreen(host=plain(socket.gethostname() if host is None else host), ascii_only=ascii_only)
        self._view = View()
        self._shown: tuple[View, int] | None = None
        self._soon: Timer | None = None
        self._applied_at = float("-inf")
        self._blurred_ticks = 0
        self._ended: list[JobView] = []
        self._quitting: ConfirmScreen | None = None
        self.set_class(ascii_only, "-ascii")
        for each in themes.THEMES:
            self.register_theme(each)
        self._choose_theme(theme)
        self._choose_keys(keys or {})

    def _choose_theme(self, name: str) -> None:
        if self.no_color:
            self.theme = themes.ANSI.name
        elif name in self.available_themes:
            self.theme = name
        else:
            self.theme = themes.DARK.name
            if name != "auto":
                self._notes.append(f"There is no theme {plain(name)}; the usual one is taken.")

    def _choose_keys(self, keys: Mapping[str, str]) -> None:
        unknown = bindings.unknown_actions(keys)
        if unknown:
            self._notes.append(f"No action is called {plain(', '.join(unknown))}; the help (?) names them all.")
        self.set_keymap({name: key for name, key in keys.items() if name not in unknown})

    def get_default_screen(self) -> Screen[None]:
        """The main screen."""
        return self._main

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that do not set them."""
        return themes.FALLBACK

    def on_mount(self) -> None:
        """Begin to read and to tick."""
        self._follow_engine()
        self.set_interval(TICK, self._tick)
        for note in self._notes:
            self.notify(plain(note), severity="error", timeout=10, markup=False)

    # ---- events in

    @work(group="engine", exclusive=True)
    async def _follow_engine(self) -> None:
        """Fold what the engine says into the view until it ends; no widget is touched here."""
        self._view, entries = self._engine.subscribe()
        self._apply()
        read = 0
        async for entry in entries:
            self._view = fold(self._view, entry)
            self._take_note(entry.event)
            read += 1
            if read % BREATH == 0:
                await asyncio.sleep(0)
        self._apply()
        self.exit(message="The engine has ended. Start scribetui again to go on.")

    def _take_note(self, event: ev.Event) -> None:
        if isinstance(event, ev.JobChanged) and isinstance(event.state, Done | Failed):
            job = self._view.job(event.job)
            if job is not None:
                self._ended.append(job)
        if self._ended or (self.app_focus and not isinstance(event, CALM)):
            self._apply_soon()

    # ---- the view out

    def _tick(self) -> None:
        self._blurred_ticks = 0 if self.app_focus else self._blurred_ticks + 1
        if self._blurred_ticks % BLURRED_TICK == 0:
            self._apply()

    def _apply_soon(self) -> None:
        if self._soon is None:
            # Never zero: Textual divides by a timer's interval when it is late.
            wait = max(0.01, self._applied_at + SOONEST - time.monotonic())
            self._soon = self.set_timer(wait, self._apply)

    def _apply(self) -> None:
        """Show the newest view, if it or the second has changed."""
        if self._soon is not None:
            self._soon.stop()
            self._soon = None
        self._applied_at = time.monotonic()
        now = self._clock()
        if self._shown is None or self._shown[0] is not self._view or self._shown[1] != now // 1000:
            self._shown = (self._view, now // 1000)
            self._main.show(self._view, now)
        self._tell_ended()

    def _tell_ended(self) -> None:
        ended, self._ended = self._ended, []
        if not ended:
            return
        self.bell()
        if len(ended) > TOASTS:
            failed = sum(isinstance(job.state, Failed) for job in ended)
            self.notify(
                f"{count(len(ended), 'job')} ended" + (f", {failed} of them failed" if failed else ""),
                severity="error" if failed else "information",
                markup=False,
            )
            return
        for job in ended:
            self._tell(job)

    def _tell(self, job: JobView) -> None:
        name = name_of(job.path)
        match job.state:
            case Failed(error=error):
                self.notify(plain(error), title=f"{name} failed", severity="error", timeout=15, markup=False)
            case Done(gaps=gaps) if gaps:
                told = f"{clocked(gaps)} could not be transcribed."
                self.notify(told, title=f"{name} is done, with gaps", severity="warning", timeout=15, markup=False)
            case _:
                files = [count(len(job.outputs), "file")] if job.outputs else []
                told = ", ".join([*files, f"in {clocked(job.worked_ms)}"])
                self.notify(told, title=f"{name} is done", timeout=8, markup=False)

    # ---- commands out

    @on(MainScreen.Asked)
    def _asked(self, message: MainScreen.Asked) -> None:
        self.run_worker(self._submit(message.command), group="commands")

    async def _submit(self, command: Command) -> None:
        try:
            await self._engine.submit(command)
        except CommandError as error:
            self.notify(plain(str(error)), severity="error", markup=False)
        self._apply()

    @on(MainScreen.AddAsked)
    def _add_asked(self) -> None:
        def added(job: int | None) -> None:
            if job is not None:
                self._apply()
                self._main.select(job)

        self.push_screen(AddScreen(self._add), added)

    async def _add(self, path: str) -> int | None:
        return await self._engine.submit(Add(path=path, options=self._make_options(path)))

    # ---- the program

    async def action_quit(self) -> None:
        """Leave at once where nothing is at work or the user has been asked; else ask."""
        if self._quitting is not None or not any(is_at_work(job.state) for job in self._view.jobs):
            self.exit()
            return

        def answered(is_sure: bool | None) -> None:
            self._quitting = None
            if is_sure:
                self.exit()

        self._quitting = ConfirmScreen(QUIT)
        self.push_screen(self._quitting, answered)

    def _fatal_error(self) -> None:
        """End after a fault of our own: the traceback goes to the log, the user gets a sentence."""
        _log.error("a fault of the screen", exc_info=sys.exc_info())
        self._exit_renderables.append(Text("A fault in the screen ended it; the log in the state folder tells more."))
        self._close_messages_no_wait()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """What the palette offers: everything that the screen's keys can do now, and a few more."""
        for node, binding, enabled, tooltip in screen.active_bindings.values():
            if enabled and binding.show and not binding.system:
                yield SystemCommand(binding.description, tooltip, partial(self.run_action, binding.action, node))
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Screenshot"):
                yield command


QUIT = Question(
    title="Quit while a job is at work?",
    text="The work stops after the batches under way, and goes on from there at the next start. Nothing is lost.",
    yes="Quit",
    no="Stay",
)
