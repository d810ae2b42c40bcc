"""Streaming decoding of one audio track to 16 kHz mono int16, true to the timestamps. Worker-side (PyAV)."""

from collections.abc import Iterator
from itertools import chain
from typing import cast

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from engine.downmix import Downmix, Kind, Samples, kind
from engine.stages.audio import RATE

_HOLE_S = 0.1
"""Timestamps that deviate from the samples counted by more than this are followed. Less is jitter: Matroska rounds to
milliseconds, and players do not follow it either. It is also as far as sound and text can ever come apart."""
_OVERLAP_S = 1.0
"""Timestamps that go back by more than this do not mean that sound overlaps, but that a new count has begun: files
joined end to end."""
_BEYOND_S = 60.0
"""Timestamps this far past the end the header announces are wrong, and not followed."""
_LONGEST_HOLE_S = 6 * 3600.0
"""The same where no end is announced."""
_BAD_READS = 10
"""After so many failures to read on, one after the other, nothing more will come."""
_BAD_PACKETS = 5_000
"""After so many packets that cannot be decoded, one after the other (some two minutes), nothing more will come."""
_FEW_PACKETS = 5
"""So many bad packets after the last sound may be junk that something has appended to the file."""
_TAGS = (b"ID3", b"TAG", b"APE")
"""How tags begin, which stand between the pieces of MP3 files that were joined end to end."""
_CHANNELS = 8
"""No film changes to more channels than this in the middle."""
_ZEROS = np.zeros(RATE, np.int16)


class Damage:
    """What could not be decoded so far. Times are milliseconds from the start of playback."""

    def __init__(self) -> None:
        self.count = 0
        self.first_ms = 0
        self.since_sound = 0
        """Failures since the last sound."""

    @property
    def is_only_at_the_end(self) -> bool:
        """Whether a few failures after the last sound are all there are."""
        return self.count == self.since_sound <= _FEW_PACKETS

    def add(self, at_ms: int) -> None:
        """A packet could not be read or decoded."""
        self.first_ms = self.first_ms if self.count else at_ms
        self.count += 1
        self.since_sound += 1


