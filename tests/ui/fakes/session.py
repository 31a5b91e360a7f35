"""A session that lives in memory, on the fleet of the practice lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from console import events as ev
from console.errors import BadInput
from console.plan.inventory import Node
from console.plan.plan import Plan
from console.terms import Outcome, Reason
from tests.ui import recordings
from tests.ui.fakes.experiment import FakeExperiment, others, ready
from tests.ui.fakes.history import FakeRecording, FakeSummary
from tests.ui.fakes.modes import FakeModes
from tests.ui.fakes.node import FakeNode, FakeSample, FakeService, wave
from tests.ui.fakes.plans import flood_scenario, gateway_scenario, inventory, plan_for
from tests.ui.fakes.run import FakeRun, Subject
from tests.ui.recordings import START_S


class FakeSession(Subject):
    """The fleet of the practice lab, with a clock that stands still until a test moves it."""

    def __init__(self, tmp: Path, *, read_only: bool = False, now_s: float = START_S) -> None:
        super().__init__()
        self.inventory = inventory()
        self.read_only = read_only
        self.now_s = now_s
        self.outbox_count = 0
        self.log: Sequence[str] = ()
        self.copy_file = tmp / "copied.txt"
        self.run = FakeRun([recordings.gateway_started(), *recordings.gateway_checklist()])
        self.modes = FakeModes(lambda: self.run)
        self.prepared: list[str] = []
        self.past: list[FakeSummary] = [
            FakeSummary("k3n9m2pq", "llm-gateway-kill", START_S - 3600, Outcome.PASSED),
            FakeSummary(
                "b8t5n3wd",
                "service-stack-restart",
                START_S - 86_400,
                Outcome.FAILED,
                Reason.EXPECTATION,
                verdict="FAIL",
            ),
            FakeSummary(
                "p4r6y2vz",
                "llm-gateway-kill",
                START_S - 90_000,
                Outcome.ABORTED,
                Reason.INTERRUPTED,
                verdict="",
                delivered=False,
            ),
        ]
        self.journal: Sequence[ev.AnyEvent] = recordings.gateway_passed()
        self.fleet: dict[str, FakeNode] = {name: self._node(name, spec) for name, spec in self.inventory.nodes.items()}
        self._experiments = [
            FakeExperiment(gateway_scenario(), needs=(ready("bluefin"), ready("redfin")), last="PASS"),
            FakeExperiment(flood_scenario(), needs=(ready("bluefin"),), approval="1 tpm"),
            *others(),
        ]

    def _node(self, name: str, spec: Node) -> FakeNode:
        services = {service: FakeService() for service in spec.services}
        base = {"redfin": 31.0, "bluefin": 12.0, "greenfin": 6.0}[name]
        history = {
            "cpu_pct": wave(base, base / 2, now_s=self.now_s),
            "memory_used_pct": wave(base + 25, 3, now_s=self.now_s, hole=(60, 40)),
        }
        database = name == "bluefin"
        if database:
            history["connections"] = wave(12, 3, now_s=self.now_s)
        return FakeNode(
            name,
            spec,
            seen_at_s=self.now_s,
            history=history,
            sample=FakeSample(
                self.now_s,
                cpu_pct=base,
                services=services,
                disks=dict.fromkeys(spec.disks, (212000000000, 480000000000)),
            ),
            connections=(12, 60) if database else None,
            connections_at_s=self.now_s if database else None,
        )

    def see_all(self) -> None:
        """Every node was seen just now."""
        self.fleet = {name: replace(node, seen_at_s=self.now_s) for name, node in self.fleet.items()}

    def set_node(self, name: str, **changes: object) -> None:
        self.fleet[name] = replace(self.fleet[name], **changes)  # type: ignore[arg-type]
        self.changed()

    def set_experiment(self, name: str, **changes: object) -> None:
        self._experiments = [
            replace(e, **changes) if e.scenario.name == name else e  # type: ignore[arg-type]
            for e in self._experiments
        ]

    def clock(self) -> float:
        return self.now_s

    def experiments(self) -> Sequence[FakeExperiment]:
        return self._experiments

    def preview(self, name: str, overrides: dict[str, str]) -> Plan:
        experiment = next(e for e in self._experiments if e.scenario.name == name)
        if "signal" in overrides and overrides["signal"] not in ("TERM", "KILL"):
            raise BadInput(f"'signal' cannot be '{overrides['signal']}': it must be one of TERM, KILL")
        return msgspec.structs.replace(plan_for(experiment.scenario), trials=int(overrides.get("trials", "1")))

    async def prepare(self, name: str, overrides: dict[str, str]) -> FakeRun:
        self.prepared.append(name)
        return self.run

    def runs(self) -> Sequence[FakeSummary]:
        return self.past

    def load_run(self, run: str) -> FakeRecording:
        return FakeRecording(self.journal)
