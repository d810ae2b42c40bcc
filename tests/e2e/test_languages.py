"""Languages through the whole program, with whisper base: one detected by a vote, two told apart, one translated."""

from engine.events import LanguageFound
from tests.e2e.program import PATIENCE
from tests.recordings import AUDIO, shared
from tests.wer import wer

pytestmark = shared


def test_two_languages_in_one_recording_are_told_apart(program):
    done = program.run(
        AUDIO / "multilingual.mp3", "--model", "base", "--language", "auto-per-chunk", "--json", timeout=1.5 * PATIENCE
    )
    assert done.status == 0, done.err
    assert not [entry for entry in done.entries if isinstance(entry.event, LanguageFound)]
    said = program.transcript("multilingual")
    text = " ".join(each["text"] for each in said["segments"])
    english, german = (
        line.partition("] ")[2] for line in (AUDIO / "multilingual.txt").read_text(encoding="utf-8").splitlines()
    )
    assert wer(f"{english} {german}", text) < 0.2, text
    assert "hereby" in text
    assert "Genehmigung" in text


def test_a_translation_is_english_and_the_spoken_language_is_told(program):
    done = program.run(AUDIO / "french.mp3", "--model", "base", "--task", "translate", "--json", timeout=1.5 * PATIENCE)
    assert done.status == 0, done.err
    (found,) = [entry.event for entry in done.entries if isinstance(entry.event, LanguageFound)]
    assert found.language == "fr"
    assert found.votes[0][0] == "fr"
    said = program.transcript("french")
    assert said["language"] == "en"
    assert "podcast" in program.text("french").lower()
    assert "curiosity" in program.text("french").lower()
