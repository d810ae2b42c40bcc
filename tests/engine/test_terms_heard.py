"""Terms on real speech: names that no model knows are written as the list has them, and nothing else changes."""

import itertools

import msgspec
import pytest

from engine.messages import Work
from engine.recipe import Recipe
from engine.stages.asr.whisper import Ask
from engine.terms import Term, heard, letters
from engine.timeline import Span
from tests.recordings import shared, sound
from tests.wer import words

RECIPE = Recipe(model="tiny.en", parallel=1, language="en")
NAMED = "A small boat called Bexaroth was waiting at the pier. We asked Tolquist to bring the papers to the meeting."
ABSURD = [
    Term(first + second)
    for first, second in itertools.product(
        ("Zor", "Thess", "Bex", "Mor", "Dal", "Quen", "Sand", "Trai"), ("aby", "ing", "ester", "odda", "when")
    )
]


@pytest.fixture(scope="module")
def backend():
    from engine.stages.asr.faster_whisper import FasterWhisper

    return FasterWhisper(RECIPE)


def work_on(folder, samples, *terms, **more):
    path = folder / "audio.pcm"
    path.write_bytes(samples.astype("<i2").tobytes())
    return Work(job=1, media="", audio=str(path), recipe=RECIPE, spans=(), terms=terms, **more)


def decoded(backend, work, *spans):
    ((*found,),) = backend.run(msgspec.structs.replace(work, spans=spans))
    return found


def text_of(found):
    return " ".join(segment.text for each in found for segment in each.segments)


def test_names_are_written_as_the_list_has_them(backend, studio, tmp_path):
    speech = studio.speak("heart", NAMED)
    window = Span(0, speech.duration)
    plain = decoded(backend, work_on(tmp_path, speech.samples), window)
    assert not heard(text_of(plain), [Term("Bexaroth"), Term("Tolquist")])
    told = decoded(backend, work_on(tmp_path, speech.samples, *ABSURD, Term("Tolquist"), Term("Bexaroth")), window)
    assert words(text_of(told)) == words(NAMED)
    times = [(word.start, word.end) for each in told for segment in each.segments for word in segment.words]
    assert times == sorted(times)


def test_names_that_nobody_says_change_nothing(backend, heart, tmp_path):
    """40 of them, made to sound like what is said; each window's text is what it is without them."""
    cuts = [(a.end + b.start) // 2 for a, b in itertools.pairwise(heart.spans)][5::6]
    spans = [Span(a, b) for a, b in itertools.pairwise([0, *cuts[:2]])]
    plain = decoded(backend, work_on(tmp_path, heart.samples), *spans)
    told = decoded(backend, work_on(tmp_path, heart.samples, *ABSURD, corrects=True), *spans)
    assert len(ABSURD) == 40
    assert any(backend._prompter.choose(take, ABSURD) for take in backend.takes(*asks(tmp_path, heart, spans)))
    assert text_of(told) == text_of(plain)
    assert not heard(text_of(told), ABSURD)


def asks(folder, speech, spans):
    return work_on(folder, speech.samples), [Ask(span, "en") for span in spans]


def test_windows_with_other_terms_may_share_a_batch(backend, studio, tmp_path):
    """CTranslate2 takes prompts of one length only; what is told of one window says nothing about another."""
    speech = studio.speak("heart", NAMED)
    work, span = work_on(tmp_path, speech.samples), speech.spans[0]
    told = [("Bexaroth",), (), ("Tolquist", "Bexaroth", "Quillamar")]
    together = backend.takes(work, [Ask(span, "en", terms) for terms in told])
    alone = [backend.takes(work, [Ask(span, "en", terms)])[0] for terms in told]
    assert [each.segment.text for each in together] == [each.segment.text for each in alone]


@shared
def test_comfyui_is_right_both_times(backend, tmp_path):
    samples = sound("hotwords.mp3")
    (found,) = decoded(backend, work_on(tmp_path, samples, Term("Comfy"), Term("ComfyUI")), Span(0, len(samples) // 16))
    spelled = [letters(word.text) for segment in found.segments for word in segment.words]
    assert spelled == "then you go into your comfyui folder again in the comfyui".split()  # noqa: SIM905
    assert text_of([found]).count("ComfyUI") == 2
