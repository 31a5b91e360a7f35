"""Look at how busy a node's processors are."""

from __future__ import annotations

import time

from console.errors import NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import LoadProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

ASK = "head -n 1 /proc/stat; sleep 1; head -n 1 /proc/stat"
TIMEOUT_S = 10.0


class LoadProber(PlainProber):
    """Whether the busy share of all cores lies within the wanted bounds."""

    def __init__(self, probe: LoadProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node

    async def check(self) -> Observation:
        """Look once, which takes a second."""
        began_s = time.time()
        try:
            done = await self._node.run(ASK, timeout_s=TIMEOUT_S)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        busy = busy_pct(done.stdout)
        if busy is None:
            return Observation(Status.UNKNOWN, f"/proc/stat does not tell: {done.stderr.strip()[:200]}", now_s)
        wanted = self._probe.at_least_pct <= busy <= self._probe.at_most_pct
        status = Status.PASS if wanted else Status.FAIL
        return Observation(status, f"{busy:.0f} % busy", now_s, max(0.0, now_s - began_s), {"busy_pct": busy})


def busy_pct(text: str) -> float | None:
    """The busy share between two `cpu` lines of /proc/stat, in percent; None where they do not tell.

    The words are user nice system idle iowait irq softirq steal, in ticks (proc(5)); waiting for a disk is idle.

    >>> busy_pct("cpu  100 0 0 900 0 0 0 0 0 0\\ncpu  175 0 0 925 0 0 0 0 0 0\\n")
    75.0
    >>> busy_pct("cpu  1 2\\n") is None
    True
    """
    lines = [line.split()[1:9] for line in text.splitlines() if line.startswith("cpu ")]
    if len(lines) != 2 or any(len(words) < 5 or not all(word.isdigit() for word in words) for words in lines):
        return None
    before, after = ([int(word) for word in words] for words in lines)
    total = sum(after) - sum(before)
    idle = sum(after[3:5]) - sum(before[3:5])
    return 100 * (1 - idle / total) if total > 0 else None
