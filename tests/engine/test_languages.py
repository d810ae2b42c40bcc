"""Every language sample through detection, transcription and translation, with whisper base; and what tiny.en says."""

from pathlib import Path

import pytest

from engine.languages import NAMES
from engine.messages import Decoded, Spoken, Warned, Work
from engine.recipe import EACH_WINDOW, Recipe
from engine.stages.base import UnusableInput
from engine.timeline import Span
from tests.recordings import AUDIO, shared, sound
from tests.wer import wer

pytestmark = shared

ENGLISH, GERMAN = Span(0, 29_400), Span(30_640, 59_880)
"""The two windows of multilingual.mp3, one a language."""


@pytest.fixture(scope="module")
def base():
    from engine.stages.asr.faster_whisper import FasterWhisper

    return FasterWhisper(Recipe(model="base", parallel=1, threads=2))


@pytest.fixture(scope="module")
def pcm(tmp_path_factory):
    """Decode a sample; its path, and its length in milliseconds."""
    folder = tmp_path_factory.mktemp("pcm")

    def decode(name: str) -> tuple[Path, int]:
        path = folder / f"{Path(name).stem}.pcm"
        if not path.exists():
            path.write_bytes(sound(name).tobytes())
        return path, path.stat().st_size // 32

    return decode


def ran(backend, path, spans, job=1, samples=(), **recipe):
    recipe = Recipe(model="base", **recipe)
    work = Work(job=job, media="", audio=str(path), recipe=recipe, spans=tuple(spans), samples=tuple(samples))
    (found,) = backend.run(work)
    return found


def decoded(found) -> list[Decoded]:
    return [each for each in found if isinstance(each, Decoded)]


def text(found) -> str:
    return " ".join(segment.text for each in decoded(found) for segment in each.segments)


def languages(found) -> set[str]:
    return {segment.language for each in decoded(found) for segment in each.segments}


SAMPLES = {
    "french.mp3": ("fr", 0.1),
    "latvian.wav": ("lv", 0.8),
    "jfk.flac": ("en", 0.05),
    "ljspeech/LJ001-0001.flac": ("en", 0.15),
    "speechbrain/spk1_snt1.flac": ("en", 0.3),
}
"""Each sample's language, and a guard for the word error rate: base is weak in Latvian."""


@pytest.mark.parametrize("name", SAMPLES)
def test_each_sample_is_heard_in_its_language_and_translated(base, pcm, name):
    path, ms = pcm(name)
    language, limit = SAMPLES[name]
    job = list(SAMPLES).index(name) + 100
    found = ran(base, path, [Span(0, ms)], job)
    spoken = found[0]
    assert isinstance(spoken, Spoken)
    assert spoken.language == language
    assert spoken.votes[0] == (language, max(share for _, share in spoken.votes))
    assert languages(found) == {language}
    reference = (AUDIO / name).with_suffix(".txt").read_text()
    assert wer(reference, text(found)) <= limit, text(found)
    # A second batch of the job tells no language again; a translation is English, whatever is spoken.
    translated = ran(base, path, [Span(0, ms)], job, task="translate")
    assert not any(isinstance(each, Spoken) for each in translated)
    assert languages(translated) == {"en"}
    (segment,) = translated[0].segments
    assert all(word.text.startswith(" ") for word in segment.words[1:] if word.text.strip().isalpha())
    assert [word.start for word in segment.words] == sorted(word.start for word in segment.words)
    assert text(translated).isascii()
    if language == "en":
        assert wer(reference, text(translated)) <= limit


def test_a_translation_tells_what_was_said(base, pcm):
    path, ms = pcm("french.mp3")
    found = text(ran(base, path, [Span(0, ms)], language="fr", task="translate")).lower()
    assert {"welcome", "podcast", "curiosity", "french"} <= {word.strip(".,") for word in found.split()}, found


