"""Before anything is touched: the checklist, the approval, and every reason why a launch is not possible yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from console import events as ev
from console.brief import ItemBrief
from console.errors import Refused
from console.fleet import Fleet
from console.plan import approval as signatures
from console.plan.plan import Plan
from console.run.checklist import PreTest, attest
from console.run.rails import Blocker, guard_rails
from console.run.recorder import Recorder
from console.terms import Phase, Reason, Risk, Status

INBOX_EVERY_S = 1.0


class Preparation:
    """Checklist and approval of one run. Every method may be called at any time before the launch."""

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        recorder: Recorder,
        approvals: Iterable[signatures.Approval] = (),
        before: Preparation | None = None,
    ) -> None:
        self.plan = plan
        self.fleet = fleet
        self.recorder = recorder
        self.pre_test: PreTest = PreTest(plan, fleet, before.pre_test.notified if before else None)
        self._approvals: dict[bytes, signatures.Approval] = {signatures.encode(a): a for a in approvals}
        """By their whole text: a forgery that carries another's signature must not stand in for it."""
        self._seen: set[signatures.Judged] = set()
        self.ready = asyncio.Event()
        """Set once everything was looked at for the first time."""
        self._phase = Phase.CHECKLIST
        self._rails: list[Blocker] = []

    @property
    def _now_s(self) -> float:
        return self.recorder.now_s()

    async def start(self) -> None:
        """Look at the approvals that are there, then verify: once every item is settled, nothing is left to look at."""
        await self.look_at_approvals()
        await self.recheck(None)
        self.ready.set()

    async def recheck(self, item: str | None) -> None:
        """Verify one automatic item again, or all of them and the guard rails."""
        names = list(self.pre_test.verifiers) if item is None else [item]
        await asyncio.gather(*(self._verify(name) for name in names if name in self.pre_test.verifiers))
        if item is None:
            await self.look_at_rails()
        await self._settle()

    async def _verify(self, name: str) -> None:
        found = await self.pre_test.verify(name)
        valid_until_s = self._now_s + found.valid_for_s if found.valid_for_s else 0.0
        await self.recorder.emit(
            ev.ItemChecked(
                at_s=self._now_s,
                stage="pre",
                id=name,
                status=found.status,
                evidence=found.evidence,
                valid_until_s=valid_until_s,
            )
        )

    async def tick(self, item: str, note: str, status: Status, by: str) -> None:
        """The operator's word on a manual item.

        Raises:
            Refused: the item is verified by the console, or there is none of that name.
        """
        await attest(self.recorder, "pre", item, note=note, status=status, by=by)
        await self._settle()

    async def override(self, item: str, reason: str, by: str) -> None:
        """Go on without an item: low risk only, with a reason that is stored.

        Raises:
            Refused: the risk is not low, the reason is empty, or there is no such item.
        """
        if self.plan.scenario.risk is not Risk.LOW:
            raise Refused(f"an item may be overridden for low risk only, this is {self.plan.scenario.risk.value}")
        if not reason.strip():
            raise Refused("an override needs a reason: it is stored with the run")
        if item not in self.recorder.state.pre:
            raise Refused(f"there is no checklist item '{item}'")
        await self.recorder.emit(ev.ItemOverridden(at_s=self._now_s, id=item, reason=reason.strip(), by=by))
        await self._settle()

    async def accept(self, text: str) -> None:
        """Take a signature that was pasted.

        Raises:
            BadInput: the text is no approval.
        """
        approval = signatures.parse(text.encode(), "the pasted text")
        self._approvals[signatures.encode(approval)] = approval
        await self.look_at_approvals()

    async def look_at_approvals(self) -> None:
        """Judge every signature that is there now, from the inbox too; each new finding becomes an event."""
        judged, count = await self._count()
        for verdict in judged:
            if verdict not in self._seen:
                self._seen.add(verdict)
                await self.recorder.emit(_seen(verdict, self._now_s))
        state = self.recorder.state
        settled = ev.ApprovalSettled(
            at_s=self._now_s,
            sufficient=count.sufficient,
            summary=count.summary,
            votes_for=count.have,
            votes_against=count.against,
            abstained=count.abstained,
        )
        if state.approval is None or msgspec.structs.replace(state.approval, at_s=settled.at_s) != settled:
            await self.recorder.emit(settled)
        await self._settle()

    async def _count(self) -> tuple[list[signatures.Judged], signatures.Tally]:
        """Every signature at hand, judged now, and their count."""
        inventory = self.fleet.inventory
        now = datetime.fromtimestamp(self._now_s, UTC)
        inbox = Path(inventory.approvals.inbox) if inventory.approvals.inbox else None

        def work() -> tuple[list[signatures.Judged], signatures.Tally]:
            try:
                policy = signatures.required(self.plan, inventory)
            except Refused as error:
                return [], signatures.Tally(False, str(error), 0, 0)
            if not policy.quorum:
                risk = self.plan.scenario.risk.value
                return [], signatures.Tally(True, f"{risk} risk: the operator approves by launching", 0, 0)
            found = dict(self._approvals)
            unreadable: list[signatures.Judged] = []
            if inbox:
                found |= {signatures.encode(one): one for one in signatures.collect(inbox, self.plan)}
                unreadable = signatures.unreadable(inbox, self.plan)
            verdicts = {text: signatures.judge(one, self.plan, inventory, now) for text, one in found.items()}
            # A vote that was once seen stays: who takes its file away does not take it back.
            self._approvals |= {text: found[text] for text, verdict in verdicts.items() if verdict.key}
            judged = list(verdicts.values())
            too_many = signatures.overflow(inbox, self.plan) if inbox else ""
            if too_many:
                return [*judged, *unreadable], signatures.Tally(False, too_many, 0, policy.quorum)
            principals = inventory.approvals.roles.get(policy.role, ())
            tally = signatures.tally(judged, policy, self.plan.operator, principals)
            return [*judged, *unreadable], tally

        return await asyncio.to_thread(work)

    def authentic(self) -> list[signatures.Approval]:
        """Every vote on this plan that its signer really cast, to be kept with the run."""
        return list(self._approvals.values())

    async def watch_inbox(self) -> None:
        """Look for new signatures once a second, until cancelled."""
        while True:
            await asyncio.sleep(INBOX_EVERY_S)
            if self.plan.policy.quorum:
                await self.look_at_approvals()

    async def look_at_rails(self) -> None:
        """Find every guard rail that stands in the way: nodes, leftovers, missing programs, production marks."""
        self._rails = await guard_rails(self.plan, self.fleet)

    def blockers(self) -> list[Blocker]:
        """Every reason against a launch now, all at once."""
        state = self.recorder.state
        closed = self.plan.window.closed(self._now_s) if self.plan.window else ""
        found = [Blocker(closed, "make a new plan with --window START/END", Reason.REFUSED)] if closed else []
        found += [
            Blocker(
                f"{item.brief.title}: {_why(item.status.value, item.evidence, item.brief.automatic)}",
                _item_fix(item.brief, self.plan.scenario.risk),
                Reason.CHECKLIST,
                item.brief.id,
            )
            for item in state.blockers(self._now_s)
        ]
        if state.approval is None or not state.approval.sufficient:
            summary = state.approval.summary if state.approval else "not looked at yet"
            found.append(Blocker(f"approval: {summary}", "have the plan signed: gameday approve", Reason.APPROVAL))
        return found + self._rails

    async def last_look(self) -> list[Blocker]:
        """Everything once more, right before the launch: stale checks, approvals, guard rails."""
        await self.recheck(None)
        await self.look_at_approvals()
        return self.blockers()

    async def approvals_hold(self) -> str:
        """Why the approvals no longer suffice, or nothing: verified again at inject."""
        _, count = await self._count()
        return "" if count.sufficient else count.summary

    async def sign_launch(self) -> Blocker | None:
        """For medium and high risk the operator is whose key signs the launch; what stands in its way, if anything."""
        if not self.plan.policy.quorum:
            return None
        now = datetime.fromtimestamp(self._now_s, UTC)
        try:
            signed = await asyncio.to_thread(signatures.launch, self.plan, self.fleet.inventory, now)
        except Refused as error:
            return Blocker(str(error), "name approvals.operator and its operator_key in the inventory", Reason.APPROVAL)
        await self.recorder.emit(_seen(signed, self._now_s))
        return None

    async def _settle(self) -> None:
        """Tell which of the three phases before the launch the run is in."""
        state = self.recorder.state
        if state.confirmed_by or state.conclusion:
            return
        if state.blockers(self._now_s):
            phase = Phase.CHECKLIST
        elif state.approval is None or not state.approval.sufficient:
            phase = Phase.APPROVAL
        else:
            phase = Phase.CONFIRM
        if phase is not self._phase:
            self._phase = phase
            await self.recorder.emit(ev.PhaseEntered(at_s=self._now_s, phase=phase))


def _seen(verdict: signatures.Judged, at_s: float) -> ev.ApprovalSeen:
    return ev.ApprovalSeen(
        at_s=at_s,
        signer=verdict.signer,
        role=verdict.role,
        vote=verdict.vote,
        accepted=verdict.accepted,
        why=verdict.why,
        not_before_s=verdict.not_before_s,
        not_after_s=verdict.not_after_s,
        key=verdict.key,
    )


def _why(status: str, evidence: str, automatic: bool) -> str:
    return f"{status}: {evidence}" if evidence else status if automatic else "not ticked"


def _item_fix(brief: ItemBrief, risk: Risk) -> str:
    fix = "repair it and check again" if brief.automatic else "tick it once it is done"
    return f"{fix}, or override it with a reason" if risk is Risk.LOW else fix
