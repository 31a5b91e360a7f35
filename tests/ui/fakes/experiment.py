"""The experiments of the list, and what their nodes lack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.plan.scenario import Scenario
from console.run.readiness import Readiness
from console.terms import Category, Risk, Status


@dataclass(frozen=True)
class FakeExperiment:
    scenario: Scenario
    problem: str = ""
    needs: Sequence[Readiness] = ()
    approval: str = "none"
    last: str = ""
    runbook: str = (
        "# When the gateway dies\n\n1. Look at `systemctl status llm-gateway`.\n2. If it is `failed`, start it.\n"
    )


def ready(node: str) -> Readiness:
    return Readiness(node, Status.PASS, ())


def others() -> list[FakeExperiment]:
    made = []
    for name, title, category, risk, approval, problem, last in (
        (
            "service-stack-restart",
            "Restart the service stack one by one",
            Category.SERVICE,
            Risk.LOW,
            "none",
            "",
            "FAIL",
        ),
        (
            "network-partition",
            "Cut greenfin off from redfin",
            Category.NETWORK,
            Risk.MEDIUM,
            "1 tpm",
            "lacks iptables on greenfin (apt install iptables)",
            "",
        ),
        (
            "disk-fill",
            "Fill /tmp on redfin",
            Category.RESOURCE,
            Risk.MEDIUM,
            "1 tpm",
            "/tmp on redfin is not a disk of its own",
            "",
        ),
        ("postgres-crash", "Crash PostgreSQL", Category.DATABASE, Risk.HIGH, "3 council", "", "PASS"),
        (
            "node-reboot",
            "Reboot a whole node",
            Category.NODE,
            Risk.HIGH,
            "3 council",
            "greenfin has no power_on command",
            "",
        ),
    ):
        scenario = Scenario(
            name=name,
            title=title,
            category=category,
            risk=risk,
            purpose=title,
            hypothesis="it recovers",
            rollback="none",
        )
        made.append(FakeExperiment(scenario, problem, (), approval, last, ""))
    return made
