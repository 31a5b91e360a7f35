"""Run a command on a node and look at its exit code."""

from __future__ import annotations

import time

from console.errors import NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import CommandProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status


class CommandProber(PlainProber):
    """Whether the command ends with the wanted exit code."""

    def __init__(self, probe: CommandProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node

    async def check(self) -> Observation:
        """Ask once. A command that does not end in time, or ends by a signal, tells nothing."""
        began_s = time.time()
        try:
            done = await self._node.run(self._probe.command, timeout_s=self._probe.timeout_s)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        said = (done.stdout.strip() or done.stderr.strip()).splitlines()
        words = f"exit {done.exit_status}" + (f": {said[-1][:200]}" if said else "")
        if done.exit_status is None:
            return Observation(Status.UNKNOWN, "it ended without an exit code", now_s)
        good = done.exit_status == self._probe.exit_code
        return Observation(Status.PASS if good else Status.FAIL, words, now_s, max(0.0, now_s - began_s))
