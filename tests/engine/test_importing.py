"""What becomes of the predecessors' settings."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import hardware
from engine.settings import Settings, load, save, takings
from engine.settings.file import fields
from engine.settings.foreign import FILMS, LARGEST, TALKS, CannotImport, Program
from engine.settings.importing import Finding, Import, read

DEFAULT = Settings()
TALK = {
    "min_duration_minutes": 0.01,
    "supported_formats": [".mp3", ".WAV", ".mp4"],
    "audio_inputs": ["./test/drive", "~/Audio Hijack"],
    "speakers_path": "./organized_talks/speakers",
    "output_base_path": "./organized_talks",
    "talks_path": "./organized_talks/talks",
    "transcripts_path": "./organized_talks/transcripts",
    "raw_talks_path": "./organized_talks/raw talks",
    "cache_dir": "./cache",
    "last_run_file": "last_run.json",
    "whisper_model": "tiny",
    "speaker_similarity_threshold": 0.80,
    "cleanup_days": 30,
    "log_level": "INFO",
    "memory_optimizations": {
        "enable_chunked_transcription": True,
        "transcription_chunk_size_seconds": 240,
        "speaker_identification_sample_seconds": 30,
        "speaker_identification_sample_offset": 60,
    },
    "title_generation": {
        "method": "openai",
        "openai_api_key": "sk-nobodysbusiness",
        "openai_model": "gpt-4o-mini",
        "max_title_words": 6,
        "fallback_to_simple": False,
    },
    "pyannote": {
        "hf_token": "hf_nobodysbusiness",
        "model": "pyannote/speaker-diarization-3.1",
        "min_speakers": 1,
        "max_speakers": 10,
    },
}
"""All keys of the talks categoriser."""


@pytest.fixture(autouse=True)
def _no_card(monkeypatch):
    monkeypatch.setattr(hardware, "has_cuda", lambda: False)


@pytest.fixture
def talks(tmp_path):
    """Read a ``config.json``."""

    def read_it(data: object, settings: Settings = DEFAULT) -> Import:
        path = tmp_path / "config.json"
        path.write_text(json.dumps(data))
        return read(path, settings)

    return read_it


@pytest.fixture
def films(tmp_path):
    """Read an ``.env``."""

    def read_it(text: str, settings: Settings = DEFAULT, name: str = ".env") -> Import:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return read(path, settings)

    return read_it


def only(found: Import) -> Finding:
    (finding,) = found.findings
    return finding


def fates(found: Import) -> dict[str, str]:
    return {each.key: each.outcome for each in found.findings}


# ---- the talks categoriser


def test_every_key_of_the_talks_categoriser_is_known(talks, tmp_path):
    found = talks(TALK)
    assert found.program == "mlx-talks-categorizer"
    assert "unknown" not in fates(found).values()
    assert found.changes == {
        "watch.min_duration": 0.6,
        "watch.extensions": ("mp3", "wav", "mp4"),
        "watch.folders": (str(tmp_path / "test/drive"), "~/Audio Hijack"),
        "output.folder": str(tmp_path / "organized_talks/transcripts"),
        "transcribe.model": "tiny",
        "chunks.chunking": "always",
        "chunks.chunk": 240,
    }
    assert fates(found)["output_base_path"] == "overruled"
    assert fates(found)["pyannote.hf_token"] == fates(found)["title_generation.openai_api_key"] == "secret"
    assert fates(found)["speaker_similarity_threshold"] == "not-yet"


def test_every_key_that_is_known_was_seen_in_their_files():
    assert {each for each in TALKS.known() if "." not in each} <= TALK.keys()
    assert {tuple(each.split(".")) for each in TALKS.known() if "." in each} == {
        (group, key) for group, table in TALK.items() if isinstance(table, dict) for key in table
    }


@pytest.mark.parametrize("program", [TALKS, FILMS], ids=lambda each: each.name)
def test_each_key_has_one_fate_and_each_counterpart_is_a_setting(program: Program):
    ours = [key for each in program.counterparts.values() for key, _ in each]
    known = [*ours, *program.not_yet, *program.without, *program.secrets]
    assert len(known) == len(set(known)) == len(program.known())
    assert program.counterparts.keys() <= fields().keys()


def test_a_key_named_twice_counts_where_it_comes_last(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"whisper_model": "small", "whisper_model": "tiny"}')
    found = read(path, Settings())
    assert [each.outcome for each in found.findings] == ["overruled", "set"]
    assert found.changes == {"transcribe.model": "tiny"}


def test_a_deep_or_strange_value_is_refused(talks):
    found = talks({"whisper_model": {"a": {"b": 1}}, "min_duration_minutes": True, "audio_inputs": [1]})
    assert fates(found) == dict.fromkeys(("whisper_model", "min_duration_minutes", "audio_inputs"), "refused")


def test_keys_in_tables_that_are_not_theirs_are_unknown(talks):
    found = talks({"whisper_model": "tiny", "whisper": {"model": "tiny"}, "pyannote": 3})
    assert fates(found) == {"whisper_model": "set", "whisper.model": "unknown", "pyannote": "unknown"}


def test_characters_that_no_file_can_hold_are_refused(talks):
    found = talks({"audio_inputs": ["/a\ud800"], "transcripts_path": "/a\0b"})
    assert set(fates(found).values()) == {"refused"}


# ---- the film pipeline


@pytest.mark.parametrize(
    ("line", "setting", "became"),
    [
        ("WHISPER_MODEL=large-v3", "transcribe.model", "large-v3"),
        ("WHISPER_MODEL=mlx-community/whisper-large-v3-mlx", "transcribe.model", "large-v3"),
        ("whisper_model=large-v3", "transcribe.model", "large-v3"),
        ("WHISPER_MODEL=mlx-community/whisper-large-v3-turbo-q4", "transcribe.model", "large-v3-turbo"),
        ("WHISPER_BACKEND=whisperx", "transcribe.backend", "whisperx"),
        ("WHISPER_BACKEND=MLX", "transcribe.backend", "mlx"),
        ("WHISPERX_ALIGN_MODEL=WAV2VEC2_ASR_LARGE_960H", "transcribe.align", "WAV2VEC2_ASR_LARGE_960H"),
        ("WHISPER_COMPUTE_TYPE=int8", "transcribe.compute_type", "int8"),
        ("WHISPER_COMPUTE_TYPE=float32", "transcribe.compute_type", "float32"),
        ("DEVICE=CPU", "transcribe.device", "cpu"),
        ("WHISPER_LANGUAGE=hi", "transcribe.language", "hi"),
        ("SRC_LANG=en-US", "transcribe.language", "en"),
        ("WHISPER_TASK=translate", "transcribe.task", "translate"),
        ('WHISPER_INITIAL_PROMPT="Amitabh, Mumbai,, Amitabh"', "transcribe.terms", ("Amitabh", "Mumbai")),
        ("BATCH_SIZE=2", "chunks.batch", 2),
        ("ASR_CHUNK_DURATION=180   # seconds", "chunks.chunk", 180),
        ("CHUNK_DURATION_MINUTES=30", "chunks.chunk", 1800),
        ("ASR_USE_CHUNKING=always", "chunks.chunking", "always"),
        ("ASR_USE_CHUNKING=false", "chunks.chunking", "never"),
        ("ENABLE_CHUNKING=true", "chunks.chunking", "always"),
        ("ASR_MAX_RETRIES=5", "failures.retries", 5),
        ("RETRY_DELAY_SECONDS=5", "failures.retry_delay", 5.0),
        ("ASR_WATCHDOG_TIMEOUT=900", "watchdog.transcribe", 900),
        ("SUBTITLE_FORMAT=vtt", "output.formats", ("vtt",)),
        ("OUTPUT_ROOT=/out", "output.folder", "/out"),
    ],
)
def test_what_a_key_becomes(films, line, setting, became):
    found = films(line)
    finding = only(found)
    assert (finding.outcome, finding.setting, finding.became) == ("set", setting, became)
    assert found.changes in ({setting: became}, {})
    group, _, name = setting.partition(".")
    assert getattr(getattr(found.applied(Settings()), group), name) == became


@pytest.mark.parametrize(
    ("line", "became", "note"),
    [
        ("WHISPERX_DEVICE=cuda", "auto", "no NVIDIA card"),
        ("DEVICE=mps", "auto", "auto takes Apple's graphics with mlx"),
        ("WHISPER_COMPUTE_TYPE=float16", "auto", "a processor does not compute with it"),
        ("ENABLE_CHUNKING=false", "auto", "still meant chunks"),
        ("CHUNK_DURATION_MINUTES=5", 300, "minutes became seconds"),
        ("WHISPER_INITIAL_PROMPT=$NAMES", ("$NAMES",), "the $ stands for itself"),
    ],
)
def test_what_is_changed_on_the_way_is_said(films, line, became, note):
    finding = only(films(line))
    assert (finding.outcome, finding.became) == ("set", became)
    assert note in finding.note


@pytest.mark.parametrize(
    ("line", "became", "note"),
    [
        ("WHISPER_BACKEND=whisperx", "faster-whisper", "whisperX is not installed"),
        ("WHISPER_BACKEND=mlx", "auto", "mlx is not installed"),
        ("WHISPERX_ALIGN_MODEL=me/mine", "off", "whisperX is not installed"),
    ],
)
def test_what_is_not_installed_is_not_asked_for(films, monkeypatch, line, became, note):
    monkeypatch.setattr(takings, "is_installed", lambda _: False)
    finding = only(films(line))
    assert (finding.outcome, finding.became) == ("set", became)
    assert note in finding.note


def test_a_card_that_is_there_is_used(films, monkeypatch):
    monkeypatch.setattr(hardware, "has_cuda", lambda: True)
    found = films("DEVICE=cuda\nWHISPER_COMPUTE_TYPE=float16\n")
    assert found.changes == {"transcribe.device": "cuda", "transcribe.compute_type": "float16"}


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("BATCH_SIZE=lots", '"lots" is no number'),
        ("BATCH_SIZE=0", "chunks.batch must be a whole number from 1 to 64"),
        ("BATCH_SIZE=1.5", "chunks.batch must be"),
        ("BATCH_SIZE=99999999999999999999999", "is no number"),
        ("ASR_CHUNK_DURATION=10", "chunks.chunk must be"),
        ("WHISPER_MODEL=nonesuch", 'there is no model "nonesuch"'),
        ("WHISPER_MODEL=~nobodyatall", "there is no"),
        ("WHISPER_LANGUAGE=klingon", "transcribe.language must be"),
        ("ENABLE_CHUNKING=perhaps", "neither true nor false"),
        ("OUTPUT_PLAINTEXT=false", "by itself"),
        ("WHISPER_MODEL=hf_nobodysbusiness", "looks like a token"),
    ],
)
def test_a_value_that_cannot_be_is_left_out_and_said(films, line, note):
    found = films(line)
    finding = only(found)
    assert (finding.outcome, finding.line, found.changes) == ("refused", 1, {})
    assert note in finding.note
    assert "nobodysbusiness" not in repr(found)


@pytest.mark.parametrize("line", ["SUBTITLE_FORMAT=ass", "SILERO_THRESHOLD=0.5"])
def test_what_there_are_no_settings_for_yet_is_said(films, line):
    found = films(line)
    assert (only(found).outcome, found.changes) == ("not-yet", {})
    assert "yet" in only(found).note


def test_of_two_keys_for_one_setting_the_more_particular_counts(films):
    found = films("BATCH_SIZE=2\nASR_BATCH_SIZE=lots\nWHISPER_BATCH_SIZE=16\n")
    assert fates(found) == {"BATCH_SIZE": "overruled", "ASR_BATCH_SIZE": "refused", "WHISPER_BATCH_SIZE": "set"}
    assert found.changes == {"chunks.batch": 16}


def test_two_keys_that_agree_both_count(films):
    assert set(fates(films("BATCH_SIZE=4\nWHISPER_BATCH_SIZE=4\n")).values()) == {"set"}


def test_plain_text_joins_the_formats(films):
    found = films("SUBTITLE_FORMAT=srt\nOUTPUT_PLAINTEXT=true\n")
    assert found.changes == {"output.formats": ("srt", "txt")}


def test_paths_begin_where_the_film_pipeline_begins_them(films, tmp_path):
    found = films("OUTPUT_ROOT=./out\n", name="config/.env.pipeline")
    assert found.changes == {"output.folder": str(tmp_path / "out")}


def test_what_is_set_twice_counts_the_second_time(films):
    found = films("BATCH_SIZE=2\nBATCH_SIZE=4\n")
    assert [each.outcome for each in found.findings] == ["overruled", "set"]
    assert found.changes == {"chunks.batch": 4}


def test_unknown_keys_are_named_with_what_they_may_have_meant(films):
    found = films("WHISPER_MODEL=tiny\nSILERO_TRESHOLD=nobodysbusiness\n")
    finding = found.findings[1]
    assert (finding.outcome, finding.value, finding.line) == ("unknown", None, 2)
    assert "SILERO_THRESHOLD" in finding.note


@pytest.mark.parametrize("name", ["HF_TOKEN", "TMDB_API_KEY", "MY_PASSWORD", "SOME_SECRET", "X_API_KEY"])
def test_secrets_are_named_and_no_more(films, name):
    found = films(f"WHISPER_MODEL=tiny\n{name}=nobodysbusiness\n")
    assert fates(found)[name] == "secret"
    assert "nobodysbusiness" not in repr(found)


def test_a_folder_or_a_number_is_no_token(films):
    found = films("OUTPUT_ROOT=/data/hf_models/out\nMAX_TOKENS=128\n")
    assert fates(found) == {"OUTPUT_ROOT": "set", "MAX_TOKENS": "unknown"}


def test_an_empty_value_changes_nothing(films):
    found = films("WHISPER_MODEL=\nOUTPUT_ROOT=\nHF_TOKEN=\n")
    assert found.changes == {}
    assert fates(found)["WHISPER_MODEL"] == "empty"


def test_what_was_before_is_told_and_what_is_the_same_is_no_change(films):
    found = films("BATCH_SIZE=2\nASR_MAX_RETRIES=3\n")
    assert [(each.was, each.became) for each in found.findings] == [("auto", 2), (3, 3)]
    assert found.changes == {"chunks.batch": 2}


def test_lines_that_cannot_be_read_are_counted(films):
    assert films("WHISPER_MODEL=tiny\nnonsense\n").unreadable == (2,)


def test_the_changes_are_written_with_the_comments_kept(films, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("[chunks]\n# as long as a song\nchunk = 240\n")
    found = films("BATCH_SIZE=2\nASR_CHUNK_DURATION=300\n", load(path))
    assert save(path, found.changes) == found.applied(load(path))
    assert "# as long as a song" in path.read_text()


# ---- files of all kinds


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.env", b"", "is empty"),
        ("a.env", b"\xef\xbb\xbf \n", "is empty"),
        ("a.env", b"WHISPER_MODEL=\xff", "not UTF-8"),
        (
            "a.env",
            b"PATH=/bin\n",
            "is neither the config.json of mlx-talks-categorizer nor the .env of cp-whisperx-app",
        ),
        ("a.json", b"{", "line 1: this is not valid JSON"),
        ("a.json", b"hello", "line 1: this is not valid JSON"),
        ("a.json", b'{"a": NaN}', "not valid JSON"),
        ("a.json", b"[" * 100_000, "not valid JSON"),
        ("a.json", b'{"min_duration_minutes": ' + b"9" * 5000 + b"}", "not valid JSON"),
        ("a.json", b"[1]", "not an object"),
        ("a.json", b'"whisper_model"', "not an object"),
        ("a.json", b'{"a": 1}', "holds no setting of mlx-talks-categorizer"),
        ("a.json", b"{" + b" " * LARGEST, "too large"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_a_sentence(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CannotImport) as refused:
        read(path, Settings())
    assert str(path) in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize(("name", "told"), [("nowhere", "there is no such file"), (".", "it is not a file")])
def test_so_is_what_is_no_file(tmp_path, name, told):
    with pytest.raises(CannotImport, match=told):
        read(tmp_path / name, Settings())


def test_the_content_decides_and_not_the_name(tmp_path):
    (tmp_path / "config.json").write_text("WHISPER_MODEL=tiny\n")
    assert read(tmp_path / "config.json", Settings()).program == "cp-whisperx-app"
    (tmp_path / ".env").write_text(json.dumps(TALK))
    assert read(tmp_path / ".env", Settings()).program == "mlx-talks-categorizer"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([each for each in TALKS.known() if "." not in each]), JSON, min_size=1))
def test_whatever_the_values_are_what_comes_out_can_be_set(tmp_path_factory, data):
    path = Path(tmp_path_factory.getbasetemp()) / "any.json"
    path.write_text(json.dumps(data))
    found = read(path, Settings())
    assert found.applied(Settings()) != Settings() or not found.changes


@given(st.lists(st.tuples(st.sampled_from(sorted(FILMS.known())), st.text()), min_size=1, max_size=5))
def test_so_it_is_with_lines(tmp_path_factory, pairs):
    path = Path(tmp_path_factory.getbasetemp()) / "any.env"
    # A line that can be read first, by which the file is known whatever the others are.
    lines = ("TITLE=any", *(f"{name}={value}" for name, value in pairs))
    path.write_text("\n".join(lines), encoding="utf-8", errors="replace")
    found = read(path, Settings())
    assert found.applied(Settings()) != Settings() or not found.changes
