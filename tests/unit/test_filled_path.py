"""What watches a disk looks where the scenario's own fault fills it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from console.errors import BadInput
from console.plan import library
from console.plan.inventory import Inventory, Node, Service
from console.plan.probe import FilesystemProbe
from console.plan.resolve import resolve
from console.plan.scenario import Scenario, load_scenario

GATEWAY = Service(unit="gw.service", health="http://127.0.0.1:8080/health")
KNOWN = Inventory(version=1, name="lab", nodes={"redfin": Node("192.0.2.1", services={"llm-gateway": GATEWAY})})


def watched(scenario: Scenario) -> set[str]:
    made = resolve(scenario, KNOWN, operator="ada", run="k3m9wxyz", created=datetime(2026, 11, 21, tzinfo=UTC))
    return {item.probe.path for item in made.scenario.expectations if isinstance(item.probe, FilesystemProbe)}


def test_the_probes_follow_the_fault_to_another_path() -> None:
    file = library.find("disk-fill", None)
    assert watched(load_scenario(file)) == {"/tmp"}
    assert watched(load_scenario(file, {"path": "/var/tmp"})) == {"/var/tmp"}


def test_without_a_fault_that_fills_the_node_the_path_must_be_named() -> None:
    scenario = msgspec.structs.replace(load_scenario(library.find("disk-fill", None)), method=())
    with pytest.raises(BadInput, match="no disk-fill of this scenario fills a path on redfin"):
        watched(scenario)
