"""Pure: from speech to windows, and from windows that need work to the next chunk.

A window is what the recogniser decodes at once. Windows are laid out once, from the sound alone, while it is being
heard: nothing here knows of chunks, batches or blocks, so the text cannot depend on them.
"""

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from engine.timeline import Span, union

MAX_WINDOW_MS = 30_000
"""What Whisper decodes at once; shorter windows cost as much as full ones, so they are packed."""
PAD_MS = 400
"""Silence kept on either side of speech, at most half of what there is (Silero's ``speech_pad_ms`` as faster-whisper
sets it): soft beginnings and endings are quieter than the detector's threshold."""
ROOM_MS = 100
"""Room a window keeps after its last speech when more could have been packed in, so that no ending is cut hard."""
BRIDGE_MS = 3_000
"""The longest silence within a window. Speakers pause for up to two seconds between sentences; Whisper invents words
in silences much longer than that, and a window that spans one is mostly empty anyway."""
LEVEL_MS = 10
"""Each level tells the loudness of so many milliseconds."""
QUIET_MS = 300
"""How long a stretch must be quiet for a cut where there is no silence."""
LEVELS_PER_DECIBEL = 2.5
"""The scale of levels: 0 is digital silence, and full scale (90.3 dB over one step of 16 bits) is 226."""

_LAST_QUARTER_MS = MAX_WINDOW_MS * 3 // 4
_POWER = tuple(round(10 ** (level / LEVELS_PER_DECIBEL / 10)) for level in range(256))


def next_chunk(pending: Sequence[Span], target_ms: int) -> tuple[Span, ...]:
    """The next chunk: the first run of whole windows that need work.

    Only time counts: the chunk reaches at most ``target_ms`` from its first window's start to its last one's end, so a
    run never jumps a stretch longer than that, be it silent or done already. Windows in between that need no work
    are simply not part of it. A window longer than the target is a chunk by itself.

    Args:
        pending: The windows still to be done, sorted.
        target_ms: How long a chunk may be; 0 for all there is.
    """
    if target_ms <= 0:
        return tuple(pending)
    fits = bisect_right(pending, pending[0].start + target_ms, key=lambda window: window.end) if pending else 0
    return tuple(pending[: max(1, fits)])


class LayoutState(msgspec.Struct, kw_only=True, array_like=True):
    """Everything a window layout knows; it fits into a checkpoint."""

    until: int = 0
    """Speech is known up to here."""
    spoken: int | None = None
    """Where the speech already laid out ends; None before any."""
    runs: list[Span] = []
    """Speech not yet in a window: sorted and disjoint, a run that is still going on included."""
    level_start: int = 0
    levels: bytes = b""
    """The loudness from ``level_start`` on that a cut may still need."""
    closed: bool = False


