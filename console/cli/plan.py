"""`gameday plan`, `approve` and `verify`: make a plan, sign a vote on it, count the votes."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.cli.inventory import find_inventory, inventory_if_any, inventory_option
from console.errors import BadInput, Refused

if TYPE_CHECKING:
    from console.plan.approval import Judged
    from console.plan.inventory import Inventory
    from console.plan.plan import Plan

NOT_SUFFICIENT = 3
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.command()
@click.argument("scenario")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the plan there, to be signed."
)
@click.option(
    "--set", "settings", multiple=True, metavar="K=V", help="Override a parameter of the fault, or observe_s."
)
@click.option("--operator", default="", metavar="PRINCIPAL", help="Who launches it.")
@click.option(
    "--window",
    default="",
    metavar="START/END",
    help="When it may be injected, like now/+1h or 2026-11-21T02:00Z/PT2H; signed with the plan.",
)
@click.option(
    "--trials",
    type=click.IntRange(2, 1000),
    metavar="N",
    help="It is run N times (2-1000), one after the other; signed with the plan.",
)
@inventory_option
def plan(  # noqa: PLR0917 (click gives them by name)
    scenario: str,
    output: Path | None,
    settings: tuple[str, ...],
    operator: str,
    window: str,
    trials: int | None,
    inventory: Path | None,
) -> None:
    """Resolve a scenario against the inventory and show what would be done where; touch nothing."""
    from console.plan import approval, library
    from console.plan import plan as plans
    from console.plan.inventory import load_inventory
    from console.plan.resolve import resolve
    from console.plan.scenario import load_scenario
    from console.plan.window import parse

    known = load_inventory(find_inventory(inventory))
    created = datetime.now(UTC)
    file = library.find(scenario, known)
    chosen = load_scenario(file, pairs("--set", settings))
    made = resolve(
        chosen,
        known,
        operator=operator or approval.operator_for(chosen.risk, known),
        run=plans.new_run_id(),
        created=created,
        file=file,
        window=parse(window, created) if window else None,
        trials=trials or 1,
    )
    _show(made)
    if output:
        plans.save(made, output)
        click.echo(f"\nwritten to {output}")


@click.command()
@click.argument("planfile", type=click.Path(path_type=Path))
@click.option("--vote", type=click.Choice(["for", "against", "abstain"]), default="for", show_default=True)
@click.option("--as", "principal", default="", metavar="PRINCIPAL", help="Whose vote it is; else as the key tells.")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="The key that signs (a .pub for an agent's key)."
)
@click.option("--for", "valid_for", default="30m", show_default=True, metavar="TIME", help="Valid for, like 30m or 4h.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Else into the inventory's inbox."
)
@click.option("--yes", is_flag=True, help="Sign without asking.")
@inventory_option
def approve(
    planfile: Path,
    *,
    vote: str,
    principal: str,
    key: Path | None,
    valid_for: str,
    output: Path | None,
    yes: bool,
    inventory: Path | None,
) -> int:
    """Show a plan, then sign a vote on exactly this plan."""
    from console.plan import approval
    from console.plan import plan as plans
    from console.record.home import write_atomically

    made = plans.load(planfile).document
    if wrong := plans.edited(made):
        raise Refused(f"not signed: {'; '.join(wrong)}: somebody edited this plan, ask for a new one")
    known = inventory_if_any(inventory)
    valid_s = duration(valid_for)
    signer, key_file = _signer(made, known, principal, key)
    _show(made)
    if not yes and not _agreed(f"\nSign '{vote}' as {signer} with {key_file}, valid for {valid_for}?"):
        click.echo("gameday: not signed", err=True)
        return NOT_SUFFICIENT
    now = datetime.now(UTC)
    document = approval.write_document(made, signer, vote, now, valid_s)  # type: ignore[arg-type]
    signed = approval.sign(document, key_file)
    if known:
        judged = approval.judge(signed, made, known, now)
        if not judged.accepted:
            raise Refused(f"not written: this signature would not count: {judged.why}")
    file = _target(output, known, planfile, signed.file_name)
    try:
        write_atomically(file, approval.encode(signed), 0o644)
    except OSError as error:
        raise BadInput(f"the approval cannot be written: {error.strerror}", file=file) from error
    click.echo(f"✓ signed '{vote}' as {signer} until {document.not_after}: {file}")
    return 0


@click.command()
@click.argument("planfile", type=click.Path(path_type=Path))
@click.argument("approvals", nargs=-1, type=click.Path(path_type=Path), metavar="APPROVAL...")
@inventory_option
def verify(planfile: Path, approvals: tuple[Path, ...], inventory: Path | None) -> int:
    """Judge each approval, else those in the inbox, and count them. Exit 0: they suffice; 3: they do not."""
    from console.plan import approval
    from console.plan import plan as plans
    from console.plan.inventory import load_inventory

    made = plans.load(planfile).document
    known = load_inventory(find_inventory(inventory))
    policy = approval.required(made, known)
    now = datetime.now(UTC)
    inbox = Path(known.approvals.inbox) if known.approvals.inbox and not approvals else None
    found = [approval.load(file) for file in approvals] if inbox is None else approval.collect(inbox, made)
    judged = [approval.judge(item, made, known, now) for item in found]
    judged += approval.unreadable(inbox, made) if inbox else []
    for item in judged:
        click.echo(_told(item))
    count = approval.tally(judged, policy, made.operator, known.approvals.roles.get(policy.role, ()))
    click.echo(f"{'✓ sufficient' if count.sufficient else '✗ not sufficient'}: {count.summary}")
    return 0 if count.sufficient else NOT_SUFFICIENT


def pairs(flag: str, texts: tuple[str, ...]) -> dict[str, str]:
    """{key: value} of options like `K=V`.

    Raises:
        BadInput: one does not look like that.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise BadInput(f"{flag} {text}: it must look like KEY=VALUE")
        found[key] = value
    return found


def duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `4h`, `2d`, at most seven days.

    Raises:
        BadInput: not such a time.

    >>> duration("30m")
    1800.0
    """
    from console.plan.approval import MAX_VALID_S

    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    seconds = int(match[1]) * UNITS_S[match[2]] if match else 0
    if not 0 < seconds <= MAX_VALID_S:
        raise BadInput(f"--for {text[:40]}: it must be a time like 90s, 30m or 4h, at most 7d")
    return float(seconds)


def _show(plan: Plan) -> None:
    from console.plan.preview import render

    click.echo(render(plan))
    click.echo(f"\nrun {plan.run}, digest {plan.digest}")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise BadInput("there is no terminal to ask on: look at the plan, then sign with --yes")
    return click.confirm(question, default=False)


def _signer(plan: Plan, inventory: Inventory | None, principal: str, key: Path | None) -> tuple[str, Path]:
    """Who signs with which key: the key tells who, by allowed_signers.

    Without a key it is the first that fits of ~/.ssh, and of the folder in which allowed_signers lies.

    Raises:
        BadInput: it cannot be told.
    """
    from console.plan.ssh_signature import principals_of

    approvals = inventory.approvals if inventory else None
    if plan.policy.quorum == 0:
        raise Refused("this plan needs no approval")
    voters = set(approvals.roles.get(plan.policy.role, ())) if approvals else set()
    folders = [Path.home() / ".ssh", *([Path(approvals.allowed_signers).parent] if approvals else [])]
    public_keys = [file for folder in folders for file in sorted(folder.glob("*.pub"))]
    if key:
        public_keys = [key if key.suffix == ".pub" else Path(f"{key}.pub")]
    for public_key in public_keys:
        owners = principals_of(public_key, approvals.allowed_signers) if approvals else []
        fitting = [name for name in owners if name == principal or (not principal and name in voters)]
        if fitting:
            return fitting[0], key or public_key
    if key and principal:
        return principal, key
    who = principal or f"a {plan.policy.role}"
    if approvals is None:
        raise BadInput(
            f"nobody's keys are known without an inventory: name it by --inventory, or {who} by --as and --key"
        )
    if key:
        raise BadInput(f"{key} is not known as the key of {who}: say who signs with --as PRINCIPAL")
    raise BadInput(
        f"no key in ~/.ssh or beside allowed_signers is known as that of {who}: name it by --key FILE"
        + ("" if principal else " (and --as)")
    )


def _target(output: Path | None, inventory: Inventory | None, planfile: Path, name: str) -> Path:
    if output:
        return output / name if output.is_dir() else output
    if inventory and inventory.approvals.inbox:
        return Path(inventory.approvals.inbox) / name
    return planfile.parent / name


def _told(judged: Judged) -> str:
    if not judged.accepted:
        return f"✗ {judged.signer}{f' {judged.vote}' if judged.vote else ''}: {judged.why}"
    until = datetime.fromtimestamp(judged.not_after_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"✓ {judged.signer} ({judged.role}) {judged.vote}, until {until}"
