"""The console's end of a guard: the channel that carries the lease, and what the node answers on it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Literal

from console.errors import NodeUnreachable
from console.faults.base import Scripts
from console.nodes import scripts
from console.nodes.by_hand import hand_revert
from console.nodes.guard_answers import BOOT_ID, ENDED, EVIDENCE_CHARS, GONE, boot_said, reverted, said, told_by_the_end
from console.nodes.proof import Busy, GuardKind, InjectResult, NotArmed, Proof
from console.nodes.ssh import Completed, SshNode
from console.nodes.stream import Stream
from console.nodes.token import read_token
from console.plan.plan import Plan, PlannedNode
from console.terms import Status

PAUSE_S = 2.0
"""A console that stood still for this long beyond a tick was paused: it cannot tell what happened meanwhile."""
ASK_LIMIT_S = 10.0
START_LIMIT_S = 10.0
RUN_SLACK_S = 900.0
"""What a run may take besides the times that its plan names: checks, proofs, people."""
RUN_LIMIT_S = 7200.0

NOTHING = Scripts(inject="set -eu\n", effect="set -eu\n", revert="set -eu\n", clean="set -eu\n")
"""For nodes that are only measured."""

CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Runs on while the machine sleeps, and is never set: the one that shows every pause."""


class LeasedGuard:
    """One run's hold on one node, by guard_systemd.sh or guard_shell.sh there. See the protocol in guard.py."""

    def __init__(self, node: SshNode, planned: PlannedNode, plan: Plan, kind: GuardKind) -> None:
        actions = [action for action in plan.actions if action.node == planned.name]
        self.lost = asyncio.Event()
        self.lost_why = ""
        self.kind = kind
        self._ssh = node
        self._run_dir = planned.run_dir
        self._run = plan.run
        self._folder = f"{planned.run_dir}/{plan.run}"
        self._undo = f"{planned.undo_dir}/{plan.run}" if planned.undo_dir else ""
        self._undo_dir = planned.undo_dir or node.spec.undo_dir
        self._operator = plan.operator
        self._lease_s = plan.lease_s
        self._actions = [action.scripts for action in actions] or [NOTHING]
        self._tokens = {
            number: Path(action.target.component.token_file)
            for number, action in enumerate(actions, start=1)
            if action.target.component and action.target.component.token_file
        }
        self._revert_limit_s = sum(action.fault.revert_limit_s for action in actions) or 10.0
        self._run_limit_s = run_limit_s(plan)
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._state = ""
        self._greeting = ""
        self._state_changed = asyncio.Condition()
        self._beat = 0
        self._sent_at: dict[int, float] = {}
        self._heard_at: float | None = None
        self._reverting = False
        self._releasing = False
        self._boot = ""
        """Which boot of the node was armed; empty where it does not tell."""
        self._went = False
        self._silent = False
        self._forgotten = False

    @property
    def node(self) -> str:
        """The node's name."""
        return self._ssh.name

    @property
    def hand_revert(self) -> str:
        """One command line that takes the fault back from any shell, whatever became of the console."""
        return hand_revert(self._ssh.spec, self._folder, self._undo)

    @property
    def lease_left_s(self) -> float | None:
        """For how long the node still waits for a word, in seconds; None while nothing is held."""
        if self._heard_at is None:
            return None
        return max(0.0, self._lease_s - (_now() - self._heard_at))

    async def arm(self) -> None:
        """Take the node. See the protocol."""
        made = await self._make_folder(keep_undo=bool(self._undo))
        if made.exit_status != 0:
            raise NotArmed(f"{self.node}: no guard: {said(made)}")
        self._boot = boot_said(made)
        self._stream = await self._ssh.stream(f"sh {quote(self._folder)}/guard arm", sudo=True)
        self._tasks.append(asyncio.create_task(self._listen(self._stream), name=f"guard {self.node}"))
        try:
            await self._until(bool, START_LIMIT_S)
            word, *rest = self._greeting.split("\t")
            if word == "busy" and len(rest) == 3:
                raise Busy(self.node, rest[0], rest[1], int(rest[2]) / 100)
            if word != "armed":
                raise NotArmed(f"{self.node}: the guard did not start: {self._greeting.strip() or 'no answer'}")
        except BaseException:
            self._releasing = True
            await self._hang_up()
            raise
        self._heard_at = _now()
        self._tasks.append(asyncio.create_task(self._keep_lease(self._stream), name=f"lease {self.node}"))

    async def _make_folder(self, *, keep_undo: bool) -> Completed:
        settings: dict[str, str | int] = {
            "OPERATOR": " ".join(self._operator.split()),
            "CONSOLE": await self._ssh.seen_from(),
            "LEASE": _hundredths(self._lease_s),
            "REVERT_LIMIT": _hundredths(self._revert_limit_s),
            "RUN_LIMIT": _hundredths(self._run_limit_s),
        }
        program = scripts.prepare(
            *(self._run_dir, self._run, self.kind, settings, self._actions),
            undo_dir=self._undo_dir,
            keep_undo=keep_undo,
            tokens={number: read_token(file) for number, file in self._tokens.items()},
        )
        return await self._program(program)

    async def go(self) -> None:
        """Start inject. See the protocol."""
        if not self._stream or self.lost.is_set() or self._state != "armed":
            raise NotArmed(f"{self.node}: {self.lost_why or 'the guard is not armed'}")
        self._went = True
        await self._stream.write("go\n")
        if not await self._until(lambda state: state != "armed", START_LIMIT_S, hurry=True):
            raise NodeUnreachable(f"{self._ssh.where}: {self.lost_why or 'inject was not started'}")
        if self._state not in ("went", "injected"):
            raise NotArmed(f"{self.node}: inject was not started: {self.lost_why or self._state}")

    async def detach(self, for_s: float) -> None:
        """Let the node hold the fault by itself for so long. See the protocol."""
        if not self._stream or self.lost.is_set() or self._state not in ("went", "injected"):
            raise NotArmed(f"{self.node}: {self.lost_why or 'nothing was injected'}")
        await self._stream.write(f"detach {_hundredths(for_s)}\n")
        give_up_at = _now() + START_LIMIT_S
        while not (await self._program(f"cat {quote(self._folder)}/held || :\n")).stdout.strip().isdigit():
            if _now() >= give_up_at:
                raise NodeUnreachable(f"{self._ssh.where}: it did not say that it holds the fault by itself")
            await asyncio.sleep(0.1)
        self._releasing = True
        await self._hang_up()

    async def fall_silent(self) -> None:
        """Say one last word, and nothing more. See the protocol."""
        self._silent = True
        if self._stream:
            await self._send_beat(self._stream)

    async def inject_result(self) -> InjectResult | None:
        """How inject ended. See the protocol."""
        if self._state == "went":
            return None
        folder = quote(self._folder)
        try:
            done = await self._program(f"cat {folder}/inject.status && head -c 4000 {folder}/inject.out\n")
        except NodeUnreachable:
            return None
        first, _, output = done.stdout.partition("\n")
        if not first.isdigit():
            return None
        return InjectResult(int(first), output[:EVIDENCE_CHARS].rstrip())

    async def effect(self) -> Proof:
        """Whether the fault acts now. See the protocol."""
        return await self._ask("effect")

    async def clean(self) -> Proof:
        """Whether no trace is left. See the protocol."""
        return await self._ask("clean")

    async def revert(self) -> Proof:
        """Take the fault back. See the protocol."""
        self._reverting = True
        give_up_at = _now() + self._lease_s + self._revert_limit_s + 10
        with contextlib.suppress(NodeUnreachable, TimeoutError):
            if self._stream:
                async with asyncio.timeout(1):
                    await self._stream.write("stop\n")
        program = self._asking("stop")  # the guard answers for a dead one too
        why = "it was not asked"
        while (left_s := give_up_at - _now()) > 0:
            try:
                done = await self._program(program, timeout_s=min(left_s, self._revert_limit_s + 10))
                if done.stdout.startswith("run "):
                    return reverted(done.stdout)
                if done.exit_status == GONE and (gone := await self._gone(done)):
                    return gone
            except NodeUnreachable as error:
                why = str(error)
                await asyncio.sleep(0.2)
                continue
            why = said(done) or "it gave no answer"
            await asyncio.sleep(0.2)
        return Proof(Status.UNKNOWN, why)

    async def release(self) -> None:
        """Forget the run on the node. See the protocol."""
        self._releasing = True
        folder = quote(self._folder)
        try:
            done = await self._program(
                f"if [ -e {folder}/guard ]; then sh {folder}/guard release; else rm -f {folder}.ended; fi\n"
                f"for left in {folder} {quote(self._undo)}; do\n"
                '[ ! "$left" ] || [ ! -e "$left" ] || echo "$left is still there"\ndone\n'
            )
        finally:
            await self._hang_up()
        if done.stdout:
            raise NodeUnreachable(f"{self._ssh.where}: {said(done)}")
        self._forgotten = True

    async def _program(self, text: str, *, timeout_s: float = ASK_LIMIT_S) -> Completed:
        return await self._ssh.run("sh -s", input=scripts.whole(text), timeout_s=timeout_s, sudo=True)

    async def _ask(self, step: Literal["effect", "clean"]) -> Proof:
        """Run one of the proofs; unknown unless it says 0 or 1."""
        program = self._asking(f"ask {step} {_hundredths(ASK_LIMIT_S - 1)}")
        try:
            done = await self._program(program)
            if done.exit_status == GONE:
                gone = await self._gone(done)
                if gone:
                    return gone if step == "clean" else Proof(Status.FAIL, "the fault was taken back on the node")
                done = await self._program(program)
        except NodeUnreachable as error:
            return Proof(Status.UNKNOWN, str(error))
        text = said(done)
        if done.exit_status == ENDED:
            return told_by_the_end(step, done)
        if done.exit_status in (0, 1):
            return Proof(Status.PASS if done.exit_status == 0 else Status.FAIL, text)
        return Proof(Status.UNKNOWN, text or f"{step} ended with {done.exit_status}")

    def _asking(self, what: str) -> str:
        """The program that calls the guard; when the run's folder is gone, what it left behind speaks.

        It ends with ENDED where that is so, and with GONE where there is nothing, not even an undo copy.
        """
        folder, undo = quote(self._folder), quote(self._undo)
        back = f"elif [ -e {undo}/settings ]; then exec sh {undo}/guard {what}\n" if self._undo else ""
        return (
            f"if [ -e {folder}/guard ]; then\ncode=0\nsh {folder}/guard {what} || code=$?\n"
            # It may have proven itself clean meanwhile, and have removed what was being asked.
            f"[ $code != 0 ] && [ ! -e {folder}/guard ] || exit $code\nfi\n"
            f"if [ -e {folder}.ended ]; then cat {folder}.ended; exit {ENDED}\n{back}fi\n"
            f'echo "boot $(cat {BOOT_ID})"\nexit {GONE}\n'
        )

    async def _gone(self, done: Completed) -> Proof | None:
        """What it means that nothing of the run is on the node. None: its folder was made again, ask that.

        Raises:
            NodeUnreachable: no answer.
        """
        if self._forgotten or not self._went:
            return Proof(Status.PASS, "nothing of this run is on the node")
        boot = boot_said(done)
        rebooted = bool(boot and self._boot and boot != self._boot)
        if self._undo or not rebooted:
            lost = "its undo copy" if rebooted else "its folder"
            return Proof(Status.UNKNOWN, f"{lost} on {self.node} was removed: nobody can tell what is left")
        # What this fault does is gone with the boot: its own scripts have to say so.
        made = await self._make_folder(keep_undo=False)
        if made.exit_status != 0:
            return Proof(Status.UNKNOWN, f"{self.node} has rebooted, and the proof cannot be run: {said(made)}")
        return None

    async def _listen(self, stream: Stream) -> None:
        """Take in what the node answers to each beat, until the channel ends."""
        why = "the node ended the guard's channel"
        try:
            async for line in stream:
                number, _, state = line.partition(" ")
                if number.isdigit() and state:
                    self._heard_at = self._sent_at.pop(int(number), self._heard_at)
                    await self._set_state(state)
                elif not self._state and line.startswith(("armed", "busy\t")):
                    self._greeting = line
                    await self._set_state("armed")
                elif not self._state:
                    self._greeting += f"{line} "  # why there will be no guard, or what sudo remarks
                if self._state.startswith("revert") and not self._reverting:
                    self._lose("the fault was taken back on the node")
        except NodeUnreachable as error:
            why = str(error)
        if not self._releasing:
            self._lose(await self._why_ended(why))
        self._heard_at = None
        await self._set_state("ended")

    async def _why_ended(self, why: str) -> str:
        """What the guard itself left as the reason, where it can be read at once."""
        folder = quote(self._folder)
        with contextlib.suppress(NodeUnreachable):
            done = await self._program(f"cat {folder}.ended; sed 's/^/why /' {folder}/why\n", timeout_s=1.0)
            told = [line.removeprefix("why ") for line in done.stdout.splitlines() if line.startswith("why ")]
            return f"the node let go: {told[0]}" if told else why
        return why

    async def _keep_lease(self, stream: Stream) -> None:
        """Send a beat each second, or four in a lease if that is more often; nothing else goes this way."""
        period_s = min(1.0, self._lease_s / 4)
        ticked_at = _now()
        while not self._releasing and not self._silent:
            with contextlib.suppress(TimeoutError, NodeUnreachable):
                async with asyncio.timeout(period_s):
                    await self._send_beat(stream)
            await asyncio.sleep(period_s)
            paused_s = _now() - ticked_at - period_s
            ticked_at = _now()
            if paused_s > PAUSE_S:
                self._lose(f"the console stood still for {paused_s:.1f} s")
                with contextlib.suppress(TimeoutError, NodeUnreachable):
                    async with asyncio.timeout(1):
                        await stream.write("stop\n")
            if self._heard_at is None:
                return
            if self.lease_left_s == 0:
                self._lose(f"the node did not answer for {self._lease_s:g} s")

    async def _send_beat(self, stream: Stream) -> None:
        self._beat += 1
        self._sent_at[self._beat] = _now()
        await stream.write(f"{self._beat:08d}\n")

    async def _until(self, reached: Callable[[str], bool], limit_s: float, *, hurry: bool = False) -> bool:
        """Wait for a state of the guard; `hurry`: ask for it ten times a second. False when the time is over."""
        give_up_at = _now() + limit_s
        while not reached(self._state):
            if _now() >= give_up_at:
                return False
            if hurry and self._stream:
                await self._send_beat(self._stream)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1), self._state_changed:
                    await self._state_changed.wait()
        return True

    async def _set_state(self, state: str) -> None:
        async with self._state_changed:
            self._state = state
            self._state_changed.notify_all()

    def _lose(self, why: str) -> None:
        if not self.lost.is_set():
            self.lost_why = why
            self.lost.set()

    async def _hang_up(self) -> None:
        self._heard_at = None
        if self._stream:
            await self._stream.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


def run_limit_s(plan: Plan) -> float:
    """How long a guard holds at most, in seconds, even while its console goes on asking."""
    scenario = plan.scenario
    after_s = [e.within_s + e.stable_for_s for e in scenario.expectations if e.after == "revert"]
    faults_s = sum(
        action.fault.inject_limit_s(action.target) + action.fault.lasts_s + action.fault.revert_limit_s
        for action in plan.actions
    )
    return min(RUN_LIMIT_S, scenario.observe_s + faults_s + max(after_s, default=0.0) + RUN_SLACK_S)


def _now() -> float:
    return time.clock_gettime(CLOCK)


def _hundredths(seconds: float) -> int:
    return round(seconds * 100)
