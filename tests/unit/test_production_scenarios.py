"""Every shipped scenario that is for development and test only is refused where node or service is production."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from console.plan import library
from console.plan.inventory import Inventory, Node, load_inventory
from console.plan.plan import Plan
from console.plan.resolve import resolve
from console.run.rails import production_rails
from console.terms import Reason
from tests.shipped import SCENARIOS

SUITES = {"store", "lightning", "modes", "components"}
FOR_DEVELOPMENT = sorted(
    name
    for name, scenario in SCENARIOS.items()
    if SUITES & set(scenario.suites) or any(action.fault.development_only for action in scenario.method)
)
EXAMPLE = load_inventory(library.shipped() / "example" / "inventory.yaml")


def planned(name: str, inventory: Inventory) -> Plan:
    created = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
    return resolve(SCENARIOS[name], inventory, operator="ada", run="k3m9wxyz", created=created)


def marked(inventory: Inventory, plan: Plan, what: str) -> Inventory:
    """The inventory with that node, or with only the service that is hit there, marked production."""
    (action,) = plan.actions
    node = inventory.nodes[action.node]
    if what == "node":
        changed = msgspec.structs.replace(node, production=True)
    else:
        hit = {
            name: msgspec.structs.replace(service, production=service.unit in action.target.units)
            for name, service in node.services.items()
        }
        changed = msgspec.structs.replace(node, services=hit)
    nodes: dict[str, Node] = {**inventory.nodes, action.node: changed}
    return msgspec.structs.replace(inventory, nodes=nodes)


def test_the_suites_for_development_hold_every_scenario_that_says_so() -> None:
    assert {"sigil-disk-full", "lightning-read-only", "worker-kill", "eventbus-delay"} <= set(FOR_DEVELOPMENT)
    assert all(SUITES & set(SCENARIOS[name].suites) for name in FOR_DEVELOPMENT)


@pytest.mark.parametrize("what", ["node", "service"])
@pytest.mark.parametrize("name", FOR_DEVELOPMENT)
def test_a_scenario_for_development_is_refused_on_production(name: str, what: str) -> None:
    plan = planned(name, EXAMPLE)
    assert production_rails(plan, EXAMPLE) == []
    production = marked(EXAMPLE, plan, what)
    again = planned(name, production)  # a plan can still be made and read; it is never launched
    found = production_rails(again, production)
    assert found
    assert {rail.reason for rail in found} == {Reason.REFUSED}
    assert all("is marked production in the inventory" in rail.what for rail in found)
