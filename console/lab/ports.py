"""Free ports on the loopback, kept free for their owner while it restarts."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """Ports by name. Keep it alive as long as they are needed; `release` gives them back."""

    numbers: dict[str, int]
    held: dict[str, socket.socket]
    """Bound, not listening; by name."""

    def release(self) -> None:
        """Let others have the ports."""
        for held in self.held.values():
            held.close()


def reserve(names: Iterable[str]) -> Ports:
    """A free port of 127.0.0.1 for each name.

    On Linux the sockets stay bound without listening: a server that sets SO_REUSEADDR, as uvicorn, PostgreSQL and
    asyncio do, can bind beside them, but no outgoing connection and no second lab is given the port while its server
    is down for a restart. Elsewhere a second bind is refused, so there the ports are merely found free, but those whose
    sockets are handed on (`ssh.NODE`).
    """
    held: dict[str, socket.socket] = {}
    for name in names:
        held[name] = socket.socket()
        held[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held[name].bind(("127.0.0.1", 0))
    numbers = {name: int(sock.getsockname()[1]) for name, sock in held.items()}
    for name, sock in held.items():
        if sys.platform != "linux" and not name.startswith("ssh."):
            sock.close()
    return Ports(numbers, held)
