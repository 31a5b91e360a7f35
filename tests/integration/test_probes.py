"""The probes against the real lab: what they say of services, databases and commands that are well, ill and gone."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass

import msgspec
import pytest

from console.nodes.ssh import SshNode
from console.plan.peers import seen_by_others
from console.plan.probe import (
    AnyProbe,
    CommandProbe,
    ConnectionsProbe,
    HttpProbe,
    LoadProbe,
    PingProbe,
    ServiceProbe,
    SqlProbe,
)
from console.probes.base import Observation, Prober, prober
from console.probes.database import DatabaseLink, NoAnswer
from console.terms import Status
from tests.lab import Lab

DATABASE = "federation"


@dataclass
class Around:
    """Nodes and the database of the lab."""

    nodes: dict[str, SshNode]
    link: DatabaseLink

    def node(self, name: str) -> SshNode:
        return self.nodes[name]

    def database(self, name: str) -> DatabaseLink:
        return self.link

    async def ask(self, probe: AnyProbe) -> Observation:
        asked = prober(probe, self)
        await asked.start()
        return await asked.check()


@pytest.fixture
async def around(lab: Lab) -> AsyncIterator[Around]:
    inventory = lab.inventory
    nodes = {name: SshNode(name, spec) for name, spec in inventory.nodes.items()}
    link = DatabaseLink(DATABASE, inventory.databases[DATABASE], nodes["bluefin"])
    yield Around(nodes, link)
    await link.close()
    for node in nodes.values():
        await node.close()


def health(lab: Lab) -> str:
    return lab.inventory.nodes["redfin"].services["llm-gateway"].health


async def test_a_healthy_page_passes_with_its_status(lab: Lab, around: Around) -> None:
    seen = await around.ask(HttpProbe(node="redfin", url=health(lab)))
    assert (seen.status, seen.text, seen.values) == (Status.PASS, "HTTP 200", {"status": 200.0})


async def test_another_status_fails_and_is_named(lab: Lab, around: Around) -> None:
    seen = await around.ask(HttpProbe(node="redfin", url=health(lab) + "-not-here"))
    assert (seen.status, seen.text) == (Status.FAIL, "HTTP 404 instead of 200")


async def test_a_closed_port_fails(around: Around) -> None:
    seen = await around.ask(HttpProbe(node="redfin", url="http://127.0.0.1:1/"))
    assert seen.status is Status.FAIL
    assert "refused" in seen.text


async def test_what_is_not_http_fails(lab: Lab, around: Around) -> None:
    with listening(lab, "s.accept()[0].sendall(b'SSH-2.0-x\\r\\n')") as port:
        seen = await around.ask(HttpProbe(node="redfin", url=f"http://127.0.0.1:{port}/"))
    assert seen.status is Status.FAIL
    assert seen.text.startswith("not HTTP: b'SSH-2.0")


async def test_a_page_that_hangs_fails_in_its_time(lab: Lab, around: Around) -> None:
    with listening(lab, "") as port:
        seen = await around.ask(HttpProbe(node="redfin", url=f"http://127.0.0.1:{port}/", timeout_s=0.3))
    assert (seen.status, seen.text) == (Status.FAIL, "no answer within 0.3 s")


async def test_no_answer_is_met_by_silence_only(lab: Lab, around: Around) -> None:
    with listening(lab, "", "greenfin") as port:
        silent, answers = f"http://127.0.0.1:{port}/", seen_by_others(health(lab), lab.inventory.nodes["redfin"])
        for url, from_node, status, text in (
            (silent, "greenfin", Status.PASS, "no answer within 0.3 s"),
            (answers, "greenfin", Status.FAIL, "HTTP 200: it still answers"),
            ("http://127.0.0.1:1/", "greenfin", Status.FAIL, "no answer: the connection is refused or closed"),
            (silent, "nowhere", Status.UNKNOWN, "nowhere"),
        ):
            probe = HttpProbe(node="redfin", url=url, from_node=from_node, expect="no-answer", timeout_s=0.3)
            around.nodes["nowhere"] = unreachable(around)
            seen = await around.ask(probe)
            assert (seen.status, seen.text[: len(text)]) == (status, text)


@contextmanager
def listening(lab: Lab, then: str, node: str = "redfin") -> Iterator[int]:
    """A port of the node's loopback on which somebody listens, and then runs that with the socket `s`."""
    program = f"""
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
{then}
sys.stdin.read()
"""
    command = lab.ssh_command(node, shlex.join([sys.executable, "-c", program]))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield int(process.stdout.readline())
        process.stdin.close()
        process.terminate()


def unreachable(around: Around) -> SshNode:
    return SshNode("nowhere", msgspec.structs.replace(around.nodes["bluefin"].spec, port=1))


@pytest.mark.parametrize(
    "probe",
    [
        HttpProbe(node="nowhere", url="http://127.0.0.1:1/"),
        CommandProbe(node="nowhere", command="true"),
        LoadProbe(node="nowhere"),
        PingProbe(node="nowhere", peer="redfin", address="127.0.0.1"),
        SqlProbe(database=DATABASE),
        ConnectionsProbe(database=DATABASE, state="refused"),
    ],
    ids=lambda probe: type(probe).__name__,
)
async def test_a_node_out_of_reach_is_unknown(around: Around, probe: AnyProbe) -> None:
    node = unreachable(around)
    spec = around.link.spec
    away = Around({"nowhere": node}, DatabaseLink(DATABASE, spec, node))
    seen = await prober(probe, away).check()
    assert seen.status is Status.UNKNOWN
    assert "nowhere" in seen.text


