"""A real PostgreSQL of the lab's binaries, without the rest of the lab."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.lab import postgres
from console.lab.network import Network
from console.lab.postgres import CONSOLE_ROLE, DATABASE, SERVICE_ROLE, SUPERUSER, Cluster
from console.lab.private_file import write_private


def planned_cluster(folder: Path) -> Cluster:
    """A cluster on a free port of the loopback, not made yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Cluster(folder / "pgdata", Network({"postgresql": port}, "a test"), postgres.find_binaries())


@contextmanager
def running_cluster(folder: Path, max_connections: int = 60) -> Iterator[Cluster]:
    """A filled cluster with `folder`/pgpass for its three roles; three of its connections are reserved."""
    cluster = planned_cluster(folder)
    asyncio.run(postgres.make_cluster(cluster))
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write(f"max_connections = {max_connections}\n")
    with (folder / "postgres.log").open("w") as log:
        server = subprocess.Popen(
            [*cluster.command("postgres"), "-D", str(cluster.data)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        asyncio.run(postgres.fill(cluster))
        write_private(folder / "pgpass", cluster.pgpass(SUPERUSER, CONSOLE_ROLE, SERVICE_ROLE))
        yield cluster
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def psql_environment(cluster: Cluster, folder: Path) -> dict[str, str]:
    """What a node's shell has: psql on PATH and a pgpass file."""
    path = f"{cluster.binaries}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PGPASSFILE": str(folder / "pgpass")}


__all__ = [
    "CONSOLE_ROLE", "DATABASE", "SERVICE_ROLE", "SUPERUSER", "Cluster", "planned_cluster", "psql_environment",
    "running_cluster",
]  # fmt: skip
