"""A real receiver of notifications on the loopback: a web page that keeps what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "s3cr3t-t0ken"
"""Stands in each of its URLs, and nowhere else."""


class Receiver(ThreadingHTTPServer):
    """Below /full it answers 507."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), _Page)

    def url(self, path: str) -> str:
        """Its page, as apprise takes it."""
        return f"json://user:{SECRET}@127.0.0.1:{self.server_port}/{path}"


class _Page(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.append({**body, "path": self.path})
        self.send_response(507 if self.path.startswith("/full") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver that listens inside the block."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
