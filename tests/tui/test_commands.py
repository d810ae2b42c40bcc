"""Commands that steer jobs, where no host runs: nothing is started for nothing, and mistakes are one sentence."""

import json

import pytest
from typer.testing import CliRunner, Result

from engine.home import Home
from tui.cli import app

UNKNOWN = "There is no job 7; 'scribetui status' lists those there are."


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("SCRIBETUI_HOME", str(tmp_path / "home"))
    return Home.find()


def scribetui(*args: str) -> Result:
    return CliRunner().invoke(app, args)


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "retry", "remove"])
def test_no_host_is_started_for_a_job_that_is_not_there(home, command):
    done = scribetui(command, "7", "--json")
    assert (done.exit_code, done.stderr) == (1, f"{UNKNOWN}\n")
    assert json.loads(done.stdout) == {"done": [], "jobs": [], "errors": [{"job": 7, "error": UNKNOWN}]}
    assert not home.path.exists()


@pytest.mark.parametrize("args", [("set", "7", "batch=2"), ("move", "7", "first"), ("events", "7"), ("report", "7")])
def test_what_needs_a_job_says_that_there_is_none(home, args):
    done = scribetui(*args)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no job 7")
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("stop",), "Nothing is at work.\n"),
        (("stop", "--json"), '{"stopped":null,"jobs":[]}\n'),
        (("resume", "--all"), "No job is paused or stopped.\n"),
        (("resume", "--all", "--json"), '{"done":[],"jobs":[],"errors":[]}\n'),
    ],
    ids=" ".join,
)
def test_nothing_to_do_is_no_mistake(home, args, told):
    done = scribetui(*args)
    assert (done.exit_code, done.stdout, done.stderr) == (0, told, "")
    assert not home.path.exists()


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("pause", "film"), "a job is named by its number, as 'scribetui status' shows it, not \"film\"."),
        (("pause", "0"), 'not "0"'),
        (("pause", "९"), 'not "९"'),
        (("pause", "000000000199999999999999999999"), 'not "000000000199999999999999999999"'),
        (("pause",), "Missing argument"),
        (("pause", "1", "--freeze", "--park"), "give --freeze or --park"),
        (("resume",), "or give --all"),
        (("resume", "1", "--all"), "or give --all"),
        (("set", "1"), "Missing argument"),
        (("set", "1", "batsch=4"), '"batsch=4" sets nothing. One can set chunk (30 to 3600 seconds'),
        (("set", "1", "chunk"), 'A chunk cannot be "" long. One can set chunk'),
        (("set", "1", "chunk=soon"), 'A chunk cannot be "soon" long. One can set chunk'),
        (("set", "1", "chunk=5"), 'A chunk cannot be "5" long.'),
        (("set", "1", "chunk=2h"), 'A chunk cannot be "2h" long.'),
        (("set", "1", "batch=65"), 'A batch cannot be of "65" windows. One can set chunk'),
        (("set", "1", "batch=-1"), 'A batch cannot be of "-1" windows.'),
        (("move", "1", "top"), "a number from 1, or first, last, up or down"),
        (("move", "1", "0"), "a number from 1, or first, last, up or down"),
        (("run", "--detach", "--foreground", "talk.wav"), "give --foreground or --detach"),
        (("events", "1", "--level", "all"), "must be quiet, info or warning"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else "-",
)
def test_what_makes_no_sense_exits_with_2(home, args, told):
    done = scribetui(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())
    assert not home.path.exists()
