"""Opening the screen on the host, and leaving it."""

import os
import signal
from collections.abc import Iterator

import pytest

from engine.commands import CommandError
from engine.home import Home, HomeError
from engine.remote import Remote
from engine.settings import Settings
from tests.tui import scenes
from tests.tui.fake_engine import FakeEngine
from tui import setup
from tui.app import ScribeApp


class FakeRemote(FakeEngine):
    """A scripted engine that is attached to."""

    goodbye = "scribetui was stopped."
    is_closed = False

    async def __aenter__(self) -> "FakeRemote":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_closed = True


@pytest.fixture
def remote(monkeypatch, tmp_path) -> Iterator[FakeRemote]:
    """A host to attach to, and no terminal."""
    made = FakeRemote(scenes.running(), now=scenes.NOW)

    async def attach(home: Home, **_: object) -> FakeRemote:
        return made

    monkeypatch.setattr(Remote, "attach", attach)
    monkeypatch.setattr(setup, "options", lambda settings, asked: scenes.OPTIONS)
    monkeypatch.chdir(tmp_path)
    handlers = {name: signal.getsignal(name) for name in (signal.SIGHUP, signal.SIGTERM)}
    yield made
    for name, handler in handlers.items():
        signal.signal(name, handler)


def show(monkeypatch, tmp_path, then, paths=()) -> ScribeApp:
    """Open the screen, do something, and wait for its end."""
    shown = []
    run_async = ScribeApp.run_async

    async def run(app: ScribeApp, *, mouse: bool) -> str | None:
        shown.append(app)
        return await run_async(app, headless=True, mouse=mouse, auto_pilot=then)

    monkeypatch.setattr(ScribeApp, "run_async", run)
    setup.open_screen(Home(tmp_path / "state"), Settings(), paths, {})
    return shown[0]


def test_leaving_says_that_the_jobs_go_on(remote, monkeypatch, tmp_path, capsys):
    async def leave(pilot) -> None:
        await pilot.press("q")

    show(monkeypatch, tmp_path, leave)
    assert capsys.readouterr().err == "4 jobs go on in the background; scribetui attaches again.\n"
    assert remote.is_closed
    assert remote.stops == []


def test_sigterm_is_no_more_than_leaving(remote, monkeypatch, tmp_path, capsys):
    async def end(pilot) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        while pilot.app.is_running:
            await pilot.pause()

    show(monkeypatch, tmp_path, end)
    assert "4 jobs go on" in capsys.readouterr().err
    assert remote.is_closed


def test_the_hosts_last_words_are_told(remote, monkeypatch, tmp_path, capsys):
    async def end(pilot) -> None:
        remote.end()
        while pilot.app.is_running:
            await pilot.pause()

    show(monkeypatch, tmp_path, end)
    assert capsys.readouterr().err == "scribetui was stopped.\n"


def test_paths_are_queued_in_full_and_refusals_are_shown(remote, monkeypatch, tmp_path):
    async def leave(pilot) -> None:
        await pilot.press("q")

    remote.refusal = "There is no such file."
    app = show(monkeypatch, tmp_path, leave, ["a.mp3", "/talks/b.mp3"])
    assert [command.path for command in remote.commands] == [str(tmp_path / "a.mp3"), "/talks/b.mp3"]
    assert app._notes == ["There is no such file."] * 2


def test_without_a_host_there_is_no_screen(remote, monkeypatch, tmp_path):
    async def attach(home: Home, **_: object) -> FakeRemote:
        raise HomeError("The home is on a full disk.")

    monkeypatch.setattr(Remote, "attach", attach)
    with pytest.raises(HomeError, match="full disk"):
        setup.open_screen(Home(tmp_path / "state"), Settings(), [], {})


def test_options_that_cannot_be_are_told_in_the_dialog(monkeypatch):
    from engine.models import ModelMissing

    def refuse(settings, asked):
        raise ModelMissing("The model tiny is not on this machine.")

    monkeypatch.setattr(setup, "options", refuse)
    with pytest.raises(CommandError, match="tiny"):
        setup._maker(Settings(), {})("/a.mp3", {})
