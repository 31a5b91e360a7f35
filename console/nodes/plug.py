"""Pull the plug: arm a harmless fault on a node, fall silent, and see from elsewhere that the node took it back."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from shlex import quote
from typing import ClassVar

import msgspec

from console.faults.base import Fault, Scripts, Target
from console.nodes.guard import Busy, Guard, NotArmed, choose_guard
from console.nodes.proof import GuardKind
from console.nodes.ssh import SshNode
from console.plan.inventory import Policy
from console.plan.plan import Plan, PlannedAction, PlannedNode, new_run_id
from console.plan.scenario import Scenario
from console.terms import Category, Risk, Status

SLACK_S = 1.0
"""What a node may take above its lease, in seconds (design: gone within lease + 1 s)."""
LOOK_EVERY_S = 0.1
MADE_LIMIT_S = 10.0
GIVE_UP_S = 10.0
"""For how long above that it is still looked at, in seconds, to tell how late it was."""

_SCRIPTS = Scripts(
    inject='set -eu\ncd "$GAMEDAY_DIR"\n: >mark\n',
    effect='set -eu\n[ -e "$GAMEDAY_DIR/mark" ] || { echo "there is no mark"; exit 1; }\n',
    revert='set -eu\nrm -f "$GAMEDAY_DIR/mark"\n',
    clean='set -eu\n[ ! -e "$GAMEDAY_DIR/mark" ] || { echo "the mark is still there"; exit 1; }\n',
)


class Mark(Fault, frozen=True, tag="mark"):
    """A file in the run's own folder: nothing else is touched."""

    risk_floor: ClassVar[Risk] = Risk.LOW
    sustained: ClassVar[bool] = True

    @property
    def revert_limit_s(self) -> float:
        """A file is removed at once."""
        return 5.0


class Pulled(msgspec.Struct, frozen=True):
    """What became of it. `after_s`: when the fault was gone, in seconds after the last word; None: not seen gone."""

    status: Status
    told: str
    after_s: float | None = None
    guard: GuardKind | None = None


async def pull(node: SshNode, lease_s: float, operator: str) -> Pulled:
    """Try the node's guard, with a connection of its own for what talks and then falls silent.

    Raises:
        NodeUnreachable: no answer.
    """
    talking = SshNode(node.name, node.spec)
    plan = _plan(node, lease_s, operator)
    guard = await choose_guard(talking, plan.nodes[0], plan)
    try:
        return await _pull(guard, node, plan)
    except Busy as busy:
        return Pulled(Status.UNKNOWN, f"its guard was not tried: {busy}", guard=guard.kind)
    except NotArmed as error:
        return Pulled(Status.FAIL, str(error), guard=guard.kind)
    finally:
        await talking.close()


async def _pull(guard: Guard, node: SshNode, plan: Plan) -> Pulled:
    mark = f"{plan.nodes[0].run_dir}/{plan.run}/1/mark"
    await guard.arm()
    try:
        await guard.go()
        if not await _until(node, mark, there=True, limit_s=MADE_LIMIT_S):
            return Pulled(Status.FAIL, "the mark was never made", guard=guard.kind)
        silent_at = time.monotonic()
        await guard.fall_silent()
        gone = await _until(node, mark, there=False, limit_s=plan.lease_s + SLACK_S + GIVE_UP_S)
        after_s = time.monotonic() - silent_at
    finally:
        reverted = await guard.revert()
        clean = await guard.clean()
        if clean.status is Status.PASS:
            await guard.release()
    said = f"{reverted.evidence}; {clean.evidence}"
    if clean.status is not Status.PASS:
        return Pulled(Status.FAIL, f"it is not proven clean: {said}", guard=guard.kind)
    if not gone:
        return Pulled(Status.FAIL, f"it did not take back the fault by itself: {said}", guard=guard.kind)
    told = f"took the fault back by itself {after_s:.1f} s after the console's last word"
    if after_s > plan.lease_s + SLACK_S:
        return Pulled(Status.FAIL, f"{told}: too late", after_s, guard.kind)
    return Pulled(Status.PASS, told, after_s, guard.kind)


async def _until(node: SshNode, file: str, *, there: bool, limit_s: float) -> bool:
    """Look from the other connection until the file is there, or is gone; false when the time is over."""
    end = time.monotonic() + limit_s
    look = f"[ ! -e {quote(file)} ] || echo there\n"
    while time.monotonic() < end:
        done = await node.run("sh -s", input=look, sudo=True)
        if done.exit_status == 0 and bool(done.stdout) is there:
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


def _plan(node: SshNode, lease_s: float, operator: str) -> Plan:
    spec, run = node.spec, f"plug-{new_run_id()}"
    return Plan(
        version=1,
        run=run,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        inventory="doctor",
        operator=operator,
        lease_s=lease_s,
        scenario=Scenario(
            name="pull-the-plug",
            title="Pull the plug",
            category=Category.NODE,
            risk=Risk.LOW,
            purpose="See that the guard takes a fault back when the console falls silent.",
            hypothesis="The mark is gone within the lease and a second.",
            rollback="The mark lies in the run's own folder.",
        ),
        nodes=(
            PlannedNode(
                name=node.name,
                address=spec.address,
                port=spec.port,
                user=spec.user,
                sudo=spec.sudo,
                run_dir=spec.run_dir,
                units={},
            ),
        ),
        actions=(
            PlannedAction(
                node=node.name,
                fault=Mark(),  # type: ignore[arg-type] # no scenario may name it, and this plan is never written
                target=Target(node=node.name, run=run),
                scripts=_SCRIPTS,
                blast_radius="a file in the run's own folder",
            ),
        ),
        policy=Policy(),
    )