async def test_a_service_probe_sees_a_restart(lab: Lab, around: Around) -> None:
    probe = ServiceProbe(node="redfin", service="it-triad", unit="it-triad.service", state="restarted")
    asked: Prober = prober(probe, around)
    await asked.start()
    assert (await asked.check()).status is Status.FAIL
    await around.nodes["redfin"].run("systemctl restart it-triad")
    assert (await asked.check()).status is Status.PASS


async def test_a_service_probe_tells_active_from_not_there(around: Around) -> None:
    for unit, status in (("it-triad.service", Status.PASS), ("absent.service", Status.FAIL)):
        seen = await around.ask(ServiceProbe(node="redfin", service="any", unit=unit))
        assert seen.status is status, seen.text


async def test_a_command_is_judged_by_its_exit_code(around: Around) -> None:
    good = await around.ask(CommandProbe(node="redfin", command="echo seen; exit 3", exit_code=3))
    assert (good.status, good.text) == (Status.PASS, "exit 3: seen")
    assert (await around.ask(CommandProbe(node="redfin", command="exit 1"))).status is Status.FAIL


async def test_a_command_that_does_not_end_is_unknown(around: Around) -> None:
    seen = await around.ask(CommandProbe(node="redfin", command="sleep 5", timeout_s=0.3))
    assert seen.status is Status.UNKNOWN


async def test_a_query_is_judged_by_its_first_value(around: Around) -> None:
    assert (await around.ask(SqlProbe(database=DATABASE, expect="1"))).status is Status.PASS
    seen = await around.ask(SqlProbe(database=DATABASE, sql="select 2", expect="1"))
    assert (seen.status, seen.text) == (Status.FAIL, "select 2 gave 2 instead of 1")


async def test_a_query_that_fails_tells_the_servers_words(around: Around) -> None:
    seen = await around.ask(SqlProbe(database=DATABASE, sql="select 1 from not_here"))
    assert seen.status is Status.FAIL
    assert 'relation "not_here" does not exist' in seen.text


async def test_a_query_that_takes_too_long_fails(around: Around) -> None:
    seen = await around.ask(SqlProbe(database=DATABASE, sql="select pg_sleep(5)", timeout_s=0.5))
    assert (seen.status, seen.text) == (Status.FAIL, f"{DATABASE}: no answer within 0.5 s")


async def test_a_stopped_database_fails_and_the_kept_connection_comes_back(lab: Lab, around: Around) -> None:
    assert await around.link.value("select %s::int + 1", 1) == "2"
    node = around.nodes["bluefin"]
    await node.run("systemctl stop postgresql", timeout_s=30)
    try:
        assert (await around.ask(SqlProbe(database=DATABASE))).status is Status.FAIL
        with pytest.raises(NoAnswer):
            await around.link.value("select 1")
        assert await around.link.try_connections() is None
    finally:
        await node.run("systemctl start postgresql", timeout_s=30)
    async with asyncio.timeout(15):
        while await around.link.try_connections() is None:
            await asyncio.sleep(0.1)
    assert await around.link.value("select 1") == "1"


async def at_rest(link: DatabaseLink) -> None:
    """Wait until the lab's services have the connections that they want: another test may have stopped the database."""
    async with asyncio.timeout(30):
        counts = [0]
        while len(counts) < 25 or counts[-25:] != [counts[-1]] * 25:
            counts.append((await link.connections())[0])
            await asyncio.sleep(0.1)


async def test_the_count_the_limit_and_the_refusal(around: Around) -> None:
    link = around.link
    await at_rest(link)
    probes = {
        state: prober(ConnectionsProbe(database=DATABASE, state=state), around)
        for state in ("at-limit", "refused", "fallen-back")
    }
    for asked in probes.values():
        await asked.start()
    async with AsyncExitStack() as held:
        _, most, ordinary = await link.connections()
        assert (most, ordinary) == (60, 57)
        assert (await probes["at-limit"].check()).status is Status.FAIL
        assert (await probes["refused"].check()).text == "a new connection was let in"
        while (await link.try_new())[0]:
            await held.enter_async_context(await link.connect_new())
        full = {state: await asked.check() for state, asked in probes.items()}
        assert full["at-limit"].status is Status.PASS, full["at-limit"].text
        assert full["at-limit"].text == "57 of 57 connections for ordinary roles (60 in all)"
        assert full["refused"].status is Status.PASS
        assert full["refused"].text.startswith("remaining connection slots are reserved")
        assert full["fallen-back"].status is Status.FAIL
    async with asyncio.timeout(10):
        while (await probes["fallen-back"].check()).status is not Status.PASS:
            await asyncio.sleep(0.1)


async def test_a_limit_of_the_role_comes_before_that_of_the_server(lab: Lab, around: Around) -> None:
    role = around.link.spec.user
    now, _, _ = await around.link.connections()
    mine = int(await around.link.value("select count(*) from pg_stat_activity where usename = current_user") or 0)
    lab.superuser(f"alter role {role} connection limit {mine + 2}")
    try:
        assert (await around.link.connections())[2] <= now + 3
        async with AsyncExitStack() as held:
            while (let_in := await around.link.try_new())[0]:
                await held.enter_async_context(await around.link.connect_new())
            assert let_in[1].startswith("too many connections for role")
    finally:
        lab.superuser(f"alter role {role} connection limit -1")


@pytest.mark.parametrize(
    ("bounds", "status"), [({}, Status.PASS), ({"at_least_pct": 100.0, "at_most_pct": 0.0}, Status.FAIL)]
)
async def test_a_load_is_told_in_percent_and_judged_by_its_bounds(
    around: Around, bounds: dict[str, float], status: Status
) -> None:
    seen = await around.ask(LoadProbe(node="greenfin", **bounds))
    assert (seen.status, seen.text) == (status, f"{seen.values['busy_pct']:.0f} % busy")
    assert 0 < seen.values["busy_pct"] <= 100
