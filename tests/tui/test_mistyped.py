"""A word that is nearly a command opens no screen and starts no host."""

import pytest
from typer.testing import CliRunner

from tui.cli.base import app


def told(*words: str):
    return CliRunner().invoke(app, words)


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIBETUI_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("resum", "resume"), ("setings", "settings")])
def test_the_command_that_was_meant_is_named(typed, meant, at_home):
    result = told(typed, "1")
    assert result.exit_code == 2
    assert f"There is no command and no file {typed}; did you mean 'scribetui {meant}'?" in result.output
    assert not (at_home / "home").exists()


@pytest.mark.parametrize("typed", ["film", "status.mkv", "talks/stauts"])
def test_what_may_be_a_file_is_taken_for_one(typed):
    assert "did you mean" not in told(typed).output


def test_a_file_that_is_called_like_that_is_a_file(at_home):
    (at_home / "stauts").touch()
    assert "did you mean" not in told("stauts").output
