"""Who measures a run's recovery time: the watch that fits the expectation at which the recovery ends."""

from __future__ import annotations

from console.fleet import Fleet
from console.plan.plan import Plan
from console.plan.probe import HttpProbe, SqlProbe, WritesProbe
from console.probes.recovery import RecoveryWatch
from console.probes.writer_watch import WriterWatch

Watch = RecoveryWatch | WriterWatch


async def recovery_watch(plan: Plan, fleet: Fleet) -> Watch | None:
    """The watch, begun before the fault; None where the recovery is told by an expectation alone."""
    probes = [expectation.probe for expectation in plan.scenario.expectations]
    ends_at = next((expectation.probe for expectation in plan.scenario.expectations if expectation.recovery), None)
    if isinstance(ends_at, SqlProbe):
        writers = [p for p in probes if isinstance(p, WritesProbe) and p.database == ends_at.database]
        return WriterWatch(fleet.node(writers[0].node), writers[0].folder) if writers else None
    if not isinstance(ends_at, HttpProbe):
        return None
    unit = next(node.units.get(ends_at.service, "") for node in plan.nodes if node.name == ends_at.node)
    watch = RecoveryWatch(fleet.node(ends_at.node), ends_at.url, ends_at.status, unit=unit, lease_s=plan.lease_s)
    await watch.start()
    return watch
