"""A transcript as the bytes of a file, one renderer a format.

Words are data in every format: what would be markup there is escaped, and comes out as the text it is. Subtitles are
written here rather than by pysubs2, which takes ``{...}`` and ``\\N`` in a text for its own markup (and drops a cue
with ``{\\p1}`` in it), does not escape WebVTT, and cannot count beyond 100 hours.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import msgspec

from engine.cues import Cue, cues, gap_text
from engine.recipe import Recipe
from engine.sentences import Sentence, paragraphs, sentences
from engine.timeline import Span
from engine.transcript import Correction, Transcript
from engine.words import Token, tokens


class UnknownFormat(ValueError):
    """A format there is no renderer for; one clear sentence for the user."""

    def __init__(self, name: str) -> None:
        *others, last = sorted(FORMATS)
        super().__init__(f"There is no format {name!r}; there are {', '.join(others)} and {last}.")


class Document:
    """A transcript ready to be rendered: what several formats need is worked out once.

    Of a partial transcript only what comes before ``until`` is taken.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = _beginning(transcript)
        self.words: list[Token] = tokens(self.transcript)
        self.sentences: list[Sentence]
        self.sentences, self.last_gap = sentences(self.words, self.transcript.gaps)

    @cached_property
    def cues(self) -> list[Cue]:
        """The subtitles."""
        return cues(self.sentences, self.last_gap, self.transcript.duration)

    @cached_property
    def language(self) -> str | None:
        """The transcript's language, else that of most words; None where there are none."""
        if self.transcript.language is not None:
            return self.transcript.language
        counted = Counter(word.language for word in self.words).most_common(1)
        return counted[0][0] if counted else None


Renderer = Callable[[Document], bytes]


def render(document: Document, format_name: str) -> bytes:
    """The document in that format.

    Raises:
        UnknownFormat: there is no such format.
    """
    return renderer(format_name)(document)


def renderer(format_name: str) -> Renderer:
    """What renders that format.

    Raises:
        UnknownFormat: there is no such format.
    """
    if format_name not in FORMATS:
        raise UnknownFormat(format_name)
    return FORMATS[format_name]


def srt(document: Document) -> bytes:
    """SubRip."""
    blocks = (
        f"{n}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_srt_text(cue)}\n"
        for n, cue in enumerate(document.cues, 1)
    )
    return "\n".join(blocks).encode()


def vtt(document: Document) -> bytes:
    """WebVTT."""
    blocks = (
        f"{n}\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_vtt_text(cue)}\n"
        for n, cue in enumerate(document.cues, 1)
    )
    return "\n".join(["WEBVTT\n", *blocks]).encode()


def txt(document: Document) -> bytes:
    """Plain text, a paragraph a line."""
    return "".join(f"{line}\n" for line in _txt_lines(document)).encode()


def json(document: Document) -> bytes:
    """JSON: all that whisperX writes, and media, gaps, doubts, terms, recipes, warnings, completeness; in seconds.

    A segment is a sentence; its recipe is that of the window it begins in. ``complete`` says that the whole file was
    gone through, gaps or not; else ``until`` says how far.
    """
    transcript = document.transcript
    recipes = list(dict.fromkeys(window.recipe for window in transcript.windows))
    number = {recipe: n for n, recipe in enumerate(recipes)}
    segments = (_segment(each, number[transcript.windows[each.words[0].window].recipe]) for each in document.sentences)
    head = {
        "media": {
            "name": _writable(PurePath(transcript.media).name),
            "path": _writable(transcript.media),
            "duration": _seconds(transcript.duration),
        },
        "language": document.language,
        "complete": not transcript.partial,
        "until": _seconds(transcript.until),
    }
    parts = [f'"{key}": {_encode(value)}' for key, value in head.items()]
    parts += [
        f'"segments": {_rows(segments)}',
        f'"word_segments": {_rows(map(_word, document.words))}',
        f'"gaps": {_rows(map(_stretch, transcript.gaps))}',
        f'"doubtful": {_rows({**_stretch(each.span), "reason": each.reason} for each in transcript.doubtful)}',
        f'"unaligned": {_rows({**_stretch(each.span), "reason": each.reason} for each in transcript.unaligned)}',
        f'"unheard": {_rows(map(_stretch, transcript.unheard))}',
        f'"terms": {_rows(map(_writable, transcript.terms))}',
        f'"corrections": {_rows(map(_correction, transcript.corrections))}',
        f'"recipes": {_rows(map(_recipe, recipes))}',
        f'"warnings": {_rows(map(_writable, transcript.warnings))}',
    ]
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


