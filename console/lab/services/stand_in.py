"""Stands in for a big program of the federation: a small web server that says so, and answers its health page."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class StandIn(BaseHTTPRequestHandler):
    """Answers every page with what it stands in for."""

    def do_GET(self) -> None:
        """Answer one request."""
        body = json.dumps({"status": "ok", "stand-in for": os.environ["STAND_IN_FOR"]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing: a health check each second is no news."""


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["STAND_IN_HOST"], int(os.environ["STAND_IN_PORT"])), StandIn).serve_forever()
