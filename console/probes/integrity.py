"""Whether a database's tables and indexes can be trusted: by amcheck where it is installed, else by reading it all."""

from __future__ import annotations

import asyncio
import time
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from console.errors import NodeUnreachable
from console.plan.probe import IntegrityProbe
from console.probes.base import Observation, PlainProber, blame
from console.probes.database import DatabaseLink, NoAnswer, server_words
from console.terms import Status

_HAS_AMCHECK: LiteralString = """
select count(distinct p.proname) = 2 and coalesce(bool_and(has_function_privilege(p.oid, 'execute')), false)
from pg_extension e join pg_depend d on d.refobjid = e.oid and d.deptype = 'e' join pg_proc p on p.oid = d.objid
where e.extname = 'amcheck' and p.proname in ('verify_heapam', 'bt_index_check')
"""
_TABLES: LiteralString = """
select c.oid, c.oid::regclass::text from pg_class c
where relkind in ('r', 't', 'm') and relpersistence = 'p' order by c.oid
"""
_INDEXES: LiteralString = """
select c.oid, c.oid::regclass::text from pg_class c
join pg_am a on a.oid = c.relam join pg_index i on i.indexrelid = c.oid
where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisready and i.indisvalid order by c.oid
"""
_OWN_TABLES: LiteralString = """
select c.oid::regclass::text from pg_class c join pg_namespace s on s.oid = c.relnamespace
where relkind in ('r', 'm') and relpersistence = 'p' and nspname <> 'information_schema' and nspname !~ '^pg_'
    and has_table_privilege(c.oid, 'select') order by c.oid
"""
_NO_INDEX: LiteralString = "set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off"

Connection = psycopg.AsyncConnection[Any]


class IntegrityProber(PlainProber):
    """Checks everything once at each question."""

    def __init__(self, probe: IntegrityProbe, link: DatabaseLink) -> None:
        self._probe = probe
        self._link = link

    async def check(self) -> Observation:
        """Check once. What the check finds, or that a table cannot be read, is damage; no answer at all is not."""
        limit_s = self._probe.timeout_s
        try:
            async with asyncio.timeout(limit_s), await self._link.connect_new(timeout_s=limit_s) as connection:
                told = await _check(connection)
        except TimeoutError:
            return Observation(Status.UNKNOWN, f"the check did not end within {limit_s:g} s", time.time())
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except NoAnswer as error:
            status, why = await blame(self._link.node)
            return Observation(status, f"{error}{why}", time.time())
        except psycopg.OperationalError as error:
            return Observation(Status.FAIL, f"{self._link.name}: {server_words(error)}", time.time())
        except psycopg.Error as error:
            return Observation(Status.FAIL, f"damaged: {server_words(error)}", time.time(), data_lost=_damage(error))
        return told


def _damage(error: psycopg.Error) -> bool:
    """Class XX: what the server itself calls internal errors and corrupted data or indexes."""
    return (error.sqlstate or "").startswith("XX")


async def _check(connection: Connection) -> Observation:
    [(amcheck,)] = await (await connection.execute(_HAS_AMCHECK)).fetchall()
    return await (_amcheck(connection) if amcheck else _read_all(connection))


async def _read_all(connection: Connection) -> Observation:
    await connection.execute(_NO_INDEX)
    rows = 0
    tables = [name for (name,) in await (await connection.execute(_OWN_TABLES)).fetchall()]
    for name in tables:
        # The whole row as text, so that what lies outside of the table's own pages is read too.
        query = f"select count(*), count(t::text) from {name} t"  # noqa: S608 (quoted by regclass)
        [(count, _)] = await (await connection.execute(query.encode())).fetchall()
        rows += int(count)
    text = f"amcheck is not installed: {len(tables)} tables were read from end to end instead, {rows} rows"
    return Observation(Status.PASS, text, time.time())


async def _amcheck(connection: Connection) -> Observation:
    """Every permanent table, catalogues too, and every valid btree index against its table."""
    tables = await (await connection.execute(_TABLES)).fetchall()
    damage: list[str] = []
    schema = await _schema(connection)
    for oid, name in tables:
        query = sql.SQL("select blkno, offnum, msg from {}.verify_heapam({}) limit 3").format(schema, sql.Literal(oid))
        damage += [
            f"{name} block {block}, line {line}: {what}"
            for block, line, what in await (await connection.execute(query)).fetchall()
        ]
    indexes = await (await connection.execute(_INDEXES)).fetchall()
    for oid, _ in indexes:
        query = sql.SQL("select {}.bt_index_check({}, true)").format(schema, sql.Literal(oid))
        await connection.execute(query)
    if damage:
        return Observation(Status.FAIL, "amcheck: " + "; ".join(damage[:5]), time.time(), data_lost=True)
    text = f"amcheck found nothing wrong in {len(tables)} tables and {len(indexes)} indexes"
    return Observation(Status.PASS, text, time.time())


async def _schema(connection: Connection) -> sql.Identifier:
    query: LiteralString = (
        "select nspname from pg_extension e join pg_namespace s on s.oid = e.extnamespace where extname = 'amcheck'"
    )
    [(name,)] = await (await connection.execute(query)).fetchall()
    return sql.Identifier(name)
