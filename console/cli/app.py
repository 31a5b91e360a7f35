"""`gameday` and `gameday demo`: open the console, on an inventory or on an embedded lab of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


def open_console(inventory: Path | None, read_only: bool) -> None:
    """Open the console on the inventory that is found, and stay until it is quit."""
    from console.cli.inventory import find_inventory
    from console.session import Session
    from console.tui.app import GamedayApp

    GamedayApp(Session(find_inventory(inventory), read_only=read_only)).run()


@click.command()
@click.option("--read-only", is_flag=True, help="Watch only: no launch.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Where the lab lives; by default a temporary folder."
)
def demo(read_only: bool, folder: Path | None) -> None:
    """Bring the embedded lab up, open the console on it, bring it down again. Needs no root."""
    from console.lab import embedded

    with tempfile.TemporaryDirectory(prefix="gameday-demo-") as temporary:
        home = folder or Path(temporary) / "lab"
        inventory = embedded.up(home, lifeline=True, progress=click.echo)
        try:
            open_console(inventory, read_only)
        finally:
            click.echo("taking the lab down ...")
            embedded.down(home)
