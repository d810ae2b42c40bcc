"""What may be asked for in place of the settings: the options that queueing files has, whichever command does it."""

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder for the transcripts, instead of beside each file.",
        metavar="DIR",
        show_default=False,
        readable=False,
    ),
]


def _option(meaning: str, metavar: str | None, *names: str) -> Any:  # noqa: ANN401 - typer gives no better type
    return typer.Option(*names, help=meaning, metavar=metavar, show_default=False)


OPTIONS: dict[str, Any] = {
    "out": Out,
    "formats": Annotated[str | None, _option("Comma-separated: srt,vtt,txt,json.", "LIST")],
    "model": Annotated[str | None, _option("A model's name or folder.", "M")],
    "backend": Annotated[str | None, _option("What runs the model: faster-whisper, mlx or whisperx.", "B")],
    "language": Annotated[str | None, _option("The language spoken, such as en; or auto, or auto-per-chunk.", "L")],
    "task": Annotated[str | None, _option("transcribe, or translate into English.", "TASK")],
    "terms": Annotated[
        str | None, _option("Names and words to expect: a file, or the words with commas between.", "TERMS")
    ],
    "correct": Annotated[
        bool | None,
        _option("Put right what resembles a term, or leave it as it was heard.", None, "--correct/--no-correct"),
    ],
    "vad": Annotated[str | None, _option("What finds speech: silero or pyannote.", "VAD")],
    "align": Annotated[
        str | None, _option("Finer word times: off, auto, or the name or folder of a model.", "MODEL", "--align")
    ],
    "track": Annotated[str | None, _option("The audio track: its number from 0, or its language.", "T", "--track")],
    "chunk": Annotated[int | None, _option("Length of a chunk in seconds.", "SECONDS")],
    "batch": Annotated[int | None, _option("Windows decoded together.", "N", "--batch")],
}
"""The options by the names that ``engine.settings.resolve`` knows them by, in the order in which help lists them."""


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options where it takes ``asked``, which gets what was asked for in place of the settings."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def with_options(**given: object) -> None:
        asked = {name: given.pop(name) for name in OPTIONS}
        asked["chunking"] = None if asked["chunk"] is None else "always"
        command(**given, asked=asked)

    wanted = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in OPTIONS.items()
    ]
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        own = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters += wanted if name == "asked" else [own]
    described: Any = with_options  # typer reads a command's options off its signature
    described.__signature__ = signature.replace(parameters=parameters)
    described.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options
