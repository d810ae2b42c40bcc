"""Pure: from a speech detector's probabilities to spans of speech.

The thresholds are those of Silero's own ``get_speech_timestamps``; the lengths suit windows that are cut in short
pauses, as faster-whisper's batched pipeline cuts them.
"""

from collections.abc import Iterable

import msgspec

from engine.timeline import Span

FRAME_MS = 32
"""One probability for every 512 samples at 16 kHz: what Silero's model takes in one step."""
SPEECH_BEGINS = 0.5
"""Silero's ``threshold``: a frame at least this likely begins speech or goes on with it."""
SPEECH_ENDS = 0.35
"""Silero's ``neg_threshold`` (threshold - 0.15): speech ends where frames are less likely than this."""
MIN_SILENCE_MS = 160
"""Silence shorter than this is part of the speech; faster-whisper's batched pipeline uses the same. Five frames:
longer than the closure of a stop consonant, shorter than a breath."""
MIN_SPEECH_MS = 128
"""Speech shorter than this is none. The shortest words last longer; the detector's slips on music last two or three
frames."""
PIECE_MS = 4_800
"""Speech that goes on is told in pieces of this length, so that a window need not wait for its end."""


class Scale(msgspec.Struct, frozen=True):
    """How a detector's probabilities are to be read."""

    frame_ms: int = FRAME_MS
    """Milliseconds that each of them stands for."""
    begins: float = SPEECH_BEGINS
    """A frame at least this likely begins speech or goes on with it."""
    ends: float = SPEECH_ENDS
    """Speech ends where frames are less likely than this."""


class SegmenterState(msgspec.Struct, kw_only=True, array_like=True):
    """Everything a segmenter knows; it fits into a checkpoint."""

    now: int = 0
    begun: int | None = None
    """Where the speech that is going on, or what is left to tell of it, begins; None in silence."""
    told: bool = False
    """Whether pieces of that speech have been told."""
    fading: int | None = None
    """Where the frames began to be unlikely, if speech has not come back since."""


class Segmenter:
    """Finds speech in probabilities as they come, with hysteresis: it begins high and ends low."""

    def __init__(self, state: SegmenterState | None = None, scale: Scale | None = None) -> None:
        self._state = msgspec.structs.replace(state) if state else SegmenterState()
        self._scale = scale or Scale()

    @property
    def state(self) -> SegmenterState:
        """The segmenter as it is now; one made from it goes on in the same way."""
        return msgspec.structs.replace(self._state)

    @property
    def until(self) -> int:
        """All speech before this time has been told, in milliseconds."""
        state = self._state
        return state.now if state.begun is None else state.begun

    def feed(self, probabilities: Iterable[float]) -> list[Span]:
        """Take in one probability for every frame; give the speech, or pieces of it, that are final by now."""
        told: list[Span] = []
        state, scale = self._state, self._scale
        for probability in probabilities:
            at = state.now
            state.now = at + scale.frame_ms
            if probability >= scale.begins:
                state.fading = None
                if state.begun is None:
                    state.begun = at
            elif state.begun is not None:
                if state.fading is None and probability < scale.ends:
                    state.fading = at
                if state.fading is not None and at - state.fading >= MIN_SILENCE_MS:
                    self._end(state.fading, told)
            if state.begun is not None and state.fading is None and state.now - state.begun >= PIECE_MS:
                told.append(Span(state.begun, state.now))
                state.begun, state.told = state.now, True
        return told

    def close(self, end: int) -> list[Span]:
        """The sound ends here, maybe within the last frame: give the speech that is left."""
        told: list[Span] = []
        if self._state.begun is not None:
            self._end(min(end, self._state.now if self._state.fading is None else self._state.fading), told)
        self._state.now = end
        return told

    def _end(self, at: int, told: list[Span]) -> None:
        begun = self._state.begun
        if begun is not None and at > begun and (self._state.told or at - begun >= MIN_SPEECH_MS):
            told.append(Span(begun, at))
        self._state.begun, self._state.told, self._state.fading = None, False, None