class Decoder:
    """Decodes a track once from its beginning; ``begin`` first, then ``pieces``.

    Args:
        container: The opened file.
        stream: The track.
        origin: Where playback begins on the container's clock, in seconds; sound before it is dropped.
    """

    def __init__(self, container: InputContainer, stream: AudioStream, origin: float) -> None:
        self.damage = Damage()
        self.hole_ms = 0
        """Length of the holes in the timestamps, without one at the beginning."""
        self.first_hole_ms = 0
        self.offset = 0.0
        """Seconds by which the sound begins after the start of playback."""
        self.ends_in_a_broken_frame = False
        self.origin = origin
        """Where playback begins on the container's clock, in seconds."""
        self._container = container
        self._stream = stream
        self._frames: Iterator[AudioFrame] = iter(())
        self._context = stream.codec_context
        self._kind: Kind | None = None
        known = container.duration
        self._last_s = _LONGEST_HOLE_S if known is None else known / 1_000_000 + _BEYOND_S
        self._mono: Downmix | None = None
        self._anchor = 0.0
        """Where the run of samples without a hole begins, in seconds from the start of playback."""
        self._counted = 0.0
        """Length of that run, in seconds."""
        self._done = 0
        """Samples given."""
        self._drop = 0
        """Samples to come that lie before what was given already."""

    @property
    def end_ms(self) -> int:
        """Where the sound decoded so far ends, rounded up."""
        return -(-self._done * 1000 // RATE)

    def begin(self) -> bool:
        """Decode the first frame, which tells where the sound begins; False if nothing can be decoded at all."""
        self._context.thread_count = 1
        for other in self._container.streams:
            if other.index != self._stream.index:
                other.discard = Discard.all  # spares reading the pictures, where the format allows
        frames = self._decoded()
        first = next(frames, None)
        if first is None:
            return False
        at = _time(first)
        if at is not None:
            # Some demuxers announce a start that lies after the first sound (Opus in Matroska).
            self.origin = max(0.0, min(self.origin, at))
            self.offset = max(0.0, at - self.origin)
            if self.offset > self._last_s:
                self.origin, self.offset = at, 0.0
        self._frames = chain([first], frames)
        return True

    def pieces(self) -> Iterator[Samples]:
        """The sound in pieces of any length; holes come as silence."""
        for frame in self._frames:
            at = _time(frame)
            expected = self._anchor + self._counted
            here = expected if at is None else at - self.origin
            if abs(here - expected) > _HOLE_S and self._is_new_count(here, expected):
                self.origin += here - expected
                here = expected
            if abs(here - expected) > _HOLE_S or (self._done == 0 and self._counted == 0.0):
                yield from self._move_to(here)
            yield from self._mixed(frame)
            self._counted += frame.samples / frame.sample_rate
        yield from self._flush()

    def _is_new_count(self, here: float, expected: float) -> bool:
        return here < expected - _OVERLAP_S or here > max(self._last_s, expected + _HOLE_S)

    def _move_to(self, here: float) -> Iterator[Samples]:
        """Go on at another time: silence up to there, or as much dropped as was given too much."""
        yield from self._flush()
        missing = round(here * RATE) - self._done
        if self._done and missing > 0:
            self.first_hole_ms = self.first_hole_ms if self.hole_ms else self.end_ms
            self.hole_ms += missing * 1000 // RATE
        self._drop = max(0, -missing)
        while missing > 0:
            yield from self._given(_ZEROS[:missing])
            missing -= len(_ZEROS)
        self._anchor, self._counted = here, 0.0

    def _mixed(self, frame: AudioFrame) -> Iterator[Samples]:
        if self._mono is None or self._mono.kind != kind(frame):
            yield from self._flush()
            self._mono = Downmix(frame)
        for piece in self._mono.mix(frame):
            yield from self._given(piece)

    def _flush(self) -> Iterator[Samples]:
        if self._mono is not None:
            for piece in self._mono.rest():
                yield from self._given(piece)
            self._mono = None

    def _given(self, piece: Samples) -> Iterator[Samples]:
        dropped = min(self._drop, len(piece))
        self._drop -= dropped
        if dropped < len(piece):
            self._done += len(piece) - dropped
            yield piece[dropped:]

    def _decoded(self) -> Iterator[AudioFrame]:
        """All frames that can be decoded."""
        for packet in self._packets():
            try:
                frames = self._decode(packet)
            except av.error.FFmpegError:
                if bytes(packet)[:3] in _TAGS:
                    continue
                self.damage.add(self._now_ms)
                if self.damage.since_sound >= _BAD_PACKETS:
                    return
                continue
            for frame in frames:
                if frame.samples:
                    self.damage.since_sound = 0
                    yield frame

    def _decode(self, packet: "Packet[AudioStream]") -> list[AudioFrame]:
        """The packet's frames.

        A damaged packet may tell the decoder of channels that are not there, so a change of kind is only believed if a
        decoder that knows nothing of what came before sees it too.
        """
        frames = self._context.decode(packet)
        if not frames:
            return frames
        if self._kind is not None and kind(frames[0]) != self._kind:
            fresh = _fresh(self._context)
            try:
                again = fresh.decode(packet)
            except av.error.FFmpegError:
                again = []
            if any(kind(frame) == self._kind for frame in again):
                self._context = fresh
                return again
            if frames[0].layout.nb_channels > _CHANNELS:
                self._context = fresh
                self.damage.add(self._now_ms)
                return []
        self._kind = kind(frames[-1])
        return frames

    def _packets(self) -> Iterator["Packet[AudioStream]"]:
        """All packets that can be read; reading goes on after failures while there is hope."""
        failures = 0
        least = most = last = 0
        packets = self._container.demux(self._stream)
        while failures < _BAD_READS:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError:
                failures += 1
                packets = self._container.demux(self._stream)
                continue
            except IndexError:  # PyAV stumbles, at the very end, over tracks that appeared on the way
                break
            if packet is None:
                break
            if packet.size:
                if failures:
                    self.damage.add(self._now_ms)
                failures = 0
                least, most = (min(least, last) or last, max(most, last))
                last = packet.size
                self.ends_in_a_broken_frame = packet.is_corrupt
            else:
                # A constant bit rate makes all frames alike but for one byte of padding.
                self.ends_in_a_broken_frame |= bool(least) and most - least <= 1 and last < least
            yield packet
        else:
            self.damage.add(self._now_ms)

    @property
    def _now_ms(self) -> int:
        return round((self._anchor + self._counted) * 1000)


def _fresh(context: AudioCodecContext) -> AudioCodecContext:
    """A decoder as the container describes it, with no past."""
    fresh = cast("AudioCodecContext", AudioCodecContext.create(context.codec.name, "r"))
    fresh.extradata = context.extradata
    fresh.thread_count = 1
    return fresh


def _time(frame: AudioFrame) -> float | None:
    """The frame's place on the container's clock, in seconds."""
    return None if frame.pts is None or frame.time_base is None else frame.pts * float(frame.time_base)
