"""The dangerous part: arm, baseline, inject, prove, observe; and whatever happens, revert, prove it, release."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from console import events as ev
from console.errors import GamedayError
from console.fleet import Fleet
from console.nodes.guard import Busy, Guard, NotArmed, choose_guard
from console.plan.plan import Plan
from console.plan.probe import AlertProbe, ServiceProbe
from console.plan.scenario import Expectation
from console.probes.base import Prober, Unasked, prober
from console.probes.service import HAPPENINGS
from console.record.journal import JournalError
from console.run.effect import Effect
from console.run.judging import Judgement, ask_until_pass, judge
from console.run.preflight import preflight
from console.run.reboot import Reboot
from console.run.recorder import Recorder
from console.run.recovering import Watch, recovery_watch
from console.run.stores import Stores
from console.run.takeback import Takeback
from console.state import ExpectationState
from console.terms import Phase, Reason, Status

RECOVERY_LIMIT_S = 30.0
"""After the revert the steady state must hold again within this time, in seconds, where no expectation says more."""


class NotRun(Exception):
    """Nothing was injected; the run ends with this reason."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class Experiment:
    """One plan's method on its nodes. `run` returns only when every node is proven clean, or is known not to be."""

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        recorder: Recorder,
        approvals_hold: Callable[[], Awaitable[str]],
        *,
        detach_s: float | None = None,
    ) -> None:
        """With `detach_s` the proven fault is left to its node for so long, in seconds, and nothing is judged."""
        self.plan = plan
        self.fleet = fleet
        self.recorder = recorder
        self.guards: dict[str, Guard] = {}
        self.not_run: tuple[Reason, str] | None = None
        self._approvals_hold = approvals_hold
        self._reboots = {
            action.node: Reboot(fleet.node(action.node), planned, action, recorder.now_s)
            for action in plan.actions
            for planned in plan.nodes
            if action.fault.reboots and planned.name == action.node
        }
        self._takeback = Takeback(plan, fleet, self.guards, recorder, record=self._record, reboots=self._reboots)
        self._effect = Effect(plan, self.guards, recorder, self._reboots)
        self.detached = False
        self._detach_s = detach_s
        self._stop = asyncio.Event()
        self._enough = asyncio.Event()
        self._over = asyncio.Event()
        self._lease_watchers: list[asyncio.Task[None]] = []
        self._probers: dict[str, Prober] = {}
        self.stores = Stores(plan, fleet)
        self._watch: Watch | None = None
        self._sustained = any(action.fault.sustained for action in plan.actions)

    @property
    def _now_s(self) -> float:
        return self.recorder.now_s()

    async def abort(self, by: str, why: str) -> None:
        """Take the fault back now. Safe to call often and in every phase; only the first reason is kept."""
        if not self._stop.is_set():
            self._stop.set()
            await self._record(ev.AbortRequested(at_s=self._now_s, by=by, why=why))

    def enough(self) -> bool:
        """End the time for which a sustained fault is held, as if it were over; false when it is not being held yet."""
        if self._sustained and self.recorder.state.phase is Phase.OBSERVE and not self._stop.is_set():
            self._enough.set()
        return self._enough.is_set()

    async def run(self) -> None:
        """Go through the phases; an error on the way aborts, and nothing keeps the faults from being taken back."""
        method = asyncio.create_task(self._method())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({method, stop}, return_when=asyncio.FIRST_COMPLETED)
            method.cancel()
            await self._outcome_of(method)
        finally:
            stop.cancel()
            await self._takeback.take_back()
        if not self._stop.is_set() and self.not_run is None and not self.detached:
            await self._recovery()
        await self._takeback.release()
        await self._hang_up()

    async def _hang_up(self) -> None:
        for task in self._lease_watchers:
            task.cancel()
        ends = [item.stop() for item in self._probers.values()]
        ends += [reboot.stop() for reboot in self._reboots.values()]
        ends.append(self.stores.stop())
        if self._watch:
            ends.append(self._watch.stop())
        for problem in await asyncio.gather(*ends, return_exceptions=True):
            if isinstance(problem, Exception):
                await self._record(ev.Found(at_s=self._now_s, text=f"a probe did not stop well: {_sentence(problem)}"))

    async def _outcome_of(self, method: asyncio.Task[None]) -> None:
        try:
            await method
        except asyncio.CancelledError:
            pass  # the abort that cancelled it is already recorded
        except NotRun as ended:
            self.not_run = (ended.reason, str(ended))
        except Exception as error:
            await self._record(
                ev.Failed(at_s=self._now_s, where=str(self.recorder.state.phase.value), what=_sentence(error))
            )
            await self.abort("error", _sentence(error))

    async def _record(self, event: ev.AnyEvent) -> None:
        """Emit, and go on when the journal is broken: the reverts matter more. The recorder keeps the complaint."""
        try:
            await self.recorder.emit(event)
        except JournalError:
            if not self._stop.is_set():
                self._stop.set()
                await self.recorder.emit(ev.AbortRequested(at_s=self._now_s, by="error", why=self.recorder.broken))

    async def _enter(self, phase: Phase) -> None:
        await self._record(ev.PhaseEntered(at_s=self._now_s, phase=phase))

    async def _method(self) -> None:
        await self._arm()
        await self._baseline()
        await self._inject()
        await self._observe()

    async def _arm(self) -> None:
        await self._enter(Phase.ARM)
        for planned in self.plan.nodes:
            try:
                guard = await choose_guard(self.fleet.node(planned.name), planned, self.plan)
            except NotArmed as error:
                raise NotRun(Reason.REFUSED, str(error)) from error
            await self.recorder.emit(ev.Arming(at_s=self._now_s, node=planned.name, hand_revert=guard.hand_revert))
            self.guards[planned.name] = guard
            try:
                await guard.arm()
            except Busy as busy:
                # The lock is another run's: there is nothing of ours on this node to take back.
                del self.guards[planned.name]
                await self.recorder.emit(
                    ev.CleanJudged(at_s=self._now_s, node=planned.name, status=Status.PASS, evidence="never armed")
                )
                await self.recorder.emit(ev.Released(at_s=self._now_s, node=planned.name))
                raise NotRun(Reason.BUSY, str(busy)) from busy
            except NotArmed as error:
                raise NotRun(Reason.REFUSED, str(error)) from error
            await self.recorder.emit(
                ev.Armed(at_s=self._now_s, node=planned.name, guard=guard.kind, lease_s=self.plan.lease_s)
            )
            self._lease_watchers.append(asyncio.create_task(self._watch_lease(guard)))

    async def _watch_lease(self, guard: Guard) -> None:
        await guard.lost.wait()
        if guard.node in self._reboots and self._reboots[guard.node].expected:
            return  # it is what the fault does
        await self.abort("lease", f"{guard.node}: {guard.lost_why}")

    async def _baseline(self) -> None:
        await self._enter(Phase.BASELINE)
        await self._preflight()
        for item in self.plan.scenario.steady_state:
            self._probers[f"steady/{item.id}"] = prober(item.probe, self.fleet, self.stores.writers)
        for expectation in self.plan.scenario.expectations:
            self._probers[f"expect/{expectation.id}"] = prober(expectation.probe, self.fleet, self.stores.writers)
        await asyncio.gather(*(self._start_prober(name) for name in self._probers))
        bad = await self._steady_state("baseline", 0.0)
        if bad:
            raise NotRun(Reason.BASELINE, "the steady state does not hold: " + "; ".join(bad))
        if not self._reboots:  # a prober on the node would not live through its reboot
            self._watch = await recovery_watch(self.plan, self.fleet, self.stores.writers, lambda: self.recorder.state)

    async def _start_prober(self, name: str) -> None:
        """One that is not required and cannot begin is unknown; any other keeps the fault from being injected."""
        try:
            await self._probers[name].start()
        except GamedayError as error:
            if name not in {f"expect/{e.id}" for e in self.plan.scenario.expectations if not e.required}:
                raise NotRun(Reason.BASELINE, str(error)) from error
            self._probers[name] = Unasked(str(error))

    async def _preflight(self) -> None:
        for action in self.plan.actions:
            said = await preflight(action, self.fleet)
            for line in said.warnings:
                await self.recorder.emit(ev.Found(at_s=self._now_s, text=f"{action.node}: {line}"))
            if said.answer != "fit":
                reason = Reason.REFUSED if said.answer == "refused" else Reason.BASELINE
                raise NotRun(reason, f"{action.node}: {said.text}")

    async def _steady_state(self, when: Literal["baseline", "recovery"], limit_s: float) -> list[str]:
        """Judge every steady-state probe; returns those that do not hold, in words."""

        async def one(name: str, title: str) -> str:
            seen = await ask_until_pass(self._probers[f"steady/{name}"], limit_s, clock=self.recorder.now_s)
            await self._record(
                ev.SteadyStateJudged(at_s=self._now_s, id=name, when=when, status=seen.status, observed=seen.text)
            )
            return "" if seen.status is Status.PASS else f"{title}: {seen.text}"

        told = await asyncio.gather(*(one(item.id, item.title) for item in self.plan.scenario.steady_state))
        return [text for text in told if text]

    async def _inject(self) -> None:
        if not self.plan.actions:
            return
        why = await self._approvals_hold()
        if why:
            raise NotRun(Reason.APPROVAL, why)
        closed = self.plan.window.closed(self._now_s) if self.plan.window else ""
        if closed:
            raise NotRun(Reason.REFUSED, closed)
        await self._enter(Phase.INJECT)
        for action in self.plan.actions:
            await self.recorder.emit(ev.Injecting(at_s=self._now_s, node=action.node))
            if action.node in self._reboots:
                await self._reboots[action.node].begin()
            await self.guards[action.node].go()
            await self.recorder.emit(ev.Injected(at_s=self._now_s, node=action.node))

    async def _observe(self) -> None:
        """Prove the effect, judge the expectations that count from the injection, and hold the fault its time."""
        origin_s = self.recorder.state.injected_at_s or self._now_s
        early = [e for e in self._expectations("inject") if self._sustained or self._from_the_start(e)]
        late = [e for e in self._expectations("inject") if e not in early]
        judges = [asyncio.create_task(self._judge(e, origin_s), name=e.id) for e in early]
        try:
            if self.plan.actions:
                await self._enter(Phase.PROVE_EFFECT)
                if not await self._effect.prove():
                    return
                if self._detach_s is not None:
                    await self._leave_to_nodes(self._detach_s)
                    return
            await self._enter(Phase.OBSERVE)
            origin_s = self.recorder.state.injected_at_s or origin_s  # a blow that needed time has told when it fell
            judges += [asyncio.create_task(self._judge(e, origin_s), name=e.id) for e in late]
            if self._sustained:
                await self._effect.hold(self._enough)
                await self._finish(judges, 0.0)
            else:
                await self._finish(judges, self.plan.scenario.observe_s - (self._now_s - origin_s))
                for reboot in self._reboots.values():
                    for event in await reboot.told(origin_s, self._late_judged()):
                        await self._record(event)
                await self._measure_recovery()
                await self._steady_state("recovery", RECOVERY_LIMIT_S if not judges else 5.0)
        finally:
            for task in judges:
                task.cancel()

    async def _leave_to_nodes(self, for_s: float) -> None:
        """The nodes that the fault is on take it back by themselves; the others are released as ever."""
        for name in dict.fromkeys(action.node for action in self.plan.actions):
            await self.guards[name].detach(for_s)
            self.detached = True
            await self.recorder.emit(ev.Detached(at_s=self._now_s, node=name, until_s=self._now_s + for_s))
            del self.guards[name]

    def _from_the_start(self, expectation: Expectation) -> bool:
        """Whether it can be judged before the effect of a blow is proven."""
        if self._reboots:
            return not self.fleet.nodes_of(expectation.probe) & self._reboots.keys()
        return expectation.throughout or _latches(expectation)

    def _late_judged(self) -> list[ExpectationState]:
        """The required expectations that only the end of a reboot can meet."""
        late = [e for e in self._expectations("inject") if e.required and not self._from_the_start(e)]
        return [self.recorder.state.expectations[e.id] for e in late]

    def _expectations(self, after: str) -> list[Expectation]:
        return [e for e in self.plan.scenario.expectations if e.after == after]

    async def _judge(self, expectation: Expectation, origin_s: float) -> None:
        asked = self._probers[f"expect/{expectation.id}"]
        if isinstance(asked, Unasked):
            await self._told(expectation, Judgement(Status.UNKNOWN, asked.why))
            return
        over = self._over if expectation.after == "inject" else asyncio.Event()
        told = await judge(expectation, asked, origin_s, over, clock=self.recorder.now_s)
        await self._told(expectation, told)

    async def _told(self, expectation: Expectation, told: Judgement) -> None:
        await self._record(
            ev.ExpectationJudged(
                at_s=self._now_s,
                id=expectation.id,
                status=told.status,
                observed=told.observed,
                after_s=told.after_s,
                error_s=told.error_s,
                data_lost=told.data_lost,
            )
        )

    async def _finish(self, judges: list[asyncio.Task[None]], limit_s: float) -> None:
        """Wait for the judges; when the time is over, each says what it knows."""
        throughout = {e.id for e in self.plan.scenario.expectations if e.throughout}
        ending = [task for task in judges if task.get_name() not in throughout]
        if ending:
            await asyncio.wait(ending, timeout=max(0.0, limit_s))
        self._over.set()
        await asyncio.gather(*judges)

    async def _measure_recovery(self) -> None:
        expectation = next((e for e in self.plan.scenario.expectations if e.recovery), None)
        if self._watch is None or expectation is None:
            return
        await self._watch.collect()
        measured = self._watch.measured(expectation.stable_for_s)
        if measured is None:
            await self._record(
                ev.Found(at_s=self._now_s, text="the recovery time could not be measured: " + self._watch.why)
            )
            return
        await self._record(
            ev.RecoveryMeasured(
                at_s=self._now_s,
                seconds=measured.seconds,
                error_s=measured.error_s,
                breakdown=measured.breakdown,
                how=measured.how,
            )
        )

    async def _recovery(self) -> None:
        """After a sustained fault: the expectations that count from the revert, and the steady state again."""
        await self._enter(Phase.RECOVERY)
        origin_s = self.recorder.state.reverted_at_s or self._now_s
        await asyncio.gather(*(self._judge(e, origin_s) for e in self._expectations("revert")))
        if any(e.recovery for e in self._expectations("revert")):
            await self._measure_recovery()
        if self._sustained or not self.plan.actions:
            await self._steady_state("recovery", RECOVERY_LIMIT_S)


def _latches(expectation: Expectation) -> bool:
    """Whether the probe compares with the baseline, so that it cannot be met before the fault has acted."""
    probe = expectation.probe
    return isinstance(probe, AlertProbe) or (isinstance(probe, ServiceProbe) and probe.state in HAPPENINGS)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, GamedayError) else f"{type(error).__name__}: {error}"
