"""The demonstration and the tests' voices: known words come back from the bundled model."""

import subprocess
import sys
import wave
from pathlib import Path

import pytest

from engine.demo import DemoError, demo_text, make_demo
from engine.models import locate
from engine.speak import lay_out, sentences
from tests.voices import Speech, Studio
from tests.wer import differences, wer


@pytest.fixture(scope="module")
def tiny():
    from faster_whisper import WhisperModel

    return WhisperModel(locate("tiny.en"), device="cpu", compute_type="int8", cpu_threads=2)


def transcript(model, audio) -> str:
    segments, _ = model.transcribe(audio, language="en", beam_size=5)
    return " ".join(segment.text for segment in segments)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("a folder with spaces"))


@pytest.mark.parametrize("voice", ["heart", "joe"])
def test_both_voices_come_back_word_for_word(voice, studio: Studio, tiny):
    speech = studio.speak(voice)
    written = transcript(tiny, speech.floats)
    assert wer(speech.text, written) <= 0.01, differences(speech.text, written)


def test_the_demonstration_comes_back(demo: Path, tiny):
    written = transcript(tiny, str(demo))
    assert wer(demo_text(), written) <= 0.03, differences(demo_text(), written)


def test_the_demonstration_takes_three_to_four_minutes(demo: Path):
    with wave.open(str(demo), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        assert 180 <= file.getnframes() / file.getframerate() <= 240


def test_a_good_file_is_kept_and_a_torn_one_made_anew(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("engine.demo.demo_text", lambda: "Hello there. How are you?")
    path = make_demo(tmp_path)
    whole, made = path.read_bytes(), path.stat().st_mtime_ns
    assert make_demo(tmp_path) == path
    assert path.stat().st_mtime_ns == made
    path.write_bytes(whole[:1000])
    assert make_demo(tmp_path).read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("engine.demo.importlib.util.find_spec", lambda name: None)
    with pytest.raises(DemoError, match=r"install \"scribetui\[demo\]\"\.$"):
        make_demo(tmp_path)


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError, match=r"^The folder .*file/demo cannot be made \(Not a directory\)"):
        make_demo(tmp_path / "file" / "demo")


def test_a_child_that_fails_is_one_sentence(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("engine.demo.sys.executable", "/bin/false")
    with pytest.raises(DemoError, match=r"could not be made in .* \(exit code 1\)\.$"):
        make_demo(tmp_path)


def test_the_parent_stays_light(tmp_path: Path):
    code = (
        "import pathlib, sys; from engine.demo import make_demo; import engine.demo as demo;"
        "demo.demo_text = lambda: 'Hello.'; make_demo(pathlib.Path(sys.argv[1]));"
        "print([name for name in ('numpy', 'hibari', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_text_is_plain_sentences():
    text = demo_text()
    assert text.isascii()
    assert not any(char.isdigit() for char in text)
    assert all(each[-1] in ".?" and each[0].isupper() for each in sentences(text))
    assert " ".join(sentences(text)) == " ".join(text.split())


def test_the_spans_are_where_the_speech_is(heart: Speech):
    quiet = [
        heart.samples[before.end * 16 : after.start * 16]
        for before, after in zip(heart.spans, heart.spans[1:], strict=False)
    ]
    assert len(quiet) == len(heart.sentences) - 1
    assert all(399 <= len(each) / 16 <= 900 for each in quiet)
    assert not any(each.any() for each in quiet)
    assert all(abs(heart.samples[span.start * 16 : span.end * 16]).max() > 3000 for span in heart.spans)


def test_pauses_are_as_asked_for():
    import numpy as np

    ones = np.ones(1600, np.int16)
    samples, spans = lay_out([ones, ones], 16_000, (0, 0))
    assert spans == [(0, 100), (100, 200)]
    assert len(samples) == 3200
    samples, spans = lay_out([ones], 16_000, (250, 250))
    assert spans == [(250, 350)]
    assert len(samples) == 600 * 16
