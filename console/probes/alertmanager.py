"""Alertmanager's API v2, asked from the console or through a node: which alerts there are, and since when it runs."""

from __future__ import annotations

import asyncio
import ssl
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from console.errors import GamedayError, NodeUnreachable

T = TypeVar("T")

MAX_BYTES = 8 * 1024 * 1024
"""A longer answer is none, in bytes: some ten thousand alerts."""
LIMIT_S = 5.0


class NoAlerts(GamedayError):
    """Alertmanager could not be asked, or what came back is no good answer of it."""


class Route(Protocol):
    """A node through which another machine's port is reached."""

    async def forward(self, host: str, port: int) -> int:
        """The loopback port that leads there."""


class AlertStatus(msgspec.Struct, frozen=True, rename="camel"):
    """Whether the alert reaches anybody."""

    state: str
    """`active`, `suppressed` (silenced or inhibited), or `unprocessed`: on its way."""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """An alert that has not ended by Alertmanager's clock."""

    labels: dict[str, str]
    fingerprint: str
    starts_at: str
    """On the clock of whoever sent it: evidence, never compared with the console's."""
    status: AlertStatus

    @property
    def words(self) -> str:
        """Its name and what it is about, for people."""
        about = self.labels.get("node") or self.labels.get("instance") or ""
        name = self.labels.get("alertname", "an alert without a name")
        return f"{name} ({about})" if about else name


class _Status(msgspec.Struct, frozen=True):
    uptime: str
    """When it was started, in spite of the name."""


_alerts = msgspec.json.Decoder(tuple[Alert, ...])
_status = msgspec.json.Decoder(_Status)


class Alertmanager:
    """One Alertmanager. Each question is a connection of its own: nothing is held between them."""

    def __init__(self, url: str, through: Route | None = None, *, timeout_s: float = LIMIT_S) -> None:
        """`through`: the node from which `url` is meant; None: the console."""
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._through = through

    async def alerts(self, name: str = "") -> tuple[Alert, ...]:
        """Every alert that has not ended, silenced and inhibited ones too; with `name` only those of that name.

        Raises:
            NoAlerts: anything but a good answer within `timeout_s`.
        """
        matcher = quote(f'alertname="{name}"')
        wanted = f"&filter={matcher}" if name else ""
        body = await self._get(f"/api/v2/alerts?active=true&silenced=true&inhibited=true&unprocessed=true{wanted}")
        return self._read(_alerts, body)

    async def started(self) -> str:
        """When its process began, as it says: another answer means that it may have forgotten what fired.

        Raises:
            NoAlerts: anything but a good answer within `timeout_s`.
        """
        return self._read(_status, await self._get("/api/v2/status")).uptime

    def _read(self, decoder: msgspec.json.Decoder[T], body: bytes) -> T:
        try:
            return decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise NoAlerts(f"{self.url} does not answer as Alertmanager does: {error}") from error

    async def _get(self, path: str) -> bytes:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._ask(path)
        except TimeoutError:
            raise NoAlerts(f"Alertmanager {self.url} gave no answer within {self.timeout_s:g} s") from None
        except NodeUnreachable as error:
            raise NoAlerts(f"Alertmanager cannot be asked: {error}") from error
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            why = str(error) or type(error).__name__
            raise NoAlerts(f"Alertmanager {self.url} does not answer: {why}") from error

    async def _ask(self, path: str) -> bytes:
        parts = urlsplit(self.url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        at, port = host, parts.port or (443 if secure else 80)
        if self._through:
            at, port = "127.0.0.1", await self._through.forward(host, port)
        reader, writer = await asyncio.open_connection(
            at, port, ssl=ssl.create_default_context() if secure else None, server_hostname=host if secure else None
        )
        try:
            # HTTP/1.0: the answer comes in one piece and ends with the connection.
            head = f"GET {parts.path}{path} HTTP/1.0\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
            writer.write(f"{head}User-Agent: gameday\r\n\r\n".encode())
            return self._body(await _read_all(reader))
        finally:
            writer.close()

    def _body(self, answer: bytes) -> bytes:
        """What follows the head of a whole and good answer."""
        head, blank, body = answer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        words = lines[0].split(maxsplit=2)
        if not answer:
            raise NoAlerts(f"Alertmanager {self.url} does not answer: the connection is refused or closed")
        if not blank or len(words) < 2 or not words[0].startswith(b"HTTP/"):
            raise NoAlerts(f"{self.url} does not speak HTTP: {answer[:40]!r}")
        if words[1] != b"200":
            raise NoAlerts(f"{self.url} answers HTTP {words[1].decode(errors='replace')[:3]} instead of 200")
        fields = dict(line.lower().split(b":", 1) for line in lines[1:] if b":" in line)
        length = fields.get(b"content-length", b"").strip()
        if length and (not length.isdigit() or int(length) != len(body)):
            raise NoAlerts(f"{self.url} broke off its answer after {len(body)} bytes")
        return body


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything up to the end of the connection."""
    parts: list[bytes] = []
    size = 0
    while data := await reader.read(65536):
        parts.append(data)
        size += len(data)
        if size > MAX_BYTES:
            raise NoAlerts(f"its answer is longer than {MAX_BYTES // 2**20} MB")
    return b"".join(parts)
