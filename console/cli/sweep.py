"""`gameday sweep`: what guards and leftovers stand on the nodes; on demand, take the leftovers back."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.terms import EXIT_CODES, Outcome, Status

if TYPE_CHECKING:
    from console.plan.inventory import Inventory


@click.command()
@click.option("--inventory", "inventory", type=click.Path(path_type=Path), help="The inventory file.")
@click.option("--revert", is_flag=True, help="Revert leftovers and prove them gone; what is held is never touched.")
def sweep(inventory: Path | None, revert: bool) -> None:
    """Look on every node for guards and leftovers. Exit 0: clean or held by a live run; 5: else."""
    from console.cli.inventory import find_inventory
    from console.plan.inventory import load_inventory

    clean = asyncio.run(_sweep(load_inventory(find_inventory(inventory)), revert))
    sys.exit(0 if clean else EXIT_CODES[Outcome.UNSAFE])


async def _sweep(inventory: Inventory, revert: bool) -> bool:
    from console.nodes.ssh import SshNode

    nodes = [SshNode(name, spec) for name, spec in inventory.nodes.items()]
    try:
        told = await asyncio.gather(*(_one(node, revert) for node in nodes))
    finally:
        await asyncio.gather(*(node.close() for node in nodes), return_exceptions=True)
    for _, lines in told:
        for line in lines:
            click.echo(line)
    return all(clean for clean, _ in told)


async def _one(node: object, revert: bool) -> tuple[bool, list[str]]:
    """Whether the node is clean (or held by a live run), and what to say of it."""
    from console.errors import NodeUnreachable
    from console.nodes.ssh import SshNode
    from console.nodes.sweep import clear, survey

    assert isinstance(node, SshNode)  # noqa: S101 (the late import keeps --help instant)
    try:
        traces = await survey(node)
        clean, lines = True, []
        for trace in traces:
            if trace.state == "held":
                clean = clean and not trace.overdue
                mark = "✗" if trace.overdue else "●"
                lines.append(f"{mark} {node.name}: held by run {trace.run}, operator {trace.operator}, {trace.lease}")
            elif not revert:
                clean = False
                what = f"leftover of run {trace.run}: {trace.detail}"
                lines.append(f"✗ {node.name}: {what}; `gameday sweep --revert` takes it back")
            else:
                proof = await clear(node, trace)
                clean = clean and proof.status is Status.PASS
                mark = {Status.PASS: "✓ reverted and proven clean", Status.FAIL: "✗ still there"}.get(
                    proof.status, "? not proven"
                )
                lines.append(f"{mark}: {node.name}, run {trace.run}: {proof.evidence}")
    except NodeUnreachable as error:
        return False, [f"? {node.name}: unknown: {error}"]
    return clean, lines or [f"✓ {node.name}: clean"]
