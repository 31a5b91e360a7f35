"""What the screens and the command line both drive: the watched fleet, the experiments, and starting a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from console import events as ev
from console.errors import BadInput, Refused
from console.experiments import Experiments, ExperimentView
from console.fleet import Fleet
from console.handle import RunHandle
from console.modes import Modes
from console.plan import library
from console.plan.approval import Approval
from console.plan.inventory import Inventory, load_inventory
from console.plan.plan import MOST_TRIALS, Plan, check_against, new_run_id
from console.plan.resolve import resolve
from console.plan.scenario import Scenario, load_scenario
from console.plan.window import parse
from console.record import journal, runs
from console.record import log as log_file
from console.record.home import state_home
from console.record.outbox import Outbox, OutboxError
from console.record.thermal import Delivery, flush, store
from console.record.writeup import WriteUp
from console.run import pass_rate
from console.run.checklist import operator_name
from console.run.pass_rate import BAR, Progress
from console.run.runner import Runner
from console.state import RunState
from console.terms import Outcome, Reason, Risk
from console.trials import Kept, Trials
from console.unattended import Answers

DELIVER_EVERY_S = 15.0
"""How often an open console tries to deliver what waits in the outbox, in seconds."""


class PastRun(msgspec.Struct, frozen=True):
    """A run in the history."""

    run: str
    scenario: str
    started_s: float
    operator: str
    outcome: Outcome
    reason: Reason
    verdict: str
    """`PASS`, `FAIL` or empty: nobody signed."""
    delivered: bool


class Recording(msgspec.Struct, frozen=True):
    """A journal that was read."""

    events: list[ev.AnyEvent]
    complaint: str
    """What of it could not be read; empty: nothing."""


class Session:
    """One inventory, its fleet, and at most one run of this console at a time."""

    def __init__(
        self, inventory_file: Path, *, read_only: bool = False, clock: Callable[[], float] = time.time
    ) -> None:
        """Read the inventory.

        Raises:
            BadInput: the inventory cannot be understood.
        """
        self.inventory_file = inventory_file
        self.inventory: Inventory = load_inventory(inventory_file)
        self.read_only = read_only
        self.clock = clock
        self.fleet = Fleet(self.inventory, clock=clock)
        self.handle: RunHandle | None = None
        """The run that is on, or was last; of several trials the one of them."""
        self.trials: Trials | None = None
        """The trials that are on, or were last."""
        self.modes = Modes(
            self.inventory,
            self.fleet.nodes,
            clock=clock,
            begin=lambda scenario, for_s: self.start(self.plan_of(scenario), detach_s=for_s),
            led=lambda: self.handle,
            read_only=read_only,
        )
        self.log: Sequence[str] = ()
        """What the session has to say, a sentence a line."""
        self._deliveries: asyncio.Task[None] | None = None
        self.complaints: list[str] = []
        """What went wrong beside a run and changed nothing of it."""
        self._experiments = Experiments(self.inventory, self.fleet, clock)

    async def open(self) -> None:
        """Begin to watch the fleet, and to deliver what waits in the outbox."""
        await self.fleet.start()
        self._deliveries = asyncio.create_task(self._deliver_what_waits())

    async def _deliver_what_waits(self) -> None:
        """Try again and again, for as long as this console lives; the outbox itself tells what is left."""
        thermal = self.inventory.thermal_memory
        while thermal:
            await asyncio.sleep(DELIVER_EVERY_S)
            if self.busy:
                continue  # a run may be counting these very rows
            try:
                connect = self.fleet.database(thermal.database).connect_new
                box = Outbox(runs.outbox_home())
                await flush(box, connect, thermal.table, inventory=self.inventory.name)
            except OutboxError as error:
                self.complaints.append(str(error))

    @property
    def busy(self) -> bool:
        """Whether a fault of this console may act somewhere."""
        handle = self.handle
        return bool(handle and handle.state.confirmed_by and not handle.state.conclusion and not handle.problem)

    async def close(self) -> None:
        """End the open run in safety (abort, revert, prove), then hang up."""
        if self.trials and not self.trials.over:
            self.trials.stop("the console was closed")
        if self.handle and not self.handle.over:
            await self.settle(self.handle)
        if self.trials and not self.trials.over:
            self.complaints += filter(None, [await self.trials.closed()])
        if self._deliveries:
            self._deliveries.cancel()
            await asyncio.gather(self._deliveries, return_exceptions=True)
        await self.fleet.close()

    async def settle(self, handle: RunHandle) -> None:
        """Bring a run to its end without an operator: abort what runs, leave what was not launched, sign nothing."""
        state = handle.state
        if not state.confirmed_by:
            await handle.leave()
        elif state.conclusion is None:
            await handle.abort("the console was closed", by="interrupted")
            await handle.concluded()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever something new is known of the fleet; returns how to stop that."""
        return self.fleet.listen(lambda _: callback())

    @property
    def copy_file(self) -> Path:
        """Where copied text is also written: a terminal never says whether it took it."""
        return state_home() / "copied.txt"

    def find(self, name: str) -> tuple[Scenario, Path]:
        """A scenario by name or file.

        Raises:
            BadInput: none of that name, or it cannot be understood.
        """
        file = library.find(name, self.inventory)
        return load_scenario(file), file

    def make_plan(
        self,
        name: str,
        overrides: dict[str, str] | None = None,
        operator: str = "",
        window: str = "",
        trials: int = 1,
    ) -> Plan:
        """Resolve a scenario against the inventory; `window` as console.plan.window.parse takes it, empty: the default.

        Raises:
            BadInput: a name that cannot be resolved.
            Refused: a guard rail of a fault.
        """
        file = library.find(name, self.inventory)
        return self.plan_of(load_scenario(file, overrides), file, operator, window, trials)

    def plan_of(
        self,
        scenario: Scenario,
        file: Path | None = None,
        operator: str = "",
        window: str = "",
        trials: int = 1,
    ) -> Plan:
        """Resolve a scenario that may have no file.

        Raises:
            BadInput: a name that cannot be resolved.
            Refused: a guard rail of a fault.
        """
        created = datetime.fromtimestamp(self.clock(), UTC)
        return resolve(
            scenario,
            self.inventory,
            operator=operator or operator_for(scenario.risk, self.inventory),
            run=new_run_id(),
            created=created,
            file=file,
            window=parse(window, created) if window else None,
            trials=trials,
        )

    def start(self, plan: Plan, approvals: Iterable[Approval] = (), detach_s: float | None = None) -> RunHandle:
        """Begin a run at its checklist. With `detach_s` its proven fault is left to the node for so long, in seconds.

        Raises:
            Refused: read-only, another run of this console is open, the plan is for other machines, or it ran already.
        """
        self._may_begin()
        if plan.trials > 1 and not plan.trial:
            raise Refused(f"plan {plan.run} is one of {plan.trials} trials: it is not run as one")
        return self._start(plan, approvals, detach_s=detach_s)

    def start_trials(
        self, plan: Plan, approvals: Iterable[Approval] = (), *, answers: Answers | None = None, bar: float = BAR
    ) -> Trials:
        """Begin a plan's trials; without `answers` at the checklist of the first, which is then the operator's.

        Raises:
            Refused: as for `start`.
        """
        self._may_begin()
        votes = tuple(approvals)
        self.trials = Trials(
            plan,
            lambda trial, before: self._start(trial, votes, before),
            self.keep,
            clock=self.clock,
            answers=answers,
            bar=bar,
            on_over=self._trials_over,
        )
        return self.trials

    def _may_begin(self) -> None:
        if self.read_only:
            raise Refused("this console was started with --read-only")
        for led in (self.trials, self.handle):
            if led and not led.over:
                raise Refused(f"run {led.plan.run} of this console has not ended yet")

    def _start(
        self,
        plan: Plan,
        approvals: Iterable[Approval],
        before: RunHandle | None = None,
        detach_s: float | None = None,
    ) -> RunHandle:
        check_against(plan, self.inventory)
        runner = Runner(
            plan,
            self.fleet,
            approvals=approvals,
            clock=self.clock,
            before=before.runner if before else None,
            detach_s=detach_s,
        )
        self.handle = RunHandle(runner, self.inventory_file, on_ended=self._run_ended)
        return self.handle

    def preview(self, name: str, overrides: dict[str, str]) -> Plan:
        """The plan as it would be; nothing is claimed.

        Raises:
            GamedayError: why there is none.
        """
        return self._planned(name, dict(overrides))

    def _planned(self, name: str, overrides: dict[str, str]) -> Plan:
        """`trials` is no parameter of a fault, but it stands among them on the screen."""
        text = overrides.pop("trials", "1")
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_TRIALS:
            raise BadInput(f"trials={text[:20]}: it must be a number from 1 to {MOST_TRIALS}")
        return self.make_plan(name, overrides, trials=int(text))

    async def prepare(self, name: str, overrides: dict[str, str]) -> RunHandle:
        """Begin a run at its checklist, or with `trials` among the overrides so many, at the checklist of the first.

        Raises:
            GamedayError: why there is none.
        """
        plan = self.preview(name, overrides)
        return self.start_trials(plan) if plan.trials > 1 else self.start(plan)

    def _run_ended(self, state: RunState) -> None:
        self._experiments.forget_outcomes()
        if state.started:
            self._log(log_file.line(state))

    def _trials_over(self, told: Progress) -> None:
        name = f"{told.trials} trials of {told.scenario} (plan {told.run})"
        self._log(log_file.whole_line(pass_rate.word(told), name, pass_rate.sentence(told), self.clock()))

    def log_skipped(self, scenario: str, why: str) -> None:
        """Tell the log of game days of a test of which no run was started."""
        self._log(log_file.skip_line(scenario, why, self.clock()))

    def _log(self, line: str) -> None:
        file = Path(self.inventory.log_file) if self.inventory.log_file else None
        try:
            log_file.append(line, file)
        except OSError as error:
            self.complaints.append(f"the log of game days was not written: {error.strerror}: {error.filename}")

    async def store(self, row: WriteUp) -> Delivery:
        """Keep a write-up in the outbox and try to deliver it; it waits there when the database does not take it."""
        thermal = self.inventory.thermal_memory
        connect = self.fleet.database(thermal.database).connect_new if thermal else None
        return await store(Outbox(runs.outbox_home()), row, connect, thermal.table if thermal else "")

    async def keep(self, row: WriteUp) -> Kept:
        """Store the row of several runs; what became of it in words."""
        try:
            told = await self.store(row)
        except OutboxError as error:  # it is in thermal memory, and will be found there by the next delivery
            return Kept(True, f"✓ delivered: {row.hash}; {error}")
        return Kept(
            told.delivered, f"✓ delivered: {row.hash}" if told.delivered else f"○ queued: {row.hash}: {told.why}"
        )

    def experiments(self) -> list[ExperimentView]:
        """Every scenario that can be understood; of the others the log tells."""
        views, complaints = self._experiments.views()
        self.log = (*complaints, *self.complaints)
        return views

    def runs(self) -> list[PastRun]:
        """Past runs, newest first."""
        return [_past(summary) for summary in runs.all_runs() if not summary.live]

    def load_run(self, run: str) -> Recording:
        """A past run's journal.

        Raises:
            GamedayError: there is no such run, or it cannot be read.
        """
        events, complaint = journal.read(runs.find(run) / journal.FILE)
        return Recording(events, complaint)

    @property
    def outbox_count(self) -> int:
        """How many write-ups wait for this inventory's database."""
        waiting = Outbox(runs.outbox_home()).pending()
        return sum(writeup.is_for(self.inventory.name) for writeup in waiting)


def operator_for(risk: Risk, inventory: Inventory) -> str:
    """The operator: for medium and high the inventory's principal, whose key signs the launch; else the local user."""
    return operator_name() if risk is Risk.LOW else inventory.approvals.operator or operator_name()


def _past(summary: runs.RunSummary) -> PastRun:
    return PastRun(
        run=summary.run,
        scenario=summary.scenario,
        started_s=summary.started_at_s or 0.0,
        operator=summary.operator,
        outcome=Outcome(summary.outcome),
        reason=Reason(summary.reason),
        verdict=summary.signed,
        delivered=summary.delivered,
    )
