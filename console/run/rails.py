"""Guard rails: what on the nodes forbids a launch. All reasons at once, each with its fix."""

from __future__ import annotations

import asyncio
import shlex

import msgspec

from console.errors import NodeUnreachable, Refused
from console.fleet import Fleet
from console.nodes.sweep import Trace
from console.plan.plan import Plan, check_against
from console.run.preflight import preflight
from console.terms import Reason


class Blocker(msgspec.Struct, frozen=True):
    """One reason why nothing is launched, and what to do about it."""

    what: str
    fix: str
    reason: Reason
    recheck: str = ""
    """The checklist item that is verified again; empty: everything is looked at again."""


async def guard_rails(plan: Plan, fleet: Fleet) -> list[Blocker]:
    """Everything that stands in the way on the plan's nodes: links, guards, leftovers, programs, faults' own rails."""
    try:
        check_against(plan, fleet.inventory)
    except Refused as error:
        return [Blocker(str(error), "make a new plan with the inventory as it is now", Reason.REFUSED)]
    found = await asyncio.gather(*(node_rails(plan, node.name, fleet) for node in plan.nodes))
    return [rail for rails in found for rail in rails]


async def node_rails(plan: Plan, name: str, fleet: Fleet) -> list[Blocker]:
    """What stands in the plan's way on that node."""
    try:
        traces = await fleet.look_for_traces(name)
        if traces is None:
            raise NodeUnreachable(f"{name} cannot be asked: {fleet.node(name).why or 'no answer'}")
        missing = await _missing_programs(plan, name, fleet)
        # Without its programs, or under another's guard, a preflight could not tell.
        refused = [] if missing or traces else await _refused(plan, name, fleet)
        return [_trace_rail(name, trace) for trace in traces] + missing + refused
    except NodeUnreachable as error:
        return [Blocker(str(error), "bring the node or the link back, then check again", Reason.REFUSED)]


def _trace_rail(name: str, trace: Trace) -> Blocker:
    if trace.state == "held":
        left = "?" if trace.lease_left_s is None else f"{trace.lease_left_s:.0f}"
        what = f"{name} is held by run {trace.run}, operator {trace.operator}, lease {left} s"
        return Blocker(what, "wait until that run has ended", Reason.BUSY)
    what = f"{name} holds leftovers of run {trace.run}: {trace.detail}"
    return Blocker(what, "run `gameday sweep --revert`", Reason.LEFTOVERS)


async def _missing_programs(plan: Plan, name: str, fleet: Fleet) -> list[Blocker]:
    needs = sorted({need for action in plan.actions if action.node == name for need in action.fault.needs})
    if not needs:
        return []
    words = " ".join(shlex.quote(need) for need in needs)
    done = await fleet.node(name).run(f'for p in {words}; do command -v "$p" >/dev/null 2>&1 || echo "$p"; done')
    return [
        Blocker(f"{name} lacks the program '{program}'", f"install {program} on {name}", Reason.REFUSED)
        for program in done.stdout.split()
    ]


async def _refused(plan: Plan, name: str, fleet: Fleet) -> list[Blocker]:
    """What the faults' own guard rails say; whether they would mean something now is asked at the baseline."""
    found = [await preflight(action, fleet) for action in plan.actions if action.node == name]
    return [
        Blocker(f"{name}: {what}", fix or "change the scenario's parameters", Reason.REFUSED)
        for said in found
        if said.answer == "refused"
        for what, fix in said.reasons
    ]
