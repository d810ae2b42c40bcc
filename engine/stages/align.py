"""The stage that gives words finer times: whisperX's forced alignment, for the text of any recogniser."""

import collections
import gc
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from engine import devices
from engine.languages import language_name
from engine.messages import Aligned, Finding, Work
from engine.recipe import EACH_WINDOW, Recipe
from engine.spoken import fitted, spoken
from engine.stages import align_models, align_times
from engine.stages.align_times import Laid, Place
from engine.stages.audio import RATE, read_window
from engine.stages.base import UnusableInput
from engine.stages.torches import quietly, torch_device
from engine.timeline import Span
from engine.transcript import Segment, Word

UNSPACED = ("ja", "zh")
"""Languages whose characters whisperX places one by one, without a character that parts words."""


class Align:
    """Places the words of each window in its sound, with the model of the window's language.

    One model is in memory at a time. A window is aligned as a whole: the recogniser's own times play no part, but for
    words that cannot be placed.

    Raises:
        UnusableInput: whisperX is not installed; the model for the recipe's language is not at hand and cannot be
            fetched; or the text is a translation.
        DiskFull: there is no room for the model.
    """

    def __init__(self, recipe: Recipe) -> None:
        align_models.require_whisperx()
        if recipe.task == "translate":
            raise UnusableInput("A translation cannot be aligned: its words are not those that are said.")
        self._asked = recipe.align or align_models.AUTO
        if self._asked != align_models.AUTO:
            align_models.place_of(self._asked, recipe.language or "")  # before all that takes long to import
        self._aligner: tuple[str, align_models.Aligner] | None = None
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()
        with quietly():
            import torch

            self._device = torch_device(recipe.device)
            torch.set_num_threads(max(1, recipe.threads * recipe.parallel))
        language = recipe.language
        if language not in (None, EACH_WINDOW) and (name := align_models.model_for(language, self._asked)):
            self._load(name, language)

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Align window by window; each is committed by itself.

        A window that cannot be aligned keeps its times, and says why.

        Raises:
            AudioLost: the decoded audio is gone.
            StageError: it cannot be read.
        """
        for span, segments in zip(work.spans, work.texts, strict=True):
            with self._lock:
                found = self._aligned(work, span, segments)
            yield (found,)

    def _aligned(self, work: Work, span: Span, segments: tuple[Segment, ...]) -> Aligned:
        language = _language(segments)
        if not any(each.text.strip() for each in segments):
            return Aligned(span=span, segments=segments)
        aligner = self._model(language)
        if isinstance(aligner, str):
            return Aligned(span=span, segments=segments, reason=aligner)
        segments = align_times.with_words(segments, spaced=language not in UNSPACED)
        words = [word for segment in segments for word in segment.words]
        forms = [fitted(spoken(word.text, language), aligner.known) for word in words]
        laid = align_times.lay(forms, "" if language in UNSPACED else " ")
        if not laid.text:
            return Aligned(span=span, segments=segments, reason="there are no letters to align")
        chars = self._chars(aligner, language, laid.text, read_window(work.audio, span))
        if chars is None:
            return Aligned(span=span, segments=segments, reason="the words do not fit into the sound")
        places = _places(laid, chars, len(words), aligner, span)
        timed = align_times.placed(words, places, span)
        return Aligned(span=span, segments=align_times.rebuilt(segments, timed), reason=_reason(timed, forms))

    def _chars(self, aligner: align_models.Aligner, language: str, text: str, audio: Any) -> list[Any] | None:  # noqa: ANN401
        """For each character of the text what whisperX found of it; None when it could not place the text."""
        from whisperx.alignment import align

        whole = {"start": 0.0, "end": len(audio) / RATE, "text": text}
        with quietly():
            try:
                found = align(
                    [whole],
                    aligner.model,
                    aligner.metadata(language),
                    audio,
                    self._device,
                    return_char_alignments=True,
                )
            except IndexError:  # fewer moments than letters: some of these have no place on the path
                return None
        chars = [char for segment in found["segments"] for char in segment["chars"] or ()]
        return chars if len(chars) == len(text) else None

    def _model(self, language: str) -> align_models.Aligner | str:
        """The model for a language; or, in a few words, why there is none."""
        name = align_models.model_for(language, self._asked)
        if name is None:
            return f"there is no alignment model for {language_name(language)}"
        if name in self._failed:
            return self._failed[name]
        try:
            return self._load(name, language)
        except UnusableInput as error:  # other windows may be in a language whose model is there
            self._failed[name] = str(error)
            return str(error)

    def _load(self, name: str, language: str) -> align_models.Aligner:
        if self._aligner is not None and self._aligner[0] == name:
            return self._aligner[1]
        self._aligner = None
        gc.collect()
        devices.tidy()
        aligner = align_models.load(name, language, self._device)
        self._aligner = (name, aligner)
        return aligner


def _language(segments: Sequence[Segment]) -> str:
    """The language of most of a window's text."""
    counted = collections.Counter[str]()
    for each in segments:
        counted[each.language] += len(each.text)
    return counted.most_common(1)[0][0] if counted else "en"


def _places(
    laid: Laid, chars: Sequence[Any], count: int, aligner: align_models.Aligner, window: Span
) -> list[Place | None]:
    """Where each word is, by its characters."""
    found: list[Place | None] = [None] * count
    for owner, char, text in zip(laid.owners, chars, laid.text, strict=True):
        if owner < 0 or "start" not in char:
            continue
        span = Span(_at(char["start"], window), _at(char["end"], window))
        before = found[owner]
        is_sure = text in aligner.known
        if before is not None:
            span = Span(min(before.span.start, span.start), max(before.span.end, span.end))
            is_sure = is_sure or before.is_sure
        found[owner] = Place(span, is_sure)
    return found


def _at(seconds: float, window: Span) -> int:
    """A time within a window, as milliseconds on the timeline."""
    return min(window.end, window.start + max(0, round(float(seconds) * 1000)))


def _reason(words: Sequence[Word], forms: Sequence[str]) -> str:
    """How many of the words that can be heard were not placed."""
    heard = [word for word, form in zip(words, forms, strict=True) if form]
    missed = sum(word.guessed for word in heard)
    return f"{missed} of {len(heard)} words could not be placed" if missed else ""
