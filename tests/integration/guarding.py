"""A console that guards a node with a trivial fault: in the test itself, or as a process of its own to be killed."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from console.faults.base import Fault, Scripts, Target
from console.nodes.guard import Guard, choose_guard
from console.nodes.ssh import SshNode
from console.plan.inventory import Node, Policy
from console.plan.plan import Plan, PlannedAction, PlannedNode
from console.plan.scenario import Scenario
from console.terms import Category, Risk

LEASE_S = 3.0


class Trivial(Fault, frozen=True, tag="trivial"):
    """A fault of the tests' own."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = True
    limit_s: float = 5.0

    @property
    def revert_limit_s(self) -> float:
        return self.limit_s


class Lasting(Trivial, frozen=True, tag="lasting"):
    """What it makes is still there after a reboot."""

    survives_reboot: ClassVar[bool] = True


def touching(mark: Path, *, inject: str = "", revert: str = "", clean: str = "") -> Scripts:
    """A fault that is there while the file `mark` is."""
    return Scripts(
        inject=f"set -eu\ntouch {mark}\n{inject}\n",
        effect=f"set -eu\n[ -e {mark} ] || {{ echo no mark; exit 1; }}\n",
        revert=f"set -eu\n{revert}\nrm -f {mark}\n",
        clean=f"set -eu\n{clean}\n[ ! -e {mark} ] || {{ echo {mark}; exit 1; }}\n",
    )


def plan_of(
    node: SshNode, run: str, *actions: Scripts, limit_s: float = 5.0, risk: Risk = Risk.LOW, lasting: bool = False
) -> Plan:
    """A plan that does these actions on that node, with a lease of 3 s; `lasting`: they survive a reboot."""
    spec = node.spec
    fault: Any = Lasting(limit_s=limit_s) if lasting else Trivial(limit_s=limit_s)
    return Plan(
        version=1, run=run, created="2026-01-01T00:00:00Z", inventory="test", operator="ann", lease_s=LEASE_S,
        scenario=Scenario(
            name="t", title="t", category=Category.SERVICE, risk=risk, purpose="p", hypothesis="h", rollback="r"
        ),
        nodes=(
            PlannedNode(
                name=node.name, address=spec.address, port=spec.port, user=spec.user, sudo=spec.sudo,
                run_dir=spec.run_dir, units={},
                undo_dir=spec.undo_dir if lasting else "",
            ),
        ),
        actions=tuple(
            PlannedAction(
                node=node.name, fault=fault, target=Target(node=node.name, run=run), scripts=scripts, blast_radius="-"
            )
            for scripts in actions
        ),
        policy=Policy(),
    )  # fmt: skip


async def guard_of(node: SshNode, run: str, *actions: Scripts, limit_s: float = 5.0) -> Guard:
    """The guard that the console chooses for these actions on that node."""
    plan = plan_of(node, run, *actions, limit_s=limit_s)
    return await choose_guard(node, plan.nodes[0], plan)


async def eventually(holds: Callable[[], bool], limit_s: float) -> float:
    """Wait until it holds: after how many seconds it did.

    Raises:
        AssertionError: it did not within the limit.
    """
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < limit_s, f"not within {limit_s} s"
        await asyncio.sleep(0.02)
    return time.monotonic() - begun_s


async def _console(spec: Node, mark: Path) -> None:
    """Arm, go, and say when the node was lost."""
    guard = await guard_of(SshNode("redfin", spec), "killed", touching(mark, inject="sleep 60"))
    await guard.arm()
    await guard.go()
    print("gone", flush=True)
    await guard.lost.wait()
    print(f"lost: {guard.lost_why}", flush=True)


if __name__ == "__main__":
    asyncio.run(_console(msgspec.json.decode(sys.argv[1], type=Node), Path(sys.argv[2])))
