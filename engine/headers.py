"""What the headers of some containers announce, where FFmpeg does not pass it on or puts an estimate in its place."""

import os
import re
import struct

_WAV_HEADER = 44
"""Bytes before the samples of an ordinary WAV file."""
_PLACEHOLDER = 0x7FFF_0000
"""RIFF sizes from here on were written by programs that did not know yet how long the recording would be."""


def mp3_length(path: str, rate: int) -> float | None:
    """Milliseconds by the number of frames in a Xing or Info header; an MP3 file without one does not know."""
    with open(path, "rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":  # its size has seven bits to a byte
            file.seek(10 + sum((byte & 127) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        start = file.read(4096)
    at = max(start.find(b"Xing"), start.find(b"Info"))
    if at < 0 or len(start) < at + 12 or not start[at + 7] & 1 or not rate:
        return None
    frames = int(struct.unpack(">I", start[at + 8 : at + 12])[0])
    return 1000 * frames * (1152 if rate >= 32_000 else 576) / rate


def wav_share(path: str) -> float | None:
    """How much of what a RIFF header announces is there, 0 to 1; None when it does not say."""
    with open(path, "rb") as file:
        head = file.read(8)
        size = os.fstat(file.fileno()).st_size
    announced = struct.unpack("<I", head[4:])[0] + 8 if head[:4] == b"RIFF" else 0
    is_cut = _WAV_HEADER < size < announced < _PLACEHOLDER
    return (size - _WAV_HEADER) / (announced - _WAV_HEADER) if is_cut else None


def tagged_length(tag: str) -> float | None:
    """Milliseconds by the ``DURATION`` tag that Matroska writers give a track (``00:01:30.008000000``)."""
    parts = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", tag)
    return 1000 * (int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3])) if parts else None
