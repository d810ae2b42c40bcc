"""Words aligned with the sound by the real program: whisperX's alignment, with a model that was taught four words."""

import itertools

import pytest

from tests.aligner import WORDS, said, taught

pytestmark = pytest.mark.timeout(600)
"""whisperX takes long to load."""


def test_the_words_in_the_json_have_the_times_of_the_alignment(program, studio):
    speech, spans = said(studio)
    recording = speech.save(program.folder / "words.wav")
    plain = program.run(recording, "--align", "off")
    assert plain.status == 0, plain
    before = program.transcript("words")["word_segments"]
    done = program.run(recording, "--align", taught(studio), timeout=500)
    assert done.status == 0, done
    transcript = program.transcript("words")
    after = transcript["word_segments"]
    assert [word["word"] for word in after] == [word["word"] for word in before]
    assert [word["word"].strip(".,").lower().replace("7", "seven") for word in after] == list(WORDS)
    for word, truth in zip(after, spans, strict=True):
        assert abs(word["start"] * 1000 - truth.start) <= 150, (word, truth)
    assert all(0 <= one["start"] <= one["end"] <= other["start"] for one, other in itertools.pairwise(after))
    assert not any(word.get("guessed") for word in after)
    assert after != before
    assert transcript["unaligned"] == []
    program.check_nothing_left()


def test_offline_a_model_that_is_missing_costs_the_times_alone(program, studio):
    """The text is there, with the recogniser's times, and one sentence says what to do."""
    speech, _ = said(studio)
    program.environment |= {
        "HF_HUB_OFFLINE": "1",
        "TORCH_HOME": str(program.folder),
        "HF_HUB_CACHE": str(program.folder),
    }
    done = program.run(speech.save(program.folder / "words.wav"), "--align", "auto", timeout=500)
    assert done.status == 0, done
    assert "--align FOLDER" in done.err
    assert len(program.transcript("words")["word_segments"]) == len(WORDS)
