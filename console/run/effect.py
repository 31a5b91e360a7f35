"""Whether the faults act: proven after the injection, again while they are held, and last before the revert."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from console import events as ev
from console.nodes.guard import Guard, Proof
from console.plan.plan import Plan, PlannedAction
from console.run.reboot import Reboot
from console.run.recorder import Recorder
from console.terms import Status

EFFECT_EVERY_S = 5.0
"""A sustained fault is proven again this often, in seconds (design: a fault is four scripts)."""
EFFECT_POLL_S = 0.3
EFFECT_LIMIT_S = 15.0
"""After inject has ended, the effect must show within this time, in seconds."""


class Effect:
    """The proofs of one plan's faults, asked of their nodes' guards and recorded."""

    def __init__(
        self, plan: Plan, guards: Mapping[str, Guard], recorder: Recorder, reboots: Mapping[str, Reboot]
    ) -> None:
        self._plan = plan
        self._guards = guards
        self._recorder = recorder
        self._reboots = reboots

    @property
    def _now_s(self) -> float:
        return self._recorder.now_s()

    async def prove(self) -> bool:
        """Ask each fault until it shows; false when one does not in its time."""
        proven = [await self._prove_one(action) for action in self._plan.actions]
        return all(proven)

    async def _prove_one(self, action: PlannedAction) -> bool:
        guard = self._guards[action.node]
        start_s = self._now_s
        reboot = self._reboots.get(action.node)
        if reboot and not await reboot.wait_back():
            ended = await guard.inject_result()
            said = f": {ended.output.strip()}" if ended and ended.output.strip() else ""
            status = Status.FAIL if reboot.gone_at_s is None else Status.UNKNOWN
            await self._tell(action.node, Proof(status, reboot.why_not + said))
            return False
        step, ended_s = "", None
        while True:
            ended = await guard.inject_result()
            if ended is not None and ended_s is None:
                ended_s = self._now_s
            proof = await guard.effect()
            if proof.step not in ("", step):
                step = proof.step
                await self._tell(action.node, Proof(Status.PENDING, proof.evidence))
            waited_s = self._now_s - start_s
            if ended is not None and ended.exit_status not in (0, None) and proof.status is not Status.PASS:
                said = ended.output.strip() or proof.evidence
                proof = Proof(Status.FAIL, f"inject ended with {ended.exit_status}: {said}")
                waited_s = float("inf")
            limit_s = EFFECT_LIMIT_S + action.fault.inject_limit_s(action.target)
            absent = proof.status is Status.FAIL and ended_s is not None and self._now_s - ended_s > EFFECT_LIMIT_S
            if proof.status is Status.PASS or absent or waited_s > limit_s:
                if reboot:
                    reboot.proven_at_s = self._now_s
                await self._tell(action.node, proof)
                return proof.status is Status.PASS
            await asyncio.sleep(EFFECT_POLL_S)

    async def _tell(self, node: str, proof: Proof) -> Proof:
        """Record a proof of the effect; each `finding:` in it is noted once. Returns the proof without these."""
        lines = proof.evidence.splitlines()
        for line in lines:
            told = f"{node}: {line.removeprefix('finding:').strip()}"
            if line.startswith("finding:") and told not in (found.text for found in self._recorder.state.findings):
                await self._recorder.emit(ev.Found(at_s=self._now_s, text=told))
        proof = Proof(proof.status, "\n".join(line for line in lines if not line.startswith("finding:")))
        now_s, ago_s = self._now_s, proof.struck_ago_s
        await self._recorder.emit(
            ev.EffectJudged(
                at_s=now_s,
                node=node,
                status=proof.status,
                evidence=proof.evidence,
                struck_at_s=None if ago_s is None else now_s - ago_s,
            )
        )
        return proof

    async def hold(self, enough: asyncio.Event) -> None:
        """Keep a sustained fault its time from the first proof on; proven again and again, last before the revert.

        `enough` ends that time.
        """
        end_s = self._now_s + max(action.fault.lasts_s for action in self._plan.actions)
        while True:
            left_s = end_s - self._now_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, min(EFFECT_EVERY_S, left_s))):
                    await enough.wait()
            for action in self._plan.actions:
                proof = await self._tell(action.node, await self._guards[action.node].effect())
                if proof.status is Status.FAIL:
                    await self._recorder.emit(
                        ev.Found(at_s=self._now_s, text=f"{action.node}: the fault ended early: {proof.evidence}")
                    )
                    return
            if left_s <= EFFECT_EVERY_S or enough.is_set():
                return
