"""Every setting: its type, its default, what it does in one sentence, and what it may be.

The sentences are data: the default ``settings.toml`` and the messages about wrong values are made of them.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.settings.recognition import Chunks, Listen, Terms, Transcribe
from engine.settings.saying import Auto, says

EXTENSIONS = (
    *("mkv", "mp4", "m4v", "mov", "avi", "webm", "ts", "mts", "m2ts", "mpg", "mpeg", "wmv", "flv", "3gp"),
    *("mp3", "m4a", "m4b", "aac", "flac", "wav", "aif", "aiff", "ogg", "oga", "opus", "wma", "amr", "caf"),
)
"""How the names of films and recordings end."""


class Failures(msgspec.Struct, frozen=True, kw_only=True):
    """What follows when something goes wrong."""

    retries: Annotated[
        Annotated[int, Meta(ge=0, le=20)],
        says(
            "How often a window that failed is tried again before it is left as a gap.",
            "a whole number from 0 to 20",
            "tries",
        ),
    ] = 3
    retry_delay: Annotated[
        Annotated[float, Meta(ge=0, le=600)],
        says(
            "How long to wait before the first of these tries; the wait doubles with each further one, and varies by a "
            "quarter.",
            "a number of seconds from 0 to 600",
            "seconds",
        ),
    ] = 1.0
    climb_after: Annotated[
        Annotated[int, Meta(ge=1, le=1000)],
        says(
            "After how many chunks in a row with nothing amiss a recipe that was made lighter becomes heavier again, "
            "by one step.",
            "a whole number from 1 to 1000",
            "chunks",
        ),
    ] = 3
    smaller_model: Annotated[
        bool,
        says(
            "Whether a smaller model on this machine stands in where there is not enough memory for the chosen one, "
            "rather than leaving a gap; the transcript says where.",
            "true or false",
        ),
    ] = True


class Watchdog(msgspec.Struct, frozen=True, kw_only=True):
    """How long work may show no progress before it is ended and tried again; by what was learned, mostly far less."""

    listen: Annotated[
        Annotated[int, Meta(ge=10, le=86_400)],
        says(
            "The longest that listening may go without progress, whatever was learned.",
            "a whole number of seconds from 10 to 86400",
            "seconds",
        ),
    ] = 1800
    transcribe: Annotated[
        Annotated[int, Meta(ge=10, le=86_400)],
        says(
            "The longest that one batch, or loading the model, may take, whatever was learned.",
            "a whole number of seconds from 10 to 86400",
            "seconds",
        ),
    ] = 3600


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """How much memory the work may take."""

    budget: Annotated[
        Annotated[str, Meta(pattern=r"^(auto|([1-9]\d?|100)%|\d{1,5}(\.\d{1,3})? ?(MB|GB))$")],
        says(
            "The memory that all of scribetui's processes together may take: a share of the machine's, or a size "
            "(1 GB is 1024 MB); auto is 60%.",
            'a share such as "60%", a size such as "4GB" or "1500MB", or "auto"',
        ),
    ] = "60%"
    keep_warm: Annotated[
        Annotated[float, Meta(ge=0, le=86_400)],
        says(
            "How long a model with nothing to do is kept in memory.",
            "a number of seconds from 0 to 86400",
            "seconds",
        ),
    ] = 60.0
    park_after: Annotated[
        Annotated[float, Meta(ge=0, le=604_800)],
        says(
            "How long the model of a paused or frozen job is kept in memory.",
            "a number of seconds from 0 to 604800",
            "seconds",
        ),
    ] = 600.0
    recycle: Annotated[
        Annotated[int, Meta(ge=0, le=100_000)],
        says(
            "After how many chunks a worker is replaced by a fresh one, in case its library leaks; 0 for never.",
            "a whole number from 0 to 100000",
            "chunks",
        ),
    ] = 50


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine does meanwhile."""

    keep_awake: Annotated[
        bool,
        says("Whether the machine is kept from sleeping while a job runs.", "true or false"),
    ] = True


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Where models come from."""

    download: Annotated[
        bool,
        says("Whether a model that you name, and that is not on this machine, is downloaded.", "true or false"),
    ] = True


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """The files that are written."""

    formats: Annotated[
        Annotated[tuple[Literal["srt", "vtt", "txt", "json"], ...], Meta(min_length=1)],
        says("The formats of the transcript.", 'a list of one or more of "srt", "vtt", "txt" and "json"'),
    ] = ("srt", "vtt", "txt", "json")
    folder: Annotated[
        Annotated[str, Meta(pattern=r"^([/~].*)?$")],
        says(
            "The folder the transcripts go to; the empty string puts each beside its recording.",
            'a full path, beginning with "/" or "~", or ""',
        ),
    ] = ""
    partial_every: Annotated[
        Annotated[float, Meta(ge=1, le=3600)],
        says(
            "The least time between two writings of the partial files while a job runs.",
            "a number of seconds from 1 to 3600",
            "seconds",
        ),
    ] = 5.0


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """The background process that does the work, so that it goes on when the terminal is closed."""

    idle: Annotated[
        Annotated[float, Meta(ge=0, le=604_800)],
        says(
            "How long it stays with nothing to do and nobody looking on.",
            "a number of seconds from 0 to 604800",
            "seconds",
        ),
    ] = 600.0
    go_on: Annotated[
        Literal["ask", "always"],
        says(
            "What becomes of jobs left unfinished by a stop, a crash or a reboot: ask offers to go on with them, "
            "always does so at once.",
            '"ask" or "always"',
        ),
    ] = "ask"


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Folders whose new recordings are queued by themselves; what was done once is known by its content."""

    folders: Annotated[
        tuple[Annotated[str, Meta(pattern=r"^[/~]")], ...],
        says(
            "The folders that are watched, with all below them, while the host runs.",
            'a list of full paths, each beginning with "/" or "~"',
        ),
    ] = ()
    extensions: Annotated[
        Annotated[tuple[Annotated[str, Meta(pattern=r"^\.?\w+$")], ...], Meta(min_length=1)],
        says("Files that are taken, by how their names end.", 'a list such as ["mkv", "mp3"]'),
    ] = EXTENSIONS
    min_duration: Annotated[
        Annotated[float, Meta(ge=0, le=86_400)],
        says(
            "Recordings shorter than this are passed over; 0 takes all.",
            "a number of seconds from 0 to 86400",
            "seconds",
        ),
    ] = 0.0
    settle: Annotated[
        Annotated[float, Meta(ge=0, le=3600)],
        says(
            "How long a file must not have changed before it is taken, since it may still be being copied.",
            "a number of seconds from 0 to 3600",
            "seconds",
        ),
    ] = 10.0
    every: Annotated[
        Annotated[float, Meta(ge=0.1, le=3600)],
        says("The time between two looks at the folders.", "a number of seconds from 0.1 to 3600", "seconds"),
    ] = 5.0


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """How you are told that a job has ended or needs you."""

    bell: Annotated[bool, says("Whether the screen rings the terminal's bell.", "true or false")] = True
    desktop: Annotated[
        bool,
        says(
            "Whether the screen has the terminal show a notice of the desktop, by the sequences OSC 9 and OSC 777, "
            "while it is not in the foreground.",
            "true or false",
        ),
    ] = True
    on_done: Annotated[
        str,
        says(
            "A command to run when a job has ended or needs you, with {state}, {name}, {path}, {job}, {message} and "
            "{outputs} in it; it is split into words as a shell would, but no shell ever sees it. Empty for none.",
            'a command, such as "notify-send \'scribetui: {state}\' {name}", or ""',
        ),
    ] = ""


