"""Media files: what audio there is in one, which track is meant, and how long it says it is. Worker-side (PyAV)."""

import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import av
import av.error
import av.logging
import numpy as np
from av.container import InputContainer
from av.stream import Disposition

from engine.decoding import Decoder
from engine.downmix import Samples
from engine.headers import mp3_length, tagged_length, wav_share
from engine.stages.base import UnusableInput
from engine.tracks import choose, described, shown

av.logging.set_level(None)  # FFmpeg would write to the terminal

_SLACK_MS = 2_000
"""How far short of its announced length a track may fall before it counts as cut off: encoders round to their frames
and count padding."""
_HOLES_MS = 1_000
"""Missing sound that is worth a word to the user."""
_PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
_NOT_MEDIA = frozenset({"tty", "lrc", "srt", "webvtt", "ass", "image2", "gif"})
"""What FFmpeg takes for a format, though nobody would call it a film or a recording; so are all it calls pipes."""


def clock(ms: int) -> str:
    """A time as ``1:02:03``, or ``2:03`` below an hour."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Media:
    """A media file, opened for one of its audio tracks; use it as a context manager.

    Args:
        path: The file.
        track: A track's number among the audio tracks, or its language; None to choose: a track in ``language`` if
            there is one, else the one marked as default, else the first; a commentary only if there is nothing else.
        language: The language that is expected to be spoken, if any.

    Raises:
        UnusableInput: it is no readable media file, has no audio, or not the track asked for.
    """

    def __init__(self, path: str, track: str | None = None, language: str | None = None) -> None:
        self.path = path
        self.name = shown(path)
        _check_file(path, self.name)
        self._container = self._open()
        try:
            streams = self._container.streams.audio
            if not streams:
                raise UnusableInput(f"{self.name}: has no audio track{_holds(self._container)}.")
            self.tracks = tuple(described(number, stream) for number, stream in enumerate(streams))
            self.chosen = choose(self.name, self.tracks, streams, track, language)
            self.container: str = self._container.format.name
            self._stream = streams[self.chosen]
            self._decoder = Decoder(self._container, self._stream, _start_of_playback(self._container))
            if not self._decoder.begin():
                codec = self.tracks[self.chosen].codec
                raise UnusableInput(f"{self.name}: nothing of its audio track {self.chosen} ({codec}) can be decoded.")
        except BaseException:
            self._container.close()
            raise
        self.offset = round(self._decoder.offset * 1000)
        self.duration = self._duration()
        # Read now: by the end of decoding the file may be gone.
        self._mp3_length = mp3_length(path, self._stream.codec_context.sample_rate) if self.container == "mp3" else None
        self._wav_share = wav_share(path) if self.container == "wav" else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def blocks(self, samples: int) -> Iterator[Samples]:
        """Decode the track once: 16 kHz mono int16, in blocks of so many samples, the last one shorter.

        Sample 0 is the start of playback. Memory does not grow with the length of the file.
        """
        block = np.empty(samples, np.int16)
        filled = 0
        for piece in self._decoder.pieces():
            while len(piece):
                taken = min(len(piece), samples - filled)
                block[filled : filled + taken] = piece[:taken]
                filled += taken
                piece = piece[taken:]
                if filled == samples:
                    yield block
                    block = np.empty(samples, np.int16)
                    filled = 0
        if filled:
            yield block[:filled]

    def damage(self) -> str | None:
        """After decoding: one sentence about what is wrong with the file, None if nothing is."""
        found, end = self._decoder.damage, self._decoder.end_ms
        announced = self._announced(end)
        is_cut = announced is not None or self._breaks_off
        of = f" of {clock(announced)}" if announced is not None else ""
        # A few failures after the last sound are junk that something appended, unless sound is missing.
        if found.count and (is_cut or not found.is_only_at_the_end):
            ends = f" and breaks off at {clock(end)}{of}" if is_cut else ""
            return (
                f"{self.name}: is damaged from {clock(found.first_ms)} on{ends}; what could be decoded is transcribed."
            )
        if is_cut:
            return f"{self.name}: is cut off at {clock(end)}{of}; what could be decoded is transcribed."
        if self._decoder.hole_ms >= _HOLES_MS:
            holes, first = clock(self._decoder.hole_ms), clock(self._decoder.first_hole_ms)
            return f"{self.name}: has no sound for {holes} in all, first at {first}; that counts as silence."
        return None

    def _open(self) -> InputContainer:
        try:
            # An absolute path, since FFmpeg would take "talk:1.mp3" for a protocol.
            container = av.open(os.path.abspath(self.path), "r", metadata_errors="replace")
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise UnusableInput(f"{self.name}: {_why_not(self.path, error)}.") from error
        if _NOT_MEDIA & set(container.format.name.split(",")) or container.format.name.endswith("_pipe"):
            container.close()
            raise UnusableInput(f"{self.name}: is not an audio or video file.")
        return container

    def _duration(self) -> int | None:
        stream = self._stream
        if stream.duration and stream.time_base:
            length = float(stream.duration * stream.time_base)
            if stream.start_time is not None:
                length += float(stream.start_time * stream.time_base) - self._decoder.origin
            return max(0, round(1000 * length))
        return None if self._container.duration is None else self._container.duration // 1000

    @property
    def _breaks_off(self) -> bool:
        """Whether the last frame is incomplete; told only of a format that announces no length."""
        return self.container == "mp3" and self._decoder.ends_in_a_broken_frame

    def _announced(self, end_ms: int) -> int | None:
        """The length the track ought to have, if the file says so dependably and it falls short of that."""
        announced: float | None = None
        slack = _SLACK_MS
        kinds = set(self.container.split(","))
        if self._mp3_length is not None:
            announced = self._mp3_length
        elif self._wav_share is not None:
            announced, slack = end_ms / self._wav_share, 100
        elif kinds & {"mov", "flac"}:
            announced = self.duration
        elif "matroska" in kinds:
            announced = tagged_length(self._stream.metadata.get("DURATION", ""))
            if announced is None and len(self._container.streams) == 1 and self._container.duration:
                announced, slack = self._container.duration / 1000, 2 * _SLACK_MS
        return None if announced is None or announced <= end_ms + slack else round(announced)


def _check_file(path: str, name: str) -> None:
    try:
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise UnusableInput(f"{name}: is a folder; please name the files in it.")
        if not stat.S_ISREG(found.st_mode):
            raise UnusableInput(f"{name}: is not a regular file.")
        with open(path, "rb"):
            pass
    except FileNotFoundError:
        raise UnusableInput(f"{name}: there is no such file.") from None
    except PermissionError:
        raise UnusableInput(f"{name}: you have no permission to read it.") from None
    except (OSError, ValueError) as error:
        raise UnusableInput(f"{name}: cannot be opened ({shown(str(error))}).") from error
    if found.st_size == 0:
        raise UnusableInput(f"{name}: the file is empty.")


def _why_not(path: str, error: Exception) -> str:
    if not isinstance(error, av.error.InvalidDataError):
        return f"cannot be read ({shown(getattr(error, 'strerror', None) or str(error))})"
    with open(path, "rb") as file:
        is_mp4 = file.read(8)[4:] == b"ftyp"
    if is_mp4:
        return "is incomplete: its index is missing, as when a recording or a download broke off"
    return "is not an audio or video file, or too damaged to be read"


def _holds(container: InputContainer) -> str:
    kinds = [stream.type for stream in container.streams]
    found = [f"{kinds.count(kind)} {kind}" for kind in ("video", "subtitle") if kind in kinds]
    return f" (it holds {' and '.join(found)})" if found else ""


def _start_of_playback(container: InputContainer) -> float:
    """Where players begin, in seconds: the earliest of sound and pictures, but not before 0."""
    starts = [
        float(stream.start_time * stream.time_base)
        for stream in (*container.streams.audio, *container.streams.video)
        if stream.start_time is not None and stream.time_base and not stream.disposition & _PICTURES
    ]
    return max(0.0, min(starts, default=0.0))
