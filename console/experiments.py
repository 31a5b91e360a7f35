"""The list of experiments: each scenario that is known, whether it can run here, and how it went last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from console.errors import BadInput, GamedayError
from console.fleet import Fleet
from console.plan import library
from console.plan.inventory import Inventory
from console.plan.resolve import resolve
from console.plan.scenario import Scenario, load_scenario
from console.record import runs
from console.run.readiness import Readiness, readiness


class ExperimentView(msgspec.Struct, frozen=True):
    """A line of the list of experiments."""

    scenario: Scenario
    problem: str
    """Why it cannot run here; empty: nothing is known that stands in its way."""
    needs: tuple[Readiness, ...]
    """For each node of its plan, whether that has what the faults need."""
    approval: str
    """Like `none`, `1 tpm` or `3 council`."""
    last: str
    """What was signed last, `PASS` or `FAIL`; else the last run's outcome in words; empty: never run."""
    runbook: str
    """The runbook's Markdown; empty: there is none."""


class Experiments:
    """The scenarios of one inventory before its fleet; read again only where a file or an outcome has changed."""

    def __init__(self, inventory: Inventory, fleet: Fleet, clock: Callable[[], float]) -> None:
        self._inventory = inventory
        self._fleet = fleet
        self._clock = clock
        self._scenarios: dict[Path, tuple[float, Scenario | str]] = {}
        self._last: dict[str, str] | None = None

    def views(self) -> tuple[list[ExperimentView], tuple[str, ...]]:
        """Every scenario that can be understood, and what is wrong with the others, a sentence each."""
        views: list[ExperimentView] = []
        complaints: list[str] = []
        for file in library.all_files(self._inventory):
            scenario = self._scenario(file)
            if isinstance(scenario, str):
                complaints.append(scenario)
            else:
                views.append(self._view(scenario, file))
        return views, tuple(complaints)

    def forget_outcomes(self) -> None:
        """A run has ended: what was last is read again."""
        self._last = None

    def _scenario(self, file: Path) -> Scenario | str:
        """The scenario in the file, or what is wrong with it; read again only when the file has changed."""
        try:
            changed_at = file.stat().st_mtime
            known = self._scenarios.get(file)
            if known is None or known[0] != changed_at:
                self._scenarios[file] = (changed_at, load_scenario(file))
        except BadInput as error:
            self._scenarios[file] = (changed_at, str(error))
        except OSError as error:
            return f"{file}: {error.strerror}"
        return self._scenarios[file][1]

    def _view(self, scenario: Scenario, file: Path) -> ExperimentView:
        policy = self._inventory.approvals.policy(scenario.risk)
        approval = f"{policy.quorum} {policy.role}" if policy.quorum and scenario.method else "none"
        runbook = file.parent / scenario.runbook
        text = runbook.read_text("utf-8") if scenario.runbook and runbook.is_file() else ""
        last = self._last_outcomes().get(scenario.name, "")
        problem, needs = self._reach(scenario, file)
        return ExperimentView(scenario, problem, needs, approval, last, text)

    def _last_outcomes(self) -> dict[str, str]:
        if self._last is None:
            self._last = {past.scenario: past.signed or past.verdict for past in reversed(runs.all_runs())}
        return self._last

    def _reach(self, scenario: Scenario, file: Path) -> tuple[str, tuple[Readiness, ...]]:
        """Why the scenario cannot run here, empty when nothing says so; and what its nodes have of what it needs."""
        try:
            now = datetime.fromtimestamp(self._clock(), UTC)
            plan = resolve(scenario, self._inventory, operator="nobody", run="preview", created=now, file=file)
        except GamedayError as error:
            return str(error), ()
        views = [self._fleet.view(node.name) for node in plan.nodes]
        needs = tuple(readiness(plan, view.name, view.has, view.why) for view in views)
        down = [view.name for view in views if not view.up]
        if down:
            return f"unreachable: {', '.join(down)}", needs
        return "; ".join(told.sentence for told in needs if told.missing), needs
