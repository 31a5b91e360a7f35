"""What is for development and test only is refused where the inventory says production; stores are found by name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from console.errors import BadInput
from console.faults.process_signal import ProcessSignal
from console.plan.inventory import Inventory, Node, Service, Store, load_inventory
from console.plan.plan import Plan
from console.plan.resolve import resolve
from console.plan.scenario import Action, Scenario
from console.run.rails import production_rails
from console.terms import Category, Reason, Risk

CREATED = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
SIGIL = Service(unit="sigil.service", process="sigil")


def inventory(service: Service = SIGIL, *, production: bool = False) -> Inventory:
    node = Node(address="192.0.2.1", services={"sigil": service}, production=production)
    store = Store(node="bluefin", service="sigil", path="/srv/sigil", url="http://127.0.0.1:7070/records")
    return Inventory(version=1, name="test", nodes={"bluefin": node}, stores={"sigil": store})


def scenario(**words: Any) -> Scenario:
    return Scenario(
        name="kill", title="kill", category=Category.SERVICE, risk=Risk.LOW, purpose="p", hypothesis="h", rollback="r",
        method=(Action(node="bluefin", fault=ProcessSignal(), **words),),
    )  # fmt: skip


def made(found: Inventory, **words: Any) -> Plan:
    return resolve(scenario(**words), found, operator="ada", run="k3m9wxyz", created=CREATED)


PRODUCTION = [
    (inventory(production=True), "bluefin is marked production"),
    (inventory(msgspec.structs.replace(SIGIL, production=True)), "sigil on bluefin is marked production"),
]


@pytest.mark.parametrize(("found", "said"), PRODUCTION, ids=["node", "service"])
def test_what_is_for_development_is_refused_on_production(
    monkeypatch: pytest.MonkeyPatch, found: Inventory, said: str
) -> None:
    plan = made(found, service="sigil")
    assert production_rails(plan, found) == []
    monkeypatch.setattr(ProcessSignal, "development_only", True)
    (rail,) = production_rails(plan, found)
    assert rail.what.startswith(said)
    assert rail.reason is Reason.REFUSED


def test_what_is_for_development_may_go_where_nothing_is_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessSignal, "development_only", True)
    other = Service(unit="other.service", production=True)
    found = inventory()
    node = msgspec.structs.replace(found.nodes["bluefin"], services={"sigil": SIGIL, "other": other})
    found = msgspec.structs.replace(found, nodes={"bluefin": node})
    assert production_rails(made(found, service="sigil"), found) == []


def test_a_store_brings_its_unit_and_how_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProcessSignal, "needs_store", True)
    monkeypatch.setattr(ProcessSignal, "needs_process", False)
    target = made(inventory(), store="sigil").actions[0].target
    assert target.units == ("sigil.service",)
    assert target.store is not None
    assert (target.store.path, target.store.url) == ("/srv/sigil", "http://127.0.0.1:7070/records")


@pytest.mark.parametrize(
    ("words", "needs", "said"),
    [
        ({"store": "sigill"}, True, "no store is named 'sigill' in the inventory, did you mean 'sigil'?"),
        ({"service": "sigil"}, True, "process-signal needs 'store'"),
        ({"store": "sigil"}, False, "process-signal has no 'store'"),
    ],
)
def test_a_store_that_is_missing_or_in_the_wrong_place_is_said(
    monkeypatch: pytest.MonkeyPatch, words: dict[str, str], needs: bool, said: str
) -> None:
    monkeypatch.setattr(ProcessSignal, "needs_store", needs)
    monkeypatch.setattr(ProcessSignal, "needs_process", False)
    with pytest.raises(BadInput) as caught:
        made(inventory(), **words)
    assert said in str(caught.value)


def test_a_store_is_asked_in_one_way(tmp_path: Path) -> None:
    text = """version: 1
name: x
nodes: {a: {address: 192.0.2.1, services: {s: {unit: s.service}}}}
stores:
  one: {node: a, service: s, path: /srv/one}
"""
    file = tmp_path / "inventory.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_inventory(file)
    assert str(caught.value) == f"{file}:5: 'stores.one' needs either 'url' or 'command'"
