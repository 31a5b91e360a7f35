"""Look at how much memory of a node is in use."""

from __future__ import annotations

import time

from console.errors import GamedayError, NodeUnreachable
from console.faults.memory import memory
from console.nodes.ssh import SshNode
from console.plan.probe import MemoryProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

TIMEOUT_S = 5.0


class MemoryProber(PlainProber):
    """Whether the use has risen since `start`, or is back where it was."""

    def __init__(self, probe: MemoryProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node
        self._before: float | None = None

    async def start(self) -> None:
        """Remember the use.

        Raises:
            GamedayError: it cannot be told.
        """
        self._before, _ = await self._look()

    async def check(self) -> Observation:
        """Look once."""
        began_s = time.time()
        try:
            now_pct, free_bytes = await self._look()
        except GamedayError as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        at_s = time.time()
        before_pct = self._before
        if before_pct is None:
            return Observation(Status.UNKNOWN, "the use before is not known", at_s)
        if self._probe.state == "risen":
            good = now_pct >= before_pct + self._probe.points
        else:
            good = now_pct <= before_pct + self._probe.slack
        text = f"{now_pct:.0f} % of the memory in use, {free_bytes / 1024**2:.0f} MB free; {before_pct:.0f} % before"
        status = Status.PASS if good else Status.FAIL
        return Observation(status, text, at_s, max(0.0, at_s - began_s), {"used_pct": now_pct})

    async def _look(self) -> tuple[float, int]:
        done = await self._node.run(
            f"{memory(self._node.spec.memory_limit_mb)}memory\necho $all_kb $free_kb", timeout_s=TIMEOUT_S
        )
        words = done.stdout.split()
        if done.exit_status != 0 or len(words) != 2 or not words[0].isdigit() or int(words[0]) == 0:
            raise NodeUnreachable(f"{self._node.name}: its memory is not told: {done.stderr.strip()[:200]}")
        all_kb, free_kb = int(words[0]), int(words[1])
        return 100 * (1 - free_kb / all_kb), free_kb * 1024
