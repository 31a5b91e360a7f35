"""One run from its first event to its last. Reads like the phase list: prepare, experiment, close."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec

from console import events as ev
from console import notify
from console.brief import ItemBrief
from console.errors import Refused
from console.fleet import Fleet, sample_values
from console.nodes.guard import hand_reverts
from console.nodes.sampler import ServiceSample
from console.plan.approval import Approval, encode
from console.plan.plan import Plan, save
from console.plan.probe import AlertProbe, alert_words
from console.plan.scenario import Expectation
from console.record import runs
from console.record.home import private_folder, write_atomically
from console.record.journal import Journal
from console.record.outbox import Outbox
from console.run.answers import Answers
from console.run.checklist import attest, attest_expectation, post_items, pre_items
from console.run.closing import Closing
from console.run.experiment import Experiment
from console.run.preparation import Preparation
from console.run.rails import Blocker
from console.run.recorder import Recorder
from console.state import RunState
from console.terms import Outcome, Phase, Reason, Status

LAST_LOOK_S = 3.0


class Runner:
    """Drives one plan through its phases. Screens and the command line call its methods and read its state.

    The plan runs at most once: its run folder is claimed when the runner is made.
    """

    def __init__(
        self,
        plan: Plan,
        fleet: Fleet,
        *,
        approvals: Iterable[Approval] = (),
        clock: Callable[[], float],
        before: Runner | None = None,
        detach_s: float | None = None,
    ) -> None:
        """Claim the run. `before` is the trial before this one: its votes and its message to the TPM hold here too.
        With `detach_s` the proven fault is left to its node for so long, in seconds.

        Raises:
            Refused: this plan has run already.
        """
        self.plan = plan
        self.fleet = fleet
        self.folder: Path = runs.claim(plan.run)
        save(plan, self.folder / runs.PLAN)
        self.recorder = Recorder(Journal.create(self.folder), clock)
        earlier = before.preparation if before else None
        votes = [*approvals, *(earlier.authentic() if earlier else ())]
        self.preparation: Preparation = Preparation(plan, fleet, self.recorder, votes, earlier)
        self.experiment = Experiment(plan, fleet, self.recorder, self.preparation.approvals_hold, detach_s=detach_s)
        self.closing = Closing(plan, fleet, self.recorder, Outbox(runs.outbox_home()))
        self._launched = asyncio.Event()
        self._given_up: tuple[Reason, str] | None = None
        self._finished = asyncio.Event()
        self._told: dict[str, float] = {}
        self._links: dict[str, bool] = {}
        lines = [f"{node}: {command}\n" for node, command in self.hand_reverts().items()]
        (self.folder / "revert-by-hand.txt").write_text("".join(lines))

    @property
    def state(self) -> RunState:
        """The fold of everything that has happened."""
        return self.recorder.state

    def events(self) -> AsyncIterator[ev.AnyEvent]:
        """Every event of the run, from the first to `Ended`."""
        return self.recorder.events()

    # ---- the course of the run

    async def run(self) -> None:
        """From the checklist to the last event. Cancelling this does not undo a fault: use `abort` and wait."""
        self.fleet.want(node.name for node in self.plan.nodes)
        await self.recorder.emit(self._started())
        await self._enter(Phase.CHECKLIST)
        samples = asyncio.create_task(self._record_samples())
        inbox = asyncio.create_task(self.preparation.watch_inbox())
        try:
            await self.preparation.start()
            await self._launched.wait()
            inbox.cancel()
            if self._given_up is None:
                answers = asyncio.create_task(Answers(self.plan, self.fleet, self.recorder).run())
                try:
                    await self.experiment.run()
                finally:
                    answers.cancel()
            await self._close()
        finally:
            inbox.cancel()
            samples.cancel()
            await self.recorder.close()
            runs.let_go(self.folder)

    async def _close(self) -> None:
        await self._enter(Phase.POST_TEST)
        not_run = self._given_up or self.experiment.not_run
        if not not_run and not self.experiment.detached:
            await self._see_all_once_more()
            await self.closing.verify(self.preparation.pre_test, self.experiment.stores)
        else:
            await self._leave_stores()
        await self.closing.conclude(not_run)
        telling = asyncio.create_task(self._tell_people())
        outcome = self.state.conclusion.outcome if self.state.conclusion else None
        if (not_run and outcome in (Outcome.NOT_RUN, Outcome.ABORTED)) or outcome is Outcome.HELD:
            self._finished.set()  # nothing was broken, or nothing judged: there is nothing to write up
        else:
            await self._enter(Phase.WRITE_UP)
        try:
            await self._finished.wait()
            await self._leave_stores()
            await telling
        finally:
            telling.cancel()
        await self._enter(Phase.DONE)
        await self.recorder.emit(ev.Ended(at_s=self.recorder.now_s()))

    async def _leave_stores(self) -> None:
        for stays in await self.experiment.stores.close():
            await self.recorder.emit(ev.Found(at_s=self.recorder.now_s(), text=stays))

    async def _tell_people(self) -> None:
        """Notify those who asked for it, beside all else: the nodes are free, and a failure is only a finding."""
        settings = self.fleet.inventory.notify
        if settings and self.state.conclusion and notify.wanted(settings, self.state.conclusion.outcome):
            for problem in await notify.tell(settings, *notify.told(self.state)):
                await self.recorder.emit(ev.Found(at_s=self.recorder.now_s(), text=problem))

    async def _see_all_once_more(self) -> None:
        """The journal's last numbers are from after the release; what cannot be seen in 3 s stays as it was."""
        since_s = self.recorder.now_s()
        while self.recorder.now_s() < since_s + LAST_LOOK_S:
            views = [self.fleet.view(node.name) for node in self.plan.nodes]
            seen = [view.sample is not None and view.sample.at_s > since_s for view in views]
            seen += [view.connections_at_s > since_s for view in views if view.connections_at_s is not None]
            if all(seen):
                break
            await asyncio.sleep(0.1)
        await self._sample_once(self._told)

    async def _enter(self, phase: Phase) -> None:
        await self.recorder.emit(ev.PhaseEntered(at_s=self.recorder.now_s(), phase=phase))

    def _started(self) -> ev.RunStarted:
        plan, scenario = self.plan, self.plan.scenario
        faults = [action.fault for action in plan.actions]
        return ev.RunStarted(
            at_s=self.recorder.now_s(),
            run=plan.run,
            scenario=scenario.name,
            title=scenario.title,
            risk=scenario.risk.value,
            digest=plan.digest,
            operator=plan.operator,
            inventory=plan.inventory,
            nodes=tuple(node.name for node in plan.nodes),
            targets=tuple(dict.fromkeys(action.node for action in plan.actions)),
            lease_s=plan.lease_s,
            fault="; ".join(f"{action.fault.summary} {action.where}" for action in plan.actions) or "observation",
            fault_lasts_s=max((fault.lasts_s for fault in faults), default=0.0),
            observe_s=scenario.observe_s,
            revert_limit_s=max((fault.revert_limit_s for fault in faults), default=0.0),
            steady_state=tuple(ItemBrief(item.id, item.title) for item in scenario.steady_state),
            expectations=tuple(_brief(expectation) for expectation in scenario.expectations),
            pre=pre_items(plan, self.fleet.inventory),
            post=post_items(plan, self.fleet.inventory),
            trials=plan.trials,
            trial=plan.trial,
        )

    async def _record_samples(self) -> None:
        """Every second's numbers of the plan's nodes, and of those with a database, go into the journal."""
        while True:
            await self._tell_links()
            await self._sample_once(self._told)
            await asyncio.sleep(0.5)

    async def _tell_links(self) -> None:
        for planned in self.plan.nodes:
            view = self.fleet.view(planned.name)
            if self._links.get(planned.name, True) != view.up and view.seen_at_s is not None:
                self._links[planned.name] = view.up
                now_s = self.recorder.now_s()
                await self.recorder.emit(ev.LinkChanged(at_s=now_s, node=planned.name, up=view.up, why=view.why))

    async def _sample_once(self, told: dict[str, float]) -> None:
        """Record what was not told yet; `told` remembers when each thing was seen."""
        databases = [database.node for database in self.fleet.inventory.databases.values()]
        for name in dict.fromkeys([*(planned.name for planned in self.plan.nodes), *databases]):
            view = self.fleet.view(name)
            values: dict[str, float] = {}
            states: dict[str, str] = {}
            if view.sample and view.sample.at_s != told.get(f"{name}/sample"):
                told[f"{name}/sample"] = view.sample.at_s
                values = sample_values(view.sample)
                states = {service: _words(seen) for service, seen in view.sample.services.items()}
            if view.connections_at_s and view.connections_at_s != told.get(f"{name}/connections"):
                told[f"{name}/connections"] = view.connections_at_s
                newest = {metric: points[-1][1] for metric, points in view.history.items()}
                values |= {
                    m: value for m, value in newest.items() if m.startswith(("connections:", "connections_max:"))
                }
            guard = self.experiment.guards.get(name)
            if guard is not None and guard.lease_left_s is not None:
                values["lease_left_s"] = guard.lease_left_s
            values |= self.experiment.stores.rates(name, self.recorder.now_s())
            if values:
                await self.recorder.emit(
                    ev.Sampled(at_s=self.recorder.now_s(), node=name, values=values, states=states)
                )

    # ---- what the operator does

    def hand_reverts(self) -> dict[str, str]:
        """Node -> the one command line that reverts by hand there; also kept in the run's folder."""
        return hand_reverts(self.fleet.inventory.nodes, self.plan)

    async def launch(self, by: str) -> list[Blocker]:
        """Look at everything once more, and let the experiment begin. Returns what stands in the way, all of it."""
        if self._launched.is_set():
            raise Refused("this run was launched already")
        blockers = await self.preparation.last_look()
        if not blockers:
            unsigned = await self.preparation.sign_launch()
            blockers = [unsigned] if unsigned else []
        if not blockers and not self._launched.is_set():
            await self._keep_approvals()
            await self.recorder.emit(ev.Confirmed(at_s=self.recorder.now_s(), by=by))
            self._launched.set()
        return blockers

    async def _keep_approvals(self) -> None:
        """The signed votes lie with the run, so that `gameday verify` can judge them again at any time."""
        votes = [(one.document, encode(one)) for one in self.preparation.authentic()]

        def write() -> None:
            folder = private_folder(self.folder / "approvals") if votes else self.folder
            for document, text in votes:
                begins = document.not_before.replace(":", "")
                write_atomically(folder / f"{document.signer}.{begins}.{document.vote}.approval", text)

        try:
            await asyncio.to_thread(write)
        except OSError as error:
            text = f"the approvals could not be kept with the run: {error.strerror}"
            await self.recorder.emit(ev.Found(at_s=self.recorder.now_s(), text=text))

    async def give_up(self, reason: Reason, sentence: str) -> None:
        """End a run that was not launched: outcome not-run."""
        if not self._launched.is_set():
            self._given_up = (reason, sentence)
            self._launched.set()

    async def abort(self, by: str, why: str) -> None:
        """Take the fault back now, from any phase; before the launch, end the run. Safe to call often.

        `by` is one of verdict.STOPPED, or `operator:NAME`.
        """
        if not self._launched.is_set():
            await self.recorder.emit(ev.AbortRequested(at_s=self.recorder.now_s(), by=by, why=why))
            await self.give_up(Reason.OPERATOR, why)
        elif self.state.conclusion is None:
            await self.experiment.abort(by, why)

    async def note(self, text: str, by: str) -> None:
        """A timestamped remark; it seeds the issues of the write-up."""
        if text.strip():
            await self.recorder.emit(ev.Noted(at_s=self.recorder.now_s(), text=text.strip(), by=by))

    async def tick(self, stage: ev.Stage, item: str, note: str, status: Status, by: str) -> None:
        """The operator's word on a manual item of either checklist."""
        if stage == "pre":
            await self.preparation.tick(item, note, status, by)
        else:
            await attest(self.recorder, "post", item, note=note, status=status, by=by)

    async def attest(self, expectation: str, note: str, status: Status, by: str) -> None:
        """The operator's word on an expectation that is not required and could not be seen."""
        await attest_expectation(self.recorder, expectation, note=note, status=status, by=by)

    async def sign(
        self,
        verdict: Literal["PASS", "FAIL"],
        *,
        by: str,
        note: str = "",
        issues: tuple[str, ...] = (),
        gaps: tuple[str, ...] = (),
    ) -> None:
        """Sign PASS or FAIL; the write-up is stored, and the run ends.

        Raises:
            Refused: the machine's proposal is contradicted without a note.
        """
        await self.closing.sign(verdict, by, note, issues, gaps)
        self._finished.set()


def _brief(e: Expectation) -> ItemBrief:
    brief = ItemBrief(e.id, e.title, e.within_s, e.stable_for_s, e.after, e.required)
    if not isinstance(e.probe, AlertProbe):
        return brief
    what: Literal["fired", "cleared"] = "fired" if e.probe.state == "firing" else "cleared"
    return msgspec.structs.replace(brief, alert=alert_words(e.probe), alert_is=what)


def _words(seen: ServiceSample) -> str:
    return f"{seen.active} ({seen.sub})"
