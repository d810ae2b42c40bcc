"""The audio tracks of a media file, and which of them is meant. Worker-side (PyAV)."""

import re
from collections.abc import Sequence

from av.audio.stream import AudioStream
from av.stream import Disposition

from engine.iso639 import language_key
from engine.messages import Track
from engine.stages.base import UnusableInput

_NOT_MAIN = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions | Disposition.karaoke
_COMMENTARY = re.compile(r"\b(comment|kommentar|descri|karaoke)", re.IGNORECASE)


def shown(text: str) -> str:
    """A text from outside as part of a sentence: on one line, with nothing a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def described(number: int, stream: AudioStream) -> Track:
    """What the container says of a track."""
    context = stream.codec_context
    return Track(
        index=number,
        codec=context.codec.canonical_name if context else "unknown",
        rate=(context.sample_rate or 0) if context else 0,
        channels=context.layout.nb_channels if context and context.layout else 0,
        language=stream.metadata.get("language"),
        title=stream.metadata.get("title"),
        default=bool(stream.disposition & Disposition.default),
    )


def choose(
    name: str, tracks: Sequence[Track], streams: Sequence[AudioStream], asked: str | None, language: str | None
) -> int:
    """The number of the track to take.

    Args:
        name: The file's name as it may be shown.
        tracks: What the container says of its audio tracks.
        streams: The same tracks, as PyAV gives them.
        asked: A number or a language that the user asked for; None to choose.
        language: The language expected to be spoken, if any.

    Raises:
        UnusableInput: there is no such track, or it cannot be decoded.
    """
    taken = [track for track in tracks if streams[track.index].codec_context is not None]
    if not taken:
        raise UnusableInput(f"{name}: its audio is in a format that cannot be decoded here.")
    wanted = (asked or "").strip()
    if wanted.isdecimal():
        if int(wanted) not in [track.index for track in tracks]:
            raise UnusableInput(f"{name}: has no audio track {wanted}; {_listed(tracks)}.")
        if int(wanted) not in [track.index for track in taken]:
            raise UnusableInput(f"{name}: audio track {wanted} is in a format that cannot be decoded here.")
        return int(wanted)
    if wanted:
        taken = [track for track in taken if language_key(track.language) == language_key(wanted)]
        if not taken:
            raise UnusableInput(f"{name}: has no audio track in the language {shown(wanted)}; {_listed(tracks)}.")

    def rank(track: Track) -> tuple[bool, bool, bool, int]:
        is_wanted = language is not None and language_key(track.language) == language_key(language)
        is_aside = bool(streams[track.index].disposition & _NOT_MAIN or _COMMENTARY.search(track.title or ""))
        return is_aside, not is_wanted, not track.default, track.index

    return min(taken, key=rank).index


def _listed(tracks: Sequence[Track]) -> str:
    listed = []
    for track in tracks:
        title = f' "{shown(track.title)}"' if track.title else ""
        listed.append(f"{track.index} ({shown(track.language or 'no language')}, {track.codec}{title})")
    return f"there {'is' if len(listed) == 1 else 'are'} {', '.join(listed)}"
