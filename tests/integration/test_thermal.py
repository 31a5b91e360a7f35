"""Delivery to a real PostgreSQL: exactly one row for a write-up, whatever is tried, and however often."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from console.errors import NodeUnreachable
from console.record import thermal
from console.record.outbox import Outbox
from console.record.thermal import Connect, deliver, flush
from console.record.writeup import WriteUp
from tests.integration.cluster import DATABASE, SUPERUSER, Cluster, running_cluster

TABLE = "thermal_memory_archive"
HOME = "test"
"""The inventory whose thermal memory it is."""
ROW = WriteUp(
    hash="CHAOS-TEST-LLM-GATEWAY-KILL-202611211403-k7f3abcd",
    content='Chaos test PASS\n- it\'s "well" ✓ % %s',
    stage="FRESH",
    temperature=85.0,
    sacred=False,
)
OTHER_TYPES = {
    "numeric and text": "varchar(200), text, varchar(20), numeric(5,2), text",
    "real and text": "text, text, text, real, varchar(8)",
    "text everywhere": "text, text, text, text, text",
}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The conninfo of a running database that has the lab's tables."""
    folder = tmp_path_factory.mktemp("pg")
    with running_cluster(folder) as cluster:
        yield conninfo(cluster)


def conninfo(cluster: Cluster) -> str:
    return psycopg.conninfo.make_conninfo(
        host="127.0.0.1", port=cluster.port, dbname=DATABASE, user=SUPERUSER, password=cluster.passwords[SUPERUSER]
    )


@pytest.fixture(autouse=True)
def empty(database: str) -> None:
    """Each test begins with an empty thermal memory."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"truncate {TABLE}")


@pytest.fixture
def connect(database: str) -> Connect:
    """Fresh connections."""

    async def fresh() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(database, connect_timeout=5)

    return fresh


def rows(database: str, table: str = TABLE) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(f"select * from {table}").fetchall()


async def test_a_write_up_becomes_exactly_this_row(database: str, connect: Connect) -> None:
    assert (await deliver(connect, TABLE, ROW)).delivered
    assert rows(database) == [(ROW.hash, ROW.content, "FRESH", 85.0, False)]


async def test_delivering_again_adds_no_row(database: str, connect: Connect) -> None:
    for _ in range(3):
        assert (await deliver(connect, TABLE, ROW)).delivered
    assert len(rows(database)) == 1


async def test_many_deliveries_at_once_make_one_row(database: str, connect: Connect) -> None:
    told = await asyncio.gather(*(deliver(connect, TABLE, ROW) for _ in range(8)))
    assert all(delivery.delivered for delivery in told)
    assert len(rows(database)) == 1


async def test_a_stricter_default_isolation_still_makes_one_row(database: str) -> None:
    async def strict() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            database, options="-c default_transaction_isolation=serializable", autocommit=True
        )

    told = await asyncio.gather(*(deliver(strict, TABLE, ROW) for _ in range(8)))
    assert [delivery.why for delivery in told] == [""] * 8
    assert len(rows(database)) == 1


async def test_the_row_is_committed_synchronously_whatever_the_default(database: str, connect: Connect) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table commits (mode text)")
        connection.execute(
            "create function told() returns trigger language plpgsql as $$ begin"
            " insert into commits values (current_setting('synchronous_commit')); return new; end $$"
        )
        connection.execute(f"create trigger told before insert on {TABLE} for each row execute function told()")

    async def careless() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(database, options="-c synchronous_commit=off")

    try:
        assert (await deliver(careless, TABLE, ROW)).delivered
        assert rows(database, "commits") == [("on",)]
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("drop function told() cascade")
            connection.execute("drop table commits")


@pytest.mark.parametrize("types", OTHER_TYPES.values(), ids=OTHER_TYPES)
async def test_other_column_types_hold_the_same(database: str, connect: Connect, types: str) -> None:
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(thermal.COLUMNS, types.split(", "), strict=True))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f'create schema "select"; create table "select"."order" ({columns})')
    try:
        assert (await deliver(connect, "select.order", ROW)).why == ""
        assert (await deliver(connect, "select.order", ROW)).delivered
        assert len(rows(database, '"select"."order"')) == 1
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute('drop schema "select" cascade')


async def test_a_row_that_differs_is_not_delivered(database: str, connect: Connect) -> None:
    assert (await deliver(connect, TABLE, ROW)).delivered
    told = await deliver(connect, TABLE, msgspec.structs.replace(ROW, content="other", temperature=1.0))
    assert not told.delivered
    assert "another row of that hash: original_content, temperature_score differ" in told.why
    assert len(rows(database)) == 1


async def test_a_doubled_row_is_not_delivered(database: str, connect: Connect) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for _ in range(2):
            connection.execute(f"insert into {TABLE} values (%s, %s, 'FRESH', 85, false)", (ROW.hash, ROW.content))
    told = await deliver(connect, TABLE, ROW)
    assert (told.delivered, "holds 2 rows" in told.why) == (False, True)


async def test_a_missing_table_a_closed_port_and_a_lost_node_leave_it_queued_with_the_reason(connect: Connect) -> None:
    async def closed() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect("host=127.0.0.1 port=1 connect_timeout=5")

    async def lost() -> psycopg.AsyncConnection[Any]:
        raise NodeUnreachable("bluefin does not answer")

    assert "does not exist" in (await deliver(connect, "no_such_table", ROW)).why
    assert "refused" in (await deliver(closed, TABLE, ROW)).why
    assert (await deliver(lost, TABLE, ROW)).why == "bluefin does not answer"


async def test_a_database_that_hangs_leaves_it_queued(
    database: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thermal, "LIMIT_S", 0.5)
    with psycopg.connect(database) as holder:
        holder.execute(f"lock table {TABLE}")
        told = await deliver(connect, TABLE, ROW)
        holder.rollback()
    assert told.why == "the database did not answer within 0.5 s"
    assert rows(database) == []


async def test_a_flush_delivers_all_and_empties_the_outbox(database: str, connect: Connect, tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    second = msgspec.structs.replace(ROW, hash="CHAOS-TEST-B-202611211404-aaaaaaaa")
    box.put(ROW)
    box.put(second)
    told = await flush(box, connect, TABLE, inventory=HOME)
    assert [(row.hash, delivery.delivered) for row, delivery in told] == [(second.hash, True), (ROW.hash, True)]
    assert box.pending() == []
    assert len(rows(database)) == 2


async def test_what_was_not_read_back_stays_in_the_outbox(connect: Connect, tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put(ROW)
    told = await flush(box, connect, "no_such_table", inventory=HOME)
    assert [delivery.delivered for _, delivery in told] == [False]
    assert box.pending() == [ROW]


async def test_a_database_that_is_down_is_tried_once_for_the_whole_outbox(tmp_path: Path) -> None:
    box, tried = Outbox(tmp_path), []
    for number in range(3):
        box.put(msgspec.structs.replace(ROW, hash=f"CHAOS-TEST-{number}"))

    async def lost() -> psycopg.AsyncConnection[Any]:
        tried.append(1)
        raise NodeUnreachable("bluefin does not answer")

    told = await flush(box, lost, TABLE, inventory=HOME)
    assert [delivery.why for _, delivery in told] == ["bluefin does not answer"] * 3
    assert tried == [1]


async def test_two_flushes_at_once_make_one_row(database: str, connect: Connect, tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put(ROW)
    await asyncio.gather(
        flush(box, connect, TABLE, inventory=HOME), flush(Outbox(tmp_path), connect, TABLE, inventory=HOME)
    )
    assert box.pending() == []
    assert len(rows(database)) == 1


FLUSH = """
import asyncio, pathlib, sys, psycopg
from console.record import thermal
from console.record.outbox import Outbox
async def connect():
    return await psycopg.AsyncConnection.connect(sys.argv[2])
