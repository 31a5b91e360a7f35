"""`gameday doctor`: what a game day would trip over, found beforehand."""

from __future__ import annotations

import asyncio
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import BadInput, GamedayError
from console.terms import Status

if TYPE_CHECKING:
    from console.session import Session

GLYPH = {Status.PASS: "✓", Status.FAIL: "✗", Status.UNKNOWN: "?"}
EXIT_UNWELL = 3
SUDOERS_HEAD = """\
# /etc/sudoers.d/gameday on each node; check it with: visudo -cf FILE
# This equals root. The fence is an account of its own, whose only key authorized_keys restricts by from="CONSOLE".
"""


@click.command()
@click.option("--inventory", "inventory", type=click.Path(path_type=Path), help="The inventory file.")
@click.option("--no-pull", is_flag=True, help="Do not pull the plug: the guards are not tried.")
@click.option("--sudoers", is_flag=True, help="Print the sudoers rule that the guard needs, and look at nothing.")
@click.option("--notify", is_flag=True, help="Send a test message to everybody that `notify` names, and do no more.")
def doctor(inventory: Path | None, *, no_pull: bool, sudoers: bool, notify: bool) -> None:
    """Look at nodes, services, databases, keys and experiments, and pull the plug on each node's guard.

    A mark is made in the guard's own folder, the console falls silent, and the node has to remove the mark by itself
    within its lease and a second. Nothing else is changed. Exit 0: all well; 3: not.
    """
    from console.cli.inventory import find_inventory
    from console.session import Session

    session = Session(find_inventory(inventory))
    if sudoers:
        click.echo(
            sudoers_rule({node.user or getpass.getuser() for node in session.inventory.nodes.values()}), nl=False
        )
        return
    if notify:
        sys.exit(0 if asyncio.run(_notify(session)) else EXIT_UNWELL)
    sys.exit(0 if asyncio.run(_doctor(session, pull=not no_pull)) else EXIT_UNWELL)


async def _notify(session: Session) -> bool:
    """Send a test message; whether everybody got it.

    Raises:
        GamedayError: nothing could be sent at all.
    """
    from console.notify import send
    from console.run.checklist import operator_name

    settings = session.inventory.notify
    if settings is None:
        raise BadInput("the inventory has no 'notify'", file=session.inventory_file)
    text = f"A test message of gameday doctor, by {operator_name()}, inventory {session.inventory.name}."
    deliveries = await send(settings, "gameday: test message", text)
    for one in deliveries:
        click.echo(f"✗ {one.service}: {one.why}" if one.why else f"✓ {one.service}: sent")
    return not any(one.why for one in deliveries)


def sudoers_rule(users: set[str]) -> str:
    """A file for /etc/sudoers.d: what the guard needs on a node, for those who log in there.

    >>> print(sudoers_rule({"gameday"}), end="")
    # /etc/sudoers.d/gameday on each node; check it with: visudo -cf FILE
    # This equals root. The fence is an account of its own, whose only key authorized_keys restricts by from="CONSOLE".
    Defaults:gameday !requiretty
    gameday ALL=(root) NOPASSWD: ALL
    """
    rules = [f"Defaults:{user} !requiretty\n{user} ALL=(root) NOPASSWD: ALL\n" for user in sorted(users)]
    return SUDOERS_HEAD + "".join(rules)


async def _doctor(session: Session, *, pull: bool) -> bool:
    from console.cli.table import table
    from console.run.checklist import operator_name
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
        async for complaint in examine(session.fleet, plans, pull_as=operator_name() if pull else ""):
            well = well and complaint.status is not Status.FAIL
            fix = f"; {complaint.fix}" if complaint.fix else ""
            click.echo(f"{GLYPH[complaint.status]} {complaint.where}: {complaint.what}{fix}")
        rows = [(name, *overview(plan, session.fleet)) for name, plan in plans.items()]
        if rows:
            click.echo(f"\n{table(('what each experiment needs', *session.fleet), rows)}")
    finally:
        await session.fleet.close()
    return well
