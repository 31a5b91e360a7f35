"""After the release: the post-test checklist, the machine's proposal, the signature, and the write-up's way home."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from console import events as ev
from console.errors import Refused
from console.fleet import Fleet
from console.plan.plan import Plan
from console.record import writeup
from console.record.outbox import Outbox
from console.record.thermal import store
from console.run import checklist
from console.run.recorder import Recorder
from console.run.stores import Stores
from console.run.verdict import conclude
from console.terms import Outcome, Reason


class Closing:
    """What remains to be done once the nodes are free."""

    def __init__(self, plan: Plan, fleet: Fleet, recorder: Recorder, outbox: Outbox) -> None:
        self.plan = plan
        self.fleet = fleet
        self.recorder = recorder
        self.outbox = outbox
        self._verifiers: dict[str, checklist.Verify] = {}

    @property
    def _now_s(self) -> float:
        return self.recorder.now_s()

    async def verify(self, before: checklist.PreTest, stores: Stores) -> None:
        """The automatic post-test items, beside what was seen before the fault."""
        self._verifiers["services-normal"] = lambda: checklist.post_services(self.plan, self.fleet, before.active)
        if self.fleet.inventory.thermal_memory is not None or stores.writers:
            self._verifiers["no-data-loss"] = lambda: self._data(before.rows, stores)
        alertmanager = self.fleet.alertmanager
        if alertmanager:
            limit_s = checklist.ALERTS_ABORTED_S if self.recorder.state.abort else checklist.ALERTS_LIMIT_S
            self._verifiers["alerts-cleared"] = lambda: checklist.post_alerts(
                alertmanager, before.alerts, self.fleet.clock, limit_s
            )
        for item in self._verifiers:
            await self.recheck(item)

    async def _data(self, rows: str | None, stores: Stores) -> checklist.Finding:
        return await checklist.post_data(self.fleet, rows, self.recorder.state, await stores.verify())

    async def recheck(self, item: str) -> None:
        """Verify one automatic post-test item again; the machine's proposal stays as it was."""
        if item == "logged":
            await self._found(item, checklist.logged(self.recorder.state))
        elif item in self._verifiers:
            await self._found(item, await self._verifiers[item]())

    async def _found(self, item: str, finding: checklist.Finding) -> None:
        await self.recorder.emit(
            ev.ItemChecked(at_s=self._now_s, stage="post", id=item, status=finding.status, evidence=finding.evidence)
        )

    async def conclude(self, not_run: tuple[Reason, str] | None) -> None:
        """The machine's proposal."""
        await self.recorder.emit(conclude(self.recorder.state, self._now_s, not_run))

    async def sign(
        self, verdict: Literal["PASS", "FAIL"], by: str, note: str, issues: tuple[str, ...], gaps: tuple[str, ...]
    ) -> None:
        """Sign, write up, and try to deliver; the row waits in the outbox when the database does not take it.

        Raises:
            Refused: the machine's proposal is contradicted without a note, or there is nothing to sign yet.
        """
        state = self.recorder.state
        if state.conclusion is None:
            raise Refused("there is nothing to sign before the run has been judged")
        if state.signed is not None:
            raise Refused("the run is signed already")
        proposed = "PASS" if state.conclusion.outcome is Outcome.PASSED else "FAIL"
        if verdict != proposed and not note.strip():
            raise Refused(f"the machine proposes {proposed}: signing {verdict} needs a note that says why")
        await self.recorder.emit(ev.Signed(at_s=self._now_s, verdict=verdict, by=by, note=note.strip()))
        when = datetime.fromtimestamp(self._now_s, UTC)
        row = writeup.one_test(self.recorder.state, verdict=verdict, issues=issues, gaps=gaps, when=when)
        thermal = self.fleet.inventory.thermal_memory
        connect = self.fleet.database(thermal.database).connect_new if thermal else None

        async def kept() -> None:
            await self.recorder.emit(ev.WrittenUp(at_s=self._now_s, hash=row.hash))

        told = await store(self.outbox, row, connect, thermal.table if thermal else "", kept)
        await self.recorder.emit(
            ev.DeliveryTried(at_s=self._now_s, hash=row.hash, delivered=told.delivered, why=told.why)
        )
        await self._found("logged", checklist.logged(self.recorder.state))
