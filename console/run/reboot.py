"""A node through its reboot, on the console's clock: when it was gone, when it was back, and how it came up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from console import events as ev
from console.errors import GamedayError, NodeUnreachable
from console.faults.node_reboot import NodeReboot
from console.fleet import Fleet
from console.nodes.guard_answers import BOOT_ID
from console.nodes.ssh import SshNode
from console.plan.inventory import Inventory
from console.plan.plan import Plan, PlannedAction, PlannedNode
from console.probes.booted import SSH_UNITS, boot_id, look
from console.state import ExpectationState
from console.terms import Status

LOOK_EVERY_S = 0.25
LOOK_LIMIT_S = 2.0
GOING_LIMIT_S = 5.0
"""A node that still answers after this time, in seconds, and is not going down, will not."""
FIRST_LOOK_S = 2.0
"""What is met within this time after the proof, in seconds, was met at the first look."""
POWER_LIMIT_S = 60.0
"""The `power_on` command itself may take this long, in seconds."""
FINISH_EVERY_S = 0.5
FINISH_LIMIT_S = 20.0
"""For how long the end of a boot is waited for, in seconds, before its stamps are read."""


class Reboot:
    """One node's reboot. `expected` from the moment of inject on: its guard and its link are lost by design."""

    def __init__(self, node: SshNode, planned: PlannedNode, action: PlannedAction, clock: Callable[[], float]) -> None:
        if not isinstance(action.fault, NodeReboot):
            raise TypeError(f"{action.fault.kind} does not say how long its reboot may take")
        self.fault = action.fault
        self.units = action.target.units
        self.expected = False
        self.gone_at_s: float | None = None
        """The centre of the time between its last answer and the first that failed."""
        self.gone_error_s = 0.0
        self.back_at_s: float | None = None
        self.back_error_s = 0.0
        self.proven_at_s = 0.0
        """When its reboot was proven: from then on its services are looked at."""
        self.power_told = ""
        """When `power_on` was run and what became of it; empty: it was not."""
        self._node = node
        self._services = {unit: service for service, unit in planned.units.items()}
        self._power_on = planned.power_on
        self._clock = clock
        self._before = ""
        self._limit_at_s = 0.0
        self._back = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Remember the boot, right before inject; from now on the node is expected to go.

        Raises:
            NodeUnreachable: it cannot be told.
        """
        self._before = await boot_id(self._node)
        self._limit_at_s = self._clock() + self.fault.back_s
        self.expected = True
        self._task = asyncio.create_task(self._watch(), name=f"reboot of {self._node.name}")

    async def wait_back(self) -> bool:
        """Wait until it is back, or its time is over, or it is clear that it does not go. True: it is in a new boot."""
        sure_at_s = self._clock() + GOING_LIMIT_S
        while not self._back.is_set() and self._clock() < self._limit_at_s:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._back.wait()
            if self.gone_at_s is None and self._clock() >= sure_at_s and await self._stays():
                break
        return self._back.is_set()

    async def bring_back(self) -> bool:
        """For the revert: wait for it, and switch it on where that can be done and has not been. True: it is there."""
        if not self.expected or await self.wait_back():
            return True
        if self._power_on and not self.power_told and self.gone_at_s is not None:
            await self._switch_on()
            self._limit_at_s = self._clock() + self.fault.back_s
            await self.wait_back()
        return self._back.is_set() or self.gone_at_s is None

    async def _stays(self) -> bool:
        """Whether it answers and no shutdown is under way."""
        try:
            done = await self._node.run("systemctl is-system-running", timeout_s=LOOK_LIMIT_S)
        except NodeUnreachable:
            return False
        return done.stdout.strip() in ("running", "degraded")

    async def stop(self) -> None:
        """Watch no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def why_not(self) -> str:
        """What is known of a node that is not back."""
        if self.gone_at_s is None:
            return f"{self._node.name} has not gone down: it is still in the same boot"
        power = f"; power_on was run {self.power_told}" if self.power_told else ""
        return f"{self._node.name} is not back: {self._node.why or 'no answer'}{power}"

    async def told(self, injected_at_s: float, judged: Sequence[ExpectationState]) -> list[ev.AnyEvent]:
        """How it came up, and how long the recovery took: until the last of the judged expectations was met."""
        try:
            booted = await self._booted(injected_at_s)
        except GamedayError as error:
            return [ev.Found(at_s=self._clock(), text=f"{self._node.name}: how it booted cannot be told: {error}")]
        last = max(judged, key=lambda e: e.after_s or 0.0, default=None)
        if last is None or last.after_s is None or any(e.status is not Status.PASS for e in judged):
            return [booted]
        gone_s, back_s = booted.gone_after_s or 0.0, booted.back_after_s or 0.0
        # It cannot have recovered before it was back, and what was met at the first look may have been so since then.
        earliest_s = max(back_s - booted.error_s, last.after_s - (last.error_s or 0.0))
        if last.after_s - (self.proven_at_s - injected_at_s) <= FIRST_LOOK_S:
            earliest_s = back_s - booted.error_s
        seconds = (earliest_s + last.after_s) / 2
        recovered = ev.RecoveryMeasured(
            at_s=self._clock(),
            seconds=seconds,
            error_s=(last.after_s - earliest_s) / 2,
            breakdown={
                "inject to gone": gone_s,
                "gone to back": back_s - gone_s,
                "back to recovered": seconds - back_s,
            },
            how="from inject, on the console's clock: none of the node's runs through a reboot",
        )
        return [booted, recovered]

    async def _booted(self, injected_at_s: float) -> ev.NodeBooted:
        """Read the stamps of the boot, once it is complete or takes too long."""
        boot = await look(self._node, self.units)
        for _ in range(int(FINISH_LIMIT_S / FINISH_EVERY_S)):
            if boot.finished_s is not None:
                break
            await asyncio.sleep(FINISH_EVERY_S)
            boot = await look(self._node, self.units)
        marks = {self._services.get(unit, unit): at_s for unit, at_s in boot.active_s.items() if unit in self.units}
        sshd = [boot.active_s[unit] for unit in SSH_UNITS if unit in boot.active_s]
        marks |= {"sshd": sshd[0]} if sshd else {}
        if boot.finished_s is not None:
            marks["boot complete"] = boot.finished_s
        return ev.NodeBooted(
            at_s=self._clock(),
            node=self._node.name,
            gone_after_s=None if self.gone_at_s is None else self.gone_at_s - injected_at_s,
            back_after_s=None if self.back_at_s is None else self.back_at_s - injected_at_s,
            error_s=self.back_error_s,
            marks=dict(sorted(marks.items(), key=lambda mark: mark[1])),
            missing=tuple(self._services.get(unit, unit) for unit in self.units if unit not in boot.active_s),
            power_on=self.power_told,
        )

    async def _watch(self) -> None:
        """Look until it is in a new boot; a node that is off is switched on in its time."""
        answered_s, asked_s = self._clock(), self._clock()
        while True:
            began_s = self._clock()
            try:
                boot = await boot_id(self._node, LOOK_LIMIT_S)
            except NodeUnreachable:
                if self.gone_at_s is None:
                    self.gone_at_s = (answered_s + self._clock()) / 2
                    self.gone_error_s = (self._clock() - answered_s) / 2
                asked_s = began_s
            else:
                answered_s = self._clock()
                if boot != self._before:
                    break
                self.gone_at_s = None
            if self._due():
                await self._switch_on()
            await asyncio.sleep(LOOK_EVERY_S)
        if self.gone_at_s is None:  # it was back before it was missed
            self.gone_at_s = (asked_s + answered_s) / 2
        self.back_at_s = (asked_s + answered_s) / 2
        self.back_error_s = (answered_s - asked_s) / 2
        self._back.set()

    def _due(self) -> bool:
        off = self.fault.how == "poweroff" and not self.power_told and self.gone_at_s is not None
        return off and self._clock() - (self.gone_at_s or 0.0) >= self.fault.off_s

    async def _switch_on(self) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC)
        self.power_told = f"at {at:%H:%M:%S} UTC"
        self.power_told += f": {await run_here(self._power_on)}"


