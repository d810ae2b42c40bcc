"""The main screen: holds what the user looks at, and turns keys into commands."""

from dataclasses import dataclass
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen

from engine.commands import Command
from engine.view import JobView, View
from tui import keys
from tui.abilities import ability, command_for
from tui.frame import WINDOWS, Frame, Link, MemoryWindow
from tui.osc import clipboard_hint, clipped
from tui.questions import cancel_question
from tui.screens.help import HelpScreen
from tui.screens.question import QuestionScreen
from tui.selection import neighbour, selected
from tui.text import count
from tui.widgets.body import Body
from tui.widgets.follow import FollowPane
from tui.widgets.header import Header
from tui.widgets.jobs import Jobs
from tui.widgets.keybar import KeyBar

ASKING = ("do", "cancel", "add", "stop")
"""Actions that ask something of the engine."""


class MainScreen(Screen[None]):
    """Everything about the queue at a glance, and the selected job in detail."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = list(keys.MAIN)

    frame: reactive[Frame] = reactive(Frame(), always_update=True, init=False, repaint=False)
    """What all panes show; they are bound to it."""
    ascii_only: reactive[bool] = reactive(False, repaint=False)
    """Whether to draw in ASCII."""

    @dataclass
    class Asked(Message):
        """The user wants something of the engine."""

        command: Command

    @dataclass
    class AddAsked(Message):
        """The user wants to add a file."""

    @dataclass
    class StopAsked(Message):
        """The user wants the engine to end."""

    def __init__(self, *, host: str, ascii_only: bool) -> None:
        super().__init__()
        self.set_reactive(MainScreen.frame, Frame(host=host))
        self.set_reactive(MainScreen.ascii_only, ascii_only)
        self._body = Body()
        self._follows_running = True
        self._awaited: int | None = None
        self._abilities: tuple[bool | None, ...] = ()

    def compose(self) -> ComposeResult:
        """Header, panes, key bar."""
        yield Header().data_bind(MainScreen.frame, MainScreen.ascii_only)
        yield self._body.data_bind(MainScreen.frame, MainScreen.ascii_only)
        yield KeyBar().data_bind(MainScreen.frame, MainScreen.ascii_only)

    # ---- what is shown

    def show(self, view: View, now: int, link: Link | None = None) -> None:
        """Show this view at this time (Unix milliseconds), and how the engine can be reached."""
        before = self.frame
        chosen = before.selected
        if self._awaited is not None and view.job(self._awaited) is not None:
            chosen, self._awaited = self._awaited, None
        job = selected(view.jobs, before.view.jobs, chosen, follows=self._follows_running)
        self._reframe(view=view, now=now, selected=job, link=before.link if link is None else link)

    def select(self, job: int | None) -> None:
        """Select a job, and stay with it whichever runs, until ``follow``; one not on the list yet, once it is."""
        self._follows_running = False
        if job is None or self.frame.view.job(job) is None:
            self._awaited = job
        else:
            self._awaited = None
            self._reframe(selected=job)

    def _reframe(self, **changes: object) -> None:
        with self.app.batch_update():
            self.frame = msgspec.structs.replace(self.frame, **changes)
        self._check_abilities()

    @on(FollowPane.FollowChanged)
    def _check_abilities(self) -> None:
        """Have the key bar follow what can be done now."""
        states = (self.check_action(*_parsed(binding.action)) for binding in keys.MAIN)
        abilities = tuple(states)
        if abilities != self._abilities:
            self._abilities = abilities
            self.refresh_bindings()

    # ---- what can be done

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action can be done now; None shows it in grey, False not at all."""
        can = self._can(action, parameters)
        return None if can and self.frame.link.is_lost and action in ASKING else can

    def _can(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        jobs, job = self.frame.view.jobs, self.frame.job
        match action:
            case "do":
                return ability(str(parameters[0]), job, jobs)
            case "cancel":
                return ability("cancel", job, jobs)
            case "select":
                return len(jobs) > 1 or None
            case "follow":
                return not (self._follows_running and all(pane.is_following for pane in self._body.lists)) or None
            case "copy":
                return (job is not None and bool(job.outputs or job.lines)) or None
            case "leave":
                return self.focused is not None or None
            case _:
                return True

    def action_do(self, name: str) -> None:
        """Do with the selected job what the name says, and stay with it: the next key is meant for it, too."""
        command = command_for(name, self.frame.job, self.frame.view.jobs)
        if command is not None:
            self.select(self.frame.selected)
            self.post_message(self.Asked(command))

    def action_cancel(self) -> None:
        """Ask whether the selected job is to be given up."""
        job = self.frame.job
        command = command_for("cancel", job, self.frame.view.jobs)
        if job is None or command is None:
            return
        self.select(job.id)

        def answered(answer: str | None) -> None:
            if answer == "cancel":
                self.post_message(self.Asked(command))

        self.app.push_screen(QuestionScreen(cancel_question(job)), answered)

    def action_stop(self) -> None:
        """Ask whether the engine is to end."""
        self.post_message(self.StopAsked())

    def action_add(self) -> None:
        """Ask for a file."""
        self.post_message(self.AddAsked())

    def action_select(self, by: int) -> None:
        """Select the job so many places on."""
        self.select(neighbour(self.frame.view.jobs, self.frame.selected, by))

    def action_follow(self) -> None:
        """Keep the newest text, the newest event and the running job in sight."""
        self._follows_running = True
        for pane in self._body.lists:
            pane.follow()
        self.show(self.frame.view, self.frame.now)

    def action_window(self) -> None:
        """Show the memory over another time."""
        windows: list[MemoryWindow] = list(WINDOWS)
        place = windows.index(self.frame.memory_window)
        self._reframe(memory_window=windows[(place + 1) % len(windows)])

    def action_copy(self) -> None:
        """Copy the paths of the selected job's files, or its last text."""
        job = self.frame.job
        if job is None:
            return
        text, what = _copied(job)
        self.app.copy_to_clipboard(clipped(text))
        self.notify(clipboard_hint() or "", title=f"Copied {what}", markup=False, timeout=4)

    def action_page(self, by: int) -> None:
        """Scroll the list in focus, or the events."""
        focused = self.focused
        (focused if isinstance(focused, FollowPane) else self._body.log_pane).page(by)

    def action_leave(self) -> None:
        """Leave the pane in focus."""
        self.set_focus(None)

    def action_help(self) -> None:
        """Show the keys and the signs."""
        self.app.push_screen(HelpScreen(ascii_only=self.ascii_only))

    @on(Jobs.Clicked)
    def _clicked(self, message: Jobs.Clicked) -> None:
        self.select(message.job)

    @on(Jobs.Wheeled)
    def _wheeled(self, message: Jobs.Wheeled) -> None:
        self.action_select(message.by)


def _parsed(action: str) -> tuple[str, tuple[object, ...]]:
    """An action's name and its parameter, if it has one."""
    name, _, parameter = action.rstrip(")").partition("(")
    return name, (parameter.strip("'"),) if parameter else ()


def _copied(job: JobView) -> tuple[str, str]:
    """What to copy of a job, and what that is called."""
    if job.outputs:
        return "\n".join(job.outputs), count(len(job.outputs), "path")
    return "\n".join(line.text for line in job.lines), f"the last {count(len(job.lines), 'line')} of text"
