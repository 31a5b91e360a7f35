"""TCP tunnels through a node, opened again after a reconnect."""

from __future__ import annotations

import contextlib

import asyncssh

LOOPBACK = "127.0.0.1"


class Tunnels:
    """The tunnels of one node. A tunnel dies with its connection; `reopen` makes all of them again."""

    def __init__(self) -> None:
        self._ports: dict[tuple[str, int], int] = {}
        self._listeners: dict[tuple[str, int], tuple[asyncssh.SSHClientConnection, asyncssh.SSHListener]] = {}

    async def open(self, connection: asyncssh.SSHClientConnection, host: str, port: int) -> int:
        """The local port that leads to `host`:`port`; the one that stands already where there is one.

        Raises:
            OSError: no local port could be opened.
        """
        key = (host, port)
        held = self._listeners.get(key)
        if held is None or held[0] is not connection:
            self._listeners[key] = (connection, await self._listen(connection, key))
        listener = self._listeners[key][1]
        self._ports[key] = listener.get_port()
        return self._ports[key]

    async def reopen(self, connection: asyncssh.SSHClientConnection) -> None:
        """Open on a new connection all that were open on the old one."""
        for host, port in list(self._ports):
            with contextlib.suppress(OSError):  # whoever uses it asks again by `open`, and hears it then
                await self.open(connection, host, port)

    async def _listen(self, connection: asyncssh.SSHClientConnection, key: tuple[str, int]) -> asyncssh.SSHListener:
        host, port = key
        try:
            return await connection.forward_local_port(LOOPBACK, self._ports.get(key, 0), host, port)
        except OSError:
            # Someone else took the port while the node was away.
            return await connection.forward_local_port(LOOPBACK, 0, host, port)
