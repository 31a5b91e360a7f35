"""Look at a service's main process: whether it is still that of the baseline, and what it holds."""

from __future__ import annotations

import shlex
import time

import msgspec

from console.errors import GamedayError, NodeUnreachable
from console.faults import shell
from console.nodes.ssh import SshNode
from console.plan.probe import ProcessProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

TIMEOUT_S = 10.0
FILES = 2
"""So many more open files are no leak: a question that is being answered just now has one."""

_LOOK = """\
main=$(systemctl show -p MainPID --value "$unit")
[ "${main:-0}" -gt 1 ] || { echo "$unit has no main process"; exit 1; }
files=$(ls "/proc/$main/fd" | grep -c .)
memory=$(sed -n 's/^RssAnon:[^0-9]*\\([0-9]*\\) kB/\\1/p' "/proc/$main/status")
echo "$main $(alive "$main") $files ${memory:-0}"
"""


class Held(msgspec.Struct, frozen=True):
    """A process, and what it holds."""

    who: str
    """Its pid, and when it was born."""
    files: int
    memory_kb: int
    """Its own, without the files that it has mapped: those are the kernel's to keep or to drop."""

    def __str__(self) -> str:
        return f"{self.files} open files, {self.memory_kb / 1024:.1f} MB of memory"


class ProcessProber(PlainProber):
    """Whether it is the process that it was, and holds no more than it did."""

    def __init__(self, probe: ProcessProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node
        self._ask = f"set -eu\nunit={shlex.quote(probe.unit)}\n{shell.ALIVE}{_LOOK}"
        self._before: Held | None = None

    async def start(self) -> None:
        """Remember it.

        Raises:
            GamedayError: it cannot be told, or there is none.
        """
        self._before = await self._look()

    async def check(self) -> Observation:
        """Look once."""
        began_s = time.time()
        try:
            now = await self._look()
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except GamedayError as error:
            return Observation(Status.FAIL, str(error), time.time())
        now_s = time.time()
        good, text = judge(self._probe, self._before, now)
        values = {"files": float(now.files), "memory_bytes": now.memory_kb * 1024.0}
        return Observation(good, text, now_s, max(0.0, now_s - began_s), values)

    async def _look(self) -> Held:
        """The process now.

        Raises:
            NodeUnreachable: no answer.
            GamedayError: there is none, or it does not tell.
        """
        done = await self._node.run("sh -s", input=self._ask, sudo=True, timeout_s=TIMEOUT_S)
        words = done.stdout.split()
        if done.exit_status != 0 or len(words) != 4 or not all(word.isdigit() for word in words):
            said = (done.stdout + done.stderr).strip()[:200]
            raise GamedayError(said or f"{self._probe.unit}'s process cannot be looked at")
        return Held(f"{words[0]} {words[1]}", int(words[2]), int(words[3]))


def judge(probe: ProcessProbe, before: Held | None, now: Held) -> tuple[Status, str]:
    """Whether that is what the probe waits for, and what there is, in words.

    >>> probe = ProcessProbe(node="bluefin", service="sigil", state="fallen-back")
    >>> judge(probe, Held("7 100", 10, 20480), Held("7 100", 12, 22528))
    (<Status.PASS: 'pass'>, '12 open files, 22.0 MB of memory; before 10 open files, 20.0 MB of memory')
    """
    if before is None:
        return Status.UNKNOWN, "what it was before is not known"
    if now.who != before.who:
        pids = now.who.split()[0], before.who.split()[0]
        return Status.FAIL, f"process {pids[0]} runs now, it was {pids[1]}: it has ended meanwhile"
    if probe.state == "same":
        return Status.PASS, f"process {now.who.split()[0]}, as before: {now}"
    share = 1 + probe.slack_pct / 100
    few = now.files <= max(before.files * share, before.files + FILES)
    small = now.memory_kb <= max(before.memory_kb * share, before.memory_kb + probe.slack_mb * 1024)
    return Status.PASS if few and small else Status.FAIL, f"{now}; before {before}"
