"""The stores of a run: one writer for each, from the baseline to the end, and what became of its records."""

from __future__ import annotations

import asyncio

from console.fleet import Fleet
from console.plan.plan import Plan
from console.plan.probe import StoreProbe
from console.plan.stores import store_probes
from console.probes.store import NOTHING
from console.probes.store_writer import NoWriter, StoreWriter
from console.run.checklist import Finding
from console.terms import Status

RATE_S = 1.0
"""The shortest time over which a rate is told, in seconds."""


class Stores:
    """Every store that a probe of the plan asks about. Nothing is written before the first of these probes starts."""

    def __init__(self, plan: Plan, fleet: Fleet) -> None:
        asked: dict[str, list[StoreProbe]] = {}
        for probe in store_probes(plan.scenario):
            asked.setdefault(probe.store, []).append(probe)
        self.writers = {
            name: StoreWriter(
                probes[0],
                fleet.node(probes[0].node),
                lease_s=plan.lease_s,
                limit_s=max(probe.timeout_s for probe in probes),
            )
            for name, probes in asked.items()
        }
        self._told: dict[str, Finding] = {}
        """Store -> what became of its records, once that is told for good; else why it could not be told yet."""
        self._why: dict[str, str] = {}
        self._rated: dict[str, tuple[float, int]] = {}
        """Store -> when its rates were last asked for, and how many answers there were."""

    async def stop(self) -> None:
        """Write no more."""
        await asyncio.gather(*(writer.stop() for writer in self.writers.values()))

    def rates(self, node: str, now_s: float) -> dict[str, float]:
        """What the stores of that node were told to keep and did or did not, a second, since this was last asked.

        Empty within RATE_S of that, and where the writer is out of sight.
        """
        values: dict[str, float] = {}
        for name, writer in self.writers.items():
            at_s, before = self._rated.get(name, (0.0, 0))
            answers = writer.ledger.answers
            if writer.store.node != node or not writer.begun or now_s - at_s < RATE_S:
                continue
            self._rated[name] = (now_s, len(answers))
            if at_s and not writer.why:
                kept = sum(answer.kind == "acknowledged" for answer in answers[before:])
                values[f"acknowledged:{name}"] = kept / (now_s - at_s)
                values[f"refused:{name}"] = (len(answers) - before - kept) / (now_s - at_s)
        return values

    async def verify(self) -> list[Finding]:
        """For each store that was written to: whether all that it acknowledged is there. Its records are deleted then.

        What cannot be told now is unknown, and its records stay, so that it can be asked again.
        """
        begun = {name: writer for name, writer in self.writers.items() if writer.begun}
        await asyncio.gather(*(self._verify(name, writer) for name, writer in begun.items() if name not in self._told))
        return [self._told.get(name) or self._unknown(name) for name in begun]

    def _unknown(self, name: str) -> Finding:
        where = self.writers[name].where
        return Finding(Status.UNKNOWN, f"{where}: {self._why[name]}; the records of this run stay in it")

    async def _verify(self, name: str, writer: StoreWriter) -> None:
        try:
            await writer.stop()
            found = await writer.read_back()
        except NoWriter as error:
            self._why[name] = str(error)
            return
        bad = found.data_lost or found.extra
        if not found.told and not bad:
            self._why[name] = str(found)
            return
        status = Status.FAIL if bad else Status.PASS if found.account.acknowledged else Status.UNKNOWN
        said = NOTHING if status is Status.UNKNOWN else str(found)
        self._told[name] = Finding(status, f"{writer.where}: {said}; {await cleared(writer)}")
        await writer.close()

    async def close(self) -> list[str]:
        """End every writer; where nothing was told of the records they are deleted. Returns what stays, in words."""
        stays = []
        for name, writer in self.writers.items():
            if writer.begun and name not in self._told and name not in self._why:
                await writer.stop()
                told = await cleared(writer)
                stays += [f"{writer.where}: {told}"] if "stay" in told else []
            await writer.close()
        return stays


async def cleared(writer: StoreWriter) -> str:
    """Delete the run's records where the store can; what became of them, in words."""
    if not writer.store.can_delete:
        return f"its {len(writer.ledger.acknowledged)} records of this run stay in it, as it cannot delete"
    try:
        deleted, left, why = await writer.delete()
    except NoWriter as error:
        return f"the records of this run stay in it: {error}"
    if left:
        return f"{left} records of this run stay in it: {why}"
    return f"the {deleted} records of this run were deleted"
