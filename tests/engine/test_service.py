"""The service: what is written holds any path there can be, and only what we wrote is ever touched."""

import json
import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.home import Home
from engine.service.files import LABEL, MARKER, STOPPING, UNIT, Unwritable, agent, unit
from engine.service.managers import Launchd, Place, Ran, Systemd, manager, run
from engine.service.service import LINGER, ServiceError, install, is_installed, plan, remove, status, told

HOSTILE = (
    "plain",
    "two words",
    "100%n",
    "$HOME",
    "${x}",
    'q"uote',
    "it's",
    "back\\slash\\",
    "Übung",
    "a;b",
    "-dash",
    "#x",
)
words = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=20)


class Machine:
    """Plays the programs of a service manager, and writes down what it was asked."""

    def __init__(self, answers: dict[str, Ran] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def __call__(self, command: Sequence[str]) -> Ran:
        said = " ".join(command)
        self.asked.append(said)
        return next((ran for start, ran in self.answers.items() if said.startswith(start)), Ran(0))

    def done(self, *verbs: str) -> list[str]:
        """What it was asked to change."""
        verbs = verbs or ("enable", "disable", "restart", "daemon-reload", "bootstrap", "bootout")
        return [said for said in self.asked if set(said.split()) & set(verbs)]


ABSENT = {"systemctl": Ran(127), "launchctl": Ran(127), "loginctl": Ran(127)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(
        home=Home(tmp_path / "home"),
        user=501,
        folder=tmp_path / "me",
        program=tmp_path / "bin" / "scribetui",
        environment={"PATH": "/bin:/opt/my tools"},
    )


# ---- the unit


def unit_words(value: str) -> list[str]:
    """The words of a unit's line, as systemd.syntax(7) has them; anything doubtful raises."""
    found: list[str] = []
    while value:
        if value[0] == '"':
            match = re.match(r'"((?:[^"\\]|\\["\\])*)"(?: |$)', value)
            assert match, value
            found.append(re.sub(r"\\(.)", r"\1", match[1]))
        else:
            match = re.match(r"""([^\s"'\\;#]+)(?: |$)""", value)
            assert match, value
            found.append(match[1])
        value = value[match.end() :]
    return [_without_specifiers(word) for word in found]


def _without_specifiers(word: str) -> str:
    assert "%" not in word.replace("%%", ""), word
    return word.replace("%%", "%")


def _without_variables(word: str) -> str:
    assert "$" not in word.replace("$$", ""), word
    return word.replace("$$", "$")


def read_unit(text: bytes) -> tuple[dict[str, str], list[str], dict[str, str]]:
    """The plain settings of a unit, its command as it is run, and its environment."""
    settings: dict[str, str] = {}
    environment: dict[str, str] = {}
    command: list[str] = []
    for line in text.decode().splitlines():
        assert not line.endswith("\\")
        if not line or line.startswith(("#", "[")):
            continue
        key, _, value = line.partition("=")
        if key == "ExecStart":
            program, *arguments = unit_words(value)
            assert not set(program) & set("\"'\\$"), "systemd takes no such program"
            command = [program, *map(_without_variables, arguments)]
            if program == "/bin/sh":
                assert command[1:3] == ["-c", 'exec "$0" "$@"']
                command = command[3:]
        elif key == "Environment":
            (word,) = unit_words(value)
            environment |= dict([word.split("=", 1)])
        else:
            assert key not in settings
            settings[key] = value
    return settings, command, environment


def test_the_unit_lets_the_batches_finish_and_takes_over_by_itself():
    settings, command, environment = read_unit(unit(["/bin/scribetui", "host"], {"PATH": "/bin"}))
    assert command == ["/bin/scribetui", "host"]
    assert environment == {"PATH": "/bin"}
    assert settings["Restart"] == "on-failure"
    assert settings["StartLimitIntervalSec"] == "0"
    assert settings["KillMode"] == "mixed"
    assert int(settings["TimeoutStopSec"]) > 60
    assert settings["WantedBy"] == "default.target"


@given(words, st.lists(words, max_size=3), words)
def test_a_unit_holds_any_words(folder, arguments, value):
    command = [f"/{folder}/scribetui", *arguments]
    _, read, environment = read_unit(unit(command, {"SCRIBETUI_HOME": value}))
    assert read == command
    assert environment == {"SCRIBETUI_HOME": value}


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "no\udcffutf-8"])
def test_what_no_file_can_hold_is_refused(name, place):
    with pytest.raises(Unwritable):
        unit([f"/{name}/scribetui"], {})
    with pytest.raises(Unwritable):
        agent(["/x"], {"A": name}, Path("/log"))
    odd = Systemd(
        Place(home=place.home, user=1, folder=place.folder, program=Path(f"/{name}"), environment={}), Machine()
    )
    with pytest.raises(ServiceError, match="No service can be made of this installation"):
        install(odd, place)
    assert not odd.path.exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", HOSTILE)
