"""What a node lacks is told by name, with how to get it, and what nobody knows is never ready."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from console.faults import AnyFault, needs
from console.faults.base import Fault
from console.faults.needs import NEEDS, Answer, answers, question
from console.fleet import NodeView
from console.nodes.capabilities import checks
from console.plan.inventory import Inventory, load_inventory
from console.plan.plan import Plan
from console.plan.resolve import resolve
from console.plan.scenario import load_scenario
from console.run.rails import known_rails
from console.run.readiness import readiness, wanted
from console.terms import Reason, Risk, Status

BROKEN = Path(__file__).parent / "broken"
ALL_THERE = dict.fromkeys(NEEDS, Answer(Status.PASS))


def inventory(*, sudo: bool = True) -> Inventory:
    whole = load_inventory(BROKEN / "whole-inventory.yaml")
    redfin = msgspec.structs.replace(whole.nodes["redfin"], sudo=sudo)
    return msgspec.structs.replace(whole, nodes={"redfin": redfin})


def plan(*, risk: Risk = Risk.LOW, sudo: bool = True) -> Plan:
    scenario = msgspec.structs.replace(load_scenario(BROKEN / "whole-scenario.yaml"), risk=risk)
    return resolve(scenario, inventory(sudo=sudo), operator="ann", run="r1", created=datetime(2026, 11, 21, tzinfo=UTC))


def without(*names: str, said: str = "") -> dict[str, Answer]:
    return {**ALL_THERE, **dict.fromkeys(names, Answer(Status.FAIL, said))}


def view(has: Mapping[str, Answer] | None, why: str = "") -> NodeView:
    return NodeView(
        name="redfin", spec=inventory().nodes["redfin"], up=has is not None, why=why, seen_at_s=None, sample=None,
        history={}, connections=None, connections_at_s=None, traces=(), has=None if has is None else dict(has),
    )  # fmt: skip


def ask(path: Path) -> dict[str, Answer]:
    """The question put to a shell that knows the programs of that folder only."""
    text = question({"firewall": NEEDS["firewall"].check})
    done = subprocess.run(
        ["/bin/sh", "-s"], input=text, capture_output=True, text=True, check=True, env={"PATH": str(path)}
    )
    return answers(done.stdout)


def program(folder: Path, name: str, text: str = "") -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("fault", get_args(AnyFault), ids=lambda fault: fault.__name__)
def test_a_fault_needs_only_what_is_in_the_set(fault: type[Fault]) -> None:
    assert set(fault.needs) - set(NEEDS) == set()


def test_every_need_says_how_to_get_it_and_goes_by_its_own_name() -> None:
    assert [name for name, need in NEEDS.items() if need.name != name or not need.how] == []
    assert {"sudo", "firewall", "own-boot", "systemd-guard"} == set(checks())


def test_a_program_is_there_or_it_is_not(tmp_path: Path) -> None:
    program(tmp_path, "psql")
    found = ask(tmp_path)
    assert (found["psql"].status, found["stress-ng"].status) == (Status.PASS, Status.FAIL)


def test_a_program_that_may_not_be_run_is_not_there(tmp_path: Path) -> None:
    program(tmp_path, "psql")
    (tmp_path / "psql").chmod(0o644)
    assert ask(tmp_path)["psql"].status is Status.FAIL


def test_a_firewall_that_cannot_be_used_is_none_and_says_why(tmp_path: Path) -> None:
    program(tmp_path, "iptables", "echo 'Fatal: * \\n+ psql' >&2; exit 4")
    program(tmp_path, "ip6tables")
    found = ask(tmp_path)
    assert (found["iptables"].status, found["firewall"].status) == (Status.PASS, Status.FAIL)
    assert found["firewall"].said.startswith("Fatal: *")
    assert found["psql"].status is Status.FAIL


def test_a_firewall_is_that_of_ipv4_for_a_fault_says_itself_what_it_does_without_ipv6(tmp_path: Path) -> None:
    program(tmp_path, "iptables", "exit 3")
    program(tmp_path, "ip6tables")
    assert ask(tmp_path)["firewall"].status is Status.FAIL
    program(tmp_path, "iptables")
    program(tmp_path, "ip6tables", "exit 3")
    assert ask(tmp_path)["firewall"].status is Status.PASS


@pytest.mark.parametrize("text", ["", "sudo: a password is required", "+ psql\n+ awk\n"])
def test_what_a_node_does_not_say_is_unknown(text: str) -> None:
    assert {answer.status for answer in answers(text).values()} == {Status.UNKNOWN}


def test_a_node_that_has_everything_is_ready() -> None:
    found = readiness(plan(), "redfin", ALL_THERE)
    assert (found.status, found.line) == (Status.PASS, "✓ redfin: ready")


def test_what_is_lacking_is_named_with_how_to_get_it() -> None:
    found = readiness(plan(), "redfin", without("awk", "stress-ng"))
    assert (found.status, found.line) == (Status.FAIL, "✗ lacks awk on redfin (apt install mawk)")


def test_a_reason_that_the_node_gave_is_told() -> None:
    found = readiness(plan(), "redfin", without("sudo", said="sudo: a password is required"))
    assert "lacks sudo: sudo: a password is required on redfin (" in found.sentence


def test_what_has_a_substitute_is_told_and_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = plan()
    monkeypatch.setattr(type(chosen.actions[0].fault), "needs", ("awk", "stress-ng"))
    known = without("stress-ng")
    found = readiness(chosen, "redfin", known)
    assert (found.status, known_rails(chosen, view(known))) == (Status.PASS, [])
    assert found.sentence == "redfin: ready; no stress-ng (apt install stress-ng): a loop of its own does the work"


@pytest.mark.parametrize("known", [None, {}, {**ALL_THERE, "awk": Answer(Status.UNKNOWN, "only root can tell")}])
def test_what_nobody_knows_is_never_ready(known: dict[str, Answer] | None) -> None:
    found = readiness(plan(), "redfin", known, "connection refused" if known is None else "")
    assert found.status is Status.UNKNOWN
    assert found.line.startswith("? redfin: unknown: ")
    assert ("connection refused" in found.line) == (known is None)


def test_root_is_needed_where_the_inventory_says_sudo_and_nowhere_else() -> None:
    assert "sudo" in wanted(plan(sudo=True), "redfin")
    assert "sudo" not in wanted(plan(sudo=False), "redfin")


def test_high_risk_needs_the_guard_on_systemd_where_the_fault_acts() -> None:
    assert needs.SYSTEMD_GUARD in wanted(plan(risk=Risk.HIGH), "redfin")
    assert needs.SYSTEMD_GUARD not in wanted(plan(risk=Risk.MEDIUM), "redfin")


def test_a_node_that_accepts_the_shells_guard_needs_no_other() -> None:
    high = plan(risk=Risk.HIGH)
    nodes = tuple(msgspec.structs.replace(node, shell_guard_for_high=True) for node in high.nodes)
    assert needs.SYSTEMD_GUARD not in wanted(msgspec.structs.replace(high, nodes=nodes), "redfin")


def test_all_that_is_lacking_stands_in_the_way_at_once_each_with_its_fix() -> None:
    rails = known_rails(plan(), view(without("awk", "ps")))
    assert [(rail.what, rail.fix, rail.reason) for rail in rails] == [
        ("redfin lacks awk", "apt install mawk", Reason.REFUSED),
        ("redfin lacks ps", "apt install procps", Reason.REFUSED),
    ]


def test_what_is_unknown_stands_in_the_way_too() -> None:
    known = {**ALL_THERE, "awk": Answer(Status.UNKNOWN, "only root can tell")}
    assert [rail.what for rail in known_rails(plan(), view(known))] == [
        "redfin does not say whether it has awk: only root can tell"
    ]
    assert "cannot be asked: gone" in known_rails(plan(), view(None, "gone"))[0].what


def test_a_node_whose_traces_are_unknown_is_never_free() -> None:
    unseen = msgspec.structs.replace(view(ALL_THERE), traces=None)
    assert "cannot be asked" in known_rails(plan(), unseen)[0].what
