"""The real program with the MLX backend; on Linux by MLX's processor build, with the bundled model."""

import importlib.util

import pytest

from tests import mlx_child
from tests.wer import wer

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(each) for each in ("mlx", "mlx_whisper")), reason="mlx-whisper is not installed"
)


def test_a_recording_is_transcribed_by_mlx(program, sentence):
    program.environment |= mlx_child.blas(program.folder / "blas")
    sentence.save(program.folder / "sentence.wav")
    done = program.run("sentence.wav", "--backend", "mlx", "--model", "tiny.en")
    assert done.status == 0, done
    assert wer(sentence.text, program.text("sentence")) < 0.05
    transcript = program.transcript("sentence")
    (recipe,) = transcript["recipes"]
    assert (recipe["backend"], recipe["model"]) == ("mlx", "tiny.en")
    words = transcript["segments"][0]["words"]
    times = [edge for word in words for edge in (word["start"], word["end"])]
    assert times == sorted(times)
    assert len(words) == len(sentence.text.split())
    (attempt,) = [each for each in program.attempts(1) if each["stage"] == "transcribe"]
    assert attempt["peak"] > 100 * 2**20
