"""GET a URL beside the service: through a tunnel that ends on the service's own node."""

from __future__ import annotations

import asyncio
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from console.errors import NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import HttpProbe
from console.probes.base import Observation, PlainProber, blame
from console.terms import Status

MAX_BYTES = 1024 * 1024
"""What is read of a page at most, in bytes."""


class HttpProber(PlainProber):
    """Whether the URL answers with the wanted status, in time."""

    def __init__(self, probe: HttpProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node

    async def check(self) -> Observation:
        """Ask once."""
        wanted = self._probe.status
        began_s = time.time()
        try:
            code = await get_status(self._node, self._probe.url, self._probe.timeout_s)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except HttpFailed as error:
            status, why = await blame(self._node)
            if status is Status.FAIL and self._probe.expect == "no-answer" and isinstance(error, HttpSilent):
                status = Status.PASS
            return Observation(status, f"{error}{why}", time.time())
        now_s = time.time()
        if self._probe.expect == "no-answer":
            return Observation(Status.FAIL, f"HTTP {code}: it still answers", now_s, 0.0, {"status": float(code)})
        status = Status.PASS if code == wanted else Status.FAIL
        text = f"HTTP {code}" if code == wanted else f"HTTP {code} instead of {wanted}"
        return Observation(status, text, now_s, max(0.0, now_s - began_s), {"status": float(code)})


class HttpFailed(Exception):
    """No status line came back."""


class HttpSilent(HttpFailed):
    """Nothing at all came back in time."""


async def get_status(node: SshNode, url: str, timeout_s: float) -> int:
    """The status code of one GET, asked from `node`.

    Raises:
        NodeUnreachable: the node's link is down.
        HttpSilent: nothing within `timeout_s`.
        HttpFailed: something else than a status line.
    """
    return (await _fetch(node, url, timeout_s, whole=False))[0]


async def get_page(node: SshNode, url: str, timeout_s: float) -> tuple[int, str]:
    """The status code of one GET, asked from `node`, and the body of its answer; errors are get_status's."""
    return await _fetch(node, url, timeout_s, whole=True)


async def _fetch(node: SshNode, url: str, timeout_s: float, *, whole: bool) -> tuple[int, str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(timeout_s):
            local = await node.forward(parts.hostname or "127.0.0.1", port)
            return await _ask(parts, local, whole=whole)
    except TimeoutError:
        raise HttpSilent(f"no answer within {timeout_s:g} s") from None
    except (OSError, asyncio.IncompleteReadError, ValueError) as error:
        raise HttpFailed(f"no answer: {str(error) or type(error).__name__}") from error


async def _ask(parts: SplitResult, port: int, *, whole: bool) -> tuple[int, str]:
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=secure, server_hostname=parts.hostname if secure else None
    )
    try:
        writer.write(request(parts))
        line = await reader.readline()
        rest = await reader.read(MAX_BYTES) if whole and line else b""
        while whole and rest and len(rest) < MAX_BYTES and (more := await reader.read(MAX_BYTES - len(rest))):
            rest += more
    finally:
        writer.close()
    if not line:
        raise HttpFailed("no answer: the connection is refused or closed")
    return parse_status(line), rest.partition(b"\r\n\r\n")[2].decode(errors="replace")


def request(parts: SplitResult) -> bytes:
    """The bytes of a GET that asks for the connection to be closed."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\nUser-Agent: gameday\r\n\r\n".encode()


def parse_status(line: bytes) -> int:
    """The code of a status line.

    >>> parse_status(b"HTTP/1.1 503 Service Unavailable\\r\\n")
    503

    Raises:
        HttpFailed: not a status line.
    """
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or len(words[1]) != 3 or not words[1].isdigit():
        raise HttpFailed(f"not HTTP: {line[:40]!r}")
    return int(words[1])
