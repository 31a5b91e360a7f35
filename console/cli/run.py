"""`gameday run`: the same run as in the console, headless, for schedules and CI."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import BadInput
from console.terms import EXIT_CODES, Outcome

if TYPE_CHECKING:
    from console.handle import RunHandle
    from console.plan.approval import Approval
    from console.plan.plan import Plan
    from console.session import Session
    from console.state import RunState


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="SCENARIO|PLANFILE|suite:NAME...")
@click.option("--inventory", "inventory", type=click.Path(path_type=Path), help="The inventory file.")
@click.option(
    "--set", "settings", multiple=True, metavar="K=V", help="Override a parameter of the fault, or observe_s."
)
@click.option(
    "--attest", multiple=True, metavar="ITEM|all", help="Tick a manual checklist item (automatic ones are verified)."
)
@click.option(
    "--override", "overrides", multiple=True, metavar="ITEM=REASON", help="Go on without an item; low risk only."
)
@click.option("--approval", "approvals", multiple=True, type=click.Path(path_type=Path), help="An approval file.")
@click.option(
    "--window", default="", metavar="START/END", help="Maintenance window, like now/+1h, where one is needed."
)
@click.option("--dry-run", is_flag=True, help="Print the plan and touch nothing.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines; the last line is the result.")
def run(  # noqa: PLR0917 (click gives them by name)
    what: tuple[str, ...],
    inventory: Path | None,
    settings: tuple[str, ...],
    attest: tuple[str, ...],
    overrides: tuple[str, ...],
    approvals: tuple[Path, ...],
    window: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run experiments headless. Exit codes: 0 passed, 1 failed, 2 bad input, 3 not run, 4 aborted, 5 unsafe."""
    from console.cli.inventory import find_inventory
    from console.plan import approval, preview
    from console.session import Session

    session = Session(find_inventory(inventory))
    chosen = _plans(session, what, _pairs("--set", settings), window)
    signed = [approval.load(file) for file in approvals]
    answers = _Answers(frozenset(attest), _pairs("--override", overrides))
    if dry_run:
        for item in chosen:
            click.echo(preview.render(item))
        return
    states = asyncio.run(_run_all(session, chosen, signed, answers, as_json))
    codes = [EXIT_CODES[state.conclusion.outcome if state.conclusion else Outcome.ABORTED] for state in states]
    sys.exit(max(codes, default=EXIT_CODES[Outcome.ABORTED]))


class _Answers:
    """What the operator said on the command line, in place of the keys of the console."""

    def __init__(self, attest: frozenset[str], overrides: dict[str, str]) -> None:
        self.attest = attest
        self.overrides = overrides

    def attests(self, item: str) -> bool:
        return item in self.attest or "all" in self.attest


def _pairs(flag: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise BadInput(f"{flag} {text}: it must look like KEY=VALUE")
        pairs[key] = value
    return pairs


def _plans(session: Session, what: tuple[str, ...], settings: dict[str, str], window: str) -> list[Plan]:
    from console.plan import library
    from console.plan import plan as plans

    chosen: list[Plan] = []
    for name in what:
        if name.startswith("suite:"):
            names = library.suite(name.removeprefix("suite:"), session.inventory)
            chosen += [session.make_plan(member, settings, window=window) for member in names]
        elif name.endswith(".json"):
            if settings:
                raise BadInput(f"--set cannot change a plan that is already made: {name}")
            if window:
                raise BadInput(f"--window cannot change a plan that is already made: {name}")
            chosen.append(plans.load(Path(name)))
        else:
            chosen.append(session.make_plan(name, settings, window=window))
    return chosen


async def _run_all(
    session: Session, chosen: list[Plan], signed: list[Approval], answers: _Answers, as_json: bool
) -> list[RunState]:
    from console.cli.printer import Printer

    printer = Printer(as_json)
    await session.open()
    states: list[RunState] = []
    try:
        for plan in chosen:
            handle = session.start(plan, signed)
            printer.follow(handle.listen)
            _abort_on_signals(handle)
            states.append(await _one(handle, answers))
            printer.result(states[-1])
            if states[-1].conclusion and states[-1].conclusion.outcome in (Outcome.UNSAFE, Outcome.ABORTED):
                break  # nothing more is broken on top of that
    finally:
        await session.close()
        for complaint in session.complaints:
            click.echo(f"gameday: {complaint}", err=True)
    return states


def _abort_on_signals(handle: RunHandle) -> None:
    """Ctrl-C, a closed terminal and TERM all abort; a second one changes nothing: the revert goes on."""
    loop = asyncio.get_running_loop()
    pending: set[asyncio.Task[None]] = set()

    def stop(name: str) -> None:
        by = "operator" if name == "SIGINT" else "interrupted"
        task = loop.create_task(handle.abort(f"{name} at the console", by=by))
        pending.add(task)
        task.add_done_callback(pending.discard)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number.name)


async def _one(handle: RunHandle, answers: _Answers) -> RunState:
    from console.terms import Status

    await handle.ready()
    for item in list(handle.state.pre.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, "attested on the command line", Status.PASS)
    for name, reason in answers.overrides.items():
        await handle.override(name, reason)
    if not handle.state.abort:
        blockers = await handle.try_launch()
        if blockers:
            told = "; ".join(f"{blocker.what} (fix: {blocker.fix})" for blocker in blockers)
            await handle.runner.give_up(blockers[0].reason, told)
    await handle.concluded()
    await _sign(handle, answers)
    return await handle.wait()


async def _sign(handle: RunHandle, answers: _Answers) -> None:
    """Sign what the machine proposes: nobody is there to contradict it."""
    from console.terms import Status

    conclusion = handle.state.conclusion
    if conclusion is None or handle.state.phase.value != "write-up":
        return
    for item in list(handle.state.post.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, "attested on the command line", Status.PASS)
    drafted = handle.writeup_draft()
    await handle.sign(drafted.verdict, "", drafted.issues, drafted.gaps)
