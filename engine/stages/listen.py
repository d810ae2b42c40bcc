"""The stage that decodes a media file to the audio on disk, hears where speech is, and lays out the windows."""

import contextlib
import os
from collections.abc import Iterable, Iterator

from engine.audiofile import AudioFile
from engine.downmix import Samples
from engine.hearing import BLOCK_MS, Detector, Listener
from engine.media import Media
from engine.messages import Finding, Heard, Probed, Warned, Work
from engine.recipe import Recipe
from engine.silero import Silero
from engine.stages.audio import PER_MS
from engine.stages.base import UnusableInput
from engine.timeline import Span
from engine.tracks import shown

EAGER_MS = 64_000
"""So much is told block by block, for the first windows to be laid out as soon as possible."""
TOLD_MS = 64_000
"""After that, this is told together: each telling is a transaction of the ledger."""


class Listen:
    """Listens to a media file, from its beginning or from where an earlier run was stopped.

    Decoding always begins at the start of the file, since seeking is not exact; it takes seconds an hour. What comes
    out does not depend on where an earlier run was stopped, nor on what it left on disk.

    Raises:
        StageError: the speech detector is not installed, or there is none of that name.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._detectors = {recipe.vad: _detector(recipe)}

    def run(self, work: Work) -> Iterator[tuple[Finding, ...]]:
        """Give what the file is, then stretch after stretch of what is heard; the audio up to there is on disk by then.

        A run whose checkpoint is that of the last stretch only sees to it that the audio is on disk.

        Raises:
            UnusableInput: the file cannot be listened to.
            StageError: the audio cannot be written.
        """
        begin = work.spans[0].start
        listener = self._listener(work)
        with AudioFile(work.audio, begin) as audio:
            if listener.closed and audio.length_ms == begin:
                with contextlib.suppress(UnusableInput), _media(work) as media:  # the film itself is no longer needed
                    yield (_probed(media, begin),)
                yield (Heard(span=Span(begin, begin), checkpoint=work.checkpoint, last=True),)
                return
            with _media(work) as media:
                yield (_probed(media, begin if listener.closed else media.duration),)
                yield from _hear(media, audio, listener, begin, work)

    def _listener(self, work: Work) -> Listener:
        """One that has heard everything before the span, or nothing if there is no such checkpoint."""
        name = work.recipe.vad
        if name not in self._detectors:
            self._detectors = {name: _detector(work.recipe)}
        model = self._detectors[name]
        try:
            listener = Listener(model, work.checkpoint)
        except ValueError:
            return Listener(model)
        return listener if listener.at == work.spans[0].start else Listener(model)


def _detector(recipe: Recipe) -> Detector:
    if recipe.vad == Silero.name:
        return Silero()
    if recipe.vad != "pyannote":
        raise UnusableInput(f"There is no speech detector {shown(recipe.vad)}; set listen.vad to silero or pyannote.")
    from engine.pyannote_vad import Pyannote  # torch is loaded only where it is wanted

    return Pyannote(recipe.device)


def _hear(media: Media, audio: AudioFile, listener: Listener, begin: int, work: Work) -> Iterator[tuple[Finding, ...]]:
    told = begin
    at = shown = 0
    speech: list[Span] = []
    windows: list[Span] = []
    for block, is_last in _with_last(media.blocks(BLOCK_MS * PER_MS)):
        audio.write(at, block.astype("<i2").tobytes(), media.duration)
        at += -(-len(block) // PER_MS)
        if at > listener.at:
            heard = listener.hear(block, is_last)
            if at > begin:  # what was heard before has been told before
                speech += heard[0]
                windows += heard[1]
        else:
            listener.recall(block)
        if at <= begin and at - shown >= TOLD_MS:
            shown = at
            yield ()  # nothing new yet, but it goes on: a sign of progress for the watchdog
        is_time = at - told >= TOLD_MS or at - begin <= EAGER_MS
        if at > begin and is_time and not is_last:
            audio.keep()
            yield (_heard(Span(told, at), speech, windows, listener.checkpoint),)
            told, speech, windows = at, [], []
    if at == 0:
        raise UnusableInput(f"{media.name}: holds no sound.")
    if at < begin or (listener.closed and at != listener.at):
        raise UnusableInput(f"{media.name}: has changed since it was first listened to; please add it again.")
    audio.keep()
    damage = media.damage() if at > begin else None
    warned = [Warned(message=damage)] if damage else []
    if at > begin and _has_changed(work):
        warned.append(Warned(message=f"{media.name}: was changed while it was listened to; the text may be of both."))
    yield (
        *warned,
        _heard(Span(told, at), speech, windows, listener.checkpoint if at > begin else work.checkpoint, last=True),
    )


def _heard(span: Span, speech: list[Span], windows: list[Span], checkpoint: str, last: bool = False) -> Heard:
    return Heard(span=span, speech=tuple(speech), windows=tuple(windows), checkpoint=checkpoint, last=last)


def _media(work: Work) -> Media:
    if _has_changed(work):
        raise UnusableInput(f"{shown(work.media)}: has changed since it was added; add it again.")
    return Media(work.media, work.track, work.recipe.language)


def _has_changed(work: Work) -> bool:
    """Whether the file is another than the one that was added; its windows would not belong to what it holds now."""
    try:
        stat = os.stat(work.media)
    except OSError:
        return False  # opening it says best what is amiss
    return work.size is not None and (work.size, work.mtime_ns) != (stat.st_size, stat.st_mtime_ns)


def _probed(media: Media, duration: int | None) -> Probed:
    return Probed(
        tracks=media.tracks, chosen=media.chosen, container=media.container, duration=duration, offset=media.offset
    )


def _with_last(blocks: Iterable[Samples]) -> Iterator[tuple[Samples, bool]]:
    """Each block, and whether it is the last one."""
    held: Samples | None = None
    for block in blocks:
        if held is not None:
            yield held, False
        held = block
    if held is not None:
        yield held, True
