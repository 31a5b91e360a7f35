"""Which boot a node is in, and when in it each unit became active: systemd's own stamps."""

from __future__ import annotations

import shlex
import time
from itertools import pairwise

import msgspec

from console.errors import GamedayError, NodeUnreachable
from console.nodes.guard_answers import BOOT_ID
from console.nodes.ssh import SshNode
from console.plan.probe import BootedProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

SSH_UNITS = ("ssh.service", "sshd.service")
TIMEOUT_S = 4.0


class Boot(msgspec.Struct, frozen=True):
    """A boot of a node, as systemd tells it at one moment."""

    id: str
    active_s: dict[str, float]
    """Unit -> when it became active, in seconds after userspace began; only what is active now."""
    states: dict[str, str]
    """Unit -> its state in systemd's word, for every unit that was asked for and exists."""
    finished_s: float | None
    """When the boot was complete, in seconds after userspace began; None: not yet."""


async def boot_id(node: SshNode, timeout_s: float = TIMEOUT_S) -> str:
    """The node's boot id.

    Raises:
        NodeUnreachable: no answer, or none that is one.
    """
    done = await node.run(f"cat {BOOT_ID}", timeout_s=timeout_s)
    if done.exit_status != 0 or not done.stdout.strip():
        raise NodeUnreachable(f"{node.where}: it does not tell its boot id: {done.stderr.strip()[:200]}")
    return done.stdout.strip()


async def look(node: SshNode, units: tuple[str, ...]) -> Boot:
    """Ask systemd once.

    Raises:
        NodeUnreachable: no answer.
        GamedayError: an answer that is not systemd's.
    """
    names = shlex.join(dict.fromkeys((*units, *SSH_UNITS)))
    done = await node.run(
        f"cat {BOOT_ID}; systemctl show -p UserspaceTimestampMonotonic -p FinishTimestampMonotonic; echo; "
        f"systemctl show -p Id -p LoadState -p ActiveState -p ActiveEnterTimestampMonotonic -- {names}",
        timeout_s=TIMEOUT_S,
    )
    return parse(done.stdout)


def parse(text: str) -> Boot:
    """What `look` was told.

    >>> parse("b1\\nUserspaceTimestampMonotonic=1000000\\nFinishTimestampMonotonic=0\\n\\nId=a.service\\n"
    ...       "LoadState=loaded\\nActiveState=active\\nActiveEnterTimestampMonotonic=1500000\\n").active_s
    {'a.service': 0.5}

    Raises:
        GamedayError: it is not systemd's answer.
    """
    first, _, rest = text.partition("\n")
    manager, *units = [
        dict(line.split("=", 1) for line in part.splitlines() if "=" in line) for part in rest.split("\n\n")
    ]
    begun = manager.get("UserspaceTimestampMonotonic", "")
    if not first or not begun.isdigit():
        raise GamedayError("systemd does not tell when this boot began")
    zero_us = int(begun)
    finished_us = int(manager.get("FinishTimestampMonotonic") or 0)
    found = [unit for unit in units if unit.get("LoadState") == "loaded"]
    return Boot(
        id=first.strip(),
        active_s={
            unit["Id"]: (int(unit["ActiveEnterTimestampMonotonic"]) - zero_us) / 1e6
            for unit in found
            if unit["ActiveState"] == "active"
        },
        states={unit["Id"]: unit["ActiveState"] for unit in found},
        finished_s=(finished_us - zero_us) / 1e6 if finished_us else None,
    )


class BootedProber(PlainProber):
    """Whether the node is in a new boot, and its services came back in that order."""

    def __init__(self, probe: BootedProbe, node: SshNode) -> None:
        self._units = probe.units
        self._node = node
        self._before = ""

    async def start(self) -> None:
        """Remember the boot.

        Raises:
            NodeUnreachable: it cannot be told.
        """
        self._before = await boot_id(self._node)

    async def check(self) -> Observation:
        """Ask once."""
        began_s = time.time()
        try:
            status, text = judge(await look(self._node, self._units), self._before, self._units)
        except GamedayError as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        return Observation(status, text, now_s, max(0.0, now_s - began_s))


def judge(boot: Boot, before: str, units: tuple[str, ...]) -> tuple[Status, str]:
    """What that boot means, where `before` was the boot before; the units in the order in which they should come."""
    if boot.id == before:
        return Status.FAIL, "still the same boot"
    down = [f"{unit} is {boot.states.get(unit, 'unknown')}" for unit in units if unit not in boot.active_s]
    if down:
        return Status.FAIL, f"a new boot, in which {'; '.join(down)}"
    told = ", ".join(f"{unit} {boot.active_s[unit]:.2f} s" for unit in units)
    wrong = [f"{b} before {a}" for a, b in pairwise(units) if boot.active_s[b] < boot.active_s[a]]
    if wrong:
        return Status.FAIL, f"a new boot, but {'; '.join(wrong)} ({told})"
    return Status.PASS, "a new boot" + (f": {told} after userspace began" if told else "")
