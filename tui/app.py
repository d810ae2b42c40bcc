"""The app: one reader of the engine's news, one tick that shows what they amount to, and the way commands go."""

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
from engine.api import EngineAPI, Lost, News
from engine.commands import Add, Command, CommandError, Options, Resume
from engine.events import Entry
from engine.states import Stopped
from engine.view import View
from tui import keys as bindings
from tui import themes
from tui.frame import Link
from tui.notices import Notice, notices
from tui.osc import notice as desktop_notice
from tui.questions import go_on_question, parting, stop_question
from tui.screens.add import AddScreen
from tui.screens.main import MainScreen
from tui.screens.question import QuestionScreen
from tui.sitting import Sitting
from tui.text import plain

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
PATIENCE = 10.0
"""Seconds for which the engine may be lost before the user is called."""


def unix_ms() -> int:
    """The time now, in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class ScribeApp(App[str]):
    """The screen of an engine; what it returns is a sentence for whoever leaves it, or nothing.

    Args:
        engine: where views and events come from, and commands go.
        clock: Unix milliseconds.
        ascii_only: draw in ASCII.
        make_options: the options for a file that is added on the screen, with what is asked for in place of the
            settings by the names of the command line's options; may raise CommandError.
        host: the name of the machine, for the header.
        theme: a theme's name, or ``auto``.
        keys: other keys for actions, by the actions' names.
        notes: sentences to show at the start.
        bell: ring the terminal's bell when a job has ended or needs the user.
        desktop: have the terminal show a notice of the desktop then, while it tells that nobody looks.
        goodbye: why the engine has ended, in one sentence; asked for once it has.
    """

    TITLE = "scribetui"
    CSS_PATH = ["scribetui.tcss", "screens/main.tcss"]  # noqa: RUF012 - as Textual has it; a default screen's is not read
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012 - as Textual has it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q,ctrl+c", "detach", "Detach", id="detach-always", show=False, priority=True, system=True)
    ]

    def __init__(
        self,
        engine: EngineAPI,
        *,
        clock: Callable[[], int] = unix_ms,
        ascii_only: bool = False,
        make_options: Callable[[str, Mapping[str, str]], Options] | None = None,
        host: str | None = None,
        theme: str = "auto",
        keys: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        bell: bool = True,
        desktop: bool = True,
        goodbye: Callable[[], str] = lambda: "The engine has ended; the jobs go on where they were at the next start.",
    ) -> None:
        # Without colour the terminal keeps its own two, which needs Textual to leave them alone from the start.
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") is not None else None)
        self._engine = engine
        self._clock = clock
        self._make_options = make_options or (lambda *_: Options())
        self._notes = list(notes)
        self._rings, self._shows_notices = bell, desktop
        self._goodbye = goodbye
        self._main = MainScreen(host=plain(socket.gethostname() if host is None else host), ascii_only=ascii_only)
        self._sitting = Sitting()
        self._shown: tuple[View, int, Link] | None = None
        self._soon: Timer | None = None
        self._applied_at = float("-inf")
        self._blurred_ticks = 0
        self._losing: Timer | None = None
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

    # ---- news in

    @work(group="engine", exclusive=True)
    async def _follow_engine(self) -> None:
        """Take in what the engine says until it ends; no pane is touched here."""
        view, told = self._engine.subscribe()
        self._sitting.begin(view)
        self._apply()
        self.call_later(self._ask_to_go_on)
        read = 0
        async for news in told:
            was_lost = self._sitting.link.is_lost
            self._sitting.take_in(news, self._clock())
            self._heed(news, was_lost=was_lost)
            read += 1
            if read % BREATH == 0:
                await asyncio.sleep(0)
        self._apply()
        self.exit(self._goodbye())

    def _heed(self, news: News, *, was_lost: bool) -> None:
        match news:
            case Entry(event=event):
                if self._sitting.has_happened or (self.app_focus and not isinstance(event, CALM)):
                    self._apply_soon()
            case Lost():
                if not was_lost:
                    self._losing = self.set_timer(PATIENCE, self._tell_lost)
                self._apply_soon()
            case View():
                if self._losing is not None:
                    self._losing.stop()
                    self._losing = None
                if was_lost:
                    self.notify("scribetui is back.", timeout=4, markup=False)
                self._apply()
                self.call_later(self._ask_to_go_on)

    # ---- the view out

    def _tick(self) -> None:
        self._blurred_ticks = 0 if self.app_focus else self._blurred_ticks + 1
        if self._blurred_ticks % BLURRED_TICK == 0:
            self._apply()
        self._ask_to_go_on()

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
        now, view, link = self._clock(), self._sitting.view, self._sitting.link
        if self._shown is None or self._shown[0] is not view or self._shown[1:] != (now // 1000, link):
            self._shown = (view, now // 1000, link)
            self._main.show(view, now, link)
        self._tell_happened()

    # ---- the user's attention

    def _tell_happened(self) -> None:
        if self._sitting.has_happened:
            self._tell(*notices(self._sitting.take_happened()))

    def _tell_lost(self) -> None:
        text = f"{plain(self._sitting.link.why)} It is tried again and again."
        self._tell(Notice("scribetui's host is lost", text, "warning", 15))

    def _tell(self, *told: Notice) -> None:
        """Show notices, and call the user by bell and desktop as far as they want that."""
        if self._rings:
            self.bell()
        for each in told:
            self.notify(each.text, title=each.title, severity=each.severity, timeout=each.seconds, markup=False)
            # A terminal that never tells of its focus counts as one that has it.
            if self._shows_notices and not self.app_focus and self._driver is not None:
                self._driver.write(desktop_notice(each.title or self.TITLE, each.text, os.environ))

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

    async def _add(self, path: str, asked: Mapping[str, str]) -> int | None:
        return await self._engine.submit(Add(path=path, options=self._make_options(path, asked)))

    def _ask_to_go_on(self) -> None:
        """Ask what becomes of jobs that were left unfinished, once for each; never over something else that is open."""
        found = self._sitting.take_unfinished() if self.screen is self._main else []
        if not found:
            return

        def answered(answer: str | None) -> None:
            if answer == "go_on":
                self.run_worker(self._resume([job.id for job in found]), group="commands")

        self.push_screen(QuestionScreen(go_on_question(found)), answered)

    async def _resume(self, jobs: Sequence[int]) -> None:
        """Let jobs go on in this order, as far as nobody else has seen to them; each refusal is told once."""
        refusals = dict[str, None]()
        for number in jobs:
            job = self._sitting.view.job(number)
            if job is not None and isinstance(job.state, Stopped):
                try:
                    await self._engine.submit(Resume(number))
                except CommandError as error:
                    refusals[str(error)] = None
        for refusal in refusals:
            self.notify(plain(refusal), severity="error", markup=False)
        self._apply()

    @on(MainScreen.StopAsked)
    def _stop_asked(self) -> None:
        def answered(answer: str | None) -> None:
            if answer in ("after", "now"):
                self.run_worker(self._stop(now=answer == "now"), group="commands")

        question = stop_question(self._sitting.view, is_stopping=self._sitting.link.is_stopping)
        self.push_screen(QuestionScreen(question), answered)

    async def _stop(self, *, now: bool) -> None:
        """Have the engine end; what it does until then goes on being shown."""
        self._sitting.set_stopping(True)
        self._apply()
        try:
            await self._engine.stop(now=now)
        except CommandError as error:
            self._sitting.set_stopping(False)
            self.notify(plain(str(error)), severity="error", markup=False)
        self._apply()

    # ---- the program

    def action_detach(self) -> None:
        """Leave at once; the jobs go on."""
        link = self._sitting.link
        self.exit(parting(self._sitting.view, is_lost=link.is_lost, is_stopping=link.is_stopping))

    async def action_quit(self) -> None:
        """Leave, as Textual calls it."""
        self.action_detach()

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
