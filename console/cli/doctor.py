"""`gameday doctor`: what a game day would trip over, found beforehand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import GamedayError
from console.terms import Status

if TYPE_CHECKING:
    from console.session import Session

GLYPH = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNKNOWN: "?"}
EXIT_UNWELL = 3


@click.command()
@click.option("--inventory", "inventory", type=click.Path(path_type=Path), help="The inventory file.")
def doctor(inventory: Path | None) -> None:
    """Look at nodes, services, databases, keys and experiments; change nothing. Exit 0: all well; 3: not."""
    from console.cli.inventory import find_inventory
    from console.session import Session

    sys.exit(0 if asyncio.run(_doctor(Session(find_inventory(inventory)))) else EXIT_UNWELL)


async def _doctor(session: Session) -> bool:
    from console.cli.table import table
    from console.run.doctor import examine
    from console.run.readiness import overview

    well = True
    plans = {}
    for view in session.experiments():
        try:
            plans[view.scenario.name] = session.make_plan(view.scenario.name)
        except GamedayError as error:
            well = False
            click.echo(f"✗ {view.scenario.name}: {error}")
    for sentence in session.log:
        well = False
        click.echo(f"✗ {sentence}")
    try:
        async for complaint in examine(session.fleet, plans):
            well = well and complaint.status is not Status.FAIL
            fix = f"; {complaint.fix}" if complaint.fix else ""
            click.echo(f"{GLYPH[complaint.status]} {complaint.where}: {complaint.what}{fix}")
        rows = [(name, *overview(plan, session.fleet)) for name, plan in plans.items()]
        if rows:
            click.echo(f"\n{table(('what each experiment needs', *session.fleet), rows)}")
    finally:
        await session.fleet.close()
    return well
