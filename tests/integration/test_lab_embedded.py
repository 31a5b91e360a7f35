"""The embedded lab, up for real: what it offers."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import psycopg
import pytest

from console.lab import embedded
from console.lab.layout import LabLayout
from console.lab.processes import marked
from console.plan.inventory import Inventory, Node, load_inventory
from tests.integration.embedded_lab import facts, outside, until

UNITS = {"redfin": 7, "bluefin": 5, "greenfin": 1}


@pytest.fixture(scope="module", params=["own", "shared"])
def lab(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[LabLayout]:
    """A lab whose nodes have networks and disks of their own, and one whose nodes share this machine's."""
    root = tmp_path_factory.mktemp(request.param)
    embedded.up(root, lease_s=3, shared=request.param == "shared")
    yield LabLayout(root)
    embedded.down(root)


@pytest.fixture(scope="module")
def inventory(lab: LabLayout) -> Inventory:
    return load_inventory(lab.inventory)


@pytest.fixture(scope="module")
def here(inventory: Inventory) -> Iterator[Inventory]:
    """The inventory with the gateway and the database where this process reaches them: through their nodes."""
    redfin, database = inventory.nodes["redfin"], inventory.databases["federation"]
    gateway = redfin.services["llm-gateway"]
    with (
        forwarded(redfin, int(gateway.health.split(":")[2].partition("/")[0])) as at_gateway,
        forwarded(inventory.nodes["bluefin"], database.port) as at_database,
    ):
        replace = msgspec.structs.replace
        gateway = replace(gateway, health=f"http://127.0.0.1:{at_gateway}/health")
        redfin = replace(redfin, services={**redfin.services, "llm-gateway": gateway})
        databases = {"federation": replace(database, port=at_database)}
        yield replace(inventory, nodes={**inventory.nodes, "redfin": redfin}, databases=databases)


@contextlib.contextmanager
def forwarded(node: Node, port: int) -> Iterator[int]:
    """A port of this machine that leads to one of the node's loopback."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        local = free.getsockname()[1]
    options = ["-F", "none", "-i", node.identity, "-o", f"UserKnownHostsFile={node.known_hosts}", "-p", str(node.port)]
    options += ["-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}"]
    forward = [*options, f"{node.user}@127.0.0.1", "echo ready; exec sleep 1000"]
    with subprocess.Popen(["ssh", *forward], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield local
        process.terminate()


async def ssh(inventory: Inventory, node: str, **options: Any) -> asyncssh.SSHClientConnection:
    entry = inventory.nodes[node]
    wanted: dict[str, Any] = {
        "username": entry.user,
        "client_keys": [entry.identity],
        "known_hosts": entry.known_hosts,
        "config": None,
        "agent_path": None,
    }
    wanted |= options
    return await asyncssh.connect(entry.address, entry.port, **wanted)


async def say(inventory: Inventory, node: str, command: str) -> str:
    """What a command on a node prints, without the last newline."""
    async with await ssh(inventory, node) as connection:
        done = await connection.run(command, check=True)
    return str(done.stdout).strip()


def query(inventory: Inventory, sql: str) -> list[tuple[Any, ...]]:
    with connect(inventory) as connection:
        return connection.execute(sql.encode()).fetchall()


def connect(inventory: Inventory) -> psycopg.Connection[tuple[Any, ...]]:
    entry = inventory.databases["federation"]
    return psycopg.connect(
        host=entry.host, port=entry.port, dbname=entry.dbname, user=entry.user, passfile=entry.passfile, autocommit=True
    )


def health(inventory: Inventory) -> int:
    """What the gateway's /health answers; 0 for nothing."""
    try:
        with urllib.request.urlopen(inventory.nodes["redfin"].services["llm-gateway"].health, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)
    except OSError:
        return 0


def gateway_state(lab: LabLayout) -> dict[str, str]:
    return embedded.read_state(lab.node("redfin").state / "llm-gateway.service")


def events(file: Path, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, file.read_text().splitlines()) if line["event"] == event]


