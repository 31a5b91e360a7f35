"""Guard rails: what on the nodes forbids a launch. All reasons at once, each with its fix."""

from __future__ import annotations

import asyncio

import msgspec

from console.errors import NodeUnreachable, Refused
from console.faults.needs import Lack
from console.fleet import Fleet, NodeView
from console.nodes.sweep import Trace
from console.plan.inventory import Inventory
from console.plan.plan import Plan, check_against
from console.plan.stores import store_probes
from console.run.preflight import preflight
from console.run.readiness import Readiness, readiness
from console.run.reboot import reboot_rails
from console.terms import Reason, Status


class Blocker(msgspec.Struct, frozen=True):
    """One reason why nothing is launched, and what to do about it."""

    what: str
    fix: str
    reason: Reason
    recheck: str = ""
    """The checklist item that is verified again; empty: everything is looked at again."""


async def guard_rails(plan: Plan, fleet: Fleet) -> list[Blocker]:
    """Everything that stands in the way on the plan's nodes: links, guards, leftovers, lacks, faults' own rails."""
    try:
        check_against(plan, fleet.inventory)
    except Refused as error:
        return [Blocker(str(error), "make a new plan with the inventory as it is now", Reason.REFUSED)]
    found = await asyncio.gather(*(node_rails(plan, node.name, fleet) for node in plan.nodes))
    return production_rails(plan, fleet.inventory) + [rail for rails in found for rail in rails]


def production_rails(plan: Plan, inventory: Inventory) -> list[Blocker]:
    """That nothing that is for development and test only acts on what the inventory marks as production."""
    found: list[Blocker] = []
    for action in plan.actions:
        marked = inventory.production(action.node, action.target.units)
        if action.fault.development_only:
            found += [
                Blocker(
                    f"{what} is marked production in the inventory: {action.fault.kind} is for development and test",
                    "name a target that is not production",
                    Reason.REFUSED,
                )
                for what in marked
            ]
    return found + _written_rails(plan, inventory)


def _written_rails(plan: Plan, inventory: Inventory) -> list[Blocker]:
    """That no records are written into a store of production."""
    found: list[Blocker] = []
    for name in sorted({probe.store for probe in store_probes(plan.scenario)}):
        store = inventory.stores[name]
        node = inventory.nodes[store.node]
        if node.production or node.services[store.service].production:
            what = f"store {name} on {store.node} is marked production in the inventory: records would be written to it"
            found.append(Blocker(what, "name a store that is not production", Reason.REFUSED))
    return found


async def node_rails(plan: Plan, name: str, fleet: Fleet) -> list[Blocker]:
    """What stands in the plan's way on that node, asked now."""
    await asyncio.gather(fleet.look_for_traces(name), fleet.look_for_needs(name))
    rails = known_rails(plan, fleet.view(name))
    try:
        # Without its programs, or under another's guard, a preflight could not tell.
        reboot = [Blocker(what, fix, Reason.REFUSED) for what, fix in await reboot_rails(plan, name, fleet)]
        return (rails or await _refused(plan, name, fleet)) + reboot
    except NodeUnreachable as error:
        return [_gone(str(error))]


def known_rails(plan: Plan, view: NodeView) -> list[Blocker]:
    """What stands in the plan's way on a node, as far as it was asked already."""
    lacking = [] if view.has is None else _lacks(readiness(plan, view.name, view.has))
    if view.has is None or (view.traces is None and not lacking):
        return [_gone(f"{view.name} cannot be asked: {view.why or 'no answer'}")]
    return [_trace_rail(view.name, trace) for trace in view.traces or ()] + lacking


def _gone(what: str) -> Blocker:
    return Blocker(what, "bring the node or the link back, then check again", Reason.REFUSED)


def _trace_rail(name: str, trace: Trace) -> Blocker:
    if trace.state == "held":
        what = f"{name} is held by run {trace.run}, operator {trace.operator}, {trace.lease}"
        return Blocker(what, "wait until that run has ended", Reason.BUSY)
    what = f"{name} holds leftovers of run {trace.run}: {trace.detail}"
    return Blocker(what, "run `gameday sweep --revert`", Reason.LEFTOVERS)


def _lacks(found: Readiness) -> list[Blocker]:
    """What the node has not; what it did not say that it has counts as lacking."""
    missing = [lack for lack in found.lacks if not lack.instead]
    return [Blocker(f"{found.node} {_has(lack)}", lack.how, Reason.REFUSED) for lack in missing]


def _has(lack: Lack) -> str:
    return f"lacks {lack.words}" if lack.status is Status.FAIL else f"does not say whether it has {lack.words}"


async def _refused(plan: Plan, name: str, fleet: Fleet) -> list[Blocker]:
    """What the faults' own guard rails say; whether they would mean something now is asked at the baseline."""
    found = [await preflight(action, fleet) for action in plan.actions if action.node == name]
    return [
        Blocker(f"{name}: {what}", fix or "change the scenario's parameters", Reason.REFUSED)
        for said in found
        if said.answer == "refused"
        for what, fix in said.reasons
    ]
