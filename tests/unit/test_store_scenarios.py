"""The store's scenarios as they are shipped: refused on production, and each with what its requirement asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from console.errors import BadInput
from console.faults.process_signal import ProcessSignal
from console.plan.inventory import Inventory, load_inventory
from console.plan.plan import Plan
from console.plan.probe import FilesystemProbe, SecondOpenerProbe
from console.plan.resolve import resolve
from console.plan.scenario import Scenario
from console.probes.service import ServiceProber, UnitSeen
from console.run.rails import production_rails
from console.terms import Reason, Status
from tests.shipped import SCENARIOS, members

SHIPPED = Path(__file__).parents[2] / "scenarios"
NAMES = members("store", "lightning")


def example(**node: object) -> Inventory:
    """The example inventory, with bluefin changed."""
    found = load_inventory(SHIPPED / "example" / "inventory.yaml")
    bluefin = found.nodes["bluefin"]
    changed = msgspec.structs.replace(bluefin, **node)
    return msgspec.structs.replace(found, nodes={**found.nodes, "bluefin": changed})


def made(scenario: Scenario, inventory: Inventory) -> Plan:
    return resolve(scenario, inventory, operator="ada", run="k3m9wxyz", created=datetime(2026, 11, 21, tzinfo=UTC))


def test_the_suites_hold_the_seven() -> None:
    assert sorted(NAMES) == [
        "lightning-disk-full", "lightning-read-only", "sigil-disk-full", "sigil-leveldb-lock",
        "sigil-read-only-filesystem", "sigil-store-unmounted", "sigil-stray-lock",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_each_is_refused_on_production_and_nowhere_else(name: str) -> None:
    scenario = SCENARIOS[name]
    assert production_rails(made(scenario, example()), example()) == []
    rails = production_rails(made(scenario, example(production=True)), example(production=True))
    assert rails
    assert {rail.reason for rail in rails} == {Reason.REFUSED}
    marked = example()
    services = {
        key: msgspec.structs.replace(item, production=True) for key, item in marked.nodes["bluefin"].services.items()
    }
    marked = example(services=services)
    assert production_rails(made(scenario, marked), marked)


@pytest.mark.parametrize("name", NAMES)
def test_each_reads_everything_back_at_its_end(name: str) -> None:
    last = {item.id: item for item in SCENARIOS[name].expectations}["whole"]
    assert (last.after, last.required) == ("revert", True)


def test_what_watches_a_filled_store_looks_where_its_files_are() -> None:
    plan = made(SCENARIOS["sigil-disk-full"], example())
    assert [p.path for e in plan.scenario.expectations if isinstance(p := e.probe, FilesystemProbe)] == ["/srv/sigil"]


def test_a_second_openers_probe_finds_its_fault_or_is_refused() -> None:
    scenario = SCENARIOS["sigil-leveldb-lock"]
    (asked,) = [
        p for e in made(scenario, example()).scenario.expectations if isinstance(p := e.probe, SecondOpenerProbe)
    ]
    assert (asked.node, asked.folder) == ("bluefin", "/run/gameday/k3m9wxyz/1")
    other = msgspec.structs.replace(
        scenario,
        method=(msgspec.structs.replace(scenario.method[0], fault=ProcessSignal(), store="", service="sigil"),),
    )
    with pytest.raises(BadInput, match="no store-second-opener of 'sigil' in the method"):
        made(other, example())


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (UnitSeen("active", "running", 1, "a", ""), Status.PASS),
        (UnitSeen("active", "running", 2, "b", ""), Status.FAIL),
        (UnitSeen("active", "running", 0, "b", ""), Status.FAIL),
        (UnitSeen("activating", "auto-restart", 1, "a", ""), Status.FAIL),
    ],
)
def test_a_service_is_undisturbed_only_while_it_is_the_one_of_the_baseline(now: UnitSeen, status: Status) -> None:
    plan = made(SCENARIOS["sigil-disk-full"], example())
    probe = next(e.probe for e in plan.scenario.expectations if e.id == "same-process")
    prober = ServiceProber(probe, None)  # type: ignore[arg-type]
    prober._before = UnitSeen("active", "running", 1, "a", "")
    assert prober.judge(now)[0] is status
