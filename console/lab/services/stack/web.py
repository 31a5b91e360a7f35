"""A small web server for the application's programs: routes as functions, answers as values."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from threading import Thread
from urllib.parse import unquote, urlsplit

from console.lab.services.stack.log import log

BODY_LIMIT_BYTES = 1024 * 1024
THREADS = 16
"""How many clients are served at once; the next ones wait."""
IDLE_LIMIT_S = 10.0
"""For how long a client may say nothing before its connection is closed."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    """Without the query, unquoted."""
    query: str
    body: bytes
    authorization: str


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"


def as_json(code: int, /, **content: object) -> Answer:
    """An answer in JSON."""
    return Answer(code, json.dumps(content).encode() + b"\n", "application/json")


def as_metrics(values: dict[str, float]) -> Answer:
    """An answer in Prometheus' text format: name, with labels if it has any, -> value."""
    text = "".join(f"{name} {value:g}\n" for name, value in values.items())
    return Answer(200, text.encode(), "text/plain; version=0.0.4")


def no_such_page() -> Answer:
    """What any path gets that is not there."""
    return as_json(404, error="no such page")


NO_MEMORY = as_json(503, error="there is no memory for this just now: try again", errno="ENOMEM", recoverable=True)
"""Made beforehand: there may be none for it when it is needed."""


class Server(HTTPServer):
    """Listens as soon as it is made; a client that goes away is no error.

    Its threads are there from the start: where memory is short, a thread that dies while it begins leaves whoever has
    started it waiting for ever (CPython's Thread.start).
    """

    def __init__(self, host: str, port: int, answer: Callable[[Asked], Answer]) -> None:
        class Handler(_Handler):
            pass

        Handler.answer = staticmethod(answer)
        super().__init__((host, port), Handler)
        self._waiting: SimpleQueue[tuple[socket.socket, object]] = SimpleQueue()
        for _ in range(THREADS):
            Thread(target=self._serve, daemon=True).start()

    def process_request(self, request: object, client_address: object) -> None:
        """Leave it to whichever thread is free."""
        assert isinstance(request, socket.socket)  # noqa: S101 (TCP servers have no others)
        self._waiting.put((request, client_address))

    def _serve(self) -> None:
        while True:
            # Whatever becomes of one client, even of the line about it in the log: the next one is served.
            with suppress(Exception):
                self._serve_one(*self._waiting.get())

    def _serve_one(self, request: socket.socket, client: object) -> None:
        try:
            self.finish_request(request, client)
        except Exception:
            self.handle_error(request, client)
        finally:
            self.shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say it in one line."""
        log(f"request from {client_address}: {sys.exc_info()[1]!r}")


class _Handler(BaseHTTPRequestHandler):
    answer: Callable[[Asked], Answer]
    protocol_version = "HTTP/1.1"
    timeout = IDLE_LIMIT_S
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True

    def _do(self) -> None:
        try:
            told = self._answered()
        except MemoryError:
            self.close_connection = True  # of what was sent, some may not have been read
            told = NO_MEMORY
        self._send(told)

    def _answered(self) -> Answer:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT_BYTES:
            self.close_connection = True
            return as_json(413, error=f"a body has a Content-Length of at most {BODY_LIMIT_BYTES}")
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        asked = Asked(self.command, unquote(url.path), url.query, self.rfile.read(int(length)), authorization)
        return self.answer(asked)

    do_GET = do_PUT = do_DELETE = do_POST = _do  # noqa: N815 -- the base class's names

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing: a health check each second is no news."""
