"""A command on a node that is talked to line by line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncssh

from console.errors import NodeUnreachable
from console.nodes.cause import cause

if TYPE_CHECKING:
    from console.nodes.ssh import SshNode

WAITING = 1000
"""So many lines may wait to be taken; then the command has to wait."""


class Stream(asyncssh.SSHClientSession[str]):
    """A running command on a node: read its lines, write to it, close it.

    It takes what arrives by itself, because asyncssh's reader costs a good deal more for each line.
    """

    def __init__(self, node: SshNode, connection: asyncssh.SSHClientConnection) -> None:
        self._node = node
        self._connection = connection
        self._channel: asyncssh.SSHClientChannel[str]
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._partial: dict[int | None, str] = {}
        self._paused = False
        self._lost: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        """Its output line by line, without the newlines, until it ends.

        Raises:
            NodeUnreachable: the link broke.
        """
        while (line := await self._lines.get()) is not None:
            yield line
            if self._paused and self._lines.empty():
                self._paused = False
                self._channel.resume_reading()
        if self._lost or self._connection.is_closed():
            why = cause(self._lost) if self._lost else self._node.why or "connection lost"
            raise NodeUnreachable(f"{self._node.where}: {why}") from self._lost

    async def write(self, text: str) -> None:
        """Send text to its standard input.

        Raises:
            NodeUnreachable: the link broke, or the command does not read any more.
        """
        try:
            self._channel.write(text)
        except (asyncssh.Error, OSError) as error:
            raise NodeUnreachable(f"{self._node.where}: {cause(self._lost or error)}") from error

    async def wait(self) -> int | None:
        """Wait for its end: the exit status, or None if it ended without one."""
        await self._channel.wait_closed()
        return None if self._channel.get_exit_signal() else self._channel.get_exit_status()

    def hang_up(self) -> None:
        """Close the channel, so that the command sees the end of its input, and do not wait for it."""
        self._channel.close()

    async def close(self) -> None:
        """Close the channel and wait a second for it."""
        self._channel.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await self._channel.wait_closed()

    def connection_made(self, chan: asyncssh.SSHClientChannel[str]) -> None:
        """Called by asyncssh once, before anything else."""
        self._channel = chan

    def data_received(self, data: str, datatype: int | None) -> None:
        """Called by asyncssh with what arrived: output (None) or standard error."""
        self._node.seen()
        *lines, rest = (self._partial.pop(datatype, "") + data).split("\n")
        if rest:
            self._partial[datatype] = rest
        for line in lines:
            self._lines.put_nowait(line)
        if self._lines.qsize() > WAITING and not self._paused:
            self._paused = True
            self._channel.pause_reading()

    def eof_received(self) -> bool:
        """Called by asyncssh at the end of the output; True: the input stays open."""
        for rest in self._partial.values():
            self._lines.put_nowait(rest)
        self._partial.clear()
        self._lines.put_nowait(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncssh when the channel is gone, with the link's error if that broke."""
        self._lost = exc
        self._lines.put_nowait(None)
