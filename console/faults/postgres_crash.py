"""Kill a PostgreSQL cluster after a fresh backup, with a writer on it, and see what comes back by itself."""

from __future__ import annotations

import re
import shlex
from typing import Annotated, ClassVar, Literal

import msgspec

from console.errors import Refused
from console.faults import crash_scripts as texts
from console.faults import shell
from console.faults.base import DatabaseTarget, Fault, Scripts, Target
from console.terms import Risk

TABLE_PREFIX = "gameday_writer_"
REVERT_LIMIT_S = 120.0
"""A cluster that has to be started first reads its log from the last checkpoint on: that takes a while."""


class PostgresCrash(Fault, frozen=True, tag="postgres-crash"):
    """Kill a PostgreSQL cluster after a fresh backup, with a writer on it, and see what comes back by itself."""

    risk_floor: ClassVar[Risk] = Risk.HIGH
    sustained: ClassVar[bool] = False
    survives_reboot: ClassVar[bool] = True
    needs: ClassVar[tuple[str, ...]] = ("psql", "pg_dump", "gzip", "mkfifo", "ps", "awk", "sync", "systemctl")
    needs_database: ClassVar[bool] = True
    needs_window: ClassVar[bool] = True
    beside_database: ClassVar[bool] = True

    only: Literal["postmaster"] | None = None
    """`postmaster`: that process alone; else every process of the cluster."""
    backup_limit_s: Annotated[float, msgspec.Meta(ge=10, le=3600)] = 600.0
    """The longest that the backup may take, in seconds; past that it is given up, and nothing is killed."""

    @property
    def summary(self) -> str:
        """Like `postgres-crash, every process`."""
        return f"{self.kind}, {'the postmaster alone' if self.only else 'every process'}"

    @property
    def revert_limit_s(self) -> float:
        """The start of a crashed cluster, and the way of the writer's table out of it."""
        return REVERT_LIMIT_S

    def inject_limit_s(self, target: Target) -> float:
        """The backup, then half a minute for the writer's first rows and the kill."""
        return self.backup_limit_s + 45.0

    def blast_radius(self, target: Target) -> str:
        """The whole cluster, not one database."""
        database = _database(target)
        who = "the postmaster" if self.only else "every process"
        return (
            f"{who[0].upper()}{who[1:]} of the PostgreSQL cluster behind {database.host}:{database.port} on "
            f"{target.node} is killed (KILL): all its databases are down until it is back, open transactions are lost, "
            f"and so is what was acknowledged where synchronous_commit is off. First a backup goes to "
            f"{database.backup_dir}; a writer adds rows to a table of its own, which is dropped at the end."
        )

    def scripts(self, target: Target) -> Scripts:
        """Aim, back up, write, kill; start the unit only if the database stayed down; drop the writer's table."""
        names = _names(target, self.only or "all")
        connect = shell.connect(_database(target), f"gameday-fault-{target.run}")
        head = f"{shell.head(target)}{connect}{names}{texts.AIM}"
        return Scripts(
            inject=(
                f"{shell.head(target, mark=self.kind)}umask 077\n{connect}{names}"
                f"{shell.ALIVE}{shell.KEEP}{texts.AIM}{texts.BACKUP}{texts.WRITER}{texts.STRIKE}"
            ),
            effect=f"{head}{shell.ALIVE}{texts.EFFECT}",
            revert=f"{head}{shell.ALIVE}{shell.stop_marked(self.kind)}{texts.REVERT}",
            clean=f"{head}{shell.ALIVE}{shell.none_marked(self.kind, target)}{texts.CLEAN}",
            preflight=f"set -eu\n{connect}{names}{texts.AIM}{texts.PREFLIGHT}",
        )


def writer_table(run: str) -> str:
    """The table of a run's writer."""
    return f"{TABLE_PREFIX}{run}"


def _names(target: Target, only: str) -> str:
    """What the scripts call by name."""
    database = _database(target)
    first_s, last_s = _window(target)
    values = {
        "run": target.run,
        "table": f"public.{writer_table(target.run)}",
        "folder": database.backup_dir,
        "prefix": f"gameday-{re.sub('[^A-Za-z0-9_]', '_', database.dbname)}-",
        "unit": database.unit,
        "only": only,
        "first": str(first_s),
        "last": str(last_s),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _window(target: Target) -> tuple[int, int]:
    if target.window is None:
        raise Refused(f"postgres-crash on {target.node} needs a maintenance window: plan it with --window START/END")
    return target.window


def _database(target: Target) -> DatabaseTarget:
    """What is crashed.

    Raises:
        Refused: the inventory does not say where a backup goes, or which unit to start again; both at once.
    """
    database = target.database
    if database is None:
        raise Refused(f"postgres-crash on {target.node} needs a database")
    missing = [
        f"'{key}' ({what})"
        for key, what, value in (
            ("backup_dir", "a folder on its node for the fresh backup", database.backup_dir),
            ("service", "whose unit is started when it stays down", database.unit),
        )
        if not value
    ]
    if missing:
        raise Refused(
            f"postgres-crash of {database.dbname} on {target.node}: its entry in the inventory lacks "
            f"{' and '.join(missing)}"
        )
    if database.unit in shell.UNTOUCHABLE_UNITS:
        raise Refused(f"{database.unit} on {target.node} is never a target: without it there is no way back in")
    return database
