"""Stores in a plan and at its end: how they are asked is signed, and what became of the records is told."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from console.errors import BadInput, Refused
from console.plan.inventory import Inventory, Node, Service, Store
from console.plan.plan import Plan, check_against
from console.plan.preview import render
from console.plan.probe import StoreProbe
from console.plan.resolve import resolve
from console.plan.scenario import Expectation, Scenario
from console.run.checklist import Finding, post_data, post_items
from console.run.rails import production_rails
from console.run.readiness import wanted
from console.state import RunState
from console.terms import Category, Risk, Status

PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN
SIGIL = Store(node="bluefin", service="sigil", path="/srv/sigil", url="http://127.0.0.1:7070/records")


def inventory(store: Store = SIGIL, *, production: bool = False) -> Inventory:
    service = Service(unit="sigil.service", production=production)
    nodes = {"bluefin": Node(address="192.0.2.1", services={"sigil": service}, sudo=False)}
    return Inventory(version=1, name="test", nodes=nodes, stores={"sigil": store})


def plan(store: str = "sigil", state: str = "writes", says: str = "") -> Plan:
    probe = StoreProbe(store=store, state=state, says=says)  # type: ignore[arg-type]
    scenario = Scenario(
        name="watch", title="watch", category=Category.RESOURCE, risk=Risk.LOW, purpose="p", hypothesis="h",
        rollback="r", expectations=(Expectation(id="kept", title="kept", probe=probe),),
    )  # fmt: skip
    created = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
    return resolve(scenario, inventory(), operator="ada", run="k3m9wxyz", created=created)


def test_how_a_store_is_asked_is_in_the_plan_and_shown_to_who_signs() -> None:
    made = plan()
    probe = made.scenario.expectations[0].probe
    assert isinstance(probe, StoreProbe)
    assert (probe.node, probe.url, probe.run) == ("bluefin", "http://127.0.0.1:7070/records", "k3m9wxyz")
    assert "store sigil at http://127.0.0.1:7070/records acknowledges records" in render(made)
    assert [node.name for node in made.nodes] == ["bluefin"]
    assert "python3" in wanted(made, "bluefin")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"store": "sigl"}, "no store is named 'sigl' in the inventory, did you mean 'sigil'?"),
        ({"state": "refuses", "says": "full|("}, "'says' is no regular expression"),
        ({"state": "whole", "says": "full"}, "'says' is for the state 'refuses'"),
    ],
)
def test_a_store_probe_that_cannot_be_asked_is_bad_input(words: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan(**words)
    assert said in str(caught.value)


def test_a_plan_whose_store_is_another_one_now_is_refused() -> None:
    check_against(plan(), inventory())
    elsewhere = msgspec.structs.replace(SIGIL, url="http://127.0.0.1:9999/records")
    with pytest.raises(Refused, match="store 'sigil' is another than the plan's"):
        check_against(plan(), inventory(elsewhere))


def test_nothing_is_written_into_a_store_of_production() -> None:
    assert production_rails(plan(), inventory()) == []
    (rail,) = production_rails(plan(), inventory(production=True))
    assert rail.what.startswith("store sigil on bluefin is marked production")


def test_a_run_with_a_store_verifies_by_itself_that_nothing_was_lost() -> None:
    item = next(item for item in post_items(plan(), inventory()) if item.id == "no-data-loss")
    assert (item.automatic, item.required) == (True, True)


KEPT, LOST, UNTOLD = Finding(PASS, "kept"), Finding(FAIL, "lost"), Finding(UNKNOWN, "untold")
FOUND: list[tuple[list[Finding], Status, str]] = [
    ([KEPT], PASS, "kept"),
    ([KEPT, UNTOLD], UNKNOWN, "untold; kept"),
    ([UNTOLD, KEPT, LOST], FAIL, "lost; untold; kept"),
]


@pytest.mark.parametrize(("found", "status", "evidence"), FOUND)
async def test_what_one_store_lost_or_could_not_tell_outweighs_what_the_others_kept(
    found: list[Finding], status: Status, evidence: str
) -> None:
    fleet: Any = SimpleNamespace(inventory=inventory())
    told = await post_data(fleet, None, RunState(), found)
    assert (told.status, told.evidence) == (status, evidence)
