"""connection-flood: run with real shells and psql against a real PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from console.faults.base import DatabaseTarget, Target
from console.faults.connection_flood import ConnectionFlood
from console.lab import postgres
from tests.integration.cluster import (
    CONSOLE_ROLE,
    DATABASE,
    SERVICE_ROLE,
    SUPERUSER,
    Cluster,
    psql_environment,
    running_cluster,
)
from tests.unit.supervised import SHELLS, sh_of

LIMIT = 20
"""For ordinary roles; three more are reserved. Each session is a psql, and the labs have 57."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("pg"), LIMIT + 3) as cluster:
        yield cluster


@dataclass
class Ran:
    code: int
    said: str


@dataclass
class Flood:
    """The fault on a node whose run folder is `folder`."""

    cluster: Cluster
    folder: Path
    shell: str
    fault: ConnectionFlood
    user: str = CONSOLE_ROLE
    port: int = 0

    def script(self, name: str) -> Path:
        database = DatabaseTarget(
            host="127.0.0.1", port=self.port or self.cluster.port, dbname=DATABASE, user=self.user
        )
        scripts = self.fault.scripts(Target(node="bluefin", run="abcdefgh", database=database))
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / name
        file.write_text(getattr(scripts, name))
        return file

    def start(self, name: str) -> subprocess.Popen[bytes]:
        sh = sh_of(self.shell, self.folder.parent)
        environment = {**psql_environment(self.cluster, self.cluster.data.parent), "GAMEDAY_DIR": str(self.folder)}
        environment["PATH"] = f"{sh}:{environment['PATH']}"
        with (self.folder.parent / f"{name}.out").open("w") as out:
            return subprocess.Popen(
                [str(sh / "sh"), str(self.script(name))], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=environment, start_new_session=True,
            )  # fmt: skip

    def run(self, name: str) -> Ran:
        self.folder.mkdir(parents=True, exist_ok=True)
        code = self.start(name).wait(60)
        return Ran(code, (self.folder.parent / f"{name}.out").read_text().strip())


@pytest.fixture(params=SHELLS)
def flood(request: pytest.FixtureRequest, tmp_path: Path, cluster: Cluster) -> Iterator[Flood]:
    flood = Flood(cluster, tmp_path / "abcdefgh" / "0", request.param, ConnectionFlood(connections="limit"))
    flood.folder.mkdir(parents=True)
    assert settled(cluster, 0)
    yield flood
    assert flood.run("revert").code == 0


def ours(cluster: Cluster) -> int:
    return asyncio.run(postgres.connections_of(cluster, CONSOLE_ROLE))


def settled(cluster: Cluster, wanted: int) -> bool:
    """The server notices the end of a session a moment after its client."""
    deadline = time.monotonic() + 5
    while ours(cluster) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return ours(cluster) == wanted


def connect(cluster: Cluster, user: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host="127.0.0.1",
        port=cluster.port,
        dbname=DATABASE,
        user=user,
        password=cluster.passwords[user],
        autocommit=True,
    )


def test_every_ordinary_slot_is_taken_and_the_refusal_is_quoted(flood: Flood) -> None:
    assert flood.run("inject") == Ran(0, "")
    effect = flood.run("effect")
    assert effect.code == 0
    assert effect.said.startswith(
        f"{LIMIT} sessions held of {LIMIT} for ordinary roles ({LIMIT + 3} in all); a new one is refused: "
    )
    assert "FATAL:  remaining connection slots are reserved" in effect.said
    assert ours(flood.cluster) == LIMIT


def test_the_reserved_slots_stay_free(flood: Flood) -> None:
    flood.run("inject")
    with connect(flood.cluster, SUPERUSER) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_connection_that_was_there_before_survives(flood: Flood) -> None:
    with connect(flood.cluster, CONSOLE_ROLE) as connection:
        flood.run("inject")
        assert flood.run("effect").said.startswith(f"{LIMIT - 1} sessions held of {LIMIT}")
        assert connection.execute("select 1").fetchone() == (1,)
        flood.run("revert")
        assert connection.execute("select 1").fetchone() == (1,)


