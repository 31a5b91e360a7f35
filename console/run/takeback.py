"""What always happens: every node that may be armed is reverted, proven clean, and released."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from console import events as ev
from console.errors import GamedayError, NodeUnreachable
from console.fleet import Fleet
from console.nodes.guard import Guard, Proof
from console.plan.plan import Plan
from console.plan.probe import ServiceProbe
from console.probes.base import prober
from console.run.judging import ask_until_pass
from console.run.reboot import Reboot
from console.run.recorder import Recorder
from console.terms import Phase, Status

RESTORE_LIMIT_S = 30.0
"""A service that the revert had to start must be active within this time, in seconds."""

Record = Callable[[ev.AnyEvent], Awaitable[None]]
"""Records an event, and goes on when the journal is broken."""


class Takeback:
    """Revert, proof and release of one run's guards."""

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        guards: Mapping[str, Guard],
        recorder: Recorder,
        *,
        record: Record,
        reboots: Mapping[str, Reboot],
    ) -> None:
        self.reboots = reboots
        self.plan = plan
        self.fleet = fleet
        self.guards = guards
        self.recorder = recorder
        self._record = record

    @property
    def _now_s(self) -> float:
        return self.recorder.now_s()

    async def _enter(self, phase: Phase) -> None:
        await self._record(ev.PhaseEntered(at_s=self._now_s, phase=phase))

    async def take_back(self) -> None:
        """Revert last-in-first-out on every node that may be armed, past one that fails; then prove each clean."""
        if not self.guards:
            return
        await self._enter(Phase.REVERT)
        why = self.recorder.state.abort.why if self.recorder.state.abort else "the time is over"
        guards = list(self.guards.values())[::-1]
        guards.sort(key=lambda guard: guard.node in self.reboots)  # what is on other nodes does not wait for a boot
        for guard in guards:
            reboot = self.reboots.get(guard.node)
            away = "" if reboot is None else await self._bring_back(reboot)
            limit_s = max((a.fault.revert_limit_s for a in self.plan.actions if a.node == guard.node), default=5.0)
            await self._record(ev.Reverting(at_s=self._now_s, node=guard.node, why=why, limit_s=limit_s))
            # It was waited for long enough: the operator is to know now.
            proof = Proof(Status.UNKNOWN, away) if away else await _proof(guard.revert)
            await self._record(
                ev.Reverted(at_s=self._now_s, node=guard.node, status=proof.status, evidence=proof.evidence)
            )
        await self._enter(Phase.PROVE_REVERTED)
        for guard in reversed(list(self.guards.values())):
            proof = await _proof(guard.clean)
            await self._record(
                ev.CleanJudged(at_s=self._now_s, node=guard.node, status=proof.status, evidence=proof.evidence)
            )
        await self._tell_restored()

    async def _bring_back(self, reboot: Reboot) -> str:
        """A node that goes down or comes up cannot be asked yet; one that stays off is switched on, if it can be.

        Returns why it is still away; empty: it is there.
        """
        back = await reboot.bring_back()
        if reboot.power_told:
            await self._record(ev.Found(at_s=self._now_s, text=f"power_on was run {reboot.power_told}"))
        if not back:
            await self._record(ev.Found(at_s=self._now_s, text=reboot.why_not))
        return "" if back else reboot.why_not

    async def _tell_restored(self) -> None:
        """A revert that had to start a service says so; whether it then came up is looked at."""
        for name, node in self.recorder.state.nodes.items():
            units = re.findall(r"restored: (\S+)", node.reverted_evidence)
            planned = next(item for item in self.plan.nodes if item.name == name)
            for service, unit in planned.units.items():
                if unit in units:
                    asked = prober(ServiceProbe(node=name, service=service, unit=unit), self.fleet)
                    seen = await ask_until_pass(asked, RESTORE_LIMIT_S, clock=self.recorder.now_s)
                    await self._record(
                        ev.RestoredByConsole(
                            at_s=self._now_s, node=name, service=service, status=seen.status, evidence=seen.text
                        )
                    )

    async def release(self) -> None:
        """Free every node that is proven clean; the others stay locked for a sweep."""
        if not self.guards:
            return
        await self._enter(Phase.RELEASE)
        for name, guard in self.guards.items():
            if self.recorder.state.nodes[name].clean is not Status.PASS:
                continue  # the lock stays until a sweep has proven the node clean
            try:
                await guard.release()
            except NodeUnreachable as error:
                await self._record(ev.Failed(at_s=self._now_s, where=f"release of {name}", what=str(error)))
                continue
            await self._record(ev.Released(at_s=self._now_s, node=name))


async def _proof(ask: Callable[[], Awaitable[Proof]]) -> Proof:
    try:
        return await ask()
    except GamedayError as error:
        return Proof(Status.UNKNOWN, str(error))
