"""postgres-crash: its scripts, run by real shells against a real PostgreSQL under a real supervisor."""

from __future__ import annotations

import asyncio
import gzip
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from console.faults.base import DatabaseTarget, Scripts, Target
from console.faults.postgres_crash import PostgresCrash
from console.lab import postgres
from console.lab.private_file import write_private
from tests.integration.cluster import (
    CONSOLE_ROLE,
    DATABASE,
    SERVICE_ROLE,
    SUPERUSER,
    Cluster,
    planned_cluster,
    running_cluster,
)
from tests.unit.supervised import SHELLS, Ran, SupervisedNode, supervised

RUN = "abcdefgh"
TABLE = f"gameday_writer_{RUN}"
IS_ROOT = sys.platform == "linux" and os.geteuid() == 0


@dataclass
class Crash:
    """The fault on a node with a cluster of its own."""

    node: SupervisedNode
    cluster: Cluster
    folder: Path
    fault: PostgresCrash
    window: tuple[int, int]

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def files(self) -> Path:
        return self.node.run_dir

    @property
    def postmaster(self) -> str:
        return (self.cluster.data / "postmaster.pid").read_text().split()[0]

    async def run(self, name: str, *, port: int = 0, backup_dir: str = "") -> Ran:
        return await self.node.run(self.scripts(port, backup_dir), name)

    def scripts(self, port: int = 0, backup_dir: str = "") -> Scripts:
        database = DatabaseTarget(
            host="127.0.0.1", port=port or self.cluster.port, dbname=DATABASE, user=CONSOLE_ROLE, node="bluefin",
            unit="pg.service", backup_dir=backup_dir or str(self.backups),
        )  # fmt: skip
        return self.fault.scripts(Target(node="bluefin", run=RUN, database=database, window=self.window))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with psycopg.connect(
            host="127.0.0.1", port=self.cluster.port, dbname=DATABASE, user=SUPERUSER, autocommit=True,
            password=self.cluster.passwords[SUPERUSER],
        ) as connection:  # fmt: skip
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    async def until(self, sql: str, limit_s: float = 15.0) -> list[tuple[object, ...]]:
        """What the query gives as soon as the database answers."""
        end_s = time.monotonic() + limit_s
        while True:
            try:
                return self.query(sql)
            except psycopg.OperationalError:
                assert time.monotonic() < end_s
                await asyncio.sleep(0.05)  # the supervisor lives in this loop

    def numbers(self, sign: str) -> list[int]:
        lines = (self.files / "writes").read_text().splitlines()
        return [int(line[2:]) for line in lines if line.startswith(f"{sign} ")]


@pytest.fixture
async def crash(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Crash]:
    shell, wrapper = getattr(request, "param", (SHELLS[0], "exec {}"))
    cluster = planned_cluster(tmp_path)
    await postgres.make_cluster(cluster)
    passfile = tmp_path / "pgpass"
    write_private(passfile, cluster.pgpass(SUPERUSER, CONSOLE_ROLE, SERVICE_ROLE))
    command = shlex.join([*cluster.command("postgres"), "-D", str(cluster.data)])
    start = shlex.join(["/bin/sh", "-c", wrapper.format(command)])
    unit = f"ExecStart={start}\nRestart=on-failure\nRestartSec=0.5\nKillSignal=SIGINT"
    (tmp_path / "backups").mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{cluster.binaries}:{os.environ['PATH']}")
        patch.setenv("PGPASSFILE", str(passfile))
        async with supervised(tmp_path, shell, {"pg": unit}) as node:
            await postgres.fill(cluster)
            now = int(time.time())
            crash = Crash(node, cluster, tmp_path, PostgresCrash(), (now - 5, now + 600))
            await crash.until("select 1")
            yield crash
            assert (await crash.run("revert")).code == 0


