"""What is written for the system's service manager, so that the host starts with the user's session: pure text."""

import plistlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

MARKER = "Written by 'scribetui service install'; 'scribetui service remove' deletes it."
"""A line in each file that is ours, and ours to change and delete."""

UNIT = "scribetui.service"
"""The name of the systemd unit."""
LABEL = "scribetui.host"
"""The name of the launchd agent."""

STOPPING = 120
"""Seconds in which a host has to end; the batches under way are finished first."""
AGAIN = 15
"""Seconds until a host that failed is started again: another one may have the home until then."""

_PLAIN = re.compile(r"[\w/.+@~,=-]+", re.ASCII)
_NAKED_PROGRAM = re.compile(r"""[^"'\\$\x00-\x1f\x7f]+""")


class Unwritable(ValueError):
    """A word that such a file cannot hold."""


def unit(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """The systemd unit that runs a command, its program being a full path.

    Raises:
        Unwritable: a control character, or a name that is no UTF-8.
    """
    lines = [
        f"# {MARKER}",
        "",
        "[Unit]",
        "Description=scribetui, transcribing in the background",
        "# While another host has the home this one fails, and is started again until it can take over.",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        f"ExecStart={_exec_start(command)}",
        *(f"Environment={_quoted(f'{name}={value}')}" for name, value in environment.items()),
        "Restart=on-failure",
        f"RestartSec={AGAIN}",
        "# On SIGTERM the host finishes the batches under way, and then ends its workers by itself.",
        f"TimeoutStopSec={STOPPING}",
        "KillMode=mixed",
        "",
        "[Install]",
        "WantedBy=default.target",
        "",
    ]
    return _encoded("\n".join(lines))


def agent(command: Sequence[str], environment: Mapping[str, str], log: Path) -> bytes:
    """The launchd agent that runs a command, which prints into a log.

    Raises:
        Unwritable: a control character, or a name that is no UTF-8.
    """
    for word in (*command, *environment.values(), str(log)):
        _check(word)
    text = plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "EnvironmentVariables": dict(environment),
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": AGAIN,
            "ExitTimeOut": STOPPING,
            # "Background" would keep the work on the slow cores and throttle its disk.
            "ProcessType": "Interactive",
            "StandardOutPath": str(log),
            "StandardErrorPath": str(log),
        },
        sort_keys=False,
    )
    return text.replace(b"<plist ", f"<!-- {MARKER} -->\n<plist ".encode(), 1)


def _exec_start(command: Sequence[str]) -> str:
    program, *arguments = command
    if _NAKED_PROGRAM.fullmatch(program):
        return " ".join([_quoted(program), *(_quoted(each, dollars=True) for each in arguments)])
    # systemd takes no quotes and no backslashes in a program's path, but anything in what it is given.
    shell = ["/bin/sh", "-c", 'exec "$0" "$@"']
    return " ".join(_quoted(each, dollars=True) for each in (*shell, *command))


def _quoted(word: str, *, dollars: bool = False) -> str:
    """A word as systemd reads it back; ``dollars`` where it would replace variables."""
    _check(word)
    if _PLAIN.fullmatch(word):
        return word
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word.replace("$", "$$") if dollars else word}"'


def _check(word: str) -> None:
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in word):
        raise Unwritable(f"there is a control character in {word!r}")
    _encoded(word)


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Unwritable(f"{text!r} is no UTF-8") from error
