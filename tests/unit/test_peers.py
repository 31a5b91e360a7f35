"""Faults and questions between two nodes: addresses come from the inventory, and the way in is never cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from console.errors import Refused
from console.faults.network_partition import NetworkPartition
from console.plan import plan
from console.plan.inventory import Inventory, Node, Service
from console.plan.preview import render
from console.plan.probe import HttpProbe, PingProbe
from console.plan.resolve import resolve
from console.plan.scenario import Action, Scenario, SteadyState
from console.terms import Category, Risk

GATEWAY = Service(unit="gw.service", health="http://127.0.0.1:8080/health")
SCENARIO = Scenario(
    name="cut", title="t", category=Category.NETWORK, risk=Risk.MEDIUM, purpose="p", hypothesis="h", rollback="r",
    method=(Action(node="greenfin", peer="redfin", fault=NetworkPartition()),),
    steady_state=(
        SteadyState("own", "t", HttpProbe("redfin", "gw")),
        SteadyState("seen", "t", HttpProbe("redfin", "gw", from_node="greenfin", expect="no-answer")),
        SteadyState("told", "t", HttpProbe("redfin", url="http://redfin/", from_node="greenfin")),
        SteadyState("ping", "t", PingProbe("greenfin", "redfin")),
    ),
)  # fmt: skip


def inventory(*, greenfin: dict[str, Any] | None = None, redfin: dict[str, Any] | None = None) -> Inventory:
    nodes = {
        "greenfin": Node(**{"address": "192.0.2.3", **(greenfin or {})}),
        "redfin": Node(**{"address": "192.0.2.1", "port": 2201, "services": {"gw": GATEWAY}, **(redfin or {})}),
    }
    return Inventory(version=1, name="lab", nodes=nodes)


def resolved(known: Inventory) -> plan.Plan:
    return resolve(SCENARIO, known, operator="ada", run="k3m9wxyz", created=datetime(2026, 11, 21, tzinfo=UTC))


@pytest.mark.parametrize(("redfin", "address"), [({}, "192.0.2.1"), ({"peer_address": "10.0.0.1"}, "10.0.0.1")])
def test_a_peer_is_named_by_the_address_at_which_other_nodes_reach_it(redfin: dict[str, Any], address: str) -> None:
    made = resolved(inventory(redfin=redfin))
    target = made.actions[0].target
    assert (target.peer, target.peers, target.peer_port) == ("redfin", (address,), 2201)
    urls = [item.probe.url for item in made.scenario.steady_state if isinstance(item.probe, HttpProbe)]
    assert urls == ["http://127.0.0.1:8080/health", f"http://{address}:8080/health", "http://redfin/"]
    assert made.scenario.steady_state[3].probe == PingProbe("greenfin", "redfin", address)
    assert [node.name for node in made.nodes] == ["greenfin", "redfin"]


def test_the_plan_says_exactly_what_is_cut_and_what_is_asked_from_where() -> None:
    text = render(resolved(inventory()))
    assert (
        "Between greenfin and redfin (192.0.2.1) nothing passes in either direction for 60 s, open connections included"
    ) in text
    assert "between greenfin and redfin: network-partition, held for 60 s" in text
    assert "on greenfin: GET http://192.0.2.1:8080/health gets no answer" in text
    assert "on greenfin: ping 192.0.2.1 (redfin): answer" in text


@pytest.mark.parametrize("jump", ["redfin", "ann@192.0.2.1:2222", "10.0.0.1"])
def test_the_jump_host_is_never_the_peer(jump: str) -> None:
    with pytest.raises(Refused, match="redfin is the jump host by which the console reaches it"):
        resolved(inventory(greenfin={"jump": jump}, redfin={"peer_address": "10.0.0.1"}))
    resolved(inventory(greenfin={"jump": "elsewhere"}))


def test_a_plan_whose_peer_has_moved_is_refused() -> None:
    made = resolved(inventory())
    plan.check_against(made, inventory())
    with pytest.raises(Refused, match=r"'redfin' is not reached at 192\.0\.2\.1 any more"):
        plan.check_against(made, inventory(redfin={"peer_address": "10.0.0.1"}))


def test_a_run_id_that_no_chain_can_carry_is_refused() -> None:
    made = resolved(inventory())
    with pytest.raises(Refused, match="too long for a chain's name"):
        NetworkPartition().scripts(msgspec.structs.replace(made.actions[0].target, run="x" * 18))
    NetworkPartition().scripts(msgspec.structs.replace(made.actions[0].target, run="x" * 17))