def test_the_inventory_is_like_any_users_and_all_that_it_names_is_there(inventory: Inventory) -> None:
    assert {name: len(node.services) for name, node in inventory.nodes.items()} == UNITS
    approvals = inventory.approvals
    files = [approvals.allowed_signers, approvals.operator_key, inventory.databases["federation"].passfile]
    files += [path for node in inventory.nodes.values() for path in (node.identity, node.known_hosts)]
    assert [path for path in files if not Path(path).is_file()] == []
    assert Path(approvals.inbox).is_dir()
    assert inventory.lease_s == 3


def test_secrets_are_closed_to_others(lab: LabLayout, inventory: Inventory) -> None:
    private = [file for file in lab.keys.iterdir() if b"PRIVATE KEY" in file.read_bytes()]
    assert len(private) == 3 + 1 + 5
    private += [lab.passfile, lab.superuser_passfile, lab.node("bluefin").passfile, lab.allowed_signers]
    assert {file.stat().st_mode & 0o777 for file in private} == {0o600}
    assert {lab.node(name).run.stat().st_mode & 0o777 for name in UNITS} == {0o700}


def test_no_password_stands_on_a_command_line(lab: LabLayout) -> None:
    password = lab.superuser_passfile.read_text().strip().rsplit(":", 1)[1]
    for pid in marked(facts(lab).id):
        assert password.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_status_shows_every_service_active(lab: LabLayout) -> None:
    status = embedded.status(lab.root)
    assert status.up
    assert {node.name: [entry.active for entry in node.services] for node in status.nodes} == {
        name: ["active"] * count for name, count in UNITS.items()
    }


def test_a_second_up_leaves_the_lab_as_it_is(lab: LabLayout) -> None:
    before, lines = facts(lab), list[str]()
    assert embedded.up(lab.root, progress=lines.append) == lab.inventory
    assert (facts(lab), lines) == (before, ["the lab is running already"])


async def test_commands_run_on_their_node_with_bytes_and_exit_codes_passed_through(inventory: Inventory) -> None:
    async with await ssh(inventory, "redfin") as connection:
        blob = os.urandom(1_000_000)
        assert (await connection.run("cat", input=blob, encoding=None)).stdout == blob
        done = await connection.run('echo "$GAMEDAY_NODE $PWD $HOME"; echo no >&2; exit 7')
        assert (done.stderr, done.exit_status) == ("no\n", 7)
        node, pwd, home = str(done.stdout).split()
        assert (node, pwd) == ("redfin", home)
        killed = await connection.run("kill -9 $$")
        assert killed.exit_signal is not None
        assert killed.exit_signal[0] == "KILL"


async def test_a_signal_request_reaches_the_whole_command(inventory: Inventory) -> None:
    async with await ssh(inventory, "redfin") as connection:
        process = await connection.create_process(
            "trap 'echo caught; exit 3' TERM; sh -c 'echo ready; exec sleep 1000' & wait"
        )
        assert await process.stdout.readline() == "ready\n"
        process.send_signal("TERM")
        done = await process.wait()
        assert (done.stdout, done.exit_status) == ("caught\n", 3)


async def test_a_shell_without_a_command_reads_its_input(inventory: Inventory) -> None:
    async with await ssh(inventory, "greenfin") as connection:
        assert (await connection.run(input="echo $GAMEDAY_NODE\n")).stdout == "greenfin\n"


async def test_dozens_of_commands_run_at_once_on_one_connection(inventory: Inventory) -> None:
    async with await ssh(inventory, "bluefin") as connection:
        done = await asyncio.gather(*(connection.run(f"sleep 0.2; echo {number}") for number in range(60)))
    assert [int(str(entry.stdout)) for entry in done] == list(range(60))


async def test_another_user_and_a_wrong_host_key_are_refused(lab: LabLayout, inventory: Inventory) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        await ssh(inventory, "redfin", username="root")
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await ssh(inventory, "redfin", client_keys=[stranger])
    wrong = lab.known_hosts.read_text().replace(f":{inventory.nodes['redfin'].port} ", ":1 ")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await ssh(inventory, "redfin", known_hosts=wrong.encode())


