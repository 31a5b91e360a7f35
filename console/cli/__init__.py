"""The command line: a file per group, everything heavy imported late, so that --help is instant."""

from __future__ import annotations

import click

from console import __version__
from console.cli.lazy import RootGroup

COMMANDS = {
    "demo": ("console.cli.app:demo", "Practice nodes up, the console on them, everything down again."),
    "run": ("console.cli.run:run", "Run experiments headless, for schedules and CI."),
    "scenarios": ("console.cli.scenarios:scenarios", "List, show and check the experiments."),
    "plan": ("console.cli.plan:plan", "Resolve a scenario: what would be done where, word for word."),
    "approve": ("console.cli.plan:approve", "Look at a plan and sign a vote on it."),
    "verify": ("console.cli.plan:verify", "Judge and count the approvals of a plan."),
    "runs": ("console.cli.runs:runs", "Past and running runs: list, show, report."),
    "chaos": ("console.cli.chaos:chaos", "Fault modes by hand: make a process's calls fail, watch, change, end."),
    "outbox": ("console.cli.outbox:outbox", "Write-ups that wait for thermal memory: list, flush."),
    "sweep": ("console.cli.sweep:sweep", "Find guards and leftovers on the nodes, and take leftovers back."),
    "doctor": ("console.cli.doctor:doctor", "Say what is missing before a game day."),
    "lab": ("console.cli.lab:lab", "Practice nodes on this machine: up, status, down."),
}
"""Name -> (module:attribute, help in one line). Only the command that is used is imported."""


@click.group(
    cls=RootGroup,
    commands_at=COMMANDS,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--inventory", metavar="FILE", help="The inventory; else $GAMEDAY_INVENTORY, else the user's own.")
@click.option("--read-only", is_flag=True, help="Open the console for watching only: no launch.")
@click.version_option(__version__, prog_name="gameday", message="%(prog)s %(version)s")
@click.pass_context
def main(context: click.Context, inventory: str | None, read_only: bool) -> None:
    """The game-day console: one real fault, proven in effect and always taken back.

    Without a command it opens the console on the inventory.
    """
    if context.invoked_subcommand is None:
        from pathlib import Path

        from console.cli.app import open_console

        open_console(Path(inventory) if inventory else None, read_only)
