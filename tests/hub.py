"""A model hub on this machine, as far as the client needs one, which can be told to fail."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIECE = 2**16


@dataclass
class Hub:
    """What the hub has, how it fails, and what it was asked."""

    files: dict[str, bytes]
    """By name; all of them in every repository."""
    port: int = 0
    cuts: list[int] = field(default_factory=list)
    """After so many bytes of a body the connection breaks, the first body first; then no more."""
    statuses: dict[str, int] = field(default_factory=dict)
    """What is answered instead to paths that contain this."""
    headers: dict[str, str] = field(default_factory=dict)
    """What such an answer says besides."""
    damage: int = 0
    """So many large bodies arrive with another last byte."""
    token: str = ""
    """What has to be shown; nothing where it is empty."""
    refuses: str = ""
    """A token that is refused, whatever it is shown for."""
    gate: threading.Event = field(default_factory=threading.Event)
    """While it is not set, large bodies stop half-way."""
    waits: threading.Event = field(default_factory=threading.Event)
    """Set once one has."""
    ranges: list[str] = field(default_factory=list)
    """What was asked of large files: ``Range`` headers, empty for the whole."""
    sent: int = 0
    """Bytes of large files that went out."""

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def environment(self) -> dict[str, str]:
        """What makes the client use this hub."""
        return {"HF_ENDPOINT": f"http://127.0.0.1:{self.port}", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))

    def listing(self, repository: str) -> dict:
        siblings = []
        for name, content in self.files.items():
            sibling = {"rfilename": name, "size": len(content), "blobId": blob_id(content)}
            if is_large(name):
                sha = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 134}
            siblings.append(sibling)
        return {"id": repository, "modelId": repository, "sha": COMMIT, "private": False, "siblings": siblings}


def is_large(name: str) -> bool:
    """Whether the hub keeps a file outside git."""
    return name.endswith((".bin", ".npz", ".safetensors"))


def blob_id(content: bytes) -> str:
    """Git's own hash of a file."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a folder, as a hub has them."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub that serves as long as this lasts."""
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_) -> None:
            """Nothing is printed."""

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
            for part, status in hub.statuses.items():
                if part in path:
                    return self.say(status, {}, hub.headers)
            if shown == hub.refuses != "":
                return self.say(401, {}, {"X-Error-Message": "Invalid credentials in Authorization header"})
            if hub.token and shown != hub.token:
                return self.say(401, {}, {"X-Error-Code": "RepoNotFound"})
            if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/main)?", path):
                return self.say(200, hub.listing(match[1]))
            match = re.fullmatch(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)", path)
            if match is None or match[1] not in hub.files:
                return self.say(404, {}, {"X-Error-Code": "EntryNotFound"})
            return self.give(match[1], with_body)

        def say(self, status: int, what: dict, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(what).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def give(self, name: str, with_body: bool) -> None:
            content = hub.files[name]
            etag = hashlib.sha256(content).hexdigest() if is_large(name) else blob_id(content)
            asked = self.headers.get("Range", "") if with_body else ""
            start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
            if with_body and is_large(name):
                hub.ranges.append(asked)
                if hub.damage > 0:
                    hub.damage -= 1
                    content = content[:-1] + bytes([content[-1] ^ 255])
            body = content[start:]
            self.send_response(206 if asked else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(body)))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if with_body:
                self.pour(body, is_large(name))

        def pour(self, body: bytes, is_weights: bool) -> None:
            cut = hub.cuts.pop(0) if hub.cuts and is_weights else len(body)
            for place in range(0, len(body), PIECE):
                if is_weights and place >= len(body) // 2 and not hub.gate.is_set():
                    hub.waits.set()
                    hub.gate.wait()
                piece = body[place : min(place + PIECE, cut)]
                self.wfile.write(piece)
                hub.sent += len(piece) if is_weights else 0
                if place + PIECE > cut:
                    self.close_connection = True
                    self.connection.shutdown(2)
                    return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address) -> None:
            """A client that hangs up is no fault of the hub's."""

    with Server(("127.0.0.1", 0), Handler) as server:
        hub.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield hub
        finally:
            hub.gate.set()
            server.shutdown()
            thread.join()