real = {"insert": thermal._insert, "read": thermal._read_back}
async def stop(*_):
    print("here", flush=True)
    await asyncio.sleep(60)
async def insert(*a):
    if sys.argv[3] == "before": await stop()
    await real["insert"](*a)
    if sys.argv[3] == "after": await stop()
async def read(*a):
    told = await real["read"](*a)
    if sys.argv[3] == "read": await stop()
    return told
thermal._insert, thermal._read_back = insert, read
asyncio.run(thermal.flush(Outbox(pathlib.Path(sys.argv[1])), connect, "thermal_memory_archive", inventory=""))
"""


@pytest.mark.parametrize("moment", ["before", "after", "read"])
async def test_a_flush_killed_half_way_and_run_again_makes_one_row(
    database: str, connect: Connect, tmp_path: Path, moment: str
) -> None:
    box = Outbox(tmp_path)
    box.put(ROW)
    killed = subprocess.Popen([sys.executable, "-c", FLUSH, str(tmp_path), database, moment], stdout=subprocess.PIPE)
    assert killed.stdout
    assert killed.stdout.readline() == b"here\n"
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert box.pending() == [ROW]
    assert all(delivery.delivered for _, delivery in await flush(box, connect, TABLE, inventory=HOME))
    assert box.pending() == []
    assert len(rows(database)) == 1


async def test_nothing_of_a_delivery_is_left_in_the_database(database: str, connect: Connect) -> None:
    await deliver(connect, TABLE, ROW)
    await deliver(connect, "no_such_table", ROW)
    with psycopg.connect(database, autocommit=True) as connection:
        left = [(1,)]
        until_s = time.monotonic() + 10
        while left and time.monotonic() < until_s:
            left = connection.execute(
                "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
            ).fetchall()
        assert left == []


async def test_a_write_up_is_delivered_to_its_own_inventory_only(
    database: str, connect: Connect, tmp_path: Path
) -> None:
    box = Outbox(tmp_path)
    box.put(msgspec.structs.replace(ROW, inventory="elsewhere"))
    assert await flush(box, connect, TABLE, inventory=HOME) == []
    assert len(box.pending()) == 1
    assert rows(database) == []
