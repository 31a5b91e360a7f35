"""Ping one node from another."""

from __future__ import annotations

import re
import shlex
import time

from console.errors import NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import PingProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

COUNT = 3
TIMEOUT_S = 15.0
_TOLD = re.compile(r"(\d+) packets transmitted, (\d+) (?:packets )?received")


class PingProber(PlainProber):
    """Whether every ping is answered, or none."""

    def __init__(self, probe: PingProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node

    async def check(self) -> Observation:
        """Ask once: 0.4 s where all is well, up to 3 s where nothing comes back."""
        began_s = time.time()
        address = shlex.quote(self._probe.address)
        try:
            done = await self._node.run(f"ping -n -q -c {COUNT} -i 0.2 -W 1 {address}", timeout_s=TIMEOUT_S)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        told = _TOLD.search(done.stdout)
        if not told:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit {done.exit_status}").splitlines()[-1]
            return Observation(Status.UNKNOWN, f"ping does not tell: {said[:200]}", now_s)
        sent, received = int(told[1]), int(told[2])
        wanted = COUNT if self._probe.expect == "answer" else 0
        status = Status.PASS if sent == COUNT and received == wanted else Status.FAIL
        text = f"{received} of {sent} pings of {self._probe.peer} answered"
        return Observation(status, text, now_s, max(0.0, now_s - began_s), {"received": float(received)})
