"""Who measures a run's recovery time: the watch that fits the expectation at which the recovery ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from console.fleet import Fleet
from console.plan.plan import Plan
from console.plan.probe import HttpProbe, SqlProbe, StoreProbe, WritesProbe
from console.probes.recovery import RecoveryWatch
from console.probes.store_watch import StoreWatch
from console.probes.store_writer import StoreWriter
from console.probes.timeline import Bracket
from console.probes.writer_watch import WriterWatch
from console.state import RunState

Watch = RecoveryWatch | WriterWatch | StoreWatch


async def recovery_watch(
    plan: Plan, fleet: Fleet, writers_of: Mapping[str, StoreWriter], state: Callable[[], RunState]
) -> Watch | None:
    """The watch, begun before the fault; None where the recovery is told by an expectation alone."""
    probes = [expectation.probe for expectation in plan.scenario.expectations]
    ends = next((expectation for expectation in plan.scenario.expectations if expectation.recovery), None)
    ends_at = ends.probe if ends else None
    if ends and isinstance(ends_at, StoreProbe):
        writer = writers_of[ends_at.store]
        node = ends_at.node
        return StoreWatch(writer, (lambda: reverted(state(), node)) if ends.after == "revert" else None)
    if isinstance(ends_at, SqlProbe):
        writers = [p for p in probes if isinstance(p, WritesProbe) and p.database == ends_at.database]
        return WriterWatch(fleet.node(writers[0].node), writers[0].folder) if writers else None
    if not isinstance(ends_at, HttpProbe):
        return None
    unit = next(node.units.get(ends_at.service, "") for node in plan.nodes if node.name == ends_at.node)
    watch = RecoveryWatch(fleet.node(ends_at.node), ends_at.url, ends_at.status, unit=unit, lease_s=plan.lease_s)
    await watch.start()
    return watch


def reverted(state: RunState, node: str) -> Bracket | None:
    """Between which two moments of the console's clock the fault was taken back, on that node where it was there."""
    begun = {name: seen.reverting_at_s for name, seen in state.nodes.items() if seen.reverting_at_s is not None}
    if not begun or state.reverted_at_s is None:
        return None
    return Bracket(begun.get(node, min(begun.values())), state.reverted_at_s)