@pytest.mark.parametrize("language", ["ja", "zh", "th", "fr"])
def test_a_translation_has_english_words_whatever_is_spoken(base, language):
    """Of Japanese as it is spoken, every token is a word; of its translation, every word."""
    said = " Extraordinarily long conversations"
    tokens = base._model.hf_tokenizer.encode(said, add_special_tokens=False).ids
    words, _ = base._tokenizer(language, "translate").split_to_word_tokens(tokens)
    assert words == [" Extraordinarily", " long", " conversations"]


def reference(language: str) -> str:
    lines = (AUDIO / "multilingual.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"[{language}")).partition("] ")[2]


def test_window_by_window_each_is_written_in_its_own_language(base, pcm):
    path, _ = pcm("multilingual.mp3")
    found = ran(base, path, [ENGLISH, GERMAN], language=EACH_WINDOW)
    assert [each.segments[0].language for each in decoded(found)] == ["en", "de"]
    assert not any(isinstance(each, Spoken | Warned) for each in found)
    english, german = (text([each]) for each in decoded(found))
    assert wer(reference("en"), english) < 0.1
    assert wer(reference("de"), german) < 0.35
    # By itself it is the same: nothing goes from one to the other.
    assert decoded(ran(base, path, [GERMAN], language=EACH_WINDOW)) == decoded(found)[1:]


def test_a_vote_over_two_languages_takes_one_and_says_so(base, pcm):
    path, _ = pcm("multilingual.mp3")
    found = ran(base, path, [GERMAN], job=2, samples=(ENGLISH, GERMAN))
    spoken, warned = (next(each for each in found if isinstance(each, kind)) for kind in (Spoken, Warned))
    assert spoken.language in ("en", "de")
    assert {language for language, _ in spoken.votes[:2]} == {"en", "de"}
    assert EACH_WINDOW in warned.message
    assert languages(found) == {spoken.language}


def test_music_before_the_speech_does_not_decide(base, pcm, tmp_path):
    """A minute of music, then ten seconds of French: the windows are sampled, and the French one counts."""
    music, _ = pcm("music.flac")
    french, ms = pcm("french.mp3")
    path = tmp_path / "film.pcm"
    path.write_bytes(music.read_bytes()[: 32 * 20_000] * 3 + french.read_bytes())
    spans = [*(Span(n * 20_000, n * 20_000 + 20_000) for n in range(3)), Span(60_000, 60_000 + ms)]
    found = ran(base, path, [spans[3]], job=3, samples=spans)
    assert found[0].language == "fr"
    assert "curiosité" in text(found)


def test_what_was_heard_for_its_language_is_not_encoded_again(base, pcm, monkeypatch):
    path, ms = pcm("jfk.flac")
    encoded = []
    genuine = base._model.encode
    monkeypatch.setattr(base._model, "encode", lambda features: encoded.append(1) or genuine(features))
    found = ran(base, path, [Span(0, ms)], job=4)
    assert len(encoded) == 1
    assert ran(base, path, [Span(0, ms)], job=4) == tuple(decoded(found))
    assert len(encoded) == 2


def test_a_language_that_the_model_does_not_know_is_an_error_in_a_sentence(base, pcm):
    path, ms = pcm("jfk.flac")
    assert "yue" in NAMES
    with pytest.raises(UnusableInput, match=r'does not know the language "yue"; choose another model\.$'):
        ran(base, path, [Span(0, ms)], language="yue")


@pytest.mark.parametrize("recipe", [{"language": "fr"}, {"task": "translate"}, {"language": "en", "task": "translate"}])
def test_a_model_that_knows_english_alone_says_so(pcm, recipe):
    from engine.stages.asr.faster_whisper import FasterWhisper

    path, ms = pcm("french.mp3")
    with pytest.raises(UnusableInput, match=r"knows only English and cannot (translate|do the language \"fr\")"):
        ran(FasterWhisper(Recipe(model="tiny.en", parallel=1)), path, [Span(0, ms)], **recipe)
