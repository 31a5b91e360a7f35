"""Ask the service manager for a unit's state, its restart counter and its invocation."""

from __future__ import annotations

import shlex
import time

import msgspec

from console.errors import GamedayError, NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import ServiceProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

PROPERTIES = ("ActiveState", "SubState", "NRestarts", "InvocationID", "Result")
TIMEOUT_S = 5.0
HAPPENINGS = ("auto-restarted", "restarted")
"""States of the probe that something which happened meets for good."""


class UnitSeen(msgspec.Struct, frozen=True):
    """A unit at one moment."""

    active: str
    sub: str
    restarts: int
    invocation: str
    result: str

    @property
    def words(self) -> str:
        """Like `active (running)`."""
        why = f", {self.result}" if self.active == "failed" and self.result else ""
        return f"{self.active} ({self.sub}{why})"


class ServiceProber(PlainProber):
    """Whether the unit is active, was restarted by systemd, or was restarted at all since `start`."""

    def __init__(self, probe: ServiceProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node
        self._before: UnitSeen | None = None
        self._met: Observation | None = None

    async def start(self) -> None:
        """Remember restart counter and invocation.

        Raises:
            GamedayError: the unit's state cannot be told.
        """
        self._before = await self._look()

    async def check(self) -> Observation:
        """Ask once. What happened stays seen: a restart does not unhappen."""
        if self._met:
            return msgspec.structs.replace(self._met, at_s=time.time())
        began_s = time.time()
        try:
            seen = await self._look()
        except GamedayError as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        status, text = self.judge(seen)
        told = Observation(status, text, now_s, max(0.0, now_s - began_s), {"restarts": float(seen.restarts)})
        if status is Status.PASS and self._probe.state in HAPPENINGS:
            self._met = told
        return told

    def judge(self, seen: UnitSeen) -> tuple[Status, str]:
        """What that state means for this probe."""
        before = self._before
        if self._probe.state == "active":
            return (Status.PASS if seen.active == "active" else Status.FAIL), seen.words
        if before is None:
            return Status.UNKNOWN, "its state before is not known"
        if self._probe.state == "undisturbed":
            same = seen.invocation == before.invocation and seen.restarts == before.restarts
            text = seen.words if same else f"it was started anew, {seen.words}"
            return (Status.PASS if same and seen.active == "active" else Status.FAIL), text
        if self._probe.state == "restarted":
            if seen.invocation == before.invocation:
                return Status.FAIL, f"still the same invocation, {seen.words}"
            return (Status.PASS if seen.active == "active" else Status.FAIL), f"a new invocation, {seen.words}"
        if seen.restarts > before.restarts:
            return Status.PASS, f"{seen.restarts - before.restarts} restart(s) by systemd, now {seen.words}"
        if seen.sub.startswith("auto-restart"):
            return Status.PASS, f"systemd is about to restart it: {seen.words}"
        return Status.FAIL, f"no restart by systemd yet, {seen.words}"

    async def _look(self) -> UnitSeen:
        names = ",".join(PROPERTIES)
        command = f"systemctl show -p {names} -- {shlex.quote(self._probe.unit)}"
        done = await self._node.run(command, timeout_s=TIMEOUT_S)
        if done.exit_status != 0:
            raise NodeUnreachable(f"{self._node.name}: systemctl: {done.stderr.strip() or done.exit_status}")
        return parse_unit(done.stdout)


def parse_unit(text: str) -> UnitSeen:
    """What `systemctl show` printed.

    Raises:
        GamedayError: it is not that.
    """
    said = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if "ActiveState" not in said:
        raise GamedayError("systemctl does not tell the unit's state")
    restarts = said.get("NRestarts", "")
    return UnitSeen(
        active=said["ActiveState"],
        sub=said.get("SubState", ""),
        restarts=int(restarts) if restarts.isdigit() else 0,
        invocation=said.get("InvocationID", ""),
        result=said.get("Result", ""),
    )