FORMATS: Mapping[str, Renderer] = MappingProxyType({"srt": srt, "vtt": vtt, "txt": txt, "json": json})
"""Every format by its name, which is also the ending of its files."""


def _correction(correction: Correction) -> dict[str, Any]:
    return {
        "start": _seconds(correction.at),
        "was": _writable(correction.was),
        "now": _writable(correction.now),
    }


def _beginning(transcript: Transcript) -> Transcript:
    until = transcript.until
    if until is None:
        return transcript
    windows = (each for each in transcript.windows if not each.segments or each.segments[0].start < until)
    return msgspec.structs.replace(
        transcript,
        windows=tuple(windows),
        gaps=tuple(gap for gap in transcript.gaps if gap.start < until),
        doubtful=tuple(each for each in transcript.doubtful if each.span.start < until),
        unaligned=tuple(each for each in transcript.unaligned if each.span.start < until),
        unheard=tuple(span for span in transcript.unheard if span.start < until),
        corrections=tuple(each for each in transcript.corrections if each.at < until),
    )


def _time(ms: int, point: str) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{point}{ms % 1000:03d}"


# SubRip has no escapes, so a word joiner (no width, no break) keeps apart what players would take for markup: <i>,
# {\an8}, {Y:i}, \N, and the arrow of a time line.
_SRT_MARKUP = re.compile(r"<(?= */? *[A-Za-z!?])|\{(?=\\|[A-Za-z]:)|\\(?=[Nnh])|--(?=>)")


def _srt_text(cue: Cue) -> str:
    return "\n".join(_SRT_MARKUP.sub("\\g<0>\u2060", line) for line in cue.lines)


def _vtt_text(cue: Cue) -> str:
    return "\n".join(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") for line in cue.lines)


def _txt_lines(document: Document) -> Iterator[str]:
    for paragraph in paragraphs(document.sentences):
        if paragraph[0].gap is not None:
            yield gap_text(paragraph[0].gap)
        yield "".join(
            (" " if n and sentence.words[0].space else "") + sentence.text for n, sentence in enumerate(paragraph)
        )
    if document.last_gap is not None:
        yield gap_text(document.last_gap)


def _segment(sentence: Sentence, recipe: int) -> dict[str, Any]:
    return {
        "start": _seconds(sentence.start),
        "end": _seconds(sentence.end),
        "text": sentence.text,
        "words": [_word(word) for word in sentence.words],
        "recipe": recipe,
    }


def _word(word: Token) -> dict[str, Any]:
    start, end = _seconds(word.start), _seconds(word.end)
    told = {"word": word.text, "start": start, "end": end, "score": round(word.score, 3)}
    return told | {"guessed": True} if word.guessed else told


def _stretch(span: Span) -> dict[str, float | None]:
    return {"start": _seconds(span.start), "end": _seconds(span.end)}


def _recipe(recipe: Recipe) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(recipe)
    return {key.removesuffix("_ms"): value / 1000 if key.endswith("_ms") else value for key, value in fields.items()}


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _writable(text: str) -> str:
    """A path or message as UTF-8 can hold it: what is not UTF-8 in a file's name becomes U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _rows(values: Iterable[object]) -> str:
    """An array, one element a line, so that files can be compared and searched."""
    rows = ",\n".join(map(_encode, values))
    return f"[\n{rows}\n]" if rows else "[]"


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()
