"""A3 on two machines with the guard on systemd: it ends with its console, and a cut link is no pass. (As root.)"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import yaml

from console.fleet import Fleet
from console.plan.inventory import load_inventory
from console.tui.widgets.node_pane import pane_lines
from tests.integration.guarding import LEASE_S
from tests.integration.sites import IN_TIME_S
from tests.lab import GAMEDAY
from tests.machine import Machine, machine
from tests.trials import Console

SCENARIO = """\
name: cut
title: Cut greenfin off from redfin
category: network
risk: medium
purpose: p
hypothesis: h
rollback: r
method:
  - {node: greenfin, peer: redfin, fault: {kind: network-partition, hold_s: 8}}
steady_state:
  - {id: ping, title: pings pass, probe: {probe: ping, node: greenfin, peer: redfin}}
expectations:
  - id: cut
    title: no ping passes
    probe: {probe: ping, node: greenfin, peer: redfin, expect: no-answer}
    within_s: 6
  - id: ssh
    title: the console's own link lives
    probe: {probe: command, node: greenfin, command: "true"}
    within_s: 2
    stable_for_s: 5
  - {id: back, title: pings pass again, probe: {probe: ping, node: greenfin, peer: redfin}, within_s: 5, after: revert}
observe_s: 20
"""


@dataclass
class Two:
    """greenfin and redfin with a cable between them, and a console that knows both."""

    greenfin: Machine
    redfin: Machine
    folder: Path

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.yaml"

    def rules(self) -> list[str]:
        """Every rule on greenfin, without counters, comments and the names of empty tables."""
        saved = self.greenfin.run("sh", "-c", "iptables-save; ip6tables-save")
        return [line for line in saved.splitlines() if line.startswith("-A") or "GAMEDAY" in line]

    def start(self) -> Console:
        """A console that runs the scenario."""
        words = ("run", str(self.folder / "cut.yaml"), "--attest", "all", "--json")
        env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.folder),
               "GAMEDAY_STATE": str(self.folder / "state"), "GAMEDAY_INVENTORY": str(self.inventory)}  # fmt: skip
        return Console(
            subprocess.Popen(
                [sys.executable, *GAMEDAY[1:], *words], env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    base = tmp_path_factory.getbasetemp()
    with (
        machine(tmp_path_factory.mktemp("greenfin"), base) as greenfin,
        machine(tmp_path_factory.mktemp("redfin"), base) as redfin,
    ):
        greenfin.cable_to(redfin, "10.253.0.1/30", "10.253.0.2/30")
        yield greenfin, redfin


@pytest.fixture
def two(machines: tuple[Machine, Machine], tmp_path: Path) -> Iterator[Two]:
    made = Two(*machines, tmp_path)
    nodes = {name: msgspec.to_builtins(on.spec("/run/gameday")) for name, on in zip(NAMES, machines, strict=True)}
    for node in nodes.values():
        for empty in [key for key, value in node.items() if value in ("", [], {})]:
            del node[empty]
        node["services"] = {"dbus": {"unit": "dbus.service"}}
    nodes["redfin"]["peer_address"] = "10.253.0.2"
    document = {
        "version": 1, "name": "two", "nodes": nodes, "lease_s": LEASE_S, "approvals": {"medium": {"quorum": 0}},
    }  # fmt: skip
    made.inventory.write_text(yaml.safe_dump(json.loads(json.dumps(document))))
    (tmp_path / "cut.yaml").write_text(SCENARIO)
    yield made
    made.greenfin.mend()


NAMES = ("greenfin", "redfin")


def until(holds: Callable[[], bool], limit_s: float, what: str) -> float:
    """For how long it took, in seconds."""
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < limit_s, what
        time.sleep(0.05)
    return time.monotonic() - begun_s


async def observing(console: Console) -> None:
    """Follow the console until its effect is proven."""
    asyncio.get_running_loop().run_in_executor(None, console.read)
    reached = await asyncio.to_thread(console.reaches, "observe", 60.0)
    assert reached, console.lines[-8:]


async def test_a_partition_ends_with_its_console(two: Two) -> None:
    before = two.rules()
    console = two.start()
    await observing(console)
    assert two.rules() != before
    console.process.kill()
    console.process.wait()
    until(lambda: two.rules() == before, IN_TIME_S, "the rules outlived the console")
    console.close()


@asynccontextmanager
async def watched(two: Two) -> AsyncIterator[Fleet]:
    """The fleet as a console's panes show it."""
    fleet = Fleet(load_inventory(two.inventory))
    fleet.listen(lambda _: None)
    await fleet.start()
    try:
        yield fleet
    finally:
        await fleet.close()


async def test_a_console_that_is_cut_off_from_the_node_passes_nothing_and_says_so(two: Two) -> None:
    before = two.rules()
    async with watched(two) as fleet:
        console = two.start()
        await observing(console)
        two.greenfin.cut()
        cut_s = time.time()
        await asyncio.to_thread(until, lambda: two.rules() == before, IN_TIME_S, "the fault outlived the link")
        async with asyncio.timeout(20):
            while not (told := pane_of(fleet, "greenfin")[0]).startswith("✗ unreachable"):
                await asyncio.sleep(0.1)
        age = re.fullmatch(r"✗ unreachable (\d+) s ago", told)
        assert age, told
        assert abs(int(age[1]) - (time.time() - cut_s)) < 3
        assert pane_of(fleet, "redfin")[0] == "● up"
        two.greenfin.mend()
        assert await asyncio.to_thread(console.reaches, "ended", 60.0)
    result = json.loads(console.lines[-1])
    assert (result["outcome"], result["reason"]) == ("aborted", "lease-lost"), console.lines[-1]
    assert console.process.wait() == 4
    console.close()


def pane_of(fleet: Fleet, name: str) -> list[str]:
    """The lines of the node's pane now."""
    return [line.plain.strip() for line in pane_lines(fleet.view(name), time.time(), 60, 20)]