async def test_a_closed_channel_ends_its_command_but_not_what_called_setsid(inventory: Inventory) -> None:
    async with await ssh(inventory, "redfin") as connection:
        detached = "setsid sh -c 'echo $$; exec sleep 1000 </dev/null >/dev/null 2>&1'"
        command = f"{detached} & sleep 0.5; sleep 1000 & echo $!; wait"
        process = await connection.create_process(command)
        own, child = int(await process.stdout.readline()), int(await process.stdout.readline())
        process.close()
        alive = "kill -0 {} 2>/dev/null && grep -qv ' [ZX] ' /proc/{}/stat"
        gone = f"until ! ({alive.format(child, child)}); do sleep 0.05; done; {alive.format(own, own)} && kill -9 {own}"
        assert (await connection.run(gone, timeout=20)).exit_status == 0


async def test_forwarding_reaches_the_nodes_loopback_and_nothing_else(inventory: Inventory) -> None:
    async with await ssh(inventory, "bluefin") as connection:
        port = inventory.databases["federation"].port
        reader, writer = await connection.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")  # SSLRequest
        assert await reader.read(1) == b"N"
        writer.close()
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("0.0.0.0", port)  # the same server by another name


async def test_systemctl_on_the_node_knows_every_unit(inventory: Inventory) -> None:
    for name, node in inventory.nodes.items():
        units = " ".join(service.unit for service in node.services.values())
        shown = await say(inventory, name, f"systemctl show {units} -p LoadState,ActiveState")
        assert shown.count("LoadState=loaded") == shown.count("ActiveState=active") == UNITS[name]


async def test_psql_on_the_node_works_for_the_console_role_without_a_password_typed(inventory: Inventory) -> None:
    port = inventory.databases["federation"].port
    told = await say(
        inventory, "bluefin", f"psql -w -At -h 127.0.0.1 -p {port} -U gameday federation -c 'select 41 + 1'"
    )
    assert told == "42"


def test_the_database_starts_with_an_empty_archive_and_no_open_vote(here: Inventory, inventory: Inventory) -> None:
    assert inventory.checks.active_work
    assert inventory.checks.council
    assert query(here, "select * from thermal_memory_archive") == []
    for check in (inventory.checks.active_work, inventory.checks.council):
        assert str(query(here, check.sql)[0][0]) == check.expect


def test_a_wrong_password_is_refused_on_every_way_in(lab: LabLayout, inventory: Inventory) -> None:
    rules = [line for line in (lab.pgdata / "pg_hba.conf").read_text().splitlines() if line and line[0] != "#"]
    assert {line.split()[-1] for line in rules} == {"scram-sha-256"}


def test_fifty_more_connections_reach_the_limit_of_an_ordinary_role(here: Inventory) -> None:
    counted = query(here, "select count(*) from pg_stat_activity where backend_type = 'client backend'")[0][0]
    assert 9 <= counted <= 11
    held: list[psycopg.Connection[tuple[Any, ...]]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots are reserved"):
            held.extend(connect(here) for _ in range(50))
        assert health(here) == 200
    finally:
        for connection in held:
            connection.close()


def test_a_readable_backup_of_today_is_there(inventory: Inventory) -> None:
    assert inventory.checks.backups
    [backup] = Path(inventory.checks.backups.path).iterdir()
    assert b"CREATE TABLE public.thermal_memory_archive" in gzip.decompress(backup.read_bytes())
    assert time.time() - backup.stat().st_mtime < 3600


@pytest.mark.parametrize("principal", ["operator", "tpm", "council-1", "council-2", "council-3"])
def test_the_approval_keys_sign_what_allowed_signers_accepts(
    lab: LabLayout, inventory: Inventory, principal: str
) -> None:
    namespace = ["-n", "gameday-approval@1"]
    key = ["-f", str(lab.keys / principal)]
    signed = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-q", *namespace, *key], input=b"x", capture_output=True, check=True
    )
    signature = lab.root / "x.sig"
    signature.write_bytes(signed.stdout)
    verify = ["ssh-keygen", "-Y", "verify", "-f", inventory.approvals.allowed_signers, "-I", f"{principal}@lab"]
    subprocess.run([*verify, *namespace, "-s", str(signature)], input=b"x", capture_output=True, check=True)
    assert f"{principal}@lab" in {inventory.approvals.operator, *sum(inventory.approvals.roles.values(), ())}


def test_the_notice_channel_takes_a_message(lab: LabLayout, inventory: Inventory) -> None:
    assert inventory.checks.notify
    subprocess.run(inventory.checks.notify.command, input=b"test window\n", stdout=subprocess.DEVNULL, check=True)
    assert lab.tpm_inbox.read_text() == "test window\n"


