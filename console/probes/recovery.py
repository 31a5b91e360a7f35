"""How long a service was gone: two watchers beside it, on its own node and by the node's own clock."""

from __future__ import annotations

import asyncio
import contextlib
import time
from importlib import resources
from urllib.parse import SplitResult, urlsplit

from console.errors import NodeUnreachable
from console.nodes.scripts import assignments, whole
from console.nodes.ssh import SshNode
from console.nodes.stream import Stream
from console.probes.http import HttpFailed, get_status
from console.probes.timeline import Answer, Bracket, Measured, Timeline

PROBE_LIMIT_S = 2.0
READY_LIMIT_S = 5.0
CONSOLE_PERIOD_S = 0.05
"""How often the console itself asks where the node cannot."""


class RecoveryWatch:
    """Watches from before the fault until `stop`; `measured` can be asked at any time.

    On the node: bash 5 looks at the process every 10 ms and at the URL every 20 ms. Where there is no such bash, or the
    URL is https, the console asks the URL itself, and the result says so and has a larger error.
    """

    def __init__(self, node: SshNode, url: str, status: int = 200, *, unit: str = "", lease_s: float = 10.0) -> None:
        self._node = node
        self._url = url
        self._status = status
        self._unit = unit
        self._lease_s = lease_s
        self._seen = Timeline()
        self._how = ""
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()

    @property
    def why(self) -> str:
        """Why the last `measured` was None."""
        return self._seen.why

    async def start(self) -> None:
        """Begin, and return when the first answer is there; a node that does not answer shows in `why`."""
        try:
            if await self._can_watch_there():
                self._how = f"process and health page watched on {self._node.name}, every 10 and 20 ms"
                await self._watch_there()
            else:
                self._how = f"health page asked by the console every {CONSOLE_PERIOD_S * 1000:.0f} ms"
                self._tasks.append(asyncio.create_task(self._ask_from_here(), name=f"recovery {self._node.name}"))
            async with asyncio.timeout(READY_LIMIT_S):
                await self._ready.wait()
        except TimeoutError:
            self._seen.why = f"the watch on {self._node.name} did not begin within {READY_LIMIT_S:g} s"
        except NodeUnreachable as error:
            self._seen.why = str(error)

    async def stop(self) -> None:
        """End both watchers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        stream, self._stream = self._stream, None
        if stream:
            await stream.close()

    async def collect(self) -> None:
        """The watchers have sent all that they saw."""

    def measured(self, stable_for_s: float) -> Measured | None:
        """The recovery time so far: the first moment that was followed by `stable_for_s` good seconds; else None."""
        return self._seen.measured(stable_for_s, self._how)

    async def _can_watch_there(self) -> bool:
        if urlsplit(self._url).scheme != "http":
            return False
        done = await self._node.run("bash -c 'test -n \"$EPOCHREALTIME\" -a -r /proc/uptime'")
        return done.exit_status == 0

    async def _watch_there(self) -> None:
        self._stream = await self._node.stream("exec bash -s")
        await self._stream.write(program(urlsplit(self._url), self._status, self._unit, self._lease_s))
        self._tasks = [
            asyncio.create_task(self._read(self._stream), name=f"recovery {self._node.name}"),
            asyncio.create_task(self._beat(self._stream), name=f"recovery beat {self._node.name}"),
        ]

    async def _read(self, stream: Stream) -> None:
        with contextlib.suppress(NodeUnreachable):  # what was seen until then stays, and does not reach far enough
            async for line in stream:
                self._seen.take(line)
                if self._seen.ready and self._seen.answers:
                    self._ready.set()

    async def _beat(self, stream: Stream) -> None:
        with contextlib.suppress(NodeUnreachable):
            while True:
                await asyncio.sleep(self._lease_s / 4)
                await stream.write("\n")

    async def _ask_from_here(self) -> None:
        """The same record, by the console's monotonic clock."""
        last: bool | None = None
        before_s = time.monotonic()
        while True:
            asked_s = time.monotonic()
            try:
                code = str(await get_status(self._node, self._url, PROBE_LIMIT_S))
            except HttpFailed as error:
                code = str(error)
            except NodeUnreachable:
                # Not seen is not bad: what is known does not reach further until the link is back.
                await asyncio.sleep(CONSOLE_PERIOD_S)
                continue
            now_s = time.monotonic()
            good = code == str(self._status)
            if good is not last:
                self._seen.add_answer(Answer(good, Bracket(before_s, now_s), code))
                last = good
                self._ready.set()
            self._seen.known_until_s = asked_s
            before_s = asked_s
            await asyncio.sleep(CONSOLE_PERIOD_S)


def program(url: SplitResult, status: int, unit: str, lease_s: float) -> str:
    """The program for `bash -s`."""
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    settings = {
        "HOST": url.hostname or "127.0.0.1",
        "PORT": str(url.port or 80),
        "URLPATH": path,
        "WANTED": str(status),
        "UNIT": unit,
        "LEASE": f"{lease_s:g}",
        "PROBE_LIMIT": f"{PROBE_LIMIT_S:g}",
    }
    text = resources.files(__package__).joinpath("recovery.sh").read_text(encoding="utf-8")
    return whole(assignments(settings), text)
