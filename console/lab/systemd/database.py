"""bluefin's PostgreSQL on the systemd lab: Debian's cluster, with the tables and roles of every lab."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime

from console.lab import postgres
from console.lab.systemd.machine import Machine
from console.lab.systemd.setup import BACKUPS

_AMCHECK = f"""
create schema amcheck;
create extension amcheck schema amcheck;
grant usage on schema amcheck to {postgres.CONSOLE_ROLE};
grant execute on all functions in schema amcheck to {postgres.CONSOLE_ROLE};
"""


async def prepare(machine: Machine, cluster: postgres.Cluster) -> None:
    """Make roles, database and tables, and the backup that the pre-test checklist looks for.

    Raises:
        GamedayError: the cluster does not play along; the sentence says why.
    """
    password = cluster.passwords[postgres.SUPERUSER]
    # From standard input, so that no process list has it.
    roles = f"create role {postgres.SUPERUSER} superuser login password '{password}';"
    # Debian's exporter runs as a user of that name, which the socket lets in.
    roles += "create role prometheus login; grant pg_monitor to prometheus;"
    await machine.run("runuser", "-u", "postgres", "--", "psql", "-qXv", "ON_ERROR_STOP=1", stdin=roles)
    await postgres.fill(cluster)
    await machine.run(
        "runuser", "-u", "postgres", "--", "psql", "-qXv", "ON_ERROR_STOP=1", postgres.DATABASE, stdin=_AMCHECK
    )
    file = shlex.quote(f"{BACKUPS}/{postgres.DATABASE}-{datetime.now(UTC):%Y%m%d}.sql.gz")
    dump = f"umask 027; pg_dump {postgres.DATABASE} >{file}.new && gzip -n {file}.new && mv {file}.new.gz {file}"
    await machine.run("runuser", "-u", "postgres", "--", "sh", "-euc", dump)
