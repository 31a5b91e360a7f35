"""The llm-gateway of the lab: a real ASGI application, run by `uvicorn gateway:app`.

GATEWAY_MODE says how it behaves: `ok`; `unhealthy` (/health stays 500); `flapping` (it dies GATEWAY_LIFE_S, else 3 s,
after its start).
The moment of the first 200 of /health after each start goes to GATEWAY_LOG as CLOCK_MONOTONIC: the truth that
measured recovery times are compared with. The gateway asks itself too, so that this moment depends on no prober.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import psycopg

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

POOL_SIZE = 3

MODE = os.environ.get("GATEWAY_MODE", "ok")
LOG = os.environ.get("GATEWAY_LOG", os.devnull)
LIFE_S = float(os.environ.get("GATEWAY_LIFE_S", "3"))
"""For how long it is well where it flaps, in seconds from its start."""
PORT = int(os.environ.get("GATEWAY_PORT", "0"))


class Gateway:
    """The application; its connections to the database come and go without any effect on /health."""

    def __init__(self) -> None:
        self.requests = 0
        self.connected = 0
        self._seen_well = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope["path"], send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        jobs = [self._hold_connection() for _ in range(POOL_SIZE)] + [self._ask_itself()]
        jobs += [self._die_soon()] if MODE == "flapping" else []
        self._tasks = [asyncio.create_task(job) for job in jobs]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in self._tasks:
            task.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, path: str, send: Send) -> None:
        self.requests += 1
        status, kind, body = 200, "application/json", ""
        if path == "/health":
            status = 500 if MODE == "unhealthy" else 200
            body = json.dumps({"status": "ok" if status == 200 else "unhealthy"})
        elif path == "/v1/models":
            body = json.dumps({"object": "list", "data": [{"id": "stand-in", "object": "model"}]})
        elif path == "/metrics":
            kind = "text/plain; version=0.0.4"
            body = f"gateway_requests_total {self.requests}\ngateway_database_connections {self.connected}\n"
        else:
            status, body = 404, json.dumps({"error": "no such page"})
        headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        answered_s = time.monotonic()  # before it is sent: a busy machine may let the client read before we go on
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})
        if path == "/health" and status == 200 and not self._seen_well:
            self._seen_well = True
            note({"event": "first_ok", "pid": os.getpid(), "monotonic_s": answered_s})

    async def _hold_connection(self) -> None:
        """Keep one connection of the pool open; a lost or refused one is opened again."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(autocommit=True, connect_timeout=2) as connection:
                    self.connected += 1
                    try:
                        while True:
                            await connection.execute("select 1")
                            await asyncio.sleep(2.0)
                    finally:
                        self.connected -= 1
            except psycopg.Error as error:
                print("database:", " ".join(str(error).split()), flush=True)  # noqa: T201 -- its log
                await asyncio.sleep(0.5)

    async def _ask_itself(self) -> None:
        deadline = time.monotonic() + 10.0
        while not self._seen_well and MODE != "unhealthy" and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
                writer.write(b"GET /health HTTP/1.0\r\n\r\n")
                await reader.read()
                writer.close()
            await asyncio.sleep(0.005)

    async def _die_soon(self) -> None:
        await asyncio.sleep(LIFE_S)
        os.kill(os.getpid(), signal.SIGKILL)


def note(event: dict[str, object]) -> None:
    """Append one event to the gateway's own log."""
    with open(LOG, "a") as log:
        log.write(json.dumps(event) + "\n")


app = Gateway()
