"""The user's own command, ``notify.on_done``: a template that becomes a list of arguments. No shell ever sees it."""

import re
import shlex
from pathlib import PurePath

import msgspec

PLACEHOLDERS = ("state", "name", "path", "job", "message", "outputs")
"""What may stand in braces in the template."""

LONGEST = 2_000
"""Characters of a message that are handed on: a command's arguments have to fit into the system's limits."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to tell of a job; or of several that were left unfinished."""

    state: str
    """``done``, ``done with gaps``, ``failed``, ``paused`` or ``stopped``."""
    path: str
    """The recording; empty when it is about several."""
    job: str
    """The job's number; of several, all of them with commas between."""
    message: str
    """One sentence."""
    name: str
    """The recording's own name; of several, how many they are."""
    outputs: tuple[str, ...] = ()
    """The files that were written."""

    def text(self, placeholder: str) -> str:
        """What stands for a placeholder within a word; files have spaces between them."""
        return _passable(" ".join(self.outputs) if placeholder == "outputs" else getattr(self, placeholder))

    def environment(self) -> dict[str, str]:
        """The same for the command's environment; files have line breaks between them."""
        return {
            "SCRIBETUI_JOB": _passable(self.job),
            "SCRIBETUI_NAME": _passable(self.name),
            "SCRIBETUI_PATH": _passable(self.path),
            "SCRIBETUI_STATE": _passable(self.state),
            "SCRIBETUI_MESSAGE": _passable(self.message),
            "SCRIBETUI_OUTPUTS": _passable("\n".join(self.outputs)),
        }


def facts_of(job: int, path: str, state: str, message: str, outputs: tuple[str, ...] = ()) -> Facts:
    """The facts of one job."""
    name = PurePath(path).name or path
    return Facts(state=state, path=path, job=str(job), message=message[:LONGEST], name=name, outputs=outputs)


def problem(template: str) -> str | None:
    """What is wrong with a template, to follow the setting's name; None when nothing is, or there is no command."""
    try:
        words = shlex.split(template)
    except ValueError as error:
        return f"cannot be split into words ({str(error).lower()})."
    if not words:
        return None
    for word in words:
        for name in _PLACEHOLDER.findall(word):
            if name not in PLACEHOLDERS:
                known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
                return f"knows no {{{name}}}; it knows {known}."
    if not words[0] or _PLACEHOLDER.search(words[0]):
        return "must begin with the name of a program."
    return None


def command_for(template: str, facts: Facts) -> list[str]:
    """The command as a list of arguments.

    The template is split into words first, and only then are placeholders replaced within each word. So what comes
    from outside never makes two arguments of one, whatever is in it. ``{outputs}`` as a word by itself becomes one
    argument a file, and none where there are no files. A word that begins with a placeholder never becomes an option:
    where the text begins with a dash, ``./`` is put before it.

    Args:
        template: one that ``problem`` finds nothing wrong with, and that is not empty.
        facts: what to say.
    """
    arguments: list[str] = []
    for word in shlex.split(template):
        if word == "{outputs}":
            arguments += [_no_option(_passable(path)) for path in facts.outputs]
            continue
        # All of a word at once, so that what looks like a placeholder in a file's name is left alone.
        text = _PLACEHOLDER.sub(lambda match: facts.text(match[1]), word)
        arguments.append(text if word.startswith("-") else _no_option(text))
    return arguments


def _no_option(text: str) -> str:
    return f"./{text}" if text.startswith("-") else text


def _passable(text: str) -> str:
    """The text as the system can pass it on: no NUL, and nothing that cannot be encoded but a file name's raw bytes."""
    text = text.replace("\0", "")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
