"""Look at the processes of a component: whether those that went were replaced, under the same main process."""

from __future__ import annotations

import shlex
import time

from console.errors import GamedayError, NodeUnreachable
from console.faults import shell
from console.faults.component_kill import WORKERS
from console.nodes.ssh import SshNode
from console.plan.probe import ComponentProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

TIMEOUT_S = 10.0


class ComponentProber(PlainProber):
    """Whether there are as many as at the baseline, at least one of them new, and the main process is the same."""

    def __init__(self, probe: ComponentProbe, node: SshNode) -> None:
        self._node = node
        self._state = probe.state
        names = f"unit={shlex.quote(probe.unit)} pattern={shlex.quote(probe.process)}\n"
        self._ask = (
            f"set -eu\n{names}{shell.MEMBERS}{shell.ALIVE}{WORKERS}" + 'echo "$main $(alive "$main")"\nworkers\n'
        )
        self._main = ""
        self._before: frozenset[str] = frozenset()

    async def start(self) -> None:
        """Remember who is there.

        Raises:
            GamedayError: it cannot be told, or nobody is.
        """
        main, workers = await self._look()
        if not workers:
            raise GamedayError("none of its processes is there")
        self._main, self._before = main, workers

    async def check(self) -> Observation:
        """Look once."""
        began_s = time.time()
        try:
            main, workers = await self._look()
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except GamedayError as error:
            return Observation(Status.FAIL, str(error), time.time())
        now_s = time.time()
        new, gone = len(workers - self._before), len(self._before - workers)
        text = f"{len(workers)} of {len(self._before)} processes are there, {new} new"
        if main != self._main:
            status, text = Status.FAIL, f"{text}; the main process is another one"
        elif self._state == "replaced":
            good = len(workers) >= len(self._before) and new >= 1
            status = Status.PASS if good else Status.FAIL
            text = text if new or gone else f"{text}: none has gone"
        else:
            status = Status.PASS if workers else Status.FAIL
        return Observation(status, text, now_s, max(0.0, now_s - began_s), {"processes": float(len(workers))})

    async def _look(self) -> tuple[str, frozenset[str]]:
        """The main process and the component's, each with its start time.

        Raises:
            NodeUnreachable: no answer.
            GamedayError: the unit has no main process.
        """
        done = await self._node.run("sh -s", input=self._ask, sudo=True, timeout_s=TIMEOUT_S)
        lines = done.stdout.splitlines()
        if done.exit_status != 0 or not lines:
            raise GamedayError((done.stdout + done.stderr).strip()[:200] or "its processes cannot be listed")
        return lines[0], frozenset(lines[1:])
