"""`gameday lab`: a lab to practise on, brought up, looked at and taken down."""

from __future__ import annotations

import sys
from pathlib import Path

import click

KIND = click.option(
    "--kind", type=click.Choice(["embedded", "systemd"]), default="embedded", show_default=True, help="Which lab."
)
DIR = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="The lab's folder, one lab each.  [default: in your state folder]",
)

EXIT_DOWN = 3
_GLYPHS = {"active": "●", "failed": "✗", "inactive": "○", "activating": "↻", "deactivating": "↻"}


def default_directory(kind: str = "embedded") -> Path:
    """Where the lab of that kind lives when no folder is named."""
    from platformdirs import user_state_path

    return user_state_path("gameday") / ("lab" if kind == "embedded" else f"lab-{kind}")


@click.group()
def lab() -> None:
    """Three real nodes to practise on, on this machine."""


@lab.command()
@KIND
@DIR
@click.option(
    "--lease",
    "lease_s",
    type=click.FloatRange(3, 60),
    default=10.0,
    show_default=True,
    help="Seconds for which a node waits for a silent console before it takes a fault back.",
)
@click.option(
    "--shared",
    is_flag=True,
    help="Let the nodes share this machine's network and disks, even if they can have own ones.",
)
@click.option(
    "--stock-postgres", is_flag=True, help="systemd lab: PostgreSQL by Debian's own unit, which never restarts it."
)
def up(kind: str, directory: Path | None, lease_s: float, shared: bool, stock_postgres: bool) -> None:
    """Bring the lab up; the last line is its inventory."""
    from console.errors import BadInput, GamedayError
    from console.lab import embedded
    from console.lab.systemd import outside

    if stock_postgres and kind != "systemd":
        raise click.UsageError("--stock-postgres is for --kind systemd")
    if shared and kind == "systemd":
        raise click.UsageError("--shared is for --kind embedded")
    folder = directory or default_directory(kind)
    try:
        if kind == "systemd":
            inventory = outside.up(folder, lease_s=lease_s, stock_postgres=stock_postgres, progress=click.echo)
        else:
            inventory = embedded.up(folder, lease_s=lease_s, shared=shared, progress=click.echo)
    except GamedayError as error:
        click.echo(f"gameday lab up: {error}", err=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)
    except KeyboardInterrupt:
        click.echo("interrupted; what was up has been taken down", err=True)
        sys.exit(130)
    click.echo(str(inventory))


@lab.command()
@KIND
@DIR
def status(kind: str, directory: Path | None) -> None:
    """Show nodes, services and ports. Exit code 3 when the lab is down."""
    from console.errors import BadInput
    from console.lab import embedded
    from console.lab.systemd import outside

    folder = directory or default_directory(kind)
    ask = outside.status if kind == "systemd" or outside.keeps(folder) else embedded.status
    try:
        state = ask(folder)
    except BadInput as error:
        click.echo(f"gameday lab status: {error}", err=True)
        sys.exit(2)
    if not state.up:
        click.echo(f"○ down, no lab runs in {state.inventory.parent}")
        sys.exit(EXIT_DOWN)
    for node in state.nodes:
        click.echo(f"● up {node.name}, ssh on {node.address}:{node.ssh_port}")
        for entry in node.services:
            word = f"{_GLYPHS.get(entry.active, '?')} {entry.active} ({entry.sub})"
            facts = [f"port {entry.port}" if entry.port else "", entry.service.label]
            facts += [f"{entry.n_restarts} restarts"] if entry.n_restarts else []
            click.echo(f"    {entry.service.name:24} {word:28} {', '.join(filter(None, facts))}".rstrip())
    click.echo(_spaces(state.shared, state.open))
    click.echo(str(state.inventory))


@lab.command()
@KIND
@DIR
def down(kind: str, directory: Path | None) -> None:
    """Take the lab down, with everything that runs on it. Its logs stay in the folder."""
    from console.errors import BadInput, GamedayError
    from console.lab import embedded
    from console.lab.systemd import outside

    take_down = outside.down if kind == "systemd" else embedded.down
    try:
        was_up = take_down(directory or default_directory(kind))
    except GamedayError as error:
        click.echo(f"gameday lab down: {error}", err=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)
    click.echo("the lab is down" if was_up else "no lab was up")


def _spaces(shared: str, no_firewall: str) -> str:
    """One line on what the nodes have of their own, and why not more."""
    if shared:
        return f"○ the nodes share this machine's network, firewall and disks: {shared}"
    if no_firewall:
        return f"○ each node has its own network and small disk, but no firewall: {no_firewall}"
    return "● each node has its own network, firewall and small disk"


if __name__ == "__main__":
    lab()
