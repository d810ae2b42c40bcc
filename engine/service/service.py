"""The host as a service of the user's session: its file is written, started and removed, with no root."""

import contextlib
import re
import shlex
from pathlib import Path

import msgspec

from engine.files import replace
from engine.service.files import MARKER, Unwritable
from engine.service.managers import Manager, Place, Word

LINGER = "The service ends when you log out; to have it go on, and start with the machine: loginctl enable-linger"

_PATH = re.compile(rb'Environment="?PATH=.*|<key>PATH</key>\s*<string>.*?</string>')


class ServiceError(Exception):
    """The service cannot be installed, removed or asked for; one clear sentence for the user."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with the service."""

    manager: Word
    file: str
    installed: bool
    """Whether the file is there, and ours."""
    current: bool
    """Whether it is as it would be written now, whatever PATH is in this terminal."""
    reachable: bool
    """Whether the manager answers."""
    enabled: bool | None
    """Whether it starts with the user's session; None when that cannot be said."""
    pid: int | None
    """The process that the manager runs."""
    lingers: bool | None
    """Whether it goes on after logging out; None when that cannot be said, or the system knows no such thing."""
    host: int | None
    """The process that is at work in the home, whoever started it; 0 when it does not say who it is."""


def plan(service: Manager) -> tuple[bytes, list[list[str]]]:
    """What ``install`` would write, and the commands it would run.

    Raises:
        ServiceError: it could not be written.
    """
    text = _text(service)
    _own(service.path)
    return text, service.to_start(is_changed=_content(service.path) != text)


def install(service: Manager, place: Place) -> list[str]:
    """Write the file and start the service; what was done, in sentences. Doing it again changes nothing.

    Raises:
        ServiceError: the file cannot be written, or one of that name is not ours.
    """
    text, said = _text(service), []
    before = _own(service.path)
    if before == text:
        said.append(f"{service.path} is as it should be already.")
    else:
        _write(service.path, text)
        said.append(f"{service.path} was {'written' if before is None else 'written anew'}.")
    with contextlib.suppress(OSError):  # launchd opens its log there; the host will say what is wrong with the home
        place.home.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not service.is_reachable():
        said.append(
            f"It could not be started, since {service.word} of your session does not answer here; where it does, run: "
            f"{service.by_hand()}"
        )
        return said
    for command in service.to_start(is_changed=before != text):
        ran = service.run(command)
        if ran.status:
            failed = f"'{shlex.join(command)}' failed: {ran.why}"
            said.append(f"It could not be started ({failed}); try it yourself: {service.by_hand()}")
            return said
    said.append("The service is started, and starts by itself whenever you log in.")
    holder = place.home.holder()
    if holder is not None and holder != service.pid():
        said.append(f"{_about_host(holder)} The service takes over once it has ended: scribetui stop.")
    if service.lingers() is False:
        said.append(LINGER)
    return said


def remove(service: Manager) -> list[str]:
    """Stop the service and delete its file; what was done, in sentences.

    Raises:
        ServiceError: the service cannot be stopped, or its file not be deleted, or that is not ours.
    """
    if _own(service.path) is None:
        return [f"There is no service to remove: {service.path} does not exist."]
    said = []
    is_reachable = service.is_reachable()
    if is_reachable:
        for command in service.to_stop():
            ran = service.run(command)
            if ran.status:
                raise ServiceError(
                    f"The service cannot be stopped ('{shlex.join(command)}' failed: {ran.why}); nothing was deleted."
                )
        said.append("The service is stopped.")
    try:
        service.path.unlink()
    except OSError as error:
        raise ServiceError(f"{service.path} cannot be deleted ({error.strerror}).") from error
    after = service.forget()
    if is_reachable:
        for command in after:
            service.run(command)
    said.append(f"{service.path} was deleted.")
    return said


def status(service: Manager, place: Place) -> Status:
    """How it stands with the service.

    Raises:
        ServiceError: its file cannot be read.
    """
    content = _content(service.path) or b""
    is_ours = MARKER.encode() in content
    is_reachable = service.is_reachable()
    return Status(
        manager=service.word,
        file=str(service.path),
        installed=is_ours,
        current=is_ours and _PATH.sub(b"", content) == _PATH.sub(b"", _text(service)),
        reachable=is_reachable,
        enabled=service.is_enabled() if is_reachable else None,
        pid=service.pid() if is_reachable else None,
        lingers=service.lingers(),
        host=place.home.holder(),
    )


def is_installed(service: Manager) -> bool:
    """Whether our file is there.

    Raises:
        ServiceError: the file is not ours, or cannot be read.
    """
    return _own(service.path) is not None


def told(state: Status) -> list[str]:
    """The same in sentences."""
    if not state.installed:
        said = [f"There is no service; 'scribetui service install' would write {state.file}."]
    else:
        said = [f"There is a service of {state.manager}: {state.file}."]
        if not state.current:
            said.append("It is not as it would be written now; 'scribetui service install' writes it anew.")
        if not state.reachable:
            said.append(f"Whether it runs cannot be said: {state.manager} of your session does not answer here.")
        elif state.pid is None:
            said.append("It does not run.")
        else:
            said.append(f"It runs (process {state.pid}).")
        if state.enabled is False:
            said.append("It does not start by itself; 'scribetui service install' sees to that.")
        if state.lingers is False:
            said.append(LINGER)
    if state.host is not None and state.host != state.pid:
        said.append(_about_host(state.host))
    return said


def _about_host(holder: int) -> str:
    who = f"process {holder}" if holder else "another process"
    return f"A host is at work that is not the service's ({who})."


def _text(service: Manager) -> bytes:
    try:
        return service.text()
    except Unwritable as error:
        raise ServiceError(f"No service can be made of this installation: {error}.") from error


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ServiceError(f"{path} cannot be read ({error.strerror}).") from error


def _own(path: Path) -> bytes | None:
    """What is in our file; None where there is none."""
    content = _content(path)
    if content is not None and MARKER.encode() not in content:
        raise ServiceError(f"{path} was not written by scribetui, and is left alone; move it away first.")
    return content


def _write(path: Path, text: bytes) -> None:
    """Put a file in its place as a whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, text, mode=0o644)
    except OSError as error:
        raise ServiceError(f"{path} cannot be written ({error.strerror}); nothing was changed.") from error
