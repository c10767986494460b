"""A server of files that speaks the hub's protocol as far as a download needs it.

HEAD tells a file's commit, size and SHA-256; GET gives it, from a byte on where it is asked so. A
repository may be gated: without its token it answers as the hub does.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What is served, and what was asked.

    Attributes:
        endpoint: Address.
        files: By repository and name.
        gated: Repositories that let nobody in without one token.
        word: The token that they want.
        asked: Requests, as method, path and range.
        cut: Bytes after which the next download of each file stops, once.
    """

    endpoint: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    word: str = "open sesame"
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def _answer(self) -> None:
        wanted = self.headers.get("Range", "")
        self.hub.asked.append((self.command, self.path, wanted))
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", self.path)
        gated = found is not None and found[1] in self.hub.gated
        if gated and self.headers.get("Authorization") != f"Bearer {self.hub.word}":
            self._refuse(401, "GatedRepo")
            return
        name = f"{found[1]}/{found[2]}" if found else ""
        if name not in self.hub.files:
            self._refuse(404, "EntryNotFound")
            return
        content = self.hub.files[name]
        start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(content) - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            stop = self.hub.cut.pop(name, len(content))
            self.wfile.write(content[start:stop])
            if stop < len(content):
                self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port of this machine."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