def test_the_services_do_something_that_can_be_seen(lab: LabLayout) -> None:
    redfin, greenfin = lab.node("redfin").log, lab.node("greenfin").log
    until(lambda: "gateway 200" in (redfin / "it-triad.log").read_text())
    until(lambda: "remembered memory" in (redfin / "memory-jr-autonomic.log").read_text())
    until(lambda: "task 2 done" in (redfin / "executive-jr-autonomic.log").read_text())
    until(lambda: "database answers" in (redfin / "ganuda-heartbeat.log").read_text())
    until(lambda: "redfin llm-gateway 200" in (greenfin / "greenfin-heartbeat.log").read_text())


async def test_a_terminated_gateway_comes_back_by_itself_and_its_times_are_logged(
    lab: LabLayout, inventory: Inventory, here: Inventory
) -> None:
    logs = lab.node("redfin").log
    old = gateway_state(lab)
    pid = old["MainPID"]
    assert "uvicorn gateway:app" in await say(inventory, "redfin", f"tr '\\0' ' ' </proc/{pid}/cmdline; kill {pid}")
    await asyncio.to_thread(until, lambda: health(here) == 0)
    await asyncio.to_thread(until, lambda: health(here) == 200)
    new = gateway_state(lab)
    assert int(new["NRestarts"]) == int(old["NRestarts"]) + 1
    gone = events(logs / "supervisor.jsonl", "exited")[-1]
    noted = logs / "gateway.jsonl"
    well = until(lambda: [e for e in events(noted, "first_ok") if str(e["pid"]) == new["MainPID"]])[0]
    assert (str(gone["pid"]), gone["signal"]) == (old["MainPID"], signal.SIGTERM)
    assert 2.0 < well["monotonic_s"] - gone["monotonic_s"] < 10


NEXT_START = "systemctl daemon-reload && systemctl reset-failed llm-gateway && systemctl restart llm-gateway"
"""Forgets the earlier starts of these tests: together they would reach the start limit."""


@pytest.mark.parametrize(("mode", "answer"), [("unhealthy", 500), ("flapping", 200)])
async def test_the_gateways_next_start_follows_the_mode_in_its_unit_file(
    lab: LabLayout, inventory: Inventory, here: Inventory, mode: str, answer: int
) -> None:
    unit = lab.node("redfin").units / "llm-gateway.service"
    text = unit.read_text()
    try:
        unit.write_text(text.replace("GATEWAY_MODE=ok", f"GATEWAY_MODE={mode}"))
        await say(inventory, "redfin", NEXT_START)
        await asyncio.to_thread(until, lambda: health(here) == answer)
        if mode == "flapping":
            await asyncio.to_thread(until, lambda: gateway_state(lab)["NRestarts"] == "1")
    finally:
        unit.write_text(text)
        await say(inventory, "redfin", NEXT_START)
        await asyncio.to_thread(until, lambda: health(here) == 200)


async def test_a_crashed_postgresql_answers_again_by_itself(
    lab: LabLayout, inventory: Inventory, here: Inventory
) -> None:
    state = lab.node("bluefin").state / "postgresql.service"
    await say(inventory, "bluefin", f"kill -9 {embedded.read_state(state)['MainPID']}")

    def answers() -> bool:
        try:
            return query(here, "select 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    up = asyncio.to_thread(until, lambda: embedded.read_state(state)["SubState"] == "running" and answers())
    await up
    assert int(embedded.read_state(state)["NRestarts"]) >= 1


@pytest.mark.parametrize("lab", ["own"], indirect=True)
def test_two_labs_of_either_kind_do_not_disturb_each_other(lab: LabLayout, here: Inventory, tmp_path: Path) -> None:
    embedded.up(tmp_path, shared=True)
    other = LabLayout(tmp_path)
    ports, others = ({name: at for name, at in facts(one).ports.items() if outside(one, name)} for one in (lab, other))
    assert not set(ports.values()) & set(others.values())
    other_id = facts(other).id
    assert embedded.down(tmp_path)
    assert marked(other_id) == []
    assert embedded.status(lab.root).up
    assert health(here) == 200