def test_systemd_itself_finds_the_program(tmp_path, name):
    program = tmp_path / "bin" / name / "scribetui"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    file = tmp_path / UNIT
    home = str(tmp_path / name)
    file.write_bytes(unit([str(program), "host", name], {"SCRIBETUI_HOME": home}))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", str(file)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert UNIT not in done.stderr, done.stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_the_shell_that_stands_in_runs_the_very_command(tmp_path, name):
    done = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'exec "$0" "$@"',
            sys.executable,
            "-c",
            "import json, sys; print(json.dumps(sys.argv[1:]))",
            name,
        ],
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [name]


# ---- the agent


@given(words, words, words)
def test_an_agent_holds_any_words(folder, argument, value):
    command = [f"/{folder}/scribetui", argument]
    text = agent(command, {"SCRIBETUI_HOME": value}, Path(f"/{folder}/log"))
    assert MARKER.encode() in text
    read = plistlib.loads(text)
    assert read["ProgramArguments"] == command
    assert read["EnvironmentVariables"] == {"SCRIBETUI_HOME": value}


def test_the_agent_starts_again_only_after_a_failure():
    read = plistlib.loads(agent(["/bin/scribetui"], {"PATH": "/bin"}, Path("/home/logs/service.log")))
    assert read == {
        "Label": LABEL,
        "ProgramArguments": ["/bin/scribetui"],
        "EnvironmentVariables": {"PATH": "/bin"},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 15,
        "ExitTimeOut": STOPPING,
        "ProcessType": "Interactive",
        "StandardOutPath": "/home/logs/service.log",
        "StandardErrorPath": "/home/logs/service.log",
    }


# ---- what depends on the user


def test_the_home_is_told_only_where_it_was_chosen(place, tmp_path):
    assert place.variables == {"PATH": "/bin:/opt/my tools"}
    for name in ("SCRIBETUI_HOME", "XDG_DATA_HOME"):
        chosen = Place(
            home=place.home,
            user=1,
            folder=tmp_path,
            program=place.program,
            environment={name: "x", "HF_TOKEN": "secret"},
        )
        assert chosen.variables == {"SCRIBETUI_HOME": str(place.home.path)}
    assert Place.here(place.home).command == (
        str(Path(sys.executable).absolute().with_name("scribetui")),
        "host",
        "--foreground",
        "--go-on",
    )


def test_the_unit_goes_where_the_user_has_the_configuration(place, tmp_path):
    assert Systemd(place, Machine()).path == tmp_path / "me/.config/systemd/user" / UNIT
    for folder, expected in (("/conf", Path("/conf")), ("relative", tmp_path / "me/.config")):
        moved = Place(
            home=place.home, user=1, folder=place.folder, program=place.program, environment={"XDG_CONFIG_HOME": folder}
        )
        assert Systemd(moved, Machine()).path == expected / "systemd/user" / UNIT
    assert isinstance(manager(place, Machine(), "darwin"), Launchd)
    assert isinstance(manager(place, Machine(), "linux"), Systemd)
    assert manager(place, Machine(), "freebsd14") is None


# ---- systemd


