"""What the screens and the command line both drive: the watched fleet, the experiments, and starting a run."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from console import events as ev
from console.errors import BadInput, GamedayError, Refused
from console.fleet import Fleet
from console.plan import library
from console.plan.approval import Approval
from console.plan.inventory import Inventory, load_inventory
from console.plan.plan import Plan, check_against, new_run_id, resolve
from console.plan.scenario import Scenario, load_scenario
from console.record import journal, log, runs
from console.record.outbox import Outbox
from console.record.writeup import Draft, draft
from console.run.checklist import operator_name
from console.run.preparation import Blocker
from console.run.runner import Runner
from console.state import RunState, fold_all
from console.terms import Phase, Reason, Risk, Status

AFTER_VERDICT = (Phase.WRITE_UP, Phase.DONE)


class ExperimentView(msgspec.Struct, frozen=True):
    """A line of the list of experiments."""

    scenario: Scenario | None
    """None where the file cannot be understood; `problem` says why."""
    name: str
    file: Path
    problem: str
    """Why it cannot run here; empty: runnable."""
    approval: str
    """Like `none`, `1 tpm` or `3 council`."""
    last: str
    """The last run's outcome in words; empty: never run."""


class RunHandle:
    """One run, as the screens see and drive it."""

    def __init__(self, runner: Runner, inventory_file: Path, *, on_ended: Callable[[RunState], None]) -> None:
        self.runner = runner
        self.plan: Plan = runner.plan
        self._inventory_file = inventory_file
        self._task = asyncio.create_task(self._run(on_ended))

    async def _run(self, on_ended: Callable[[RunState], None]) -> None:
        try:
            await self.runner.run()
        finally:
            on_ended(self.state)

    @property
    def state(self) -> RunState:
        """The latest fold."""
        return self.runner.state

    @property
    def problem(self) -> str:
        """Why the run broke down, where it did; empty otherwise."""
        if not self._task.done() or self._task.cancelled():
            return ""
        error = self._task.exception()
        return "" if error is None else f"{type(error).__name__}: {error}"

    @property
    def guards(self) -> dict[str, float | None]:
        """Node -> seconds left on its lease, None where that is not known."""
        return {name: guard.lease_left_s for name, guard in self.runner.experiment.guards.items()}

    def subscribe(self, callback: Callable[[ev.AnyEvent], None]) -> Callable[[], None]:
        """Call back with each event from now on; returns how to stop that."""
        return self.runner.recorder.listen(callback)

    async def ready(self) -> None:
        """Wait until the automatic items were verified for the first time."""
        done = asyncio.create_task(self.runner.preparation.ready.wait())
        await asyncio.wait({done, self._task}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()

    async def wait(self) -> RunState:
        """Wait for the run's last event.

        Raises:
            Exception: what the run broke down with.
        """
        await asyncio.shield(self._task)
        return self.state

    async def concluded(self) -> None:
        """Wait until the run has been judged and its nodes were released, or it broke down."""
        told = asyncio.Event()
        stop = self.subscribe(lambda _: told.set() if self.state.phase in AFTER_VERDICT else None)
        waiting = asyncio.create_task(told.wait())
        try:
            if self.state.phase not in AFTER_VERDICT:
                await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stop()

    async def recheck(self, item: str | None = None) -> None:
        """Verify one automatic item again, or all of them, the approvals and the guard rails."""
        await self.runner.preparation.recheck(item)

    async def tick(self, item: str, note: str, status: Status = Status.PASS) -> None:
        """The operator's word on a manual item of the checklist that is open now."""
        stage: ev.Stage = "pre" if not self.state.conclusion else "post"
        await self.runner.tick(stage, item, note, status, self.plan.operator)

    async def override(self, item: str, reason: str) -> None:
        """Go on without an item; low risk only."""
        await self.runner.preparation.override(item, reason, self.plan.operator)

    async def accept_approval(self, text: str) -> None:
        """Take a signature that was pasted."""
        await self.runner.preparation.accept(text)

    def approve_line(self) -> str:
        """The line that an approver pastes into a shell."""
        return shlex.join(
            ["gameday", "approve", str(self.runner.folder / "plan.json"), "--inventory", str(self._inventory_file)]
        )

    def hand_reverts(self) -> dict[str, str]:
        """Node -> the one command that reverts by hand there."""
        return self.runner.hand_reverts()

    def can_launch(self) -> list[Blocker]:
        """What stands in the way now, all of it."""
        return self.runner.preparation.blockers()

    async def launch(self, typed_name: str) -> list[Blocker]:
        """Begin, when the typed name is the target's. Returns what stands in the way.

        Raises:
            Refused: the name is another.
        """
        wanted = self.target_name
        if typed_name != wanted:
            raise Refused(f"type '{wanted}' to launch, not '{typed_name}'")
        return await self.runner.launch(self.plan.operator)

    @property
    def target_name(self) -> str:
        """What the operator types to confirm: the node that the fault acts on."""
        names = [action.node for action in self.plan.actions] or [node.name for node in self.plan.nodes]
        return names[0]

    async def leave(self) -> None:
        """Go away before the launch: nothing was touched."""
        blockers = self.can_launch()
        reason = blockers[0].reason if blockers else Reason.CHECKLIST
        await self.runner.give_up(reason, "left before the launch; nothing was touched")

    async def abort(self, why: str, by: str = "operator") -> None:
        """Take the fault back now."""
        await self.runner.abort(by, why)

    def abort_preview(self) -> list[str]:
        """What an abort would revert, and in how long, a line each."""
        lines = [
            f"{action.node}: revert {action.fault.summary}, at most {action.fault.revert_limit_s:g} s"
            for action in reversed(self.plan.actions)
        ]
        return lines or ["nothing was changed: only the guards are taken down"]

    async def note(self, text: str) -> None:
        """A timestamped remark."""
        await self.runner.note(text, self.plan.operator)

    def writeup_draft(self) -> Draft:
        """The proposal that the operator signs."""
        return draft(self.state)

    async def sign(
        self, verdict: Literal["PASS", "FAIL"], note: str = "", issues: tuple[str, ...] = (), gaps: tuple[str, ...] = ()
    ) -> None:
        """Sign PASS or FAIL; the write-up is stored."""
        await self.runner.sign(verdict, by=self.plan.operator, note=note, issues=issues, gaps=gaps)


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

    async def open(self) -> None:
        """Begin to watch the fleet."""
        await self.fleet.start()

    async def close(self) -> None:
        """End the open run in safety (abort, revert, prove), then hang up."""
        if self.handle and not self.handle.state.ended and not self.handle.problem:
            await self.settle(self.handle)
        await self.fleet.close()

    async def settle(self, handle: RunHandle) -> None:
        """Bring a run to its end without an operator: abort what runs, leave what was not launched, sign nothing."""
        state = handle.state
        if not state.confirmed_by:
            await handle.leave()
        elif state.conclusion is None:
            await handle.abort("the console was closed", by="interrupted")
            await handle.concluded()

    def find(self, name: str) -> tuple[Scenario, Path]:
        """A scenario by name or file.

        Raises:
            BadInput: none of that name, or it cannot be understood.
        """
        file = library.find(name, self.inventory)
        return load_scenario(file), file

    def make_plan(self, name: str, overrides: dict[str, str] | None = None, operator: str = "") -> Plan:
        """Resolve a scenario against the inventory.

        Raises:
            BadInput: a name that cannot be resolved.
            Refused: a guard rail of a fault.
        """
        scenario = load_scenario(library.find(name, self.inventory), overrides)
        return resolve(
            scenario,
            self.inventory,
            operator=operator or operator_for(scenario.risk, self.inventory),
            run=new_run_id(),
            created=datetime.fromtimestamp(self.clock(), UTC),
        )

    def start(self, plan: Plan, approvals: Iterable[Approval] = ()) -> RunHandle:
        """Begin a run at its checklist.

        Raises:
            Refused: read-only, another run of this console is open, the plan is for other machines, or it ran already.
        """
        if self.read_only:
            raise Refused("this console was started with --read-only")
        if self.handle and not self.handle.state.ended and not self.handle.problem:
            raise Refused(f"run {self.handle.plan.run} of this console has not ended yet")
        check_against(plan, self.inventory)
        runner = Runner(plan, self.fleet, approvals=approvals, clock=self.clock)
        self.handle = RunHandle(runner, self.inventory_file, on_ended=self._log)
        return self.handle

    def prepare(self, name: str, overrides: dict[str, str] | None = None) -> RunHandle:
        """Plan and start in one step."""
        return self.start(self.make_plan(name, overrides))

    def _log(self, state: RunState) -> None:
        log.append(state, Path(self.inventory.log_file) if self.inventory.log_file else None)

    def experiments(self) -> list[ExperimentView]:
        """Every scenario that is found, the broken ones too."""
        last = {
            summary.scenario: f"{summary.outcome} {summary.reason}".strip() for summary in reversed(runs.all_runs())
        }
        views = []
        for file in library.all_files(self.inventory):
            try:
                scenario = load_scenario(file)
            except BadInput as error:
                views.append(ExperimentView(None, file.stem, file, str(error), "", ""))
                continue
            policy = self.inventory.approvals.policy(scenario.risk)
            approval = f"{policy.quorum} {policy.role}" if policy.quorum and scenario.method else "none"
            problem = self._problem(scenario)
            views.append(ExperimentView(scenario, scenario.name, file, problem, approval, last.get(scenario.name, "")))
        return views

    def _problem(self, scenario: Scenario) -> str:
        """Why the scenario cannot be planned here; empty when it can."""
        try:
            now = datetime.fromtimestamp(self.clock(), UTC)
            plan = resolve(scenario, self.inventory, operator="nobody", run="preview", created=now)
        except GamedayError as error:
            return str(error)
        down = [node.name for node in plan.nodes if self.fleet.view(node.name).why]
        return f"unreachable: {', '.join(down)}" if down else ""

    def runs(self) -> list[runs.RunSummary]:
        """Past and running runs, newest first."""
        return runs.all_runs()

    def load_run(self, run: str) -> tuple[RunState, list[ev.AnyEvent]]:
        """A past run from its journal.

        Raises:
            BadInput: there is no such run.
        """
        events, _ = journal.read(runs.find(run) / "journal.jsonl")
        return fold_all(events), events

    @property
    def outbox_count(self) -> int:
        """How many write-ups wait for the database."""
        return len(Outbox(runs.outbox_home()).pending())


def operator_for(risk: Risk, inventory: Inventory) -> str:
    """The operator: for medium and high the inventory's principal, whose key signs the launch; else the local user."""
    return operator_name() if risk is Risk.LOW else inventory.approvals.operator or operator_name()
