"""`gameday runs`: the runs of this machine, past and running."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.inventory import find_inventory, inventory_option
from console.errors import BadInput

if TYPE_CHECKING:
    from console.plan.inventory import Inventory
    from console.record.runs import RunSummary
    from console.record.writeup import Verdict
    from console.state import RunState

GLYPHS = {"passed": "✓", "failed": "✗", "not-run": "○", "aborted": "!", "unsafe": "✗", "held": "●", "running": "●"}


@click.group()
def runs() -> None:
    """Past and running runs."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def list_(as_json: bool) -> None:
    """Every run of this machine, the newest first."""
    import msgspec

    from console.cli.table import table
    from console.record.runs import all_runs, runs_home

    found = all_runs()
    if as_json:
        click.echo(msgspec.json.encode(found))
        return
    if not found:
        click.echo(f"no runs yet in {runs_home()}")
        return
    click.echo(table(("run", "started", "scenario", "operator", "outcome", "write-up"), [_row(run) for run in found]))
    for run in found:
        if run.complaint:
            click.echo(f"? {run.run}: {run.complaint}", err=True)


@runs.command()
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="The result object, as a headless run prints it.")
def show(run: str, as_json: bool) -> None:
    """What was tested, what came of it, and when what happened. RUN may be the beginning of an id."""
    from console.record import report, result
    from console.record.runs import find, load, summary

    folder = find(run)
    state, complaint = load(folder)
    if as_json:
        click.echo(result.encode_result(result.result(state)))
    else:
        click.echo(f"{_verdict(summary(folder))}\n{report.plain(state)}", nl=False)
    if complaint:
        click.echo(f"? {complaint}", err=True)


@runs.command()
@click.argument("run")
@click.argument("verdict", type=click.Choice(["PASS", "FAIL"], case_sensitive=False))
@click.option("--note", default="", metavar="TEXT", help="Why; needed where it contradicts the machine's proposal.")
@inventory_option
def sign(run: str, verdict: Verdict, note: str, inventory: Path | None) -> None:
    """Sign a run whose console died after the verdict, and store its write-up. RUN may be the beginning of an id."""
    from console.plan.inventory import load_inventory
    from console.record.runs import find
    from console.record.sections import delivery_words

    state = asyncio.run(_sign(find(run), load_inventory(find_inventory(inventory)), verdict, note))
    click.echo(delivery_words(state.hash, state.delivery))


async def _sign(folder: Path, inventory: Inventory, verdict: Verdict, note: str) -> RunState:
    from console.fleet import Fleet
    from console.run.checklist import operator_name
    from console.run.late import sign_late

    fleet = Fleet(inventory)
    try:
        return await sign_late(folder, fleet, verdict, by=operator_name(), note=note, clock=time.time)
    finally:
        await fleet.close()


@runs.command("report")
@click.argument("run")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
def report_(run: str, output: Path | None) -> None:
    """The run as a Markdown report."""
    from console.record import report
    from console.record.runs import find, load

    state, complaint = load(find(run))
    text = report.markdown(state)
    if output:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"the report cannot be written: {error.strerror}", file=output) from error
    else:
        click.echo(text, nl=False)
    if complaint:
        click.echo(f"? {complaint}", err=True)


def _row(run: RunSummary) -> tuple[str, ...]:
    started = (
        "?"
        if run.started_at_s is None
        else datetime.fromtimestamp(run.started_at_s).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    )
    written = "✓ delivered" if run.delivered else "○ queued" if run.hash else "none"
    return run.run, started, run.scenario, run.operator, _verdict(run), written


def _verdict(run: RunSummary) -> str:
    return f"{GLYPHS[run.outcome]} {run.verdict}"
