"""The guard of a node: it holds a run's lease there, and takes the fault back when the console falls silent."""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol

from console.nodes.guard_shell import ShellGuard
from console.nodes.proof import Busy, InjectResult, NotArmed, Proof
from console.nodes.ssh import SshNode
from console.plan.plan import Plan, PlannedNode

__all__ = ["Busy", "Guard", "InjectResult", "NotArmed", "Proof", "guard_for"]


class Guard(Protocol):
    """One run's hold on one node. Every method but `arm` and `go` may be called again.

    From `arm` on, whatever it said, the node counts as armed until `clean` proves otherwise.
    """

    lost: asyncio.Event
    """Set when the node has stopped waiting for this console: the fault has been or is being taken back."""
    lost_why: str

    @property
    def kind(self) -> Literal["systemd", "shell"]:
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


def guard_for(node: SshNode, planned: PlannedNode, plan: Plan) -> Guard:
    """The guard that this node can have."""
    return ShellGuard(node, planned, plan)