@pytest.mark.parametrize("crash", [(shell, "exec {}") for shell in SHELLS], indirect=True, ids=SHELLS)
async def test_the_whole_cluster_is_killed_after_a_backup_and_comes_back_with_every_acknowledged_row(
    crash: Crash,
) -> None:
    assert await crash.run("preflight") == Ran(0, "")
    before = {
        int(str(pid))
        for (pid,) in crash.query("select pid from pg_stat_activity where backend_type <> 'client backend'")
    }
    postmaster = int((crash.cluster.data / "postmaster.pid").read_text().split()[0])
    inject = await crash.run("inject")
    assert inject == Ran(0, "")
    effect = await crash.run("effect")
    assert effect.code == 0, effect.said
    victims = {int(line.split()[0]) for line in (crash.files / "victims").read_text().splitlines()}
    assert victims >= before | {postmaster}
    assert (
        f"killed and gone: {len(victims)} processes of the cluster in {crash.cluster.data}, postmaster {postmaster}"
        in (effect.said)
    )
    assert effect.said.splitlines()[-1].startswith("struck: ")
    await crash.until("select 1")
    await asyncio.sleep(1.0)  # the writer goes on
    rows = {int(str(n)) for n, sound in crash.query(f"select n, body = repeat(md5(n::text), 8) from {TABLE}") if sound}
    acknowledged = crash.numbers("!")
    assert set(acknowledged[:-1]) <= rows
    struck = (crash.files / "writes").read_text().partition("#")[2]
    assert struck.count("!") > 5
    [backup] = crash.backups.iterdir()
    assert re.fullmatch(rf"gameday-federation-\d{{8}}T\d{{6}}Z-{RUN}\.sql\.gz", backup.name)
    assert backup.stat().st_mode & 0o777 == 0o600
    text = gzip.decompress(backup.read_bytes()).decode()
    assert "thermal_memory_archive" in text
    assert TABLE not in text
    assert (await crash.run("clean")).said.startswith("processes of postgres-crash are left: ")
    revert = await crash.run("revert")
    assert revert == Ran(0, "")
    assert await crash.run("clean") == Ran(0, "")
    assert crash.query(f"select to_regclass('{TABLE}')") == [(None,)]
    assert backup.exists()


async def test_only_the_postmaster_is_killed_where_that_is_asked_for(crash: Crash) -> None:
    crash.fault = PostgresCrash(only="postmaster")
    main = crash.postmaster
    assert await crash.run("inject") == Ran(0, "")
    assert (crash.files / "victims").read_text().split()[0] == main
    assert (await crash.run("effect")).said.startswith(
        f"killed and gone: 1 processes of the cluster in {crash.cluster.data}"
    )


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Cluster]:
    """A second cluster on the node."""
    (tmp_path / "other").mkdir()
    with running_cluster(tmp_path / "other") as cluster:
        yield cluster


async def test_another_cluster_of_the_node_is_left_alone(other: Cluster, crash: Crash) -> None:
    main = (other.data / "postmaster.pid").read_text().split()[0]
    processes = children(main)
    assert await crash.run("inject") == Ran(0, "")
    assert processes
    assert children(main) == processes
    killed = {line.split()[0] for line in (crash.files / "victims").read_text().splitlines()}
    assert not killed & {main, *processes}


def children(pid: str) -> set[str]:
    """The long-lived ones: what serves a connection comes and goes."""
    found = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", pid], capture_output=True, text=True, check=True)
    lines = found.stdout.splitlines()
    return {line.split()[0] for line in lines if any(word in line for word in ("checkpointer", "writer", "launcher"))}


async def test_preflight_tells_everything_that_is_missing_at_once(crash: Crash) -> None:
    assert await crash.run("preflight") == Ran(0, "")
    crash.query("create table gameday_writer_older (n int); revoke create on schema public from gameday")
    crash.query("revoke pg_read_all_data from gameday")
    told = await crash.run("preflight", backup_dir=f"{crash.folder}/none")
    assert told.code == 3
    assert told.said.splitlines() == [
        "gameday may make no table",
        "fix: grant create on schema public to gameday",
        "gameday may not read 2 tables",
        "fix: grant pg_read_all_data to gameday",
        "an earlier run left gameday_writer_older",
        "fix: drop table gameday_writer_older",
        f"the backup folder {crash.folder}/none is not there, or cannot be written to",
        f"fix: mkdir -m 700 {crash.folder}/none",
    ]


async def test_a_server_that_runs_somewhere_else_is_no_target(crash: Crash) -> None:
    (crash.cluster.data / "postmaster.pid").rename(crash.folder / "moved")
    for script, code in (("preflight", 3), ("inject", 1)):
        told = await crash.run(script)
        assert told.code == code
        assert "postmaster.pid does not name the process" in told.said
    (crash.folder / "moved").rename(crash.cluster.data / "postmaster.pid")
    told = await crash.run("preflight", port=1)
    assert (told.code, told.said.startswith("psql cannot log in as gameday")) == (1, True)
    assert crash.query("select 1") == [(1,)]


async def test_without_a_login_and_without_a_table_of_ours_there_is_nothing_to_take_back(crash: Crash) -> None:
    assert (await crash.run("inject", port=1)).code == 1
    assert await crash.run("revert", port=1) == Ran(0, "")
    assert await crash.run("clean", port=1) == Ran(0, "")


async def test_a_window_that_closes_while_the_backup_is_made_kills_nothing(crash: Crash) -> None:
    main, now = crash.postmaster, int(time.time())
    crash.window = (now - 100, now + 1)  # the writer's first rows take longer
    told = await crash.run("inject")
    assert (told.code, "maintenance window" in told.said, "nothing was killed" in told.said) == (1, True, True)
    crash.window = (now + 100, now + 200)
    assert "maintenance window is not open" in (await crash.run("preflight")).said
    assert crash.postmaster == main
    assert await crash.run("revert") == Ran(0, "")
    assert await crash.run("clean") == Ran(0, "")


