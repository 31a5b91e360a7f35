"""`gameday outbox`: the write-ups that thermal memory does not have yet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.inventory import find_inventory, inventory_option
from console.errors import Refused

if TYPE_CHECKING:
    from console.plan.inventory import Inventory
    from console.record.outbox import Outbox
    from console.record.thermal import Delivery
    from console.record.writeup import WriteUp

STILL_WAITING = 3


@click.group()
def outbox() -> None:
    """Write-ups that wait for thermal memory."""


@outbox.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list, with their content.")
def list_(as_json: bool) -> None:
    """What waits here."""
    import msgspec

    box = _box()
    waiting = box.pending()
    if as_json:
        click.echo(msgspec.json.encode(waiting))
    elif not waiting:
        click.echo("✓ nothing waits: thermal memory has every write-up")
    else:
        for writeup in waiting:
            click.echo(f"○ queued {writeup.hash}: {writeup.content.partition(chr(10))[0]}")
        click.echo(f"{len(waiting)} waiting; `gameday outbox flush` delivers")
    _complain(box)


@outbox.command()
@inventory_option
def flush(inventory: Path | None) -> int:
    """Deliver everything that waits. Exit 0: nothing waits any more; 3: something still does, with the reason."""
    from console.plan.inventory import load_inventory

    box = _box()
    waiting = box.pending()
    delivered, others = 0, 0
    if waiting:
        known = load_inventory(find_inventory(inventory))
        delivered = asyncio.run(_flush(box, known))
        foreign = [writeup for writeup in waiting if not writeup.is_for(known.name)]
        others = len(foreign)
        for writeup in foreign:
            click.echo(f"○ left {writeup.hash}: it is for the inventory '{writeup.inventory}'")
    _complain(box)
    left = len(waiting) - delivered - others
    click.echo(f"{delivered} delivered, {left} still waiting")
    return STILL_WAITING if left or box.broken() else 0


async def _flush(box: Outbox, inventory: Inventory) -> int:
    """How many were delivered.

    Raises:
        Refused: the inventory has no thermal memory.
    """
    thermal = inventory.thermal_memory
    if thermal is None:
        raise Refused("the inventory names no thermal_memory: there is nowhere to deliver to")
    from console.nodes.ssh import SshNode
    from console.probes.database import DatabaseLink
    from console.record.thermal import flush as flush_all

    spec = inventory.databases[thermal.database]
    node = SshNode(spec.node, inventory.nodes[spec.node])
    link = DatabaseLink(thermal.database, spec, node)
    try:
        done = await flush_all(box, link.connect_new, thermal.table, _tell, inventory=inventory.name)
    finally:
        await link.close()
        await node.close()
    return sum(delivery.delivered for _, delivery in done)


def _tell(writeup: WriteUp, delivery: Delivery) -> None:
    click.echo(f"✓ delivered {writeup.hash}" if delivery.delivered else f"○ queued {writeup.hash}: {delivery.why}")


def _box() -> Outbox:
    from console.record.outbox import Outbox
    from console.record.runs import outbox_home

    return Outbox(outbox_home())


def _complain(box: Outbox) -> None:
    for sentence in box.broken():
        click.echo(f"? {sentence}", err=True)
