"""A small HTTP store on the loopback that keeps what it is given, and lies in the ways that it is told to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from tests.integration.listener import Listener

FULL = '{"error": "the disk is full: free some space", "errno": "ENOSPC", "recoverable": true}'
REASONS = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found", 405: "Not Allowed", 507: "Storage"}


@dataclass
class Liar:
    """Its records, and how it behaves; both may be changed at any time."""

    records: dict[str, bytes] = field(default_factory=dict)
    refusal: str = ""
    """What a write is told instead of being kept."""
    hangs: set[str] = field(default_factory=set)
    """The methods that never get an answer."""
    forgets: bool = False
    """It acknowledges, and does not keep."""
    lingers: bool = False
    """It keeps connections open, although it was asked to close them."""
    no_delete: bool = False
    no_list: bool = False
    url: str = ""
    asked: int = 0
    _listener: Listener | None = None

    async def start(self) -> None:
        """Listen, on the same port as before when there was one."""
        port = int(self.url.split(":")[2].split("/")[0]) if self.url else 0
        self._listener = Listener(self._serve)
        self.url = f"http://127.0.0.1:{await self._listener.start(port)}/records"

    async def die(self) -> None:
        """Nobody listens any more, and open questions get no answer."""
        assert self._listener
        await self._listener.stop()

    def key(self, number: int) -> str:
        """The key of ours that has that number."""
        return next(key for key in self.records if key.endswith(f"-{number:06d}"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split()
        told = [line.partition(":")[2] for line in head.split("\r\n") if line.lower().startswith("content-length")]
        body = await reader.readexactly(int(told[0])) if told else b""
        if method in self.hangs:
            await asyncio.sleep(60)
        code, said = self._answer(method, path.removeprefix("/records").strip("/"), body)
        line = f"HTTP/1.1 {code} {REASONS[code]}\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n"
        writer.write(line.encode() + said)
        await writer.drain()
        if self.lingers:
            await reader.read()

    def _answer(self, method: str, key: str, body: bytes) -> tuple[int, bytes]:
        self.asked += method == "PUT"
        if method == "PUT":
            if self.refusal:
                return 507, self.refusal.encode()
            if not self.forgets:
                self.records[key] = body
            return 201, b""
        if method == "DELETE":
            if self.no_delete:
                return 405, b"this store only grows"
            return (204, b"") if self.records.pop(key, None) is not None else (404, b"")
        if not key:
            return (405, b"no listing here") if self.no_list else (200, "\n".join(self.records).encode())
        return (200, self.records[key]) if key in self.records else (404, b"")


@contextlib.asynccontextmanager
async def liar(**behaviour: object) -> AsyncIterator[Liar]:
    """A listening store."""
    made = Liar(**behaviour)  # type: ignore[arg-type]
    await made.start()
    try:
        yield made
    finally:
        await made.die()
