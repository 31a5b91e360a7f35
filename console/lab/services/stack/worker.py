"""One worker of jobs, a process of its own: takes a job from the bus, does it, says so, again and again."""

from __future__ import annotations

import os
import socket
import time
import zlib

LIMIT_S = 30.0
"""For how long it waits for the bus before it asks again."""
AGAIN_S = 0.2


def main(number: str) -> int:
    """Work until the process that started it is gone."""
    parent = os.getppid()
    bus = ("127.0.0.1", int(os.environ["STACK_BUS_PORT"]))
    while os.getppid() == parent:
        try:
            _one_job(bus, number)
        except (OSError, ValueError):
            time.sleep(AGAIN_S)
    return 0


def _one_job(bus: tuple[str, int], number: str) -> None:
    with socket.create_connection(bus, timeout=LIMIT_S) as connection, connection.makefile("rwb") as line:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.write(f"next {number}\n".encode())
        line.flush()
        said = line.readline(100).split()
        if len(said) != 3 or said[0] != b"job":
            raise ValueError("the bus has no job")
        delay_s = time.monotonic() - float(said[2])
        zlib.crc32(said[1] * 10_000)
        line.write(b"done %s %.6f\n" % (said[1], delay_s))
