"""One run, as the screens and the command line see and drive it."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console import events as ev
from console.errors import Refused
from console.plan.plan import Plan
from console.record import runs
from console.record.writeup import Draft, Verdict, WriteUp, draft, one_test
from console.run.pass_rate import Progress
from console.run.rails import Blocker
from console.run.runner import Runner
from console.state import RunState, fold
from console.terms import Phase, Reason, Status

AFTER_VERDICT = (Phase.WRITE_UP, Phase.DONE)


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

    def adopt(self, other: RunHandle) -> None:
        """From now on be the handle of the other's run."""
        self.runner, self.plan = other.runner, other.plan
        self._inventory_file, self._task = other._inventory_file, other._task

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
    def over(self) -> bool:
        """Whether nothing more comes of it: its last event was told, or it broke down."""
        return self.state.ended or bool(self.problem)

    @property
    def progress(self) -> Progress | None:
        """How far the trials are of which this is one; None: the plan is run once."""
        return None

    @property
    def guards(self) -> dict[str, float | None]:
        """Node that is held -> seconds left on its lease, None where that is not known."""
        held = [name for name, node in self.state.nodes.items() if node.held]
        return {name: guard.lease_left_s for name, guard in self.runner.experiment.guards.items() if name in held}

    def listen(self, callback: Callable[[ev.AnyEvent], None]) -> Callable[[], None]:
        """Call back with each event from now on; returns how to stop that."""
        return self.runner.recorder.listen(callback)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back whenever something has changed; returns how to stop that."""
        return self.listen(lambda _: callback())

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
        stop = self.listen(lambda _: told.set() if self.state.phase in AFTER_VERDICT else None)
        waiting = asyncio.create_task(told.wait())
        try:
            if self.state.phase not in AFTER_VERDICT:
                await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stop()

    async def recheck(self, item: str | None = None) -> None:
        """Verify one automatic item of the open checklist again, or everything before the launch."""
        if self.state.conclusion and item:
            await self.runner.closing.recheck(item)
        elif item:
            await self.runner.preparation.recheck(item)
        else:
            await self.runner.preparation.last_look()

    async def tick(self, item: str, note: str, status: Status = Status.PASS) -> None:
        """The operator's word on a manual item of the checklist that is open now."""
        stage: ev.Stage = "pre" if not self.state.conclusion else "post"
        await self.runner.tick(stage, item, note, status, self.plan.operator)

    async def attest(self, expectation: str, note: str, status: Status = Status.PASS) -> None:
        """The operator's word on an expectation that is not required and could not be seen."""
        await self.runner.attest(expectation, note, status, self.plan.operator)

    async def override(self, item: str, reason: str) -> None:
        """Go on without an item; low risk only."""
        await self.runner.preparation.override(item, reason, self.plan.operator)

    async def accept_approval(self, text: str) -> None:
        """Take a signature that was pasted."""
        await self.runner.preparation.accept(text)

    def approve_line(self) -> str:
        """The line that an approver pastes into a shell, with the whole path of a command that is not on PATH."""
        command = "gameday" if shutil.which("gameday") else str(Path(sys.executable).with_name("gameday"))
        plan = self.runner.folder / runs.PLAN
        return shlex.join([command, "approve", str(plan), "--inventory", str(self._inventory_file.resolve())])

    def hand_reverts(self) -> dict[str, str]:
        """Node -> the one command that reverts by hand there."""
        return self.runner.hand_reverts()

    def can_launch(self) -> list[Blocker]:
        """What stands in the way now, all of it."""
        return self.runner.preparation.blockers()

    @property
    def inbox(self) -> str:
        """The folder that is watched for approvals; empty: none."""
        return self.runner.fleet.inventory.approvals.inbox

    def approvers(self) -> tuple[str, ...]:
        """The principals who may sign."""
        return self.runner.fleet.inventory.approvals.roles.get(self.plan.policy.role, ())

    @property
    def launch_word(self) -> str:
        """What the operator types to confirm: the node that the fault acts on."""
        names = [action.node for action in self.plan.actions] or [node.name for node in self.plan.nodes]
        return names[0]

    async def try_launch(self) -> list[Blocker]:
        """Look at everything once more and begin; what stands in the way, all of it."""
        return await self.runner.launch(self.plan.operator)

    async def launch(self, typed: str) -> None:
        """Begin, when the typed name is the target's.

        Raises:
            Refused: the name is another, or something stands in the way; all reasons in one sentence.
        """
        if typed != self.launch_word:
            raise Refused(f"type '{self.launch_word}' to launch, not '{typed}'")
        blockers = await self.try_launch()
        if blockers:
            raise Refused("; ".join(f"{blocker.what}: {blocker.fix}" for blocker in blockers))

    async def leave(self) -> None:
        """Go away before the launch: nothing was touched."""
        blockers = self.can_launch()
        reason = blockers[0].reason if blockers else Reason.CHECKLIST
        await self.runner.give_up(reason, "left before the launch; nothing was touched")

    async def abort(self, why: str, by: str = "operator") -> None:
        """Take the fault back now."""
        await self.runner.abort(by, why)

    def enough(self) -> bool:
        """End the time for which a fault is held as if it were over; false where none is being held now."""
        return self.runner.experiment.enough()

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

    def writeup_row(self, verdict: Verdict, note: str, issues: Sequence[str], gaps: Sequence[str]) -> WriteUp:
        """The row that `sign` with these would store now."""
        now_s = self.runner.recorder.now_s()
        signed = fold(self.state, ev.Signed(at_s=now_s, verdict=verdict, by=self.plan.operator, note=note.strip()))
        when = datetime.fromtimestamp(now_s, UTC)
        return one_test(signed, verdict=verdict, issues=tuple(issues), gaps=tuple(gaps), when=when)

    async def sign(self, verdict: Verdict, note: str, issues: Sequence[str], gaps: Sequence[str]) -> None:
        """Sign PASS or FAIL; the write-up is stored."""
        await self.runner.sign(verdict, by=self.plan.operator, note=note, issues=tuple(issues), gaps=tuple(gaps))
