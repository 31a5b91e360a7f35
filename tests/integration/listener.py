"""A listening socket on the loopback whose connections end with it: none is left to a later test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

CLOSE_LIMIT_S = 2.0

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """Hands each connection to `serve`, from `start` to `stop`; it can be started again."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self, port: int = 0) -> int:
        """Listen; 0: on any port. Which one it is."""
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Nobody listens any more, and open questions get no answer."""
        if self._server:
            self._server.close()
        served = dict(self._open)
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
        for writer in served.values():
            writer.close()  # also of one that was accepted a moment ago, and not served yet
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT_S):
                    await writer.wait_closed()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._served(reader, writer))
        self._open[task] = writer
        task.add_done_callback(lambda _: self._open.pop(task))

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # who asked went away
                await self._serve(reader, writer)
        finally:
            writer.close()