def test_systemd_is_told_to_start_it_and_told_again_nothing_changes(place):
    machine = Machine({"loginctl": Ran(0, "no\n")})
    service = Systemd(place, machine)
    said = install(service, place)
    assert machine.done() == ["systemctl --user daemon-reload", f"systemctl --user enable --now {UNIT}"]
    assert said == [
        f"{service.path} was written.",
        "The service is started, and starts by itself whenever you log in.",
        LINGER,
    ]
    before = service.path.stat()
    assert install(service, place)[0] == f"{service.path} is as it should be already."
    assert (service.path.stat().st_mtime_ns, service.path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert [path.name for path in service.path.parent.iterdir()] == [UNIT]


def test_a_service_that_runs_by_an_old_unit_begins_anew(place):
    machine = Machine({"systemctl --user show --property=MainPID": Ran(0, "77\n")})
    service = Systemd(place, machine)
    service.path.parent.mkdir(parents=True)
    service.path.write_text(f"# {MARKER}\n")
    assert install(service, place)[0] == f"{service.path} was written anew."
    assert machine.done("restart") == [f"systemctl --user restart {UNIT}"]
    install(service, place)
    assert len(machine.done("restart")) == 1


def test_where_there_is_no_manager_the_file_is_written_and_the_user_told_how(place):
    for service in (Systemd(place, Machine(ABSENT)), Launchd(place, Machine(ABSENT))):
        said = install(service, place)
        assert said == [
            f"{service.path} was written.",
            f"It could not be started, since {service.word} of your session does not answer here; where it does, run: "
            f"{service.by_hand()}",
        ]
        assert service.run.done() == []
        assert remove(service) == [f"{service.path} was deleted."]


def test_a_start_that_fails_is_told(place):
    machine = Machine({"systemctl --user enable": Ran(1, err="Unit is masked.\n")})
    service = Systemd(place, machine)
    assert install(service, place)[1] == (
        f"It could not be started ('systemctl --user enable --now {UNIT}' failed: Unit is masked); "
        f"try it yourself: systemctl --user daemon-reload && systemctl --user enable --now {UNIT}"
    )


def test_a_host_at_work_is_told_of_unless_it_is_the_services_own(place):
    machine = Machine()
    with place.home.lock():
        said = install(Systemd(place, machine), place)
        assert said[-1] == (
            f"A host is at work that is not the service's (process {os.getpid()}). "
            "The service takes over once it has ended: scribetui stop."
        )
        machine.answers = {"systemctl --user show --property=MainPID": Ran(0, f"{os.getpid()}\n")}
        assert len(install(Systemd(place, machine), place)) == 2


def test_removing_stops_and_deletes_and_does_so_once(place):
    machine = Machine()
    service = Systemd(place, machine)
    install(service, place)
    link = service.path.parent / "default.target.wants" / UNIT
    link.parent.mkdir()
    link.symlink_to(service.path)
    machine.asked.clear()
    assert remove(service) == ["The service is stopped.", f"{service.path} was deleted."]
    assert machine.done() == [f"systemctl --user disable --now {UNIT}", "systemctl --user daemon-reload"]
    assert not service.path.exists()
    assert not link.is_symlink()
    assert remove(service) == [f"There is no service to remove: {service.path} does not exist."]


def test_a_service_that_does_not_stop_keeps_its_file(place):
    service = Systemd(place, Machine({"systemctl --user disable": Ran(1, err="Timed out.")}))
    install(service, place)
    with pytest.raises(ServiceError, match=r"cannot be stopped .* failed: Timed out"):
        remove(service)
    assert service.path.exists()


def test_a_file_that_is_not_ours_is_left_alone(place):
    machine = Machine()
    for service in (Systemd(place, machine), Launchd(place, machine)):
        service.path.parent.mkdir(parents=True)
        service.path.write_text("somebody's own")
        for attempt in (
            lambda each=service: install(each, place),
            lambda each=service: remove(each),
            lambda each=service: plan(each),
        ):
            with pytest.raises(ServiceError, match="was not written by scribetui"):
                attempt()
        assert service.path.read_text() == "somebody's own"
        assert not status(service, place).installed
    assert machine.done() == []


def test_a_file_that_cannot_be_written_is_told(place):
    place.folder.write_text("in the way")
    with pytest.raises(ServiceError, match=r"cannot be (read|written)"):
        install(Systemd(place, Machine()), place)


def test_a_plan_changes_nothing(place):
    machine = Machine()
    service = Systemd(place, machine)
    text, commands = plan(service)
    assert text == service.text()
    assert commands[-1] == ["systemctl", "--user", "enable", "--now", UNIT]
    assert not is_installed(service)
    assert machine.done() == []


def test_the_status_says_how_it_stands(place):
    answers = {
        "systemctl --user show --property=MainPID": Ran(0, "77\n"),
        "systemctl --user is-enabled": Ran(0, "enabled\n"),
        "loginctl": Ran(0, "yes\n"),
    }
    service = Systemd(place, Machine(answers))
    assert not status(service, place).installed
    install(service, place)
    state = status(service, place)
    assert (state.installed, state.current, state.enabled, state.pid, state.lingers) == (True, True, True, 77, True)
    assert told(state) == [f"There is a service of systemd: {service.path}.", "It runs (process 77)."]
    service.path.write_bytes(service.path.read_bytes().replace(b"/bin:/opt/my tools", b"/other"))
    assert status(service, place).current
    service.path.write_bytes(service.path.read_bytes().replace(b"scribetui host", b"/old/scribetui host"))
    assert not status(service, place).current
    absent = status(Systemd(place, Machine(ABSENT)), place)
    assert (absent.reachable, absent.enabled, absent.pid, absent.lingers) == (False, None, None, None)


# ---- launchd


def test_launchd_loads_the_agent_once_and_anew_when_it_changed(place):
    target, domain = f"gui/501/{LABEL}", "gui/501"
    machine = Machine({f"launchctl print {target}": Ran(113)})
    service = Launchd(place, machine)
    install(service, place)
    load = [f"launchctl enable {target}", f"launchctl bootstrap {domain} {service.path}"]
    assert machine.done() == load
    assert place.home.logs.is_dir()

    machine.answers = {f"launchctl print {target}": Ran(0, f"{target} = {{\n\tpid = 78\n}}\n")}
    machine.asked.clear()
    install(service, place)
    assert machine.done() == []
    assert status(service, place).pid == 78
    service.path.write_bytes(service.path.read_bytes().replace(b"host", b"old"))
    install(service, place)
    assert machine.done() == [f"launchctl bootout {target}", *load]
    machine.asked.clear()
    assert remove(service) == ["The service is stopped.", f"{service.path} was deleted."]
    assert machine.done() == [f"launchctl bootout {target}"]


# ---- programs


def test_a_program_is_run_or_said_to_be_missing():
    assert run(["/no/such/program"]).status == 127
    assert run([sys.executable, "-c", "import sys; print('out'); sys.exit('No.')"]) == Ran(1, "out\n", "No.\n")
    assert Ran(1, "out\n", "First.\nNo.\n").why == "No"
    assert Ran(3).why == "status 3"
