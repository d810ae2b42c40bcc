"""The service, by the real program and whatever manager there is; nothing outside the test's own folder is touched."""

import json
import sys

import pytest

from engine.service.files import MARKER, UNIT
from tests.e2e.program import SCRIBETUI, Program


@pytest.fixture
def apart(program: Program) -> Program:
    """The program with no way to the user's real manager."""
    folder = program.folder / "me"
    folder.mkdir()
    program.environment |= {
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "conf"),
        "PATH": "/nowhere",
        "XDG_RUNTIME_DIR": str(folder),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/none",
    }
    return program


@pytest.mark.skipif(sys.platform == "darwin", reason="this is systemd's side")
def test_it_is_written_told_of_and_removed(apart):
    file = apart.folder / "me" / "conf" / "systemd" / "user" / UNIT
    shown = apart("service", "install", "--dry-run")
    assert shown.status == 0, shown.err
    assert f"ExecStart={SCRIBETUI} host --foreground --go-on" in shown.out
    assert f"Would run: systemctl --user enable --now {UNIT}" in shown.out
    assert not file.exists()

    for _ in range(2):
        done = apart("service", "install")
        assert done.status == 0, done.err
        assert "It could not be started, since systemd of your session does not answer here" in done.out
    assert MARKER in file.read_text()
    assert f"SCRIBETUI_HOME={apart.home.path}" in file.read_text()

    told = json.loads(apart("service", "status", "--json").out)
    assert told | {"enabled": None, "pid": None} == {
        "manager": "systemd",
        "file": str(file),
        "installed": True,
        "current": True,
        "reachable": False,
        "enabled": None,
        "pid": None,
        "lingers": None,
        "host": None,
    }
    assert str(file) in apart("service", "status").out

    shown = apart("service", "remove", "--dry-run")
    assert f"Would delete {file}." in shown.out
    assert file.exists()
    assert apart("service", "remove").out == f"{file} was deleted.\n"
    done = apart("service", "remove")
    assert (done.status, done.out) == (0, f"There is no service to remove: {file} does not exist.\n")


@pytest.mark.skipif(sys.platform == "darwin", reason="this is systemd's side")
def test_somebody_elses_file_is_refused_in_one_sentence(apart):
    file = apart.folder / "me" / "conf" / "systemd" / "user" / UNIT
    file.parent.mkdir(parents=True)
    file.write_text("[Service]\n")
    for verb in ("install", "remove"):
        done = apart("service", verb)
        assert (done.status, done.out) == (1, "")
        assert done.err == f"{file} was not written by scribetui, and is left alone; move it away first.\n"
    assert file.read_text() == "[Service]\n"
