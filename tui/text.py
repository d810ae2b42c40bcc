"""Text for the screen: text from outside made harmless, measured in cells; times, lengths and sizes in words."""

import math
import unicodedata
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath

from rich.cells import cell_len

_PICTURES = {"\n": "␊", "\r": "␍", "\t": "␉", "\x1b": "␛"}
_UNSAFE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, turn the writing round, or have no width one can rely on."""
_SELECTORS = frozenset("\ufe0e\ufe0f")
"""They only choose between two pictures of a sign, and terminals disagree on the width that follows."""


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    r"""Text from outside with all that a terminal might act upon made visible: ``␛``, ``␊``, ``\x07``, ``\u202e``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _PICTURES.get(char) or (_escape(char) if unicodedata.category(char) in _UNSAFE else char)
        for char in text
        if char not in _SELECTORS
    )


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8, as os.fsdecode hands it on
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def name_of(path: str) -> str:
    """A file's own name, harmless."""
    return plain(PurePath(path).name or path)


def crop(text: str, width: int, ellipsis: str = "…") -> str:
    """The text in at most so many cells; what was cut off is marked by the ellipsis."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    if room < 0:
        return ellipsis[: max(0, width)]
    return _head(text, room) + ellipsis


def _head(text: str, width: int) -> str:
    """The longest beginning that fits in so many cells."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if cell_len(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low]


def crop_left(text: str, width: int, ellipsis: str = "…") -> str:
    """The end of the text in at most so many cells, for paths."""
    if cell_len(text) <= width:
        return text
    room = width - cell_len(ellipsis)
    start = next((n for n in range(len(text)) if cell_len(text[n:]) <= room), len(text))
    return (ellipsis + text[start:]) if room >= 0 else ellipsis[: max(0, width)]


def pad(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """The text in exactly so many cells, flush left, or flush right."""
    text = crop(text, width, ellipsis)
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


@lru_cache(maxsize=4096)
def wrap(text: str, width: int) -> tuple[str, ...]:
    """The text in lines of at most so many cells, broken at spaces where there are any."""
    if width < 2:
        return (text,) if cell_len(text) <= width else ()
    lines: list[str] = []
    line = ""
    for word in text.split():
        candidate = f"{line} {word}" if line else word
        if cell_len(candidate) <= width:
            line = candidate
            continue
        if line:
            lines.append(line)
        while cell_len(word) > width:
            head = _head(word, width)
            lines.append(head)
            word = word[len(head) :]
        line = word
    return (*lines, line) if line or not lines else tuple(lines)


def clock(ms: float) -> str:
    """A place on the timeline, or a length: ``0:07``, ``12:30``, ``1:02:03``; cut off to whole seconds."""
    seconds = max(0, int(ms)) // 1000
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def stretch(start: int, end: int) -> str:
    """A stretch of the timeline: ``12:30–13:00``."""
    return f"{clock(start)}–{clock(end)}"


def took(ms: int) -> str:
    """How long something took: ``0.3s``, ``12s``, ``1:02``."""
    if ms < 9_950:
        return f"{max(0, ms) / 1000:.1f}s"
    return f"{round(ms / 1000)}s" if ms < 59_500 else clock(ms + 500)


def chunk_length(ms: int) -> str:
    """The length of a chunk as a parameter: ``30s``, ``37.5s``, ``5m``, ``2m30s``; ``whole`` for one chunk a job."""
    if ms <= 0:
        return "whole"
    minutes, rest = divmod(ms, 60_000)
    seconds = f"{rest / 1000:g}s" if rest else ""
    return (f"{minutes}m" if minutes else "") + seconds


def percent(fraction: float) -> str:
    """A share of the work in per cent, cut off so that only what is done is ``100%``."""
    return f"{max(0, min(100, math.floor(fraction * 100 + 1e-9)))}%"


def times_realtime(speed: float | None) -> str:
    """Seconds of speech per second of work: ``5.2x``; ``–`` while it cannot be said."""
    if speed is None:
        return "–"
    return f"{speed:.1f}x" if speed < 9.95 else f"{min(speed, 9999):.0f}x"


def size(count: int) -> str:
    """A number of bytes in powers of 1024: ``980B``, ``12K``, ``640M``, ``5.1G``."""
    value = float(max(0, count))
    for unit in ("B", "K", "M"):
        if value < 999.5:
            return f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.1f}G" if value < 999.5 else f"{value / 1024:.1f}T"


def time_of_day(ms: int, *, seconds: bool = False) -> str:
    """The local time of a Unix time in milliseconds: ``14:02``, or ``14:02:51``."""
    return datetime.fromtimestamp(ms / 1000).strftime("%H:%M:%S" if seconds else "%H:%M")


def count(number: int, noun: str) -> str:
    """A number of things: ``1 line``, ``12 lines``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
