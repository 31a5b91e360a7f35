"""`gameday chaos`: make a process's calls fail by hand, change the rate, see the numbers, end it; or a seed chooses."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from console.cli.chaos_component import component
from console.cli.inventory import find_inventory, inventory_option

if TYPE_CHECKING:
    from console.chaos.stats import Stats
    from console.nodes.proof import Proof
    from console.nodes.ssh import SshNode
    from console.plan.inventory import Inventory

T = TypeVar("T")
TARGET = "NODE/SERVICE, as in the inventory."


@click.group()
def chaos() -> None:
    """Faults by hand: make a process's calls fail at a rate, watch, change, end; or break a component of it."""


chaos.add_command(component)


@chaos.command()
@click.argument("mode")
@click.option("--target", required=True, metavar="NODE/SERVICE", help=TARGET)
@click.option("--rate", default="10", metavar="N", help="How many of its calls fail, in per cent; 10 by default.")
@click.option("--for", "for_", default="", metavar="D", help="Return once it acts; its node ends it after D (1s-1h).")
@click.option("--seed", default=1, type=click.IntRange(0, 2**31 - 1), help="For random_panic.")
@click.option(
    "--backend", default="auto", type=click.Choice(["auto", "libfiu", "strace", "kill"]), help="What makes it."
)
@click.option("--schedule", default="steady", metavar="HOW", help="steady, ramp:SECONDS or pulse:ON/OFF.")
@click.option("--and", "also", multiple=True, metavar="MODE=RATE", help="Another mode along with it; with libfiu only.")
@click.option("--dry-run", is_flag=True, help="Print the plan and touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines; the last line is the result.")
@inventory_option
def mode(  # noqa: PLR0917 (click gives them by name)
    mode: str,
    target: str,
    rate: str,
    for_: str,
    seed: int,
    backend: str,
    schedule: str,
    also: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    inventory: Path | None,
) -> None:
    """Make MODE act on a process: disk_full, disk_fail, network_fail, memory_pressure, random_panic or slow_io.

    It is a run like any other, of low risk, and stays in the foreground: Ctrl-C ends it, and is no abort. With --for it
    returns as soon as the effect is proven, and the node ends it. MODE none ends what acts there.
    """
    from console.chaos import wish
    from console.cli.chaos_run import run_modes
    from console.session import Session

    session = Session(find_inventory(inventory))
    node, service = wish.target_named(target, session.inventory)
    if mode == "none":
        _ended(session.inventory, node)
        return
    asked = wish.Wish(
        node=node,
        service=service,
        mode=wish.mode_named(mode),
        rate_pct=wish.percent(rate),
        for_s=wish.duration_s(for_) if for_ else None,
        seed=seed,
        backend=backend,
        schedule=schedule,
        also=also,
    )
    plan = session.plan_of(asked.scenario(session.inventory))
    if dry_run:
        from console.plan import preview

        click.echo(preview.render(plan))
        return
    sys.exit(asyncio.run(run_modes(session, plan, detach_s=asked.for_s, as_json=as_json)))


@chaos.command()
@click.argument("rate", default="", metavar="[N]")
@click.option("--target", default="", metavar="NODE/SERVICE", help=f"{TARGET} By default wherever a mode acts.")
@inventory_option
def rate(rate: str, target: str, inventory: Path | None) -> None:
    """Print the rate of the mode that acts now; with N set it, in per cent."""
    from console.chaos import live, stats, wish

    wanted = wish.percent(rate) if rate else None

    async def one(node: SshNode) -> Stats:
        return await live.set_rate(node, wanted) if wanted is not None else await live.acting(node)

    for told in _on_acting(inventory, target, one):
        click.echo(f"{told.mode} in {told.unit} on {told.node}: {stats.rate(told)}")


