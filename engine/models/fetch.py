"""Fetches a model from the hub: only what is needed of it, told on the way, resumed, and checked in the end.

For workers and for the child process of ``scribetui models get``: ``python -m engine.models.fetch MODEL BACKEND`` tells
how far it is in lines of JSON. Files go into the hub's own cache, where other programs find them, too.
"""

import contextlib
import errno
import fnmatch
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from engine.models import catalog, places, progress
from engine.models.finding import ModelMissing, require
from engine.models.mishaps import Damaged, endpoint, may_pass, sentence
from engine.stages.base import DiskFull

CONNECT_TIMEOUT = 5.0
"""Seconds until the hub counts as out of reach; the client's own retries would take minutes to say so."""
API_TIMEOUT = 20.0
"""Seconds the hub has to list a repository's files."""
TRIES = 5
"""How often a download that breaks off is taken up again with nothing gained in between."""
PIECE = 2**20
"""Bytes written at once, and so the most that a broken connection costs; the client's own 10 MiB make slow lines look
dead."""
INTERVAL = 0.5
"""Seconds between two words on how far it is."""
SHA256_DIGITS = 64
SPARE = 64 * 2**20
"""Bytes that are to be left on the disk."""


class File(NamedTuple):
    """One file of a repository, as the hub lists it."""

    name: str
    size: int
    blob: str
    """What the cache calls it: its SHA-256, or for a small file git's own hash."""


