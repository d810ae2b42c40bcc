"""Downloads from a hub on this machine: in parts, broken off, damaged, refused; and no secret is said."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.models import ALIGN, FASTER_WHISPER, MLX, ModelMissing, find, progress
from engine.models import fetch as module
from engine.redact import HIDDEN, Redacting, redacted, secrets
from engine.stages.base import DiskFull
from tests.hub import Hub, serving

SECRET = "hf_" + "Zx9" * 10
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"a": 1}' * 1000,
    "vocabulary.txt": b"word\n" * 1000,
    "README.md": b"not needed",
    "pytorch_model.bin": b"not needed here",
    "model.bin": bytes(range(256)) * 40_000,
}
NEEDED = sum(len(FILES[name]) for name in ("config.json", "tokenizer.json", "vocabulary.txt", "model.bin"))
SIZE = len(FILES["model.bin"])


@pytest.fixture
def hub():
    with serving(dict(FILES)) as hub:
        yield hub


@pytest.fixture
def environment(hub: Hub, tmp_path: Path, monkeypatch) -> dict[str, str]:
    """What the client runs with: this hub, a cache of its own, and nobody's token."""
    for name in [each for each in os.environ if each.startswith("HF_")]:
        monkeypatch.delenv(name)
    for name, value in (hub.environment | {"HF_HOME": str(tmp_path / "hf")}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    return dict(os.environ)


def fetch(environment: dict[str, str], model: str = "me/mine", backend: str = FASTER_WHISPER) -> SimpleNamespace:
    """Fetch, in this process; what was told and what came of it."""
    steps: list[tuple[int, int]] = []
    progress.listen(lambda _, done, total: steps.append((done, total)))
    path, error = None, None
    try:
        path = module.fetch(model, backend, environment)
    except ModelMissing as raised:
        error = raised
    assert error is None or error.__cause__ is None  # whose traceback could hold a token
    return SimpleNamespace(path=path, error=str(error), steps=steps)


def fetch_apart(environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Fetch in a process of its own, as ``models get`` does; what it said."""
    command = [sys.executable, "-m", "engine.models.fetch", "me/mine", FASTER_WHISPER]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_only_what_is_needed_is_fetched_and_progress_is_told(hub, environment):
    done = fetch(environment)
    assert {each.name for each in done.path.iterdir()} == {
        "config.json",
        "tokenizer.json",
        "vocabulary.txt",
        "model.bin",
    }
    assert (done.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert find("me/mine", environment=environment) == str(done.path)
    assert done.steps[:2] == [(0, 0), (0, NEEDED)]
    assert done.steps[-1] == (NEEDED, NEEDED)
    assert done.steps == sorted(done.steps)
    again = fetch(environment)
    assert again.path == done.path
    assert hub.ranges == [""]


def test_a_broken_connection_is_taken_up_where_it_broke(hub, environment):
    hub.cuts = [SIZE // 2, SIZE // 4]
    done = fetch(environment)
    assert (done.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert len(hub.ranges) == 3
    assert all(asked.startswith("bytes=") for asked in hub.ranges[1:])
    assert hub.sent < 1.5 * SIZE


def test_a_download_that_ended_goes_on_the_next_time(hub, environment):
    """The process is killed half-way; the next one does not ask for what is there."""
    hub.gate.clear()
    command = [sys.executable, "-m", "engine.models.fetch", "me/mine", FASTER_WHISPER]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        there = max(json.loads(line)["done"] for line in iter(process.stdout.readline, "") if _is_half(line, process))
    assert there > SIZE // 4
    hub.gate.set()
    done = fetch(environment)
    assert done.steps[1][0] >= there
    assert (done.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert int(hub.ranges[1].removeprefix("bytes=").rstrip("-")) >= SIZE // 4


def _is_half(line: str, process) -> bool:
    """Whether a word on the progress is one of a quarter or more; then the process is killed."""
    if json.loads(line)["done"] <= SIZE // 4:
        return False
    process.kill()
    return True


def test_a_damaged_file_is_fetched_again(hub, environment):
    hub.damage = 1
    done = fetch(environment)
    assert (done.path / "model.bin").read_bytes() == FILES["model.bin"]
    assert hub.ranges == ["", ""]


def test_what_comes_damaged_twice_is_not_kept(hub, environment):
    hub.damage = 2
    done = fetch(environment)
    assert done.error.startswith('The model "me/mine" arrived damaged twice (model.bin is not what the hub has);')
    assert find("me/mine", environment=environment) is None


def test_a_file_that_was_damaged_since_is_fetched_anew(hub, environment):
    path = fetch(environment).path / "model.bin"
    path.resolve().write_bytes(b"x" * SIZE)
    assert (fetch(environment).path / "model.bin").read_bytes() == FILES["model.bin"]


def test_each_backend_fetches_its_own_form(hub, environment):
    assert "holds no weights.safetensors or weights.npz" in fetch(environment, "me/mine", MLX).error
    done = fetch(environment, "me/mine", ALIGN)
    assert {each.name for each in done.path.iterdir()} == {"config.json", "pytorch_model.bin"}


@pytest.mark.parametrize(
    ("statuses", "headers", "says"),
    [
        ({"api": 404}, {}, 'The hub shows no model "me/mine" (it answered 404): its name is wrong'),
        ({"api": 401}, {}, "HF_TOKEN has to hold a token that may read it"),
        ({"api": 403}, {"X-Error-Code": "GatedRepo"}, "is open only to those who agree to its terms at http://127."),
        ({"api": 500}, {}, 'The hub cannot hand out the model "me/mine" (it answered 500); try again later'),
        ({"model.bin": 404}, {"X-Error-Code": "EntryNotFound"}, "(it answered 404)"),
    ],
)
def test_what_the_hub_refuses_is_one_sentence(hub, environment, statuses, headers, says):
    hub.statuses, hub.headers = statuses, headers
    done = fetch(environment)
    assert says in done.error
    assert done.error.endswith("or set transcribe.model to one at hand (tiny.en) or to a model's folder.")
    assert "\n" not in done.error


def test_a_hub_that_cannot_be_reached_is_said_at_once(environment):
    environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
    assert "127.0.0.1 cannot be reached (Connection refused); go online" in fetch(environment).error
    environment["HF_HUB_OFFLINE"] = "1"
    assert "downloads are switched off" in fetch(environment).error


def test_a_disk_without_room_is_said_before_anything_is_fetched(hub, environment, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2**26 + 5))
    files = [module.File("model.bin", SIZE, "0" * 64)]
    with pytest.raises(DiskFull, match=r'The model "me/mine" needs 10 MB more in .*, where 67 MB are free; make room'):
        module._check_room("me/mine", Path(environment["HF_HOME"]) / "models--me--mine", files)


# ---- secrets


def test_a_token_is_used_and_never_said(hub, environment):
    hub.token = SECRET
    assert "HF_TOKEN has to hold" in fetch(environment).error
    done = fetch_apart(environment | {"HF_TOKEN": SECRET})
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["path"]
    assert SECRET not in done.stdout + done.stderr


def test_the_token_of_a_login_is_used(hub, environment):
    hub.token = SECRET
    folder = Path(environment["HF_HOME"])
    folder.mkdir()
    (folder / "token").write_text(SECRET + "\n")
    assert fetch(environment).path
    assert secrets({"HF_HOME": str(folder)}) == {SECRET}


def test_a_token_that_has_expired_closes_nothing_that_is_open(hub, environment, monkeypatch):
    hub.refuses = SECRET
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert fetch(environment).path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"GET /x Authorization: Bearer {SECRET}", f"GET /x Authorization: Bearer {HIDDEN}"),
        ("the key my-own-password is wrong", f"the key {HIDDEN} is wrong"),
        ("http://me:secret@proxy:80/", f"http://{HIDDEN}@proxy:80/"),
        ("https://cdn/x?a=1&X-Amz-Signature=abc&b=2", f"https://cdn/x?a=1&{HIDDEN}&b=2"),
        ("hf_hub_download of tokens", "hf_hub_download of tokens"),
        ("12:30 at https://example.org/a@b", "12:30 at https://example.org/a@b"),
    ],
)
def test_what_is_hidden(text, expected):
    assert redacted(text, {"PYANNOTE_TOKEN": "my-own-password", "HF_TOKEN": SECRET, "SOME_TOKEN": "the"}) == expected


def test_a_stream_hides_too(monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "another-secret")
    print("it is another-secret", file=Redacting(sys.stdout), flush=True)
    assert capsys.readouterr().out == f"it is {HIDDEN}\n"
