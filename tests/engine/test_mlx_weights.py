"""Models brought from CTranslate2's form into MLX's, and loaded in the numbers asked for."""

import importlib.util
import json
import struct
import subprocess
import sys

import numpy as np
import pytest

from engine.stages.asr.mlx_weights import ConversionError, read
from engine.stages.base import UnusableInput
from tests import mlx_child

needs_mlx = pytest.mark.skipif(
    not all(importlib.util.find_spec(each) for each in ("mlx", "mlx_whisper")), reason="mlx-whisper is not installed"
)
STATE, MELS, WORDS, PLACES, TEXT = 128, 80, 51_865, 1_500, 32
"""The sizes of a model with one layer and two heads, that knows all languages, and has nothing to say in them."""


def variables() -> dict[str, np.ndarray]:
    """A CTranslate2 model's, of that size."""
    dice = np.random.default_rng(1)

    def some(*shape: int) -> np.ndarray:
        return (dice.standard_normal(shape) * 0.05).astype(np.float32)

    made = {
        "encoder/conv1/weight": some(STATE, MELS, 3),
        "encoder/conv1/bias": some(STATE),
        "encoder/conv2/weight": some(STATE, STATE, 3),
        "encoder/conv2/bias": some(STATE),
        "encoder/position_encodings/encodings": some(PLACES, STATE),
        "decoder/embeddings/weight": some(WORDS, STATE),
        "decoder/position_encodings/encodings": some(TEXT, STATE),
    }

    def linear(name: str, rows: int, columns: int) -> None:
        made[f"{name}/weight"], made[f"{name}/bias"] = some(rows, columns), some(rows)

    def norm(name: str) -> None:
        made[f"{name}/layer_norm/gamma"], made[f"{name}/layer_norm/beta"] = some(STATE), some(STATE)

    for side in ("encoder", "decoder"):
        norm(side)
        layer = f"{side}/layer_0"
        norm(f"{layer}/self_attention")
        linear(f"{layer}/self_attention/linear_0", 3 * STATE, STATE)
        linear(f"{layer}/self_attention/linear_1", STATE, STATE)
        norm(f"{layer}/ffn")
        linear(f"{layer}/ffn/linear_0", 4 * STATE, STATE)
        linear(f"{layer}/ffn/linear_1", STATE, 4 * STATE)
    norm("decoder/layer_0/attention")
    for name, rows in (("linear_0", STATE), ("linear_1", 2 * STATE), ("linear_2", STATE)):
        linear(f"decoder/layer_0/attention/{name}", rows, STATE)
    return made


def save(folder, kinds=(), **more) -> None:
    """Write them as CTranslate2 does: as floats, and those named as whole numbers with a scale for each row."""
    folder.mkdir()
    all_ = variables() | more
    for name in kinds:
        values = all_[name]
        scale = 127 / np.abs(values).max(axis=1)
        all_[name] = np.round(values * scale[:, None]).astype(np.int8)
        all_[f"{name}_scale"] = scale.astype(np.float32)
    types = {"float32": 0, "int8": 1, "int32": 3, "float16": 4}
    out = [struct.pack("<I", 6), _name("WhisperSpec"), struct.pack("<II", 3, len(all_))]
    for name, values in all_.items():
        out += [_name(name), struct.pack(f"<B{values.ndim}I", values.ndim, *values.shape)]
        out += [struct.pack("<BI", types[values.dtype.name], values.nbytes), values.tobytes()]
    out.append(struct.pack("<I", 0))
    (folder / "model.bin").write_bytes(b"".join(out))
    (folder / "config.json").write_text(json.dumps({"alignment_heads": [[0, 1]], "lang_ids": []}))


def _name(name: str) -> bytes:
    return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"


