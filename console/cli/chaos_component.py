"""`gameday chaos component`: break one component of an application by hand, as a run like any other."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from console.chaos.component import SCENARIOS
from console.cli.inventory import find_inventory, inventory_option


@click.command()
@click.argument("component", type=click.Choice(list(SCENARIOS)))
@click.option("--target", required=True, metavar="NODE/SERVICE", help="As in the inventory, with its `components`.")
@click.option("--for", "for_", default="", metavar="D", help="How long it is held, 1s-10m; by default 20 s.")
@click.option("--via", default="outside", type=click.Choice(["outside", "endpoint"]), help="Who makes it.")
@click.option("--dry-run", is_flag=True, help="Print the plan and touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines; the last line is the result.")
@inventory_option
def component(  # noqa: PLR0917 (click gives them by name)
    component: str, target: str, for_: str, via: str, dry_run: bool, as_json: bool, inventory: Path | None
) -> None:
    """Kill a worker, slow the event bus down by a second, or let the adapter's upstream refuse everybody.

    It is the experiment worker-kill, eventbus-delay or adapter-error on that service, of low risk; Ctrl-C aborts it.
    """
    from console.chaos import wish
    from console.chaos.component import aimed
    from console.cli.headless import Headless, Test
    from console.cli.printer import Printer
    from console.session import Session
    from console.unattended import BY_HAND

    session = Session(find_inventory(inventory))
    node, name = wish.target_named(target, session.inventory)
    scenario, _ = session.find(SCENARIOS[component])
    hold_s = wish.duration_s(for_) if for_ else None
    plan = session.plan_of(
        aimed(scenario, node, name, session.inventory.nodes[node].services[name], hold_s=hold_s, via=via)
    )
    if dry_run:
        from console.plan import preview

        click.echo(preview.render(plan))
        return
    headless = Headless(session, [], BY_HAND, Printer(as_json))
    sys.exit(asyncio.run(headless.run([Test(plan.scenario.name, lambda: plan)])))