class Screen(msgspec.Struct, frozen=True, kw_only=True):
    """How the screen looks, and its keys."""

    theme: Annotated[
        Annotated[str, Meta(min_length=1)],
        says("The colours; auto takes the program's own.", 'the name of a theme, or "auto"'),
    ] = "auto"
    ascii: Annotated[
        bool | Auto,
        says(
            "Whether to draw with ASCII characters only; auto does so where the terminal's encoding is not UTF-8.",
            'true, false or "auto"',
        ),
    ] = "auto"
    mouse: Annotated[
        bool,
        says(
            "Whether the mouse works in the program; false leaves it to the terminal's own selection.", "true or false"
        ),
    ] = True
    keys: Annotated[
        dict[str, str],
        says(
            "Other keys for what the screen can do: the action's name as the help shows it, and a key or several with "
            'commas between them, such as pause = "space,p".',
            'a table of actions and keys, such as pause = "space,p"',
        ),
    ] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, with their defaults."""

    transcribe: Transcribe = Transcribe()
    terms: Terms = Terms()
    listen: Listen = Listen()
    chunks: Chunks = Chunks()
    failures: Failures = Failures()
    watchdog: Watchdog = Watchdog()
    memory: Memory = Memory()
    power: Power = Power()
    models: Models = Models()
    output: Output = Output()
    host: Host = Host()
    watch: Watch = Watch()
    notify: Notify = Notify()
    screen: Screen = Screen()
