"""What a command line asks for in place of the settings, whichever command queues the files."""

import asyncio
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from engine.commands import Options
from tui import headless, setup, watching
from tui.cli import app
from tui.cli.asking import OPTIONS

GIVEN = {
    "out": "there",
    "formats": "srt,txt",
    "model": "small",
    "backend": "mlx",
    "language": "auto-per-chunk",
    "task": "translate",
    "terms": "Qwen, ComfyUI",
    "vad": "pyannote",
    "align": "auto",
    "track": "1",
    "chunk": 60,
    "batch": 3,
}
WORDS = [word for name, value in GIVEN.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def asked(tmp_path, monkeypatch) -> list[dict[str, object]]:
    """What was asked for; nothing is done about it."""
    found: list[dict[str, object]] = []

    def make(_: object, wanted: dict[str, object]) -> Options:
        found.append(dict(wanted))
        return Options()

    async def nothing(*_: object, **__: object) -> int:
        await asyncio.sleep(0)
        return 0

    monkeypatch.setenv("SCRIBETUI_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(setup, "options", make)
    monkeypatch.setattr(setup, "open_screen", lambda home, settings, paths, wanted: make(settings, wanted))
    monkeypatch.setattr(headless, "through_host", nothing)
    monkeypatch.setattr(headless, "detach", nothing)
    monkeypatch.setattr(watching, "watch", nothing)
    return found


@pytest.mark.parametrize("command", [("run", "a.mp3"), ("run", "a.mp3", "--detach"), ("watch", ".")], ids=" ".join)
@pytest.mark.parametrize(("flag", "corrects"), [((), None), (("--correct",), True), (("--no-correct",), False)])
def test_every_option_is_handed_on(asked, command, flag, corrects):
    done = CliRunner().invoke(app, [*command, *WORDS, *flag])
    assert done.exit_code == 0, done.output
    (wanted,) = asked
    assert {name: str(value) for name, value in wanted.items() if name in GIVEN} == {
        name: str(value) for name, value in GIVEN.items()
    }
    assert (wanted["correct"], wanted["chunking"]) == (corrects, "always")
    assert set(wanted) == {*OPTIONS, "chunking"}


@pytest.mark.parametrize("command", [("run", "a.mp3"), ("watch", ".")], ids=" ".join)
def test_what_was_not_asked_for_is_left_to_the_settings(asked, command):
    assert CliRunner().invoke(app, list(command)).exit_code == 0
    assert set(asked[0].values()) == {None}


def test_a_language_may_have_its_name(monkeypatch):
    wanted: list[object] = []
    monkeypatch.setattr(setup, "resolve", lambda settings, asked: wanted.append(asked["language"]))
    for language in ("German", "de", "auto", None):
        setup.options(None, {"language": language})
    assert wanted == ["de", "de", "auto", None]


@pytest.mark.parametrize("command", ["run", "watch"])
def test_help_is_tidy(command):
    """No line is longer than a narrow terminal, and every option has its words."""
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "80"})
    assert done.exit_code == 0
    assert max(len(line) for line in done.output.splitlines()) <= 80
    for name in OPTIONS:
        assert f"  --{name} " in done.output


def test_the_screen_takes_the_same_options(asked, monkeypatch):
    monkeypatch.setattr("tui.cli.work.sys", SimpleNamespace(stdin=Terminal(), stdout=Terminal()))
    assert CliRunner().invoke(app, ["a.mp3", *WORDS]).exit_code == 0
    assert {name: str(asked[0][name]) for name in GIVEN} == {name: str(value) for name, value in GIVEN.items()}


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True
