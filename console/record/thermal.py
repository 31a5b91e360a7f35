"""Delivery to thermal memory: exactly one row for a write-up, however often and from wherever it is tried."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from console.errors import GamedayError
from console.record.outbox import Outbox, OutboxError
from console.record.writeup import WriteUp

Connect = Callable[[], Awaitable[psycopg.AsyncConnection[Any]]]
"""Makes a fresh connection; `deliver` closes it."""

LIMIT_S = 20.0
"""The longest that one delivery may take, in seconds."""
COLUMNS = ("memory_hash", "original_content", "current_stage", "temperature_score", "sacred_pattern")


class Delivery(msgspec.Struct, frozen=True):
    """Whether the row was read back, and if not, why the write-up has to wait."""

    delivered: bool
    why: str = ""
    reached: bool = True
    """Whether the database took a connection at all."""


async def deliver(connect: Connect, table: str, writeup: WriteUp) -> Delivery:
    """Store the write-up, unless it is stored already, and read it back. `table` may name its schema."""
    reached = False
    try:
        async with asyncio.timeout(LIMIT_S):
            connection = await connect()
            reached = True
            async with connection:
                await _insert(connection, table, writeup)
                return await _read_back(connection, table, writeup)
    except TimeoutError:
        return Delivery(False, f"the database did not answer within {LIMIT_S:g} s", reached)
    except (psycopg.Error, OSError, GamedayError) as error:
        return Delivery(False, " ".join(str(error).split()) or type(error).__name__, reached)


async def store(
    outbox: Outbox,
    writeup: WriteUp,
    connect: Connect | None,
    table: str,
    kept: Callable[[], Awaitable[None]] | None = None,
) -> Delivery:
    """Put the write-up into the outbox, then try to deliver it; what was read back leaves the outbox.

    `connect` is None where there is no thermal memory. `kept` is awaited once the write-up is on the disk. Where the
    outbox does not take it the database is tried all the same.

    Raises:
        OutboxError: a delivered write-up cannot be removed.
    """
    unkept = ""
    try:
        await outbox.put_async(writeup)
    except OutboxError as error:
        unkept = str(error)
    if kept and not unkept:
        await kept()
    told = Delivery(False, "the inventory names no thermal memory")
    if connect:
        told = await deliver(connect, table, writeup)
    if told.delivered and not unkept:
        await outbox.remove_async(writeup.hash)
    elif unkept and not told.delivered:
        told = Delivery(False, f"{unkept}; {told.why}")
    return told


async def flush(
    outbox: Outbox,
    connect: Connect,
    table: str,
    told: Callable[[WriteUp, Delivery], None] = lambda *_: None,
    *,
    inventory: str,
) -> list[tuple[WriteUp, Delivery]]:
    """Deliver everything that waits for that inventory; what was read back leaves the outbox.

    `told` hears of each as it is done.

    Once the database cannot be reached, the rest waits for the same reason and is not tried.

    Raises:
        OutboxError: a delivered write-up cannot be removed.
    """
    done: list[tuple[WriteUp, Delivery]] = []
    for writeup in await asyncio.to_thread(outbox.pending):
        if not writeup.is_for(inventory):
            continue
        if not done or done[-1][1].reached:
            delivery = await deliver(connect, table, writeup)
        if delivery.delivered:
            await outbox.remove_async(writeup.hash)
        done.append((writeup, delivery))
        told(writeup, delivery)
    return done


async def _insert(connection: psycopg.AsyncConnection[Any], table: str, writeup: WriteUp) -> None:
    """One row at most. The lock is a statement of its own: the insert then sees what was committed before it."""
    # Only read committed looks anew for the second statement; the server's default may be another.
    await connection.set_isolation_level(psycopg.IsolationLevel.READ_COMMITTED)
    insert = sql.SQL(
        "INSERT INTO {} ({}) SELECT %s, %s, %s, %s, %s WHERE NOT EXISTS (SELECT FROM {} WHERE memory_hash = %s)"
    )
    columns = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
    values = (writeup.hash, writeup.content, writeup.stage, writeup.temperature, writeup.sacred, writeup.hash)
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")
        await connection.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (_lock(writeup.hash),))
        await connection.execute(insert.format(_name(table), columns, _name(table)), values)


async def _read_back(connection: psycopg.AsyncConnection[Any], table: str, writeup: WriteUp) -> Delivery:
    select = sql.SQL("SELECT {} FROM {} WHERE memory_hash = %s").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), _name(table)
    )
    rows = await (await connection.execute(select, (writeup.hash,))).fetchall()
    if len(rows) != 1:
        return Delivery(False, f"{table} holds {len(rows)} rows of that hash instead of one")
    differing = [
        name for name, stored, ours in zip(COLUMNS, rows[0], _columns(writeup), strict=True) if not _same(stored, ours)
    ]
    if differing:
        return Delivery(False, f"{table} holds another row of that hash: {', '.join(differing)} differ")
    return Delivery(True)


def _columns(writeup: WriteUp) -> tuple[str, str, str, float, bool]:
    return writeup.hash, writeup.content, writeup.stage, writeup.temperature, writeup.sacred


def _same(stored: object, ours: object) -> bool:
    """Whether a column holds what was sent, whatever its type: numeric, real or text for a number, text for a flag.

    >>> _same("85.0", 85.0), _same("false", False), _same("f", True), _same(None, "FRESH")
    (True, True, False, False)
    """
    if isinstance(ours, bool):
        return str(stored).lower() in (("t", "true", "1") if ours else ("f", "false", "0"))
    if isinstance(ours, float):
        try:
            return float(str(stored)) == ours
        except ValueError:
            return False
    return str(stored) == ours


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


def _lock(hash_: str) -> int:
    """The hash as a signed 64-bit number, the same on every console and server."""
    return int.from_bytes(hashlib.sha256(hash_.encode()).digest()[:8], "big", signed=True)
