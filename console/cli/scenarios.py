"""`gameday scenarios`: the experiments at hand, and whether they are well formed."""

from __future__ import annotations

from pathlib import Path

import click

from console.cli.inventory import inventory_if_any, inventory_option

BROKEN = 2


@click.group()
def scenarios() -> None:
    """The experiments: list, show, check."""


@scenarios.command("list")
@inventory_option
def list_(inventory: Path | None) -> int:
    """Every scenario with its risk, approval and suites; the broken ones are told on stderr, exit 2."""
    from console.cli.table import table
    from console.plan import library
    from console.plan.inventory import Approvals
    from console.plan.scenario import load_scenario

    known = inventory_if_any(inventory)
    approvals = known.approvals if known else Approvals()
    rows, broken = [], []
    for file in library.all_files(known):
        trouble = library.trouble(file)
        if trouble:
            broken.append(trouble)
            continue
        scenario = load_scenario(file)
        policy = approvals.policy(scenario.risk)
        needs = f"{policy.quorum} {policy.role}" if policy.quorum and scenario.method else "none"
        rows.append((scenario.name, scenario.risk.value, needs, ", ".join(scenario.suites) or "-", scenario.title))
    click.echo(table(("name", "risk", "approval", "suites", "title"), rows) if rows else "no scenarios found")
    return _tell(broken)


@scenarios.command()
@click.argument("name")
@inventory_option
def show(name: str, inventory: Path | None) -> None:
    """The scenario's text, and where it and its runbook are. NAME may be a file."""
    from console.plan import library
    from console.plan.scenario import load_scenario

    file = library.find(name, inventory_if_any(inventory))
    runbook = library.runbook_of(load_scenario(file), file)
    click.echo(file.read_text(encoding="utf-8"), nl=False)
    click.echo(f"\nfile: {file}\nrunbook: {runbook or 'none'}")


@scenarios.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@inventory_option
def check(files: tuple[Path, ...], inventory: Path | None) -> int:
    """Check these files, or every scenario at hand. Exit 0: all are good; 2: one line for each that is broken."""
    from console.plan import library

    chosen = list(files) or library.all_files(inventory_if_any(inventory))
    broken = [trouble for file in chosen if (trouble := library.trouble(file))]
    click.echo(f"{len(chosen) - len(broken)} of {len(chosen)} scenarios are good")
    return _tell(broken)


def _tell(broken: list[str]) -> int:
    for sentence in broken:
        click.echo(f"gameday: {sentence}", err=True)
    return BROKEN if broken else 0
