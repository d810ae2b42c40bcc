"""How the values of other programs become values of our settings, each with a word on what was changed on the way."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine import glossary, hardware, models
from engine.languages import NAMES
from engine.settings.choosing import is_installed
from engine.settings.file import shown

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MLX = re.compile(r"mlx-community/whisper-(.+?)(-mlx)?")


class Source(NamedTuple):
    """Where values come from."""

    folder: Path
    """What its relative paths begin at."""
    values: Mapping[str, Any]
    """Everything it says."""


class Taken(NamedTuple):
    """What a value became."""

    value: Any
    how: str = ""
    """What was changed on the way, as a phrase; empty where nothing was."""


class CannotTake(Exception):
    """A value that cannot be; a phrase that says why."""


class NotYet(Exception):
    """A value that means something which there are no settings for yet; a phrase that says so."""


Taking = Callable[[Any, Source], Taken]


def word(value: Any, _: Source) -> Taken:  # noqa: ANN401 - whatever a file can hold
    """One of a few words, in lower case."""
    return Taken(_text(value).lower())


def number(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """A number."""
    return Taken(_number(value))


def whole(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """A whole number."""
    return Taken(_whole(_number(value)))


def minutes(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Seconds, out of minutes."""
    return Taken(_seconds(value), "minutes became seconds")


def whole_minutes(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Whole seconds, out of minutes."""
    return Taken(_whole(_seconds(value)), "minutes became seconds")


def chunked(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Whether to work in chunks."""
    return Taken("always" if _flag(value) else "never")


def chunked_if_need_be(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Whether to work in chunks, where "no" still meant that long films are."""
    return Taken("always") if _flag(value) else Taken("auto", "false still meant chunks for long films")


def chunking(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """When to work in chunks, or whether."""
    return word(value, source) if str(value).lower() in ("auto", "always", "never") else chunked(value, source)


def model(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """A model's name."""
    asked = _text(value)
    name, how = asked, ""
    if match := _MLX.fullmatch(asked):
        name, how = models.plain(match[1]), "the same model, whichever backend runs it"
    try:
        models.require(name, environment={})  # as if downloads were allowed, for whether it exists at all is asked
    except (OSError, RuntimeError, ValueError) as error:  # no name at all, or one of a home that is nobody's
        raise CannotTake("there is no such model") from error
    except models.ModelMissing as error:
        message = str(error).rstrip(".")
        raise CannotTake(message[:1].lower() + message[1:]) from error
    return Taken(name, how)


def backend(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """What runs the model."""
    name = _text(value).lower()
    if name == models.WHISPERX and not is_installed(name):
        return Taken(models.FASTER_WHISPER, "whisperX is not installed, and itself runs on it")
    if name == models.MLX and not is_installed(name):
        return Taken("auto", "mlx is not installed; auto takes it on Apple silicon once it is")
    return Taken(name)


def align(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """The model that aligns words."""
    name = _text(value)
    if not is_installed("align"):
        return Taken("off", "whisperX is not installed, so words keep the model's times")
    return Taken(name)


def device(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Where the model runs."""
    name = _text(value).lower()
    if name == "mps":
        return Taken("auto", "auto takes Apple's graphics with mlx, and no other backend runs on them")
    if name == "cuda" and not hardware.has_cuda():
        return Taken("auto", "this machine has no NVIDIA card that can be used now; auto takes one that can")
    return Taken(name)


def compute_type(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """The numbers a model computes with."""
    name = _text(value).lower()
    if "float16" in name and not hardware.has_cuda():
        return Taken("auto", "a processor does not compute with it; auto takes it where there is a card")
    return word(name, source)


def language(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """The code of a language."""
    name = _text(value).lower()
    short = re.split(r"[-_]", name)[0]
    if name != short and short in NAMES:
        return Taken(short, "the region is left out")
    return Taken(name)


def terms(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Terms, out of a prompt."""
    found = tuple(dict.fromkeys(part.strip() for part in re.split(r"[,;\n]", _text(value)) if part.strip()))
    return Taken(found, "split at its commas" if len(found) > 1 else "")


def flag(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """Whether, as it is."""
    return Taken(_flag(value))


def terms_file(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """A file of terms, if it can be read as one."""
    path, how = _path(_text(value), source)
    try:
        glossary.read(Path(path).expanduser())
    except (glossary.TermsError, RuntimeError) as error:  # the latter for a home that is nobody's
        raise CannotTake("no terms can be read from it") from error
    return Taken(path, how)


def formats(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """The formats of transcripts."""
    return _formats(_text(value), source.values.get("OUTPUT_PLAINTEXT"))


def plain_text(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """The formats of transcripts, with or without plain text."""
    subtitles = str(source.values.get("SUBTITLE_FORMAT") or "")
    if not _flag(value) and not subtitles:
        raise CannotTake("by itself it does not say which formats to write")
    return _formats(subtitles, value)


def folder(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """A folder."""
    path, how = _path(_text(value), source)
    return Taken(path, how)


def folders(value: Any, source: Source) -> Taken:  # noqa: ANN401
    """A list of folders."""
    paths = [_path(each, source) for each in _texts(value)]
    return Taken(tuple(dict.fromkeys(path for path, _ in paths)), next((how for _, how in paths if how), ""))


def extensions(value: Any, _: Source) -> Taken:  # noqa: ANN401
    """How the names of recordings end."""
    return Taken(tuple(dict.fromkeys(each.strip().lower().removeprefix(".") for each in _texts(value))))


def _formats(subtitles: str, plain: Any) -> Taken:  # noqa: ANN401
    names = [part.strip().lower() for part in subtitles.split(",") if part.strip()]
    if "ass" in names:
        raise NotYet("there is no format ass yet")
    if plain not in (None, "") and _flag(plain):
        names.append("txt")
    return Taken(tuple(dict.fromkeys(names)))


def _path(text: str, source: Source) -> tuple[str, str]:
    if text.startswith(("/", "~")):
        return text, ""
    return os.path.abspath(source.folder / text), f"relative to {source.folder}"


def _text(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise CannotTake(f"{shown(value)} is no text")
    return _sound(value).strip()


def _texts(value: Any) -> list[str]:  # noqa: ANN401
    if not isinstance(value, list) or not all(isinstance(each, str) and each.strip() for each in value):
        raise CannotTake(f"{shown(value)} is no list of texts")
    return [_sound(each).strip() for each in value]


def _sound(text: str) -> str:
    """A text that can be written to a file, and be the name of one."""
    if "\0" in text or (not text.isascii() and any(0xD800 <= ord(char) <= 0xDFFF for char in text)):
        raise CannotTake("it holds a character that no text can hold")
    return text


def _flag(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, bool):
        return value
    found = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise CannotTake(f"{shown(value)} is neither true nor false")
    return found


def _number(value: Any) -> int | float:  # noqa: ANN401
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value) if "." in value else int(value)
    raise CannotTake(f"{shown(value)} is no number")


def _whole(value: int | float) -> int | float:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _seconds(value: Any) -> int | float:  # noqa: ANN401
    return _whole(round(_number(value) * 60, 3))
