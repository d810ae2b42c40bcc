"""What may come next on a command line that is being typed: commands, options, jobs, words; or names of files."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

FORMATS = ("srt", "vtt", "txt", "json")


class Suggestion(NamedTuple):
    """A word that may come next, and a short help."""

    word: str
    help: str = ""


class Suggestions(NamedTuple):
    """What may come next, and whether the shell is to offer the names of files as well."""

    items: tuple[Suggestion, ...] = ()
    files: bool = False

    def beginning(self, start: str) -> "Suggestions":
        """Those of them that begin so."""
        return Suggestions(tuple(each for each in self.items if each.word.startswith(start)), self.files)


def suggest(group: Any, default: str, words: Sequence[str], current: str) -> Suggestions:  # noqa: ANN401 - as in base
    """What may come next.

    Args:
        group: the program, as typer made it.
        default: its command for a first word that is no command's name.
        words: the complete words that were typed, without the program's own.
        current: the beginning of the word that is being typed.
    """
    command, rest = group, list(words)
    while (commands := getattr(command, "commands", None)) is not None:
        place = next((n for n, word in enumerate(rest) if not word.startswith("-") or word == "--"), None)
        if place is None and not (rest and command is group):
            return _first(command, commands.get(default), current)
        if place is not None and rest[place] in commands:
            command, rest = commands[rest[place]], rest[place + 1 :]
        elif command is group:
            command = commands[default]
        else:
            return Suggestions()
    return _within(command, rest, current)


def _first(group: Any, default: Any, current: str) -> Suggestions:  # noqa: ANN401
    """For the first word: a command, an option, or what the default command takes."""
    if current.startswith("-"):
        items = _options(group).items + (_options(default).items if default else ())
        return Suggestions(tuple(dict.fromkeys(items))).beginning(current)
    items = tuple(
        Suggestion(name, each.get_short_help_str(60)) for name, each in group.commands.items() if not each.hidden
    )
    return Suggestions(items, files=default is not None).beginning(current)


def _within(command: Any, words: list[str], current: str) -> Suggestions:  # noqa: ANN401
    options = {name: each for each in command.params for name in (*each.opts, *each.secondary_opts)}
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    awaited, given, may_be_option = None, [], True
    for word in words:
        if awaited is not None:
            awaited = None
        elif may_be_option and word == "--":
            may_be_option = False
        elif may_be_option and word.startswith("-") and word != "-":
            option = options.get(word)
            awaited = option if option is not None and _takes_value(option) else None
        else:
            given.append(word)
    if awaited is not None:
        return _values(awaited, given, current)
    if may_be_option and current.startswith("-"):
        name, equals, value = current.partition("=")
        if equals and name in options:
            found = _values(options[name], given, value)
            return Suggestions(tuple(Suggestion(f"{name}={each.word}", each.help) for each in found.items), found.files)
        return _options(command).beginning(current)
    place = len(given)
    for argument in arguments:
        if argument.nargs < 0 or place < argument.nargs:
            return _values(argument, given, current)
        place -= argument.nargs
    return _options(command).beginning(current)


def _takes_value(option: Any) -> bool:  # noqa: ANN401
    return option.param_type_name == "option" and not option.is_flag


def _options(command: Any) -> Suggestions:  # noqa: ANN401
    items = [
        Suggestion(name, (each.help or "").partition("\n")[0])
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
        for name in (*each.opts, *each.secondary_opts)
        if name.startswith("--")
    ]
    return Suggestions((*items, Suggestion("--help", "Show what there is to know.")))


def _values(parameter: Any, given: Sequence[str], current: str) -> Suggestions:  # noqa: ANN401
    find = _BY_NAME.get(parameter.name)
    if find is None:
        return Suggestions(files=True)
    return Suggestions(tuple(find(given, current)), files=parameter.name in _OR_FILES).beginning(current)


# ---- by the names of options and arguments; for others the shell offers files


def _jobs(given: Sequence[str], current: str) -> list[Suggestion]:
    """The jobs in the ledger; none where it cannot be read, since nobody has asked for an answer yet."""
    from contextlib import closing

    from engine.home import Home
    from engine.ledger import Ledger, LedgerError
    from tui.text import name_of

    home = Home.find()
    try:
        if not home.ledger.exists():
            return []
        with closing(Ledger(home.ledger, read_only=True)) as ledger:
            jobs = [(str(job.id), name_of(job.source.path)) for job in ledger.jobs()]
    except (LedgerError, OSError):
        return []
    return [Suggestion(number, name) for number, name in jobs if number not in given]


def _formats(given: Sequence[str], current: str) -> list[Suggestion]:
    before, comma, _ = current.rpartition(",")
    return [Suggestion(before + comma + each) for each in FORMATS if each not in before.split(",")]


def _languages(given: Sequence[str], current: str) -> list[Suggestion]:
    from engine.languages import NAMES
    from engine.recipe import EACH_WINDOW

    found = [Suggestion("auto", "Found out once, by a vote."), Suggestion(EACH_WINDOW, "Found out window by window.")]
    return found + [Suggestion(code, name) for code, name in NAMES.items()]


def _models(given: Sequence[str], current: str) -> list[Suggestion]:
    """The models that any backend knows by name, those at hand first."""
    from engine.models import BACKENDS, available, repositories

    at_hand = {each.name: "At hand." for backend in BACKENDS for each in available(backend)}
    known = dict.fromkeys((name for backend in BACKENDS for name in repositories(backend)), "To be downloaded.")
    return [Suggestion(name, text) for name, text in (at_hand | {**known, **at_hand}).items() if name not in given]


def _backends(given: Sequence[str], current: str) -> list[Suggestion]:
    from engine.models import BACKENDS

    return [Suggestion(each) for each in ("auto", *BACKENDS)]


def _one_of(*words: str) -> Callable[[Sequence[str], str], list[Suggestion]]:
    return lambda given, current: [Suggestion(each) for each in words]


_BY_NAME: dict[str, Callable[[Sequence[str], str], list[Suggestion]]] = {
    "job": _jobs,
    "jobs": _jobs,
    "formats": _formats,
    "language": _languages,
    "model": _models,
    "name": lambda given, current: [each for each in _models(given, current) if each.word != "auto"],
    "level": _one_of("quiet", "info", "warning"),
    "place": _one_of("first", "last", "up", "down"),
    "assignments": _one_of("chunk=", "batch="),
    "backend": _backends,
    "task": _one_of("transcribe", "translate"),
    "vad": _one_of("silero", "pyannote"),
    "align": _one_of("off", "auto"),
    "shell": _one_of("bash", "zsh", "fish"),
    "track": _one_of(),
    "chunk": _one_of(),
    "batch": _one_of(),
}
_OR_FILES = frozenset({"align", "model"})
"""Of these, what takes a file or a folder as well."""
