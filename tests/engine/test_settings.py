"""The settings file: generated, read with clear errors, changed with its comments kept, and resolved for a machine."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import hardware, models
from engine.commands import Options
from engine.ledger import Ledger
from engine.machine.stimuli import Seen
from engine.memory import Memory, estimate
from engine.models import ModelMissing
from engine.recipe import EACH_WINDOW, Policy, Recipe
from engine.settings import (
    Settings,
    SettingsError,
    budget_bytes,
    choosing,
    default_text,
    environment,
    load,
    policy,
    resolve,
    save,
)
from engine.settings.file import fields, find_line, parse
from engine.settings.recognition import LANGUAGES
from engine.settings.resolve import choose_model, override

ROOT = Path(__file__).parents[2]
GIB = 1024**3


@pytest.fixture
def machine(monkeypatch):
    """A machine of 8 GiB and 4 cores with no card and only the bundled model; returns a way to change it."""

    def change(memory=8 * GIB, cores=4, cuda=False, at_hand=(("tiny.en", 75 << 20),), free=None, apple=False):
        monkeypatch.setattr(hardware, "memory", lambda: memory)
        monkeypatch.setattr(hardware, "free", lambda: memory if free is None else free)
        monkeypatch.setattr(hardware, "is_apple", lambda: apple)
        monkeypatch.setattr(hardware, "has_metal", lambda: apple)
        monkeypatch.setattr(choosing, "_held_by_workers", lambda: 0)
        monkeypatch.setattr(choosing, "learned", Memory)
        monkeypatch.setattr(hardware, "cores", lambda: cores)
        monkeypatch.setattr(hardware, "has_cuda", lambda: cuda)
        found = [models.Model(name, f"/models/{name}", size) for name, size in at_hand]
        monkeypatch.setattr(models, "available", lambda backend=None, environment=None: found)
        names = {each.name for each in found}
        find = models.find

        def find_here(model, backend=models.FASTER_WHISPER, environment=None):
            if backend != models.FASTER_WHISPER:
                return find(model, backend)
            return model if model in names else None

        monkeypatch.setattr(models, "find", find_here)

    change()
    return change


# ---- the generated file


def test_the_file_at_the_root_is_what_the_program_generates():
    done = subprocess.run([sys.executable, "-m", "engine.settings"], capture_output=True, check=True, cwd=ROOT)
    assert (ROOT / "settings.toml").read_bytes() == done.stdout
    assert done.stdout.decode() == default_text()


def test_the_generated_file_holds_every_setting_with_its_default():
    data = tomllib.loads(default_text())
    assert parse(default_text(), "x") == Settings()
    for field in fields().values():
        assert field.name in data[field.group]
        assert field.meaning.endswith(".")
        assert not field.allowed.endswith(".")


def test_every_default_is_allowed():
    for field in fields().values():
        assert msgspec.convert(msgspec.to_builtins(field.default), field.type) == field.default


# ---- reading


def test_no_file_means_defaults(tmp_path: Path):
    assert load(None) == Settings()
    assert load(tmp_path / "none.toml") == Settings()


def test_a_few_lines_change_only_what_they_name(tmp_path: Path):
    path = tmp_path / "settings.toml"
    path.write_text('[chunks]\nchunk = 120 # two minutes\n[transcribe]\nterms = ["ComfyUI", "Zürich"]\n')
    settings = load(path)
    assert settings.chunks.chunk == 120
    assert settings.transcribe.terms == ("ComfyUI", "Zürich")
    assert settings.output == Settings().output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[chunks]\n\nchnk = 1\n", 'f, line 3: there is no setting "chunks.chnk"; did you mean "chunks.chunk"?'),
        ("chunk = 300\n", 'f, line 1: there is no setting "chunk"; did you mean "chunks.chunk"?'),
        (
            "[memory]\nretries = 1\n",
            'f, line 2: there is no setting "memory.retries"; did you mean "failures.retries"?',
        ),
        (
            "[chunks]\nzzz = 1\n",
            'f, line 2: there is no setting "chunks.zzz"; [chunks] knows chunk, chunking, batch, parallel.',
        ),
        (
            "[zzz]\na = 1\n",
            'f, line 1: there is no setting "zzz"; the tables are transcribe, terms, listen, chunks, failures, '
            "watchdog, memory, power, models, output, host, watch, notify, screen.",
        ),
        (
            '[chunks]\nchunk = "long"\n',
            'f, line 2: chunks.chunk must be a whole number of seconds from 30 to 3600, not "long".',
        ),
        ("chunks.chunk = 5\n", "f, line 1: chunks.chunk must be a whole number of seconds from 30 to 3600, not 5."),
        (
            "[chunks]\nbatch = true\n",
            'f, line 2: chunks.batch must be a whole number from 1 to 64, or "auto", not true.',
        ),
        ("[chunks]\nbatch = 2.5\n", 'f, line 2: chunks.batch must be a whole number from 1 to 64, or "auto", not 2.5.'),
        ("chunks = 3\n", "f, line 1: [chunks] must be a table of settings, not 3."),
        (
            '# x\n[output]\nformats = [\n "srt",\n "doc",\n]\n',
            'f, line 3: output.formats must be a list of one or more of "srt", "vtt", "txt" and "json", not '
            '["srt", "doc"].',
        ),
        (
            '[memory]\nbudget = "4 potatoes"\n',
            'f, line 2: memory.budget must be a share such as "60%", a size such as "4GB" or "1500MB", or "auto", not '
            '"4 potatoes".',
        ),
        (
            '[transcribe]\nlanguage = "klingon"\n',
            'f, line 2: transcribe.language must be "auto", "auto-per-chunk" or a code that Whisper knows, such as '
            '"en", "de" or "zh", not "klingon".',
        ),
        ("[chunks]\nchunk = \n", "f, line 2: this is not valid TOML (invalid value)."),
        ("[chunks]\nchunk = 1\nchunk = 2", "f, line 3: this is not valid TOML (cannot overwrite a value)."),
    ],
)
def test_a_mistake_is_one_sentence_with_file_line_and_key(text, message):
    with pytest.raises(SettingsError) as raised:
        parse(text, "f")
    assert str(raised.value) == message


def test_what_a_file_holds_cannot_reach_the_terminal():
    with pytest.raises(SettingsError) as raised:
        parse('[screen]\nmouse = "\\u001b[31m\\u007f\\u009b"\n"\\u001b[2J" = 1\n', "f")
    assert str(raised.value).isprintable()
    with pytest.raises(SettingsError) as raised:
        parse('"\\u001b[2J" = 1\n', "f")
    assert str(raised.value).isprintable()


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"^The settings in .* cannot be read \(Is a directory\)"):
        load(tmp_path)
    (tmp_path / "latin").write_bytes(b"# \xe9\n")
    with pytest.raises(SettingsError, match="it is not UTF-8 text"):
        load(tmp_path / "latin")


@given(st.sampled_from(list(fields().values())), st.integers(0, 5), st.booleans())
def test_the_line_is_found_wherever_the_key_stands(field, blank, is_dotted):
    lines = ["# chunk = 1"] * blank
    lines += [f"{field.dotted} = 1"] if is_dotted else [f"[{field.group}]", "# comment", f"{field.name}=1"]
    assert find_line("\n".join(lines), (field.group, field.name)) == len(lines)


# ---- changing


def test_a_change_keeps_comments_and_everything_else(tmp_path: Path):
    path = tmp_path / "settings.toml"
    path.write_text("# mine\n\n[chunks]\n# shorter\nchunk = 120   # was 300\nbatch = 4\n")
    settings = save(path, {"chunks.chunk": 60, "transcribe.terms": ("a", "b"), "chunks.batch": None})
    text = path.read_text()
    assert text.startswith("# mine\n\n[chunks]\n# shorter\nchunk = 60   # was 300\n")
    assert "batch" not in text
    assert settings == load(path)
    assert (settings.chunks.chunk, settings.chunks.batch, settings.transcribe.terms) == (60, "auto", ("a", "b"))


def test_the_first_change_writes_the_commented_defaults(tmp_path: Path):
    path = tmp_path / "settings.toml"
    save(path, {"chunks.chunk": 60, "screen.keys": {"pause": "p"}})
    before, after = default_text().splitlines(), path.read_text().splitlines()
    assert set(before) - set(after) == {"chunk = 300"}
    assert load(path).screen.keys == {"pause": "p"}


@pytest.mark.parametrize("changes", [{"chunks.chunk": 1}, {"chunks.chnk": 60}, {"nothing": 1}])
def test_a_wrong_change_changes_nothing(tmp_path: Path, changes):
    path = tmp_path / "settings.toml"
    path.write_text("[chunks]\nchunk = 120\n")
    with pytest.raises(SettingsError):
        save(path, changes)
    assert path.read_text() == "[chunks]\nchunk = 120\n"
    assert os.listdir(tmp_path) == ["settings.toml"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"cannot be written \(No such file or directory\); nothing was changed\.$"):
        save(tmp_path / "none" / "settings.toml", {"chunks.chunk": 60})


def test_reading_loads_no_tomlkit():
    code = "import sys; from engine.settings import load; load(None); print('tomlkit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


# ---- what follows from them


def test_auto_on_a_small_machine(machine):
    assert resolve(Settings()) == Options(
        recipe=Recipe(
            backend="faster-whisper",
            model="tiny.en",
            compute_type="int8",
            device="cpu",
            batch=2,
            parallel=4,
            threads=1,
            chunk_ms=300_000,
            language="en",
        )
    )


@pytest.mark.parametrize(
    ("cores", "asked", "parallel", "threads"),
    [(1, "auto", 1, 1), (2, "auto", 2, 1), (10, "auto", 4, 2), (16, "auto", 4, 4), (2, 8, 8, 1), (8, 3, 3, 2)],
)
def test_lanes_share_the_cores(machine, cores, asked, parallel, threads):
    machine(cores=cores)
    recipe = resolve(Settings(), {"parallel": asked}).recipe
    assert (recipe.parallel, recipe.threads) == (parallel, threads)


def test_auto_on_a_card(machine):
    machine(cuda=True)
    recipe = resolve(Settings()).recipe
    assert (recipe.device, recipe.compute_type, recipe.batch, recipe.parallel) == ("cuda", "float16", 8, 1)
    assert resolve(Settings(), {"device": "cpu"}).recipe.compute_type == "int8"


LADDER = (("tiny.en", 75 << 20), ("small", 480 << 20), ("large-v3", 3 << 30))


def chosen(options=None, text: str = "") -> choosing.Choice:
    """The model that auto takes, and why."""
    settings = override(parse(text, "f"), options or {})
    return choose_model(settings, choosing.choose_backend(settings).value)


def test_auto_takes_the_largest_model_that_fits_into_the_budget(machine):
    machine(memory=32 * GIB, at_hand=LADDER)
    assert chosen().value == "large-v3"
    assert chosen().why == "it is the largest at hand that fits into the memory budget (16.3 GB of it)"
    assert resolve(Settings()).recipe.language is None
    assert resolve(Settings(), {"model": "tiny.en"}).recipe.model == "tiny.en"
    machine(memory=4 * GIB, at_hand=LADDER)
    assert chosen().value == "small"
    assert "it is the largest at hand after large-v3 that fits" in chosen().why
    machine(memory=1 * GIB, at_hand=LADDER)
    assert chosen().value == "tiny.en"


def test_auto_leaves_the_memory_that_others_use_alone(machine, monkeypatch):
    machine(memory=32 * GIB, at_hand=LADDER, free=5 * GIB)
    assert chosen().value == "small"
    assert "fits into the 1.8 GB that are free" in chosen().why
    monkeypatch.setattr(choosing, "_held_by_workers", lambda: 4 * GIB)
    assert chosen().value == "large-v3"
    machine(memory=32 * GIB, at_hand=LADDER, free=GIB)
    assert chosen() == (
        "tiny.en",
        "it is the smallest at hand, though there is little memory (the 0.0 GB that are free)",
    )


def test_auto_goes_by_what_recipes_have_really_taken(machine, monkeypatch):
    machine(memory=32 * GIB, at_hand=LADDER)
    memory = Memory()
    memory.learn(resolve(Settings()).recipe, 20 * GIB)
    monkeypatch.setattr(choosing, "learned", lambda: memory)
    assert chosen().value == "small"


def test_what_was_learned_is_in_the_ledger(home, monkeypatch):
    monkeypatch.setenv("SCRIBETUI_HOME", str(home.path))
    recipe = Recipe(batch=1, parallel=1)
    assert choosing.learned().predict(recipe) == estimate(recipe)
    monkeypatch.setattr("engine.ledger.Ledger.seen", lambda _: (Seen(recipe=recipe, peak=7 * GIB, slowest_ms=1),))
    Ledger(home.ledger).close()
    assert choosing.learned().predict(recipe) == 7 * GIB


def test_what_the_workers_of_the_host_hold_counts_as_free(home, monkeypatch):
    monkeypatch.setenv("SCRIBETUI_HOME", str(home.path))
    assert choosing._held_by_workers() == 0
    command = [sys.executable, "-c", "held = bytearray(64 << 20); print(flush=True); input()"]
    with home.lock(), subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        worker.stdout.readline()
        assert choosing._held_by_workers() > 64 << 20
        worker.communicate(b"\n")


def test_lanes_are_as_many_as_the_budget_holds(machine):
    machine(memory=4 * GIB, at_hand=(("large-v3", 3 << 30),))
    assert resolve(Settings()).recipe.parallel == 1
    machine(memory=32 * GIB, at_hand=(("large-v3", 3 << 30),))
    assert resolve(Settings()).recipe.parallel == 4


def test_auto_never_takes_an_english_model_for_another_language(machine):
    machine(at_hand=(("tiny", 75 << 20), ("small.en", 480 << 20)))
    assert resolve(Settings()).recipe.model == "small.en"
    assert resolve(Settings(), {"language": "fr"}).recipe.model == "tiny"
    assert resolve(Settings(), {"task": "translate"}).recipe.model == "tiny"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"language": "fr"}, 'There is no speech model for the language "fr" on this machine'),
        ({"task": "translate"}, "There is no speech model that can translate on this machine"),
        ({"language": "auto-per-chunk"}, "There is no speech model for several languages on this machine"),
    ],
)
def test_nothing_suitable_at_hand_says_what_to_do(machine, asked, message):
    with pytest.raises(ModelMissing, match=f"^{message}.*at hand: tiny.en.*--model small") as raised:
        resolve(Settings(), asked)
    assert "scribetui[demo]" not in str(raised.value)


def test_nothing_at_hand_names_the_bundled_model(machine):
    machine(at_hand=())
    with pytest.raises(ModelMissing, match=r"at hand: none.*scribetui\[demo\]"):
        resolve(Settings())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"model": "tiny.en", "language": "fr"},
            'The model "tiny.en" knows only English and cannot do the language "fr"',
        ),
        ({"model": "tiny.en", "task": "translate"}, 'The model "tiny.en" knows only English and cannot translate'),
        (
            {"model": "tiny.en", "language": "auto-per-chunk"},
            'The model "tiny.en" knows only English and cannot tell languages apart',
        ),
        (
            {"device": "metal"},
            'transcribe.device = "metal" does not go with faster-whisper, which runs on cpu and cuda',
        ),
        ({"backend": "mlx", "device": "cuda"}, 'transcribe.device = "cuda" does not go with mlx'),
        ({"compute_type": "int4"}, 'transcribe.compute_type = "int4" does not go with faster-whisper'),
        (
            {"backend": "mlx", "compute_type": "int8_float16"},
            'transcribe.compute_type = "int8_float16" does not go with',
        ),
        ({"chunk": "long"}, '--chunk must be a whole number of seconds from 30 to 3600, not "long".'),
        ({"compute_type": "int9"}, "--compute-type must be "),
        ({"formats": "srt,doc"}, "--formats must be "),
        ({"formats": " , "}, "--formats must be "),
        ({"zip": 1}, 'There is no option "--zip".'),
    ],
)
def test_a_wrong_option_is_one_sentence(machine, asked, message):
    with pytest.raises(SettingsError) as raised:
        resolve(Settings(), asked)
    assert str(raised.value).startswith(message)


def test_options_win_over_settings(machine, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = resolve(
        parse('[output]\nformats = ["txt"]\nfolder = "~/x"\n[listen]\ntrack = "de"\n[chunks]\nchunk = 60\n', "f"),
        {"formats": "srt, json", "chunk": "90", "batch": 4, "out": "here", "track": "1", "model": None},
    )
    assert options.formats == ("srt", "json")
    assert options.out == str(tmp_path / "here")
    assert options.track == "1"
    assert (options.recipe.chunk_ms, options.recipe.batch, options.recipe.model) == (90_000, 4, "tiny.en")


@pytest.mark.parametrize(
    ("setting", "value", "changed"),
    [
        ("transcribe.model", "small", ("recipe", "model")),
        ("transcribe.backend", "mine.stage:Stage", ("recipe", "backend")),
        ("transcribe.compute_type", "float32", ("recipe", "compute_type")),
        ("transcribe.device", "cuda", ("recipe", "device")),
        ("transcribe.language", "fr", ("recipe", "language")),
        ("transcribe.task", "translate", ("recipe", "task")),
        ("transcribe.align", "auto", ("recipe", "align")),
        ("listen.vad", "pyannote", ("recipe", "vad")),
        ("transcribe.terms", ["x"], ("terms",)),
        ("listen.track", 1, ("track",)),
        ("chunks.chunk", 60, ("recipe", "chunk_ms")),
        ("chunks.chunking", "never", ("chunking",)),
        ("chunks.batch", 3, ("recipe", "batch")),
        ("chunks.parallel", 3, ("recipe", "parallel")),
        ("failures.retries", 7, ("retries",)),
        ("failures.retry_delay", 0.25, ("retry_delay_ms",)),
        ("failures.climb_after", 9, ("climb_after",)),
        ("failures.smaller_model", False, ("models",)),
        ("watchdog.listen", 99, ("listen_limit_ms",)),
        ("watchdog.transcribe", 99, ("transcribe_limit_ms",)),
        ("memory.keep_warm", 1, ("keep_warm_ms",)),
        ("memory.park_after", 1, ("park_after_ms",)),
        ("memory.recycle", 7, ("recycle_chunks",)),
        ("output.formats", ["txt"], ("formats",)),
        ("output.folder", "/x", ("out",)),
        ("output.partial_every", 9, ("partial_every_ms",)),
    ],
)
def test_each_setting_reaches_the_engine(machine, setting, value, changed):
    machine(at_hand=(("tiny", 75 << 20), ("small", 480 << 20), ("base", 140 << 20)))
    settings = parse(default_text(), "f")
    data = msgspec.to_builtins(settings)
    group, name = setting.split(".")
    data[group][name] = value
    other = msgspec.convert(data, Settings)

    def reached(each: Settings) -> object:
        found: object = policy(each) if hasattr(Policy(), changed[0]) else resolve(each)
        for part in changed:
            found = getattr(found, part)
        return found

    assert reached(other) != reached(settings)


def test_a_backend_from_elsewhere_knows_its_own_models(machine):
    recipe = resolve(Settings(), {"backend": "mine.stage:Stage", "model": "whatever"}).recipe
    assert (recipe.backend, recipe.model) == ("mine.stage:Stage", "whatever")
    assert resolve(Settings(), {"backend": "mine.stage:Stage"}).recipe.model == "auto"


# ---- backends


def test_auto_takes_mlx_where_metal_works(machine, monkeypatch):
    machine(apple=True)
    recipe = resolve(Settings()).recipe
    assert (recipe.backend, recipe.device, recipe.compute_type) == ("mlx", "metal", "float16")
    assert (recipe.batch, recipe.parallel) == (16, 1)
    assert resolve(Settings(), {"device": "cpu"}).recipe.backend == "faster-whisper"
    monkeypatch.setattr(hardware, "has_metal", lambda: False)
    assert choosing.choose_backend(Settings()) == ("faster-whisper", "Metal cannot be used here")
    assert resolve(Settings()).recipe.device == "cpu"
    monkeypatch.setattr(choosing, "is_installed", lambda name: name != "mlx")
    assert choosing.choose_backend(Settings()) == ("faster-whisper", 'mlx is not installed ("scribetui[mlx]")')


def test_the_batch_on_a_processor_suits_the_model_too(machine):
    assert resolve(Settings(), {"model": "base"}).recipe.batch == 4
    assert resolve(Settings(), {"model": "large-v3"}).recipe.batch == 2
    assert resolve(Settings(), {"model": "base", "batch": 1}).recipe.batch == 1


def test_mlx_on_a_processor(machine):
    recipe = resolve(Settings(), {"backend": "mlx"}).recipe
    assert (recipe.device, recipe.compute_type, recipe.batch) == ("cpu", "float32", 2)
    assert (recipe.parallel, recipe.threads) == (4, 1)


def test_weights_that_are_quantised_say_what_is_computed_with(machine):
    machine(apple=True, at_hand=(("small-4bit", 1 << 20), ("small-8bit", 2 << 20)))
    assert resolve(Settings()).recipe.compute_type == "int8"
    assert resolve(Settings(), {"model": "small-4bit"}).recipe.compute_type == "int4"


def test_the_batch_on_metal_suits_the_model(machine):
    machine(memory=64 * GIB, apple=True, at_hand=(("large-v3", 3 << 30),))
    assert resolve(Settings()).recipe.batch == 2
    assert resolve(Settings(), {"batch": 5}).recipe.batch == 5


def test_whisperx(machine):
    recipe = resolve(Settings(), {"backend": "whisperx"}).recipe
    assert (recipe.device, recipe.compute_type, recipe.batch, recipe.parallel) == ("cpu", "int8", 4, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"backend": "whisperx"},
            'transcribe.backend = "whisperx" asks for what is not installed; .*"scribetui.align."',
        ),
        ({"backend": "mlx"}, 'transcribe.backend = "mlx" asks for what is not installed; .*"scribetui.mlx."'),
        ({"align": "auto"}, 'transcribe.align = "auto" asks for what is not installed; .*"scribetui.align'),
        ({"vad": "pyannote"}, 'listen.vad = "pyannote" asks for what is not installed; .*"scribetui.align."'),
    ],
)
def test_what_is_not_installed_is_named_with_what_brings_it(machine, monkeypatch, asked, message):
    monkeypatch.setattr(choosing, "find_spec", lambda name: None if name != "faster_whisper" else name)
    with pytest.raises(SettingsError, match=message):
        resolve(Settings(), asked)


def test_languages_and_alignment_reach_the_recipe(machine, tmp_path: Path, monkeypatch):
    machine(at_hand=(("tiny", 75 << 20),))
    assert resolve(Settings()).recipe.language is None
    assert resolve(Settings(), {"language": "auto-per-chunk"}).recipe.language == EACH_WINDOW
    assert resolve(Settings()).recipe.align == ""
    assert resolve(Settings(), {"align": "owner/model"}).recipe.align == "owner/model"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "aligner").mkdir()
    (tmp_path / "aligner" / "model.safetensors").write_bytes(b"")
    assert resolve(Settings(), {"align": "aligner"}).recipe.align == str(tmp_path / "aligner")


@pytest.mark.parametrize("asked", ["nosuch", "/nowhere", "empty"])
def test_what_can_be_no_model_to_align_with_is_refused_at_once(machine, tmp_path: Path, monkeypatch, asked):
    """Before hours of work, not after them."""
    machine()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    message = rf'no model ".*{asked}" to align words with .* model\.safetensors .*; OWNER/NAME is one on the hub'
    with pytest.raises(ModelMissing, match=message):
        resolve(Settings(), {"align": asked})
    assert resolve(Settings(), {"align": "WAV2VEC2_ASR_BASE_960H"}).recipe.align == "WAV2VEC2_ASR_BASE_960H"


def test_a_folder_as_a_model_is_named_in_full(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.bin").write_bytes(b"")
    assert resolve(Settings(), {"model": "mine"}).recipe.model == str(tmp_path / "mine")
    assert resolve(Settings(), {"model": "tiny.en"}).recipe.model == "tiny.en"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("auto", round(8 * GIB * 0.6)),
        ("50%", 4 * GIB),
        ("100%", 8 * GIB),
        ("4GB", 4 * GIB),
        ("1.5 GB", GIB * 3 // 2),
        ("512MB", GIB // 2),
        ("64GB", 8 * GIB),
    ],
)
def test_the_budget(machine, text, expected):
    assert budget_bytes(parse(f'[memory]\nbudget = "{text}"\n', "f")) == expected


@pytest.mark.parametrize("text", ["0%", "101%", "60", "-1GB", "4TB", "", "1e3GB"])
def test_no_such_budget(text):
    with pytest.raises(SettingsError, match=r"memory\.budget must be"):
        parse(f'[memory]\nbudget = "{text}"\n', "f")


def test_the_policy():
    text = (
        "[failures]\nretries = 5\nretry_delay = 0.5\nsmaller_model = false\n[output]\npartial_every = 2\n"
        "[memory]\nkeep_warm = 0\n"
    )
    assert policy(parse(text, "f")) == Policy(retries=5, retry_delay_ms=500, partial_every_ms=2_000, keep_warm_ms=0)


def test_the_models_that_may_stand_in_are_those_at_hand_from_the_largest_on(machine, monkeypatch):
    machine(at_hand=(("tiny", 75 << 20), ("small", 480 << 20), ("base", 140 << 20)))
    monkeypatch.setattr(choosing, "is_installed", lambda name: name != "whisperx")
    assert policy(Settings()).models == dict.fromkeys(("faster-whisper", "mlx"), ("base", "small", "tiny"))


def test_downloads_switched_off_holds_for_children_too(monkeypatch):
    settings = parse("[models]\ndownload = false\n", "f")
    assert environment(Settings()) == {}
    monkeypatch.setenv("HF_HUB_OFFLINE", environment(settings)["HF_HUB_OFFLINE"])
    with pytest.raises(ModelMissing, match="downloads are switched off"):
        models.locate("large-v1")


def test_a_language_for_every_code_the_backend_knows():
    from faster_whisper.tokenizer import _LANGUAGE_CODES

    for code in _LANGUAGE_CODES:
        assert parse(f'[transcribe]\nlanguage = "{code}"\n', "f").transcribe.language == code
    assert len(LANGUAGES.split("|")) == len(_LANGUAGE_CODES)