async def run_here(words: tuple[str, ...]) -> str:
    """Run a command of the inventory on the console's machine: what became of it, in words."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
    except OSError as error:
        return f"{words[0]} cannot be run: {error.strerror}"
    try:
        async with asyncio.timeout(POWER_LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"killed after {POWER_LIMIT_S:g} s"
    line = (said.decode(errors="replace").strip().splitlines() or [""])[-1][:200]
    return f"exit {process.returncode}" + (f": {line}" if line else "")


def jumps_through(inventory: Inventory, name: str) -> list[str]:
    """The nodes that are reached through that one."""
    through = {name, inventory.nodes[name].address}
    return [
        other
        for other, spec in inventory.nodes.items()
        if spec.jump.rpartition("@")[2] in through or spec.jump.rpartition("@")[2].rpartition(":")[0] in through
    ]


def own_boot_id() -> str:
    """The boot of the console's own machine; empty where it does not tell."""
    file = Path(BOOT_ID)
    return file.read_text(encoding="ascii").strip() if file.exists() else ""


async def reboot_rails(plan: Plan, name: str, fleet: Fleet) -> list[tuple[str, str]]:
    """Why that node must not be rebooted, each reason with its fix.

    Raises:
        NodeUnreachable: no answer.
    """
    if not any(action.node == name and action.fault.reboots for action in plan.actions):
        return []
    behind = jumps_through(fleet.inventory, name)
    found = [
        (f"{name} is the jump host of {other}: without it there is no way there", "choose another node")
        for other in behind
    ]
    if await asyncio.to_thread(own_boot_id) == await boot_id(fleet.node(name)):
        what = f"{name} runs on the console's own kernel: it has no boot of its own, and its end would be the console's"
        found.append((what, "use a machine of its own, as in the systemd lab"))
    return found
