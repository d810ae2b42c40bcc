"""The settings of what recognises the speech: the model, the terms, the track, the chunks."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.languages import NAMES
from engine.settings.saying import Auto, says

LANGUAGES = "|".join(NAMES)
"""The languages Whisper knows, by the codes it has for them, as a pattern."""


class Transcribe(msgspec.Struct, frozen=True, kw_only=True):
    """What recognises the speech, and what it is told beforehand."""

    model: Annotated[
        Annotated[str, Meta(min_length=1)],
        says(
            "The speech model; auto takes the largest one on this machine that suits the language and fits into the "
            "memory budget and the memory that is free.",
            'a model\'s name ("tiny.en", "large-v3-turbo", "owner/name"), its folder, or "auto"',
        ),
    ] = "auto"
    backend: Annotated[
        Annotated[str, Meta(pattern=r"^(auto|faster-whisper|mlx|whisperx|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$")],
        says(
            "The library that runs the model; auto takes mlx on Apple silicon, where it is installed and Metal works, "
            "else faster-whisper.",
            '"auto", "faster-whisper", "mlx", "whisperx", or the import path of a stage of your own '
            '("package.module:Class")',
        ),
    ] = "auto"
    compute_type: Annotated[
        Auto
        | Literal["int4", "int8", "int8_float16", "int8_float32", "int8_bfloat16", "float16", "bfloat16", "float32"],
        says(
            "The numbers the model computes with; auto takes float16 on a graphics card, and on a processor int8, or "
            "with mlx float32; int4 is for mlx alone.",
            '"auto", "int4", "int8", "int8_float16", "int8_float32", "int8_bfloat16", "float16", "bfloat16" or '
            '"float32"',
        ),
    ] = "auto"
    device: Annotated[
        Auto | Literal["cpu", "cuda", "metal"],
        says(
            "Where the model runs; auto takes Apple's Metal with mlx, with others an NVIDIA card whose driver and "
            "cuBLAS 12 are installed, else the processor.",
            '"auto", "cpu", "cuda" or "metal"',
        ),
    ] = "auto"
    language: Annotated[
        Annotated[str, Meta(pattern=rf"^(auto|auto-per-chunk|{LANGUAGES})$")],
        says(
            "The language spoken; auto has several places of the recording vote on one for all of it, auto-per-chunk "
            "detects it window by window.",
            '"auto", "auto-per-chunk" or a code that Whisper knows, such as "en", "de" or "zh"',
        ),
    ] = "auto"
    task: Annotated[
        Literal["transcribe", "translate"],
        says("What to write: the words as spoken, or their translation into English.", '"transcribe" or "translate"'),
    ] = "transcribe"
    align: Annotated[
        Annotated[str, Meta(min_length=1)],
        says(
            "Whether the words are aligned with the sound once more for exact times, by whisperX; auto takes the "
            "language's own model.",
            '"off", "auto", the name of a model on the hub, or its folder',
        ),
    ] = "off"
    terms: Annotated[
        tuple[str, ...],
        says(
            "Names and words to expect: told to the model with every window in which something sounds like them.",
            "a list of strings",
        ),
    ] = ()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Names and words to expect, besides those of transcribe.terms."""

    file: Annotated[
        Annotated[str, Meta(pattern=r"^([/~].*)?$")],
        says(
            "A file of terms: .txt has one a line, .csv and .tsv aliases behind each, .toml times as well; empty for "
            "none.",
            'a full path, beginning with "/" or "~", or ""',
        ),
    ] = ""
    beside: Annotated[
        bool,
        says(
            "Whether files of terms that lie beside a recording are read when it is added: NAME.terms.txt and "
            "terms.txt, or with another of these endings.",
            "true or false",
        ),
    ] = True
    near: Annotated[
        bool,
        says(
            "Whether names are taken from the title of a recording, and from subtitles and .nfo files in its folder.",
            "true or false",
        ),
    ] = False
    correct: Annotated[
        bool,
        says(
            "Whether words that resemble a term, or are one of its aliases, are put right in the text; each change is "
            "listed.",
            "true or false",
        ),
    ] = False


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """Which sound is listened to."""

    track: Annotated[
        Annotated[int, Meta(ge=0, le=999)] | Annotated[str, Meta(min_length=1)],
        says(
            "The audio track of a film with several; auto takes the default one.",
            '"auto", a track\'s number from 0, or a language such as "en"',
        ),
    ] = "auto"
    vad: Annotated[
        Literal["silero", "pyannote"],
        says(
            "What tells speech from other sound; pyannote's model comes with whisperX and takes far longer.",
            '"silero" or "pyannote"',
        ),
    ] = "silero"


class Chunks(msgspec.Struct, frozen=True, kw_only=True):
    """How the work is cut up; the text does not depend on it."""

    chunk: Annotated[
        Annotated[int, Meta(ge=30, le=3600)],
        says(
            "How much of a recording is planned, retried and changed as one.",
            "a whole number of seconds from 30 to 3600",
            "seconds",
        ),
    ] = 300
    chunking: Annotated[
        Literal["auto", "always", "never"],
        says(
            "Whether recordings are worked on in chunks; auto does so with those longer than two of them.",
            '"auto", "always" or "never"',
        ),
    ] = "auto"
    batch: Annotated[
        Annotated[int, Meta(ge=1, le=64)] | Auto,
        says(
            "How many windows of up to 30 seconds are decoded together, which is also what a crash can cost; auto "
            "takes 2 or 4 on a processor, 8 on a graphics card, and on Metal as many as suit the model.",
            'a whole number from 1 to 64, or "auto"',
            "windows",
        ),
    ] = "auto"
    parallel: Annotated[
        Annotated[int, Meta(ge=1, le=16)] | Auto,
        says(
            "How many batches are decoded side by side, sharing the processor's cores; auto takes one for each "
            "physical core, up to 4, as far as the memory goes, and one on a graphics card and with whisperx.",
            'a whole number from 1 to 16, or "auto"',
            "batches",
        ),
    ] = "auto"
