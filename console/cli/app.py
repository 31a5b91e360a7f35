"""`gameday` and `gameday demo`: open the console, on an inventory or on an embedded lab of its own."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from console.session import Session


def open_console(inventory: Path | None, read_only: bool) -> None:
    """Open the console on the inventory that is found, and stay until it is quit."""
    from console.cli.inventory import find_inventory
    from console.session import Session

    asyncio.run(_stay(Session(find_inventory(inventory), read_only=read_only)))


async def _stay(session: Session) -> None:
    """Show the screens; however they end, an open run is first taken to its end in safety."""
    from console.tui.app import GamedayApp

    app = GamedayApp(session)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    await session.open()
    try:
        await app.run_async()
    finally:
        if session.busy:
            _say("taking the fault back and proving it gone; a second Ctrl-C changes nothing ...")
        await session.close()


def _say(line: str) -> None:
    """To the terminal, which may be gone: nothing may stop a revert."""
    with contextlib.suppress(OSError):
        click.echo(line)


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
            _say("taking the lab down ...")
            embedded.down(home)