async def test_the_newest_three_backups_of_ours_are_kept_and_nobody_elses_is_touched(crash: Crash) -> None:
    names = [f"gameday-federation-2026010{day}T000000Z-abcdefg{day}.sql.gz" for day in range(1, 5)]
    others = ["gameday-federation-keep.sql.gz", "gameday-other-20250101T000000Z-abcdefgh.sql.gz", "nightly.sql.gz"]
    for name in [*names, *others]:
        (crash.backups / name).touch()
    assert await crash.run("inject") == Ran(0, "")
    left = {path.name for path in crash.backups.iterdir()}
    assert left >= {*others, *names[2:]}
    assert not left & set(names[:2])
    assert len(left) == len(others) + 3


async def test_what_stayed_down_is_started_and_the_database_answers(crash: Crash) -> None:
    unit = crash.node.layout.units / "pg.service"
    unit.write_text(unit.read_text().replace("on-failure", "no"))
    await crash.node.systemctl("daemon-reload")
    assert await crash.run("inject") == Ran(0, "")
    await crash.node.until("pg.service", "ActiveState", "failed")
    unknown = await crash.run("clean")
    assert unknown.code == 1  # the writer is still there
    assert await crash.run("revert") == Ran(0, "restored: pg.service")
    assert crash.query(f"select to_regclass('{TABLE}')") == [(None,)]
    assert await crash.run("clean") == Ran(0, "")


@pytest.mark.parametrize("crash", [(SHELLS[0], "{} & while sleep 1; do :; done")], indirect=True)
async def test_a_unit_that_claims_to_be_active_without_its_database_is_restarted(crash: Crash) -> None:
    assert await crash.run("inject") == Ran(0, "")
    assert await crash.node.show("pg.service", "ActiveState") == "active"
    assert await crash.run("revert") == Ran(0, "restored: pg.service")
    assert crash.query("select 1") == [(1,)]


async def test_while_the_database_is_down_nobody_knows_whether_the_table_is_gone(crash: Crash) -> None:
    crash.files.mkdir(parents=True)
    (crash.files / "table").touch()
    told = await crash.run("clean", port=1)
    assert (told.code, told.said.startswith(f"whether public.{TABLE} is dropped cannot be told: ")) == (2, True)
    told = await crash.run("revert", port=1)
    assert (told.code, told.said.startswith(f"the writer's table public.{TABLE} is not dropped: ")) == (1, True)
    crash.query(f"create table {TABLE} (n int)")
    crash.query(f"alter table {TABLE} owner to {CONSOLE_ROLE}")
    assert await crash.run("clean") == Ran(1, f"tables are left: {TABLE}")
    assert await crash.run("revert") == Ran(0, "")
    assert await crash.run("clean") == Ran(0, "")


async def test_an_inject_that_ended_between_stop_and_kill_lets_the_postmaster_go_on(crash: Crash) -> None:
    main = crash.postmaster
    born = Path(f"/proc/{main}/stat").read_text().rpartition(")")[2].split()[19]
    crash.files.mkdir(parents=True)
    (crash.files / "postmaster").write_text(f"{main} {born}\n")
    os.kill(int(main), signal.SIGSTOP)
    assert await crash.run("clean", port=1) == Ran(1, f"the postmaster {main} is stopped")
    assert await crash.run("revert") == Ran(0, "")
    assert crash.query("select 1") == [(1,)]
    assert (crash.postmaster, await crash.run("clean")) == (main, Ran(0, ""))


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """64 KiB instead of that folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "gameday-test", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


if IS_ROOT:  # a disk of our own

    async def test_a_backup_that_does_not_fit_kills_nothing(crash: Crash) -> None:
        main = crash.postmaster
        crash.query("create table ballast as select gen_random_uuid() t from generate_series(1, 9000)")
        with small_disk(crash.backups):
            told = await crash.run("preflight")
            assert (told.code, " MiB free, a backup may need " in told.said) == (3, True)
            told = await crash.run("inject")
            assert told.code == 1
            assert told.said.startswith("the backup failed, nothing was killed: ")
            assert "No space left on device" in told.said
            assert await crash.run("revert") == Ran(0, "")
            assert await crash.run("clean") == Ran(0, "")
            assert not list(crash.backups.iterdir())
        assert crash.postmaster == main


async def test_no_script_holds_a_password(crash: Crash) -> None:
    for name in ("preflight", "inject", "effect", "revert", "clean"):
        text = getattr(crash.scripts(), name)
        assert not [secret for secret in crash.cluster.passwords.values() if secret in text]
