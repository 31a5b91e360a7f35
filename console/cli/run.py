"""`gameday run`: the same run as in the console, headless, for schedules and CI."""

from __future__ import annotations

import asyncio
import shlex
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.errors import BadInput, GamedayError, Refused, near_match

if TYPE_CHECKING:
    from console.cli.headless import Test
    from console.plan.plan import Plan
    from console.session import Session
    from console.unattended import Answers


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="SCENARIO|PLANFILE|suite:NAME...")
@click.option("--inventory", "inventory", type=click.Path(path_type=Path), help="The inventory file.")
@click.option(
    "--set", "settings", multiple=True, metavar="K=V", help="Override a parameter of the fault, or observe_s."
)
@click.option(
    "--attest",
    multiple=True,
    metavar="ITEM|EXPECTATION|all",
    help="Tick a manual checklist item (all: every one), or an expectation, by its id, that could not be seen.",
)
@click.option(
    "--override", "overrides", multiple=True, metavar="ITEM=REASON", help="Go on without an item; low risk only."
)
@click.option("--approval", "approvals", multiple=True, type=click.Path(path_type=Path), help="An approval file.")
@click.option(
    "--window", default="", metavar="START/END", help="Maintenance window, like now/+1h, where one is needed."
)
@click.option(
    "--trials",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="Run one scenario N times (2-1000), and tell the rate that passed with its 95 % interval.",
)
@click.option(
    "--bar",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="SHARE",
    help="All trials together pass when more than this share of them does.  [default: 0.95]",
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
    trials: int | None,
    bar: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run experiments headless. Exit codes: 0 passed, 1 failed, 2 bad input, 3 not run, 4 aborted, 5 unsafe.

    Of several runs the worst counts, in the order 5, 4, 1, 3, 0. A suite's tests go from low risk to high; after an
    aborted or unsafe one the rest is skipped.

    With --trials each is a run of its own; single failures do not count, the rate does: above the bar is 0. What needs
    an approval is signed for all trials at once: gameday plan SCENARIO --trials N -o FILE, gameday approve FILE, then
    gameday run FILE.
    """
    from console.cli.headless import Headless
    from console.cli.inventory import find_inventory
    from console.cli.printer import Printer
    from console.plan import approval
    from console.run.pass_rate import BAR
    from console.session import Session
    from console.unattended import Answers

    session = Session(find_inventory(inventory))
    if trials:
        chosen = [_trials(session, what, _pairs("--set", settings), window, trials)]
    else:
        chosen = _tests(session, what, _pairs("--set", settings), window)
    signed = [approval.load(file) for file in approvals]
    answers = Answers(frozenset(attest), _pairs("--override", overrides))
    _known_items(session, chosen, answers)
    if bar is not None and chosen[0].make().trials == 1:
        raise BadInput("--bar is for several trials: add --trials N")
    if dry_run:
        for test in chosen:
            click.echo(_dry(test))
        return
    sys.exit(asyncio.run(Headless(session, signed, answers, Printer(as_json), BAR if bar is None else bar).run(chosen)))


def _known_items(session: Session, tests: list[Test], answers: Answers) -> None:
    """That each item which is answered for is asked by one of these tests.

    Raises:
        BadInput: one is not.
    """
    from console.run.checklist import post_items, pre_items

    known = {"all"}
    for test in tests:
        with suppress(GamedayError):  # told at its turn
            plan = test.make()
            known |= {item.id for item in (*pre_items(plan, session.inventory), *post_items(plan, session.inventory))}
            known |= {item.id for item in plan.scenario.expectations}
    for flag, items in (("--attest", answers.attest), ("--override", frozenset(answers.overrides))):
        for item in sorted(items - (known if flag == "--attest" else known - {"all"})):
            raise BadInput(f"{flag} {item}: there is no such item or expectation here{near_match(item, known)}")


def _pairs(flag: str, texts: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            raise BadInput(f"{flag} {text}: it must look like KEY=VALUE")
        pairs[key] = value
    return pairs


def _dry(test: Test) -> str:
    """The test's plan; of a suite's test that does not fit this inventory the reason."""
    from console.plan import preview

    try:
        return preview.render(test.make())
    except GamedayError as error:
        if not test.suite:
            raise
        return f"SKIP {test.name}: {error}"


def _tests(session: Session, what: tuple[str, ...], settings: dict[str, str], window: str) -> list[Test]:
    """What to run, in order. A plan file of a scenario that stands in a suite takes that scenario's place."""
    from console.cli.headless import Test

    planned = {name: _plan_file(name, settings, window) for name in what if name.endswith(".json")}
    several = [name for name, plan in planned.items() if plan.trials > 1]
    if several and len(what) > 1:
        raise BadInput(f"{several[0]} is a plan of {planned[several[0]].trials} trials: run it alone")
    ready = {plan.scenario.name: plan for plan in planned.values()}
    chosen: list[Test] = []
    for name in what:
        if name.startswith("suite:"):
            chosen += _suite(session, name.removeprefix("suite:"), settings, window, ready)
    in_suites = {test.name for test in chosen}
    for name in what:
        if not name.startswith("suite:"):
            plan = planned.get(name) or session.make_plan(name, settings, window=window)
            if name not in planned or plan.scenario.name not in in_suites:
                chosen.append(Test(plan.scenario.name, partial(_itself, plan)))
    return chosen


def _trials(session: Session, what: tuple[str, ...], settings: dict[str, str], window: str, trials: int) -> Test:
    """Several trials of one scenario, as one plan.

    Raises:
        Refused: it needs an approval, which is for a plan that is written first.
    """
    from console.cli.headless import Test

    if len(what) > 1 or what[0].startswith("suite:"):
        raise BadInput("--trials is for one scenario: a suite's tests are run once")
    if what[0].endswith(".json"):
        raise BadInput(f"--trials cannot change a plan that is already made: {what[0]}; make it with gameday plan")
    plan = session.make_plan(what[0], settings, window=window, trials=trials)
    if plan.policy.quorum:
        words = shlex.join(["gameday", "plan", what[0], "--trials", str(trials)])
        raise Refused(
            f"{plan.scenario.name} needs {plan.policy.quorum} {plan.policy.role}, for all {trials} trials at once: "
            f"{words} -o FILE, have FILE signed with gameday approve FILE, then gameday run FILE"
        )
    return Test(plan.scenario.name, partial(_itself, plan))


def _plan_file(name: str, settings: dict[str, str], window: str) -> Plan:
    from console.plan import plan as plans

    for flag, said in (("--set", settings), ("--window", window)):
        if said:
            raise BadInput(f"{flag} cannot change a plan that is already made: {name}")
    plan = plans.load(Path(name))
    if plan.trial:
        raise BadInput(f"this is trial {plan.trial} of plan {plan.signed_run}: run the plan itself", file=Path(name))
    return plan


def _itself(plan: Plan) -> Plan:
    return plan


def _suite(session: Session, name: str, settings: dict[str, str], window: str, ready: dict[str, Plan]) -> list[Test]:
    """The suite's tests in their order; whether one fits this inventory is told at its turn."""
    from console.cli.headless import Test
    from console.plan import library
    from console.plan.scenario import load_scenario
    from console.run.suite import calm_first

    members = [(load_scenario(Path(file)), file) for file in library.suite(name, session.inventory)]
    tests: list[Test] = []
    for scenario, file in sorted(members, key=lambda member: calm_first(member[0])):
        make = partial(session.make_plan, file, settings, window=window)
        if scenario.name in ready:
            make = partial(_itself, ready[scenario.name])
        if settings or window:
            make()  # what was said by hand and does not fit is bad input, and no reason to skip
        tests.append(Test(scenario.name, make, name))
    return tests
