"""The guard of a node: it holds a run's lease there, and takes the fault back when the console falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol
from weakref import WeakKeyDictionary

from console.nodes import scripts
from console.nodes.by_hand import hand_revert
from console.nodes.guard_leased import LeasedGuard
from console.nodes.proof import Busy, GuardKind, InjectResult, NotArmed, Proof
from console.nodes.ssh import SshNode
from console.plan.inventory import Node
from console.plan.plan import Plan, PlannedNode
from console.terms import Risk

__all__ = ["Busy", "Guard", "GuardKind", "InjectResult", "NotArmed", "Proof", "choose_guard", "hand_reverts"]


class Guard(Protocol):
    """One run's hold on one node. Every method but `arm` and `go` may be called again.

    From `arm` on, whatever it said, the node counts as armed until `clean` proves otherwise.
    """

    lost: asyncio.Event
    """Set when the node has stopped waiting for this console: the fault has been or is being taken back."""
    lost_why: str

    @property
    def kind(self) -> GuardKind:
        """What stands behind it."""
        ...

    @property
    def node(self) -> str:
        """The node's name."""
        ...

    @property
    def hand_revert(self) -> str:
        """One command line that takes the fault back from any shell, whatever became of the console."""
        ...

    @property
    def lease_left_s(self) -> float | None:
        """For how long the node still waits for a word, in seconds; None while nothing is held."""
        ...

    async def arm(self) -> None:
        """Take the node.

        Raises:
            Busy: another run has it.
            NotArmed: it has not what a guard needs.
            NodeUnreachable: no answer.
        """

    async def go(self) -> None:
        """Start inject; returns when the node says that it has started.

        Raises:
            NotArmed: the guard is not held any more.
            NodeUnreachable: no answer.
        """

    async def detach(self, for_s: float) -> None:
        """Let the node hold the fault by itself for `for_s` seconds from now, then take it back and prove it gone.

        From then on nobody is waited for, and this guard is of no more use.

        Raises:
            NotArmed: nothing was injected, or the guard is not held any more.
            NodeUnreachable: no answer; the lease goes on as before.
        """

    async def fall_silent(self) -> None:
        """Say one last word, and nothing more, as a console does whose network was cut. The channel stays.

        Raises:
            NodeUnreachable: the channel is gone already.
        """
        ...

    async def inject_result(self) -> InjectResult | None:
        """How inject ended; None while it runs, or could not be asked for."""
        ...

    async def effect(self) -> Proof:
        """Whether the fault acts now."""
        ...

    async def revert(self) -> Proof:
        """Take the fault back. Tries until the lease and the revert's own limit are over."""
        ...

    async def clean(self) -> Proof:
        """Whether no trace is left of any fault of these kinds."""
        ...

    async def release(self) -> None:
        """Forget the run on the node. Only after `clean` is proven.

        Raises:
            NodeUnreachable: no answer; the node then frees itself when the lease is over.
        """


def hand_reverts(nodes: Mapping[str, Node], plan: Plan) -> dict[str, str]:
    """Node -> the one command line that takes the plan's fault back there, whatever became of the console."""
    return {
        planned.name: hand_revert(
            nodes[planned.name],
            f"{planned.run_dir}/{plan.run}",
            f"{planned.undo_dir}/{plan.run}" if planned.undo_dir else "",
        )
        for planned in plan.nodes
    }


async def choose_guard(node: SshNode, planned: PlannedNode, plan: Plan) -> Guard:
    """The best guard that this node can have: on systemd where that runs and may be used, else the shell's own.

    A node is asked once.

    Raises:
        NotArmed: the risk is high, a fault acts on this node, it cannot have a guard on systemd, and the plan does not
            accept another.
        NodeUnreachable: no answer.
    """
    why = _why_shell.get(node)
    if why is None:
        done = await node.run("sh -s", input=scripts.whole(scripts.text("kind.sh")), sudo=True)
        why = "" if done.exit_status == 0 else (done.stdout.strip() or done.stderr.strip() or "it gave no answer")
        if done.stdout or not why:
            _why_shell[node] = why
    acts = any(action.node == node.name for action in plan.actions)
    if why and plan.scenario.risk is Risk.HIGH and acts and not planned.shell_guard_for_high:
        fix = "set shell_guard_for_high in the inventory to accept the shell's"
        raise NotArmed(f"{node.name}: high risk needs the guard on systemd, and here {why}; {fix}")
    return LeasedGuard(node, planned, plan, "shell" if why else "systemd")


_why_shell: WeakKeyDictionary[SshNode, str] = WeakKeyDictionary()
"""Why a node that was asked cannot have the guard on systemd; empty where it can."""