def test_a_slot_that_another_client_gives_up_is_taken_again(flood: Flood) -> None:
    with connect(flood.cluster, SERVICE_ROLE):
        flood.run("inject")
        assert ours(flood.cluster) == LIMIT - 1
    deadline = time.monotonic() + 10
    while len((flood.folder / "opened").read_text().split()) < LIMIT and time.monotonic() < deadline:
        time.sleep(0.05)
    assert flood.run("effect").said.startswith(f"{LIMIT} sessions held")


def test_revert_frees_every_session_and_leaves_no_trace(flood: Flood) -> None:
    flood.run("inject")
    assert flood.run("clean").code == 1
    assert flood.run("revert") == Ran(0, "")
    assert settled(flood.cluster, 0)
    assert flood.run("clean") == Ran(0, "")
    assert flood.run("revert") == Ran(0, "")


def test_sessions_end_at_once_when_their_processes_are_killed(flood: Flood) -> None:
    flood.fault = ConnectionFlood(connections=LIMIT)
    flood.run("inject")
    assert flood.run("effect").code == 0
    for pid in (flood.folder / "opened").read_text().split():
        subprocess.run(["kill", "-9", pid], check=True)
    assert settled(flood.cluster, 0)
    effect = flood.run("effect")
    assert effect.code == 1
    assert effect.said.startswith(f"{LIMIT} opened, 0 of {LIMIT} used: the limit is not reached")


def test_a_limit_that_others_hold_is_not_our_effect(flood: Flood) -> None:
    flood.run("inject")
    (flood.folder / "opened").write_text("1\n")
    effect = flood.run("effect")
    assert effect.code == 1
    assert effect.said.startswith("none of the 1 sessions is held, but connections are refused")


def test_revert_in_the_middle_of_inject_leaves_nothing(flood: Flood) -> None:
    inject = flood.start("inject")
    deadline = time.monotonic() + 10
    while not list(flood.folder.glob("said.*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert flood.run("revert").code == 0
    assert inject.wait(10) == -signal.SIGKILL
    assert settled(flood.cluster, 0)
    assert flood.run("clean").code == 0


def test_too_few_connections_are_no_effect(flood: Flood) -> None:
    flood.fault = ConnectionFlood(connections=5)
    flood.run("inject")
    effect = flood.run("effect")
    assert (effect.code, effect.said) == (
        1,
        f"5 opened, 5 of {LIMIT} used: the limit is not reached, set connections=limit",
    )


def test_preflight_refuses_too_few_connections(flood: Flood) -> None:
    assert flood.run("preflight") == Ran(0, "")
    flood.fault = ConnectionFlood(connections=5)
    preflight = flood.run("preflight")
    assert preflight.code == 1
    assert preflight.said.endswith(f"5 more do not reach the {LIMIT} for ordinary roles: set connections=limit")


def test_a_role_that_may_take_the_reserved_slots_is_refused(flood: Flood) -> None:
    flood.user = SUPERUSER
    for script in ("preflight", "inject"):
        ran = flood.run(script)
        assert ran.code == 1
        assert ran.said.startswith(f"{SUPERUSER} may take the reserved slots")


def test_without_a_login_inject_fails_and_revert_and_clean_do_not(flood: Flood) -> None:
    flood.port = 1
    inject = flood.run("inject")
    assert inject.code == 1
    assert "psql cannot log in as gameday" in inject.said
    assert flood.run("effect").code == 1
    assert flood.run("revert").code == 0
    assert flood.run("clean").code == 0


def test_a_session_without_its_process_is_a_trace(flood: Flood) -> None:
    with psycopg.connect(
        host="127.0.0.1", port=flood.cluster.port, dbname=DATABASE, user=CONSOLE_ROLE,
        password=flood.cluster.passwords[CONSOLE_ROLE], application_name="gameday-fault-other",
    ):  # fmt: skip
        assert flood.run("clean") == Ran(1, "1 sessions named gameday-fault-* are still open")


def test_no_script_holds_a_password(flood: Flood) -> None:
    for name in ("preflight", "inject", "effect", "revert", "clean"):
        text = flood.script(name).read_text()
        assert not [secret for secret in flood.cluster.passwords.values() if secret in text]