class WindowLayout:
    """Lays out windows while the sound is being heard; each comes out as soon as nothing to come can change it.

    What comes out depends only on the speech and the levels, not on how they were cut up when they were fed, nor on
    whether the layout was saved and restored in between.
    """

    def __init__(self, state: LayoutState | None = None) -> None:
        state = state or LayoutState()
        self._until = state.until
        self._spoken = state.spoken
        self._runs = list(state.runs)
        self._level_start = state.level_start
        self._levels = bytearray(state.levels)
        self.closed = state.closed
        """Whether the sound has ended."""

    @property
    def state(self) -> LayoutState:
        """The layout as it is now; a layout made from it goes on in the same way."""
        return LayoutState(
            until=self._until,
            spoken=self._spoken,
            runs=list(self._runs),
            level_start=self._level_start,
            levels=bytes(self._levels),
            closed=self.closed,
        )

    def feed(self, speech: Sequence[Span], until: int, levels: bytes) -> tuple[Span, ...]:
        """Take in what was heard, and give the windows that are final by now.

        Args:
            speech: Further speech, in order. A span that begins where the last one ended goes on with it, so long
                speech may be told in pieces before its end is known.
            until: All speech before this time has been told; the next span begins no earlier.
            levels: The loudness of further sound, one number for every ``LEVEL_MS``, on the scale of
                ``LEVELS_PER_DECIBEL``. They must reach ``until``.
        """
        self._runs = list(union(self._runs, speech))
        self._until = max(self._until, until)
        self._levels += levels
        return self._emit()

    def close(self, end: int) -> tuple[Span, ...]:
        """The sound ends here: give what windows are left."""
        self._until = end
        self.closed = True
        return self._emit()

    def _emit(self) -> tuple[Span, ...]:
        windows: list[Span] = []
        while (window := self._next()) is not None:
            windows.append(window)
        # A cut lies in the last quarter of its window, and no window to come begins earlier than this.
        begins = self._runs[0].start if self._runs else self._until
        needless = (begins - PAD_MS + _LAST_QUARTER_MS - self._level_start) // LEVEL_MS
        needless = max(0, min(needless, len(self._levels)))
        del self._levels[:needless]
        self._level_start += needless * LEVEL_MS
        return tuple(windows)

    def _next(self) -> Span | None:
        """Take the first window off the runs, if it is final."""
        if not self._runs:
            return None
        start = self._start()
        taken = self._fitting(start)
        if taken == 0:
            return self._cut(start)
        last = self._runs[taken - 1]
        if taken < len(self._runs):
            silence = self._runs[taken].start - last.end
        elif self.closed:
            silence = 2 * max(0, self._until - last.end)
        else:
            silence = self._until - last.end
            may_join = silence <= BRIDGE_MS and self._until - start <= MAX_WINDOW_MS - ROOM_MS
            if silence == 0 or may_join or silence < 2 * PAD_MS:
                return None
        del self._runs[:taken]
        self._spoken = last.end
        return Span(start, min(last.end + min(PAD_MS, silence // 2), start + MAX_WINDOW_MS))

    def _start(self) -> int:
        """Where the next window begins."""
        begins = self._runs[0].start
        silence = 2 * begins if self._spoken is None else begins - self._spoken
        return begins - min(PAD_MS, silence // 2)

    def _fitting(self, start: int) -> int:
        """How many of the runs a window may hold that begins here."""
        if self._runs[0].end - start > MAX_WINDOW_MS:
            return 0
        taken = 1
        for before, run in zip(self._runs, self._runs[1:], strict=False):
            if run.start - before.end > BRIDGE_MS or run.end - start > MAX_WINDOW_MS - ROOM_MS:
                break
            taken += 1
        return taken

    def _cut(self, start: int) -> Span | None:
        """Cut speech that is too long for one window at its quietest place."""
        heard = self._level_start + len(self._levels) * LEVEL_MS
        if heard < start + MAX_WINDOW_MS and not self.closed:
            return None
        at = self._quietest(start + _LAST_QUARTER_MS, start + MAX_WINDOW_MS)
        self._runs[0] = Span(at, self._runs[0].end)
        self._spoken = at
        return Span(start, at)

    def _quietest(self, start: int, end: int) -> int:
        """The middle of the quietest 30 ms within the quietest 300 ms: rather a closed mouth than a vowel."""
        first = max(0, -(-(start - self._level_start) // LEVEL_MS))
        power = [_POWER[level] for level in self._levels[first : (end - self._level_start) // LEVEL_MS]]
        size = QUIET_MS // LEVEL_MS
        sums = [sum(power[at : at + size]) for at in range(len(power) - size + 1)]
        if not sums:
            return end
        best = min(range(len(sums)), key=sums.__getitem__)
        middle = best + size // 2
        at = min(range(best + 1, best + size - 1), key=lambda n: (sum(power[n - 1 : n + 2]), abs(n - middle)))
        return self._level_start + (first + at) * LEVEL_MS + LEVEL_MS // 2
