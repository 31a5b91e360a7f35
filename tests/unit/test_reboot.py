"""A node through a reboot as the console sees it, and the countdown of a lease on its pane."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from console.errors import NodeUnreachable
from console.faults.base import Scripts, Target
from console.faults.node_reboot import NodeReboot
from console.fleet import NodeView
from console.nodes.ssh import Completed
from console.nodes.sweep import Trace
from console.plan.inventory import Node
from console.plan.plan import PlannedAction, PlannedNode
from console.run import reboot
from console.run.reboot import Reboot


class Machine:
    """Answers with its boot id while it is on; a shutdown is under way when `going`."""

    name = "redfin"
    where = "redfin (10.0.0.1:22)"
    why = "connection refused"

    def __init__(self) -> None:
        self.boot = "b1"
        self.on = True
        self.going = True
        self.started = Path()

    async def run(self, command: str, **_: object) -> Completed:
        if not self.on and not self.started.is_file():
            raise NodeUnreachable("connection refused")
        if not self.on:
            self.boot = "b2"
        if "is-system-running" in command:
            return Completed(0, "stopping\n" if self.going else "running\n", "")
        return Completed(0, f"{self.boot}\n", "")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    monkeypatch.setattr(reboot, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(reboot, "GOING_LIMIT_S", 0.2)
    made = Machine()
    made.started = tmp_path / "started"
    return made


def watched(machine: Any, *, power_on: tuple[str, ...] = (), **parameters: Any) -> Reboot:
    action = PlannedAction(
        node="redfin",
        fault=NodeReboot(**parameters),
        target=Target(node="redfin", run="r1"),
        scripts=Scripts(inject="", effect="", revert="", clean=""),
        blast_radius="-",
    )
    planned = PlannedNode(
        name="redfin", address="10.0.0.1", port=22, user="", sudo=True, run_dir="/run/gameday", units={},
        power_on=power_on,
    )  # fmt: skip
    return Reboot(machine, planned, action, time.time)


async def test_a_node_that_is_off_is_switched_on_in_its_time(machine: Machine) -> None:
    made = watched(machine, power_on=("touch", str(machine.started)), how="poweroff", off_s=0.3, back_s=10)
    await made.begin()
    machine.on = False
    assert await made.wait_back()
    assert re.fullmatch(r"at \d\d:\d\d:\d\d UTC: exit 0", made.power_told)
    assert made.gone_at_s
    assert made.back_at_s
    assert made.back_at_s - made.gone_at_s >= 0.2
    await made.stop()


async def test_a_node_that_stays_away_is_switched_on_by_the_revert(machine: Machine) -> None:
    made = watched(machine, power_on=("touch", str(machine.started)), back_s=0.5)
    await made.begin()
    machine.on = False
    assert not await made.wait_back()
    assert made.why_not == "redfin is not back: connection refused"
    assert await made.bring_back()
    assert re.fullmatch(r"at \d\d:\d\d:\d\d UTC: exit 0", made.power_told)
    await made.stop()


async def test_a_node_that_cannot_be_switched_on_is_not_there(machine: Machine) -> None:
    made = watched(machine, power_on=("sh", "-c", "echo no such outlet; exit 4"), back_s=0.3)
    await made.begin()
    machine.on = False
    assert not await made.bring_back()
    told = r"redfin is not back: connection refused; power_on was run at [\d:]+ UTC: exit 4: no such outlet"
    assert re.fullmatch(told, made.why_not)
    await made.stop()


async def test_a_node_that_does_not_go_is_not_waited_for(machine: Machine) -> None:
    machine.going = False
    made = watched(machine, back_s=30)
    await made.begin()
    began_s = time.monotonic()
    assert not await made.wait_back()
    assert time.monotonic() - began_s < 10
    assert made.why_not == "redfin has not gone down: it is still in the same boot"
    assert await made.bring_back()
    await made.stop()


async def test_what_was_never_let_go_is_not_waited_for(machine: Machine) -> None:
    assert await watched(machine, back_s=30).bring_back()


@pytest.mark.parametrize(("now_s", "left_s"), [(100.0, 7.5), (103.0, 4.5), (120.0, 0.0), (99.0, 7.5)])
def test_a_lease_counts_down_on_the_pane_between_two_looks(now_s: float, left_s: float) -> None:
    held = Trace("redfin", "r1", "ann", "held", 7.5, "a living guard")
    view = NodeView(
        name="redfin", spec=Node(address="x"), up=True, why="", seen_at_s=None, sample=None, history={},
        connections=None, connections_at_s=None, traces=(held,), has=None, traces_at_s=100.0,
    )  # fmt: skip
    assert view.lease_left_at(now_s) == left_s
