"""Whether each node has what a plan's faults need, told before anyone ticks a checklist."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from console.faults import needs
from console.faults.needs import Answer, Lack
from console.fleet import Fleet
from console.plan.plan import Plan
from console.plan.stores import store_probes
from console.terms import Risk, Status

GLYPHS = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNKNOWN: "?"}


class Readiness(msgspec.Struct, frozen=True):
    """One node before one plan."""

    node: str
    status: Status
    """Pass: it has all that cannot be done without; unknown: it has not said so."""
    lacks: tuple[Lack, ...]
    """What is missing or unknown, also where the fault can do without."""
    why: str = ""
    """Why the node could not be asked at all; empty: it was."""

    @property
    def missing(self) -> tuple[Lack, ...]:
        """What the fault cannot be made without, and the node says that it has not."""
        return tuple(lack for lack in self.lacks if lack.status is Status.FAIL and not lack.instead)

    @property
    def sentence(self) -> str:
        """Like `lacks awk on redfin (apt install mawk)`, `redfin: ready` or `redfin: unknown: no answer`."""
        if self.missing:
            each = ", ".join(f"{lack.words} on {self.node} ({lack.how})" for lack in self.missing)
            return f"lacks {each}"
        unknown = [lack for lack in self.lacks if lack.status is Status.UNKNOWN and not lack.instead]
        if self.why or unknown:
            whys = self.why or "; ".join(dict.fromkeys(f"{lack.need}, {lack.said}" for lack in unknown))
            return f"{self.node}: unknown: {whys}"
        without = [f"; no {lack.need} ({lack.how}): {lack.instead}" for lack in self.lacks]
        return f"{self.node}: ready{''.join(without)}"

    @property
    def line(self) -> str:
        """Glyph and sentence."""
        return f"{GLYPHS[self.status]} {self.sentence}"


def wanted(plan: Plan, name: str) -> tuple[str, ...]:
    """The needs of the plan on that node, by name. A node that is only measured needs its guard, and what writes."""
    node = next(planned for planned in plan.nodes if planned.name == name)
    found = {need for action in plan.actions if action.node == name for need in action.fault.needs}
    found |= {needs.WRITER for probe in store_probes(plan.scenario) if probe.node == name}
    acted_on = any(action.node == name for action in plan.actions)
    if node.sudo:
        found.add(needs.ROOT)
    if acted_on and plan.scenario.risk is Risk.HIGH and not node.shell_guard_for_high:
        found.add(needs.SYSTEMD_GUARD)
    return tuple(sorted(found))


def readiness(plan: Plan, name: str, known: Mapping[str, Answer] | None, why: str = "") -> Readiness:
    """The node before the plan; `known` is None where the node could not be asked, `why` says so."""
    names = wanted(plan, name)
    if known is None:
        return Readiness(name, Status.UNKNOWN, (), why or "it was not asked yet")
    lacking = needs.lacks(names, known)
    vital = [lack.status for lack in lacking if not lack.instead]
    status = Status.FAIL if Status.FAIL in vital else Status.UNKNOWN if vital else Status.PASS
    return Readiness(name, status, lacking)


def overview(plan: Plan, fleet: Fleet) -> tuple[str, ...]:
    """A cell for each node of the fleet: `✓ ready`, `✗ lacks iptables`, `? unknown`, or `-`: not in the plan."""
    planned = {node.name for node in plan.nodes}
    return tuple(_cell(readiness(plan, name, view.has)) if name in planned else "-" for name, view in fleet.items())


def _cell(found: Readiness) -> str:
    word = {Status.PASS: "ready", Status.FAIL: "lacks", Status.UNKNOWN: "unknown"}[found.status]
    return " ".join((GLYPHS[found.status], word, ", ".join(lack.need for lack in found.missing))).strip()
