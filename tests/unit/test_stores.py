"""Stores in a plan and at its end: how they are asked is signed, and what became of the records is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from console import events as ev
from console.brief import ItemBrief
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
from console.run.stores import Stores
from console.state import RunState, fold_all
from console.terms import Category, Risk, Status
from console.tui.families import families
from tests.unit.runs import passed_events

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


def test_what_a_store_tells_at_the_end_stands_for_what_was_seen_of_it_before() -> None:
    lost = ev.ExpectationJudged(at_s=1.0, id="kept", status=FAIL, observed="3 of 7 gone", data_lost=True)
    started = msgspec.structs.replace(passed_events()[0], expectations=(ItemBrief("kept", "kept"),))
    state = fold_all([started, lost])
    fleet: Any = SimpleNamespace(inventory=inventory())
    assert asyncio.run(post_data(fleet, None, state, [KEPT])).evidence == "3 of 7 gone; kept"
    assert asyncio.run(post_data(fleet, None, state, [LOST])).evidence == "lost"


def test_the_records_of_each_second_are_drawn_and_what_went_unseen_is_a_hole() -> None:
    fleet: Any = SimpleNamespace(node=lambda name: SimpleNamespace(name=name))
    stores = Stores(plan(), fleet)
    writer = stores.writers["sigil"]
    assert stores.rates("bluefin", 9.0) == {}
    writer._begun, writer.why = True, ""
    assert stores.rates("bluefin", 10.0) == {}
    for line in (
        "!\t1\t5.0\t0.1",
        "!\t2\t5.1\t0.1",
        "!\t3\t5.2\t0.1",
        "~\t4\t9.2\t4.0\tno answer",
        "-\t5\t9.3\t0.1\t507\t",
    ):
        assert writer.ledger.take(line, 11.0)
    assert stores.rates("bluefin", 10.5) == {}
    assert stores.rates("redfin", 12.0) == {}
    seen = stores.rates("bluefin", 12.0)
    assert seen == {"acknowledged:sigil": 1.5, "refused:sigil": 1.0}
    writer.why = "the link broke"
    assert stores.rates("bluefin", 14.0) == {}
    drawn = families(fold_all([ev.Sampled(at_s=12.0, node="bluefin", values=seen)]))["writes"]
    assert [(series.label, series.value) for series in drawn] == [
        ("sigil acknowledged", "2/s"),
        ("sigil refused", "1/s"),
    ]