def fetch(model: str, backend: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Fetch a model, unless it is in the cache and whole; its folder.

    What an earlier download has left is gone on with. Each file is compared with the hub's checksum, and fetched anew
    where it differs.

    Args:
        model: a name that the backend knows, or ``owner/name``.
        backend: what is to load it.
        environment: as ``os.environ``; the client reads the latter.

    Raises:
        ModelMissing: it cannot be fetched; the message says why and what to do.
        DiskFull: there is no room for it.
    """
    require(model, backend, environment=environment)
    form = catalog.kind(backend)
    if form is None:
        raise ModelMissing(f"{backend} fetches its models itself.")
    progress.tell(model, 0, 0)
    _quieten()
    repository = catalog.repository(model, backend)
    try:
        _reach(environment)
        hub = _Hub(repository, endpoint(environment), places.cache_folder(environment))
        files = hub.list_files(form)
        folder = places.repository_folder(repository, environment)
        _check_room(model, folder, files)
        with _told(model, folder, files):
            found = [_get(hub, each, folder) for each in files]
    except (ModelMissing, DiskFull):
        raise
    except Exception as error:  # the hub's client raises of all kinds
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"There is no room left on the disk for the model {json.dumps(model)}; free some.") from None
        # Without its cause: a traceback could hold a request with its headers.
        raise ModelMissing(sentence(model, repository, backend, error, environment)) from None
    return found[-1].parent


def _quieten() -> None:
    """Have the client download by plain HTTP, which can be resumed and watched, and draw nothing."""
    os.environ.update(
        HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1", HF_HUB_DISABLE_TELEMETRY="1", TQDM_DISABLE="1"
    )
    from huggingface_hub import constants

    constants.HF_HUB_DISABLE_XET = True  # the backend's library may have loaded the client before
    constants.HF_HUB_ENABLE_HF_TRANSFER = False
    constants.DOWNLOAD_CHUNK_SIZE = PIECE


def _reach(environment: Mapping[str, str]) -> None:
    """Connect to the hub, or to the proxy on the way there, and hang up.

    Raises:
        OSError: there is no way.
    """
    place = urllib.parse.urlsplit(endpoint(environment))
    host = place.hostname or ""
    if not urllib.request.proxy_bypass(host) and (proxy := urllib.request.getproxies().get(place.scheme)):
        place = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = place.port or (443 if place.scheme == "https" else 80)
    socket.create_connection((place.hostname or "", port), timeout=CONNECT_TIMEOUT).close()


class _Hub:
    """A repository on the hub, as this user may see it."""

    def __init__(self, repository: str, endpoint: str, cache: Path) -> None:
        from huggingface_hub import HfApi

        self._repository, self._cache = repository, cache
        self._api = HfApi(endpoint=endpoint, token=self._token(endpoint))

    def _token(self, endpoint: str) -> bool | None:
        """What to tell the client about tokens: None to use the one it knows, False for none.

        A token that has expired would close even what is open to everybody.
        """
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.errors import HfHubHTTPError

        if get_token() is None:
            return False
        try:
            HfApi(endpoint=endpoint).model_info(self._repository, timeout=API_TIMEOUT)
        except HfHubHTTPError as error:
            if getattr(error.response, "status_code", 0) == 401:
                return False
            raise
        return None

    def list_files(self, form: catalog.Kind) -> list[File]:
        """The files that are needed, the weights last.

        Raises:
            ModelMissing: the repository holds no such model.
        """
        siblings = self._api.model_info(self._repository, files_metadata=True, timeout=API_TIMEOUT).siblings or []
        listed = {each.rfilename: each for each in siblings}
        weights = next((name for name in form.weights if name in listed), None)
        if weights is None:
            raise ModelMissing(
                f"The hub's repository {json.dumps(self._repository)} holds no {' or '.join(form.weights)}, so it is "
                "no model for this backend."
            )
        names = [name for name in listed if any(fnmatch.fnmatchcase(name, each) for each in form.others)]
        return [_file(listed[name]) for name in (*names, weights)]

    def download(self, name: str) -> Path:
        """Bring a file into the cache, going on with what is there of it; where it lies then."""
        return Path(self._api.hf_hub_download(self._repository, name, cache_dir=self._cache))


def _file(sibling: Any) -> File:  # noqa: ANN401 - the client's own type
    return File(sibling.rfilename, sibling.size or 0, sibling.lfs.sha256 if sibling.lfs else sibling.blob_id or "")


def _check_room(model: str, folder: Path, files: list[File]) -> None:
    needed = sum(each.size for each in files) - _bytes_there(folder, files)
    there = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(there).free
    if needed > 0 and free < needed + SPARE:
        raise DiskFull(
            f"The model {json.dumps(model)} needs {needed / 1e6:,.0f} MB more in {there}, where {free / 1e6:,.0f} MB "
            "are free; make room there, or name another folder by HF_HUB_CACHE."
        )


def _bytes_there(folder: Path, files: list[File]) -> int:
    """How much of the files has arrived."""
    there = 0
    for each in {each.blob: each for each in files}.values():
        sizes = [0]
        for path in (folder / "blobs" / each.blob, folder / "blobs" / f"{each.blob}.incomplete"):
            with contextlib.suppress(OSError):
                sizes.append(path.stat().st_size)
        there += min(max(sizes), each.size)
    return there


@contextlib.contextmanager
def _told(model: str, folder: Path, files: list[File]) -> Iterator[None]:
    """Say again and again how far it is, at the beginning and at the end too."""
    total = sum(each.size for each in {each.blob: each for each in files}.values())
    over = threading.Event()

    def watch() -> None:
        while not over.wait(INTERVAL):
            progress.tell(model, _bytes_there(folder, files), total)

    progress.tell(model, _bytes_there(folder, files), total)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    progress.tell(model, total, total)


def _get(hub: _Hub, file: File, folder: Path) -> Path:
    """Fetch one file, in several goes if need be; where it lies in the cache.

    Raises:
        Exception: whatever the client raises once no try is left; or what has arrived is twice not what the hub has.
    """
    blob = folder / "blobs" / file.blob
    incomplete = blob.with_name(f"{blob.name}.incomplete")
    damaged, fruitless = 0, 0
    while True:
        with contextlib.suppress(FileNotFoundError):
            if incomplete.stat().st_size > file.size:
                incomplete.unlink()  # of no use: the hub would be asked for what is beyond the end
        before = incomplete.stat().st_size if incomplete.exists() else 0
        try:
            path = hub.download(file.name)
            _check(path, file)
        except Damaged:
            damaged += 1
            blob.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            if damaged > 1:
                raise
        except Exception as error:
            if not may_pass(error):
                raise
            gained = (incomplete.stat().st_size if incomplete.exists() else 0) > before
            fruitless = 0 if gained else fruitless + 1
            if fruitless >= TRIES:
                raise
            threading.Event().wait(0.2 * 2**fruitless)
        else:
            return path


def _check(path: Path, file: File) -> None:
    """Compare a file with what the hub says of it.

    Raises:
        Damaged: it is another one.
    """
    size = path.stat().st_size
    if len(file.blob) == SHA256_DIGITS:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)  # git's
    with path.open("rb") as content:
        while piece := content.read(PIECE):
            digest.update(piece)
    if (file.size and size != file.size) or (file.blob and digest.hexdigest() != file.blob):
        raise Damaged(file.name)


def main(arguments: list[str]) -> int:
    """Fetch a model and tell how far it is: lines of JSON with ``done`` and ``total``, then ``path`` or ``error``."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    model, backend = arguments
    lock = threading.Lock()

    def say(**what: object) -> None:
        with lock:
            print(json.dumps(what), flush=True)

    progress.listen(lambda model, done, total: say(done=done, total=total))
    try:
        say(path=str(fetch(model, backend)))
    except (ModelMissing, DiskFull) as error:
        say(error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