def script(*arguments) -> subprocess.CompletedProcess:
    """The project's own script."""
    command = [sys.executable, "-m", "engine.stages.asr.mlx_weights", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    with mlx_child.child(tmp_path_factory.mktemp("blas")) as pool:
        yield lambda call, *given: pool.submit(call, *given).result()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small model in MLX's form."""
    folder = tmp_path_factory.mktemp("small")
    save(folder / "ct2")
    done = script(folder / "ct2", folder / "mlx")
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "mlx"


@needs_mlx
def test_every_weight_comes_through(small, child):
    was, now = variables(), child(mlx_child.weights, small)
    q, k, v = np.split(was["encoder/layer_0/self_attention/linear_0/weight"], 3)
    for name, part in (("query", q), ("key", k), ("value", v)):
        assert np.array_equal(now[f"encoder.blocks.0.attn.{name}.weight"], part)
    assert "encoder.blocks.0.attn.key.bias" not in now
    assert np.array_equal(now["encoder.conv1.weight"], was["encoder/conv1/weight"].transpose(0, 2, 1))
    assert np.array_equal(now["decoder.token_embedding.weight"], was["decoder/embeddings/weight"])
    assert now["alignment_heads"].tolist() == [[0, 1]]
    left_out = 2 * STATE + STATE + PLACES * STATE  # the keys' biases, and places that MLX works out
    assert sum(each.size for each in now.values()) - 2 == sum(each.size for each in was.values()) - left_out
    config = json.loads((small / "config.json").read_text())
    assert (config["n_vocab"], config["n_audio_state"], config["n_text_layer"]) == (WORDS, STATE, 1)


def test_whole_numbers_are_the_floats_they_stand_for(tmp_path):
    name = "encoder/layer_0/ffn/linear_0/weight"
    save(tmp_path / "ct2", [name, "decoder/embeddings/weight"])
    found, was = read(tmp_path / "ct2" / "model.bin")[name], variables()[name]
    assert found.dtype == np.float32
    assert np.abs(found - was).max() <= np.abs(was).max() / 127 / 2 + 1e-6


@needs_mlx
def test_a_model_is_loaded_in_the_numbers_asked_for(small, child, tmp_path):
    layer = "decoder.blocks.0.mlp1"
    plain = child(mlx_child.figures, small, "float32")
    assert plain[f"{layer}.weight"] == ([4 * STATE, STATE], "mlx.core.float32")
    for compute_type, bits in (("int8", 8), ("int4", 4)):
        figures = child(mlx_child.figures, small, compute_type)
        assert figures[f"{layer}.weight"] == ([4 * STATE, STATE * bits // 32], "mlx.core.uint32")
        assert figures["encoder.conv1.weight"] == plain["encoder.conv1.weight"]
    # A model that is quantised as it comes stays so, unless fewer bits are asked for.
    child(mlx_child.save, small, "int8", tmp_path / "q8")
    for compute_type, bits in (("float32", 8), ("int8", 8), ("int4", 4)):
        figures = child(mlx_child.figures, tmp_path / "q8", compute_type)
        assert figures[f"{layer}.weight"][0] == [4 * STATE, STATE * bits // 32]
        assert figures[f"{layer}.bias"] == plain[f"{layer}.bias"]


def test_a_broken_source_is_named_in_one_sentence(tmp_path):
    save(tmp_path / "ct2")
    whole = (tmp_path / "ct2" / "model.bin").read_bytes()
    for broken, words in (
        (whole[: len(whole) // 2], "was cut short"),
        (b"", "was cut short"),
        (b"RIFF" + whole, "version"),
        (struct.pack("<I", 6) + b"\xff" * 99, "is no CTranslate2 model"),
    ):
        (tmp_path / "ct2" / "model.bin").write_bytes(broken)
        with pytest.raises(ConversionError, match=words):
            read(tmp_path / "ct2" / "model.bin")


@needs_mlx
def test_the_script_ends_with_one_sentence(tmp_path):
    save(tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text("{")
    (tmp_path / "nothing").mkdir()
    for source, words in (("nothing", "No such file"), ("other", "config.json is broken")):
        done = script(tmp_path / source, tmp_path / "to")
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert "usage" in script(tmp_path).stderr


@needs_mlx
def test_a_broken_model_is_named_in_one_sentence(small, child, tmp_path):
    def broken(name: str, content: bytes | None) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for each in small.iterdir():
            (folder / each.name).write_bytes(each.read_bytes())
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        with pytest.raises(UnusableInput) as raised:
            child(mlx_child.figures, folder, "float32")
        sentence = str(raised.value)
        assert sentence.startswith(f"The model in {folder} cannot be loaded by MLX (")
        assert sentence.endswith("; get it once more, or name another one.")
        return sentence

    config = json.loads((small / "config.json").read_text())
    weights = (small / "weights.safetensors").read_bytes()
    assert "neither weights.safetensors nor" in broken("weights.safetensors", None)
    broken("weights.safetensors", weights[: len(weights) // 2])
    broken("weights.safetensors", b"")
    broken("config.json", b"{")
    del config["n_mels"]
    assert "has no n_mels" in broken("config.json", json.dumps(config).encode())
    wider = config | {"n_mels": 128}
    assert "encoder.conv1.weight is [128, 3, 80] instead of [128, 3, 128]" in broken(
        "config.json", json.dumps(wider).encode()
    )
    deeper = config | {"n_mels": 80, "n_text_layer": 2}
    assert "is missing" in broken("config.json", json.dumps(deeper).encode())


@needs_mlx
def test_languages_are_heard_by_a_model_that_knows_them(small, child, tmp_path):
    """By the small model's chance, but for all languages, the same for each window, whatever is heard with it."""
    from engine.messages import Work
    from engine.recipe import Recipe
    from engine.stages.asr.whisper import Ask
    from engine.timeline import Span

    audio = tmp_path / "audio.pcm"
    audio.write_bytes(np.random.default_rng(2).integers(-9_000, 9_000, 16_000 * 4, np.int16).tobytes())
    recipe = Recipe(backend="mlx", model=str(small), compute_type="float32", batch=2, parallel=1)
    spans = (Span(0, 1_000), Span(1_000, 3_000), Span(3_000, 4_000))
    work = Work(job=1, media="", audio=str(audio), recipe=recipe, spans=spans)
    heard = child(mlx_child.hear, work)
    for each in heard:
        assert len(each) == 99
        assert sum(each.values()) == pytest.approx(1)
        assert {"en", "de", "ja"} < set(each)
    assert heard[2] != heard[0]
    asks = [Ask(span, language) for span, language in zip(spans, ("de", "ja", "de"), strict=True)]
    together = child(mlx_child.takes, work, asks)
    assert [each.segment.language for each in together] == ["de", "ja", "de"]
    assert [each.segment.text for each in together] == [
        child(mlx_child.takes, work, [each])[0].segment.text for each in asks
    ]
    with pytest.raises(UnusableInput, match='does not know the language "yue"'):
        child(mlx_child.takes, work, [Ask(spans[0], "yue")])