@chaos.command("stats")
@click.option("--target", default="", metavar="NODE/SERVICE", help=f"{TARGET} By default wherever a mode acts.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
@inventory_option
def stats_(target: str, as_json: bool, inventory: Path | None) -> None:
    """What came of the mode that acts now: rate, errors of each kind, the rate achieved. Unknown is said to be."""
    import msgspec

    from console.chaos import live, stats

    found = _on_acting(inventory, target, live.acting, quiet=as_json)
    if as_json:
        click.echo(msgspec.json.encode([stats.result(told) for told in found]))
        return
    for told in found:
        width = max(len(title) for title, _ in stats.lines(told))
        for title, text in stats.lines(told):
            click.echo(f"{title.ljust(width)}  {text}")


@chaos.command()
@click.option("--target", default="", metavar="NODE/SERVICE", help=f"{TARGET} By default wherever a mode acts.")
@inventory_option
def reset(target: str, inventory: Path | None) -> None:
    """End the mode that acts now, and prove it gone. Exit 5 where that cannot be proven."""
    from console.chaos import live

    _tell_ends(_on_acting(inventory, target, _named(live.reset)))


@chaos.command()
@click.option("--seed", required=True, type=click.IntRange(0, 2**31 - 1), help="The same seed makes the same faults.")
@click.option("--for", "for_", required=True, metavar="D", help="For how long, 1s-1h.")
@click.option("--only", required=True, type=click.Choice(["low"]), expose_value=False, help="The risk that is allowed.")
@click.option(
    "--target", "targets", multiple=True, metavar="NODE/SERVICE", help=f"{TARGET} By default all that may be."
)
@click.option("--dry-run", is_flag=True, help="Print what would be done and touch nothing.")
@inventory_option
def monkey(seed: int, for_: str, targets: tuple[str, ...], dry_run: bool, inventory: Path | None) -> None:
    """A random sequence of low-risk faults on what is not production, each a full run, one after the other.

    It stops at the first fault that is not proven gone.
    """
    from console.chaos import monkey as monkeys
    from console.chaos import wish
    from console.cli.chaos_run import run_monkey
    from console.session import Session

    session = Session(find_inventory(inventory))
    chosen = [wish.target_named(text, session.inventory) for text in targets]
    steps = monkeys.sequence(seed, monkeys.targets(session.inventory, chosen), wish.duration_s(for_))
    if dry_run:
        for step in steps:
            click.echo(step.words)
        return
    sys.exit(asyncio.run(run_monkey(session, steps, wish.duration_s(for_), seed)))


def _ended(inventory: Inventory, node: str) -> None:
    from console.chaos import live

    _tell_ends(_asked(inventory, [node], _named(live.reset)))


def _named(ask: Callable[[SshNode], Awaitable[Proof]]) -> Callable[[SshNode], Awaitable[tuple[str, Proof]]]:
    async def one(node: SshNode) -> tuple[str, Proof]:
        return node.name, await ask(node)

    return one


def _tell_ends(ended: list[tuple[str, Proof]]) -> None:
    from console.terms import EXIT_CODES, Outcome, Status

    for name, proof in ended:
        mark = {Status.PASS: "✓", Status.FAIL: "✗"}.get(proof.status, "?")
        click.echo(f"{mark} {name}: {proof.evidence}")
    if any(proof.status is not Status.PASS for _, proof in ended):
        sys.exit(EXIT_CODES[Outcome.UNSAFE])


def _on_acting(
    option: Path | None, target: str, ask: Callable[[SshNode], Awaitable[T]], *, quiet: bool = False
) -> list[T]:
    """Ask the target's node, or each node on which a mode acts; `quiet`: that none does is no error.

    Raises:
        Refused: none acts.
    """
    from console.chaos import wish
    from console.errors import Refused
    from console.plan.inventory import load_inventory

    inventory = load_inventory(find_inventory(option))
    if target:
        return _asked(inventory, [wish.target_named(target, inventory)[0]], ask)
    found = _asked(inventory, list(inventory.nodes), ask, none_is_well=True)
    if not found and not quiet:
        raise Refused("no fault mode acts on any node that answers")
    return found


def _asked(
    inventory: Inventory, names: list[str], ask: Callable[[SshNode], Awaitable[T]], *, none_is_well: bool = False
) -> list[T]:
    """Ask these nodes at once; a node that does not answer is told of on standard error."""
    from console.errors import NodeUnreachable, Refused
    from console.nodes.ssh import SshNode

    async def all_of_them() -> list[T]:
        nodes = [SshNode(name, inventory.nodes[name]) for name in names]
        try:
            told = await asyncio.gather(*(ask(node) for node in nodes), return_exceptions=True)
        finally:
            await asyncio.gather(*(node.close() for node in nodes), return_exceptions=True)
        found: list[T] = []
        for one in told:
            if isinstance(one, NodeUnreachable) and none_is_well:
                click.echo(f"? {one}", err=True)
            elif isinstance(one, Refused) and none_is_well and str(one).startswith("no fault mode acts"):
                continue
            elif isinstance(one, BaseException):
                raise one
            else:
                found.append(one)
        return found

    return asyncio.run(all_of_them())
