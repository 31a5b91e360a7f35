"""A small web server for the application's programs: routes as functions, answers as values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from console.lab.services.stack.log import log

BODY_LIMIT_BYTES = 1024 * 1024
IDLE_LIMIT_S = 30.0
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


class Server(ThreadingHTTPServer):
    """Listens as soon as it is made; a client that goes away is no error."""

    daemon_threads = True

    def __init__(self, host: str, port: int, answer: Callable[[Asked], Answer]) -> None:
        class Handler(_Handler):
            pass

        Handler.answer = staticmethod(answer)
        super().__init__((host, port), Handler)

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
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT_BYTES:
            self.close_connection = True
            return self._send(as_json(413, error=f"a body has a Content-Length of at most {BODY_LIMIT_BYTES}"))
        url = urlsplit(self.path)
        authorization = self.headers.get("Authorization", "")
        asked = Asked(self.command, unquote(url.path), url.query, self.rfile.read(int(length)), authorization)
        return self._send(self.answer(asked))

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
