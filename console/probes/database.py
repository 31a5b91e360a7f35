"""A PostgreSQL database reached through its node: one connection that is kept, and new ones on demand."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import psycopg

from console.errors import GamedayError
from console.nodes.ssh import SshNode
from console.plan import inventory
from console.probes import pgpass

# Of a lost link it would print two lines of its own on the terminal; who asked is told in a sentence.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

APPLICATION_NAME = "gameday-console"
CONNECT_LIMIT_S = 5.0
KEPT_LIMIT_S = 5.0

_CONNECTIONS = """
with seen as (
    select usename, datname from pg_stat_activity
    where usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend'),
counted as (
    select count(*) total, count(*) filter (where usename = current_user) mine,
        count(*) filter (where datname = current_database()) here from seen)
select total, most,
    total + least(
        most - total
            - case when rolsuper then 0 else current_setting('superuser_reserved_connections')::int end
            - case when coalesce(pg_has_role(current_user, to_regrole('pg_use_reserved_connections'), 'member'), false)
                then 0 else coalesce(current_setting('reserved_connections', true), '0')::int end,
        case when rolconnlimit >= 0 and not rolsuper then rolconnlimit - mine end,
        case when datconnlimit >= 0 and not rolsuper then datconnlimit - here end)
from counted, (select current_setting('max_connections')::int most) settings, pg_roles, pg_database
where rolname = current_user and pg_database.datname = current_database()
"""
"""A backend that is starting (PostgreSQL 18 shows them) may yet be refused: it holds no slot of its own.
Without pg_monitor the kind of a foreign backend is hidden, and it is taken for a client's. One without a user has
not got in yet: PostgreSQL 18 lists those too, also the ones that it is about to refuse."""


class NoAnswer(GamedayError):
    """The database refused, did not answer in time, or could not do what was asked; in its own words."""


class DatabaseLink:
    """A database of the inventory. Passwords come from the passfile and appear nowhere."""

    def __init__(self, name: str, spec: inventory.Database, node: SshNode) -> None:
        self.name = name
        self.spec = spec
        self.node = node
        self._kept: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def connect_new(self, *, timeout_s: float = CONNECT_LIMIT_S) -> psycopg.AsyncConnection[Any]:
        """A new connection with autocommit, which the caller closes.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database does not let us in within `timeout_s`; the server's own words.
        """
        spec = self.spec
        try:
            async with asyncio.timeout(timeout_s):
                port = await self.node.forward(spec.host, spec.port)
                secret = await asyncio.to_thread(
                    pgpass.password, spec.passfile, spec.host, spec.port, spec.dbname, spec.user
                )
                return await psycopg.AsyncConnection.connect(
                    host=spec.host,
                    hostaddr="127.0.0.1",
                    port=port,
                    dbname=spec.dbname,
                    user=spec.user,
                    password=secret,
                    application_name=APPLICATION_NAME,
                    autocommit=True,
                )
        except TimeoutError:
            raise NoAnswer(f"{self.name}: no connection within {timeout_s:g} s") from None
        except psycopg.Error as error:
            raise NoAnswer(f"{self.name}: {server_words(error)}") from error

    async def value(self, sql: str, *params: object, timeout_s: float = KEPT_LIMIT_S) -> str | None:
        """The first value of the query over the kept connection, as text; None for no row or NULL.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database refuses, or does not answer in time.
        """
        row = await self._row(sql, params, timeout_s)
        return None if row is None or row[0] is None else str(row[0])

    async def fresh_value(self, sql: str, *, timeout_s: float = KEPT_LIMIT_S) -> str | None:
        """As `value`, over a new connection.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database refuses, or does not answer in time.
        """
        try:
            async with asyncio.timeout(timeout_s), await self.connect_new(timeout_s=timeout_s) as connection:
                row = await self._ask(connection, sql)
        except TimeoutError:
            raise NoAnswer(f"{self.name}: no answer within {timeout_s:g} s") from None
        except psycopg.Error as error:
            raise NoAnswer(f"{self.name}: {server_words(error)}") from error
        return None if row is None or row[0] is None else str(row[0])

    async def connections(self) -> tuple[int, int, int]:
        """Client connections now, max_connections, and how many there are when no ordinary one more fits.

        The last is max_connections less the reserved ones, or less where a limit of the role or database comes first.

        Raises:
            NodeUnreachable: the node's link is down.
            NoAnswer: the database refuses, or does not answer in time.
        """
        row = await self._row(_CONNECTIONS, (), KEPT_LIMIT_S)
        if row is None:
            raise NoAnswer(f"{self.name}: the server does not tell its connections")
        return int(row[0]), int(row[1]), int(row[2])

    async def try_connections(self) -> tuple[int, int, int] | None:
        """As `connections`; None where it cannot be told."""
        try:
            return await self.connections()
        except GamedayError:
            return None

    async def try_new(self) -> tuple[bool, str]:
        """Whether a new connection is let in, and what the server said if not.

        Raises:
            NodeUnreachable: the node's link is down.
        """
        try:
            connection = await self.connect_new()
        except NoAnswer as error:
            return False, str(error).removeprefix(f"{self.name}: ")
        await connection.close()
        return True, ""

    async def close(self) -> None:
        """Close the kept connection; the next question opens it again."""
        kept, self._kept = self._kept, None
        if kept:
            await kept.close()

    async def _row(self, sql: str, params: tuple[object, ...], timeout_s: float) -> tuple[Any, ...] | None:
        """One question at a time over the kept connection. One that broke meanwhile is made again, once."""
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                if self._kept is not None and not self._kept.closed:
                    try:
                        return await self._ask(self._kept, sql, params)
                    except psycopg.OperationalError:
                        if not self._kept.closed:
                            raise
                self._kept = await self.connect_new(timeout_s=timeout_s)
                return await self._ask(self._kept, sql, params)
        except TimeoutError:
            await (
                self.close()
            )  # its tunnel may be dead, and an answer that comes late would be taken for the next one's
            raise NoAnswer(f"{self.name}: no answer within {timeout_s:g} s") from None
        except psycopg.Error as error:
            raise NoAnswer(f"{self.name}: {server_words(error)}") from error

    async def _ask(
        self, connection: psycopg.AsyncConnection[Any], sql: str, params: tuple[object, ...] = ()
    ) -> tuple[Any, ...] | None:
        # As bytes: psycopg takes text for a literal of the program; these come from inventory and scenario.
        return await (await connection.execute(sql.encode(), params or None)).fetchone()


def server_words(error: BaseException) -> str:
    """What the server said, in one line, without the address that the tunnel made up.

    >>> server_words(Exception('connection to server at "127.0.0.1", port 4 failed: FATAL:  sorry, too many clients'))
    'sorry, too many clients'
    >>> server_words(Exception('connection failed: connection to server at "127.0.0.1", port 4 failed: it closed'))
    'it closed'
    """
    text = " ".join(str(error).split()).partition(" This probably means the server terminated")[0]
    for sign in ("FATAL: ", "ERROR: "):
        if sign in text:
            return text.partition(sign)[2].strip()
    if "failed: " in text:
        return text.rpartition("failed: ")[2].strip()
    return text or type(error).__name__
