"""The plan: a scenario with every name resolved. People sign it, and the runner executes nothing else."""

from __future__ import annotations

import hashlib
import re
import secrets
import shlex
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from console.errors import BadInput, Refused
from console.faults import AnyFault
from console.faults.base import Scripts, Target
from console.plan import peers, stores, strict
from console.plan.inventory import Inventory, Policy
from console.plan.probe import (
    AlertProbe,
)
from console.plan.scenario import Scenario
from console.plan.window import Window

RUN_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
RUN_ID = re.compile(f"[{RUN_ALPHABET}]{{8}}")
"""A run id as we make them: nothing else of a plan reads like one, so it can be told apart in the plan's text."""
MOST_TRIALS = 1000


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything in a plan."""


class PlannedNode(Part, frozen=True):
    """A node as the approvers see it."""

    name: str
    address: str
    port: int
    user: str
    sudo: bool
    run_dir: str
    units: dict[str, str]
    """Service -> unit, for the services that the plan names."""
    shell_guard_for_high: bool = False
    """The shell's guard is accepted for high risk; as the inventory says."""
    undo_dir: str = ""
    """Where the run's folder is also kept on a disk; empty: no fault of the plan on this node outlives a reboot."""
    power_on: tuple[str, ...] = ()
    """What switches it on, run on the console's machine, where the plan reboots it; empty: nothing does."""


class PlannedAction(Part, frozen=True):
    """One fault on one node, with its exact scripts."""

    node: str
    fault: AnyFault
    target: Target
    scripts: Scripts
    blast_radius: str

    @property
    def where(self) -> str:
        """Like `on greenfin`, or `between greenfin and redfin`."""
        return f"between {self.node} and {self.target.peer}" if self.target.peer else f"on {self.node}"


class Plan(Part, frozen=True):
    """Pure data; its digest is what approvals are for. It runs at most once, or each of its trials at most once."""

    version: Literal[1]
    run: str
    """Short random id; it marks everything that the run makes."""
    created: str
    """UTC, ISO 8601, to the second."""
    inventory: str
    operator: str
    lease_s: float
    scenario: Scenario
    nodes: tuple[PlannedNode, ...]
    """Every node that the plan touches or measures, in name order: all are armed."""
    actions: tuple[PlannedAction, ...]
    policy: Policy
    window: Window | None = None
    """When its faults may be injected; None: at any time."""
    trials: Annotated[int, msgspec.Meta(ge=1, le=MOST_TRIALS)] = 1
    """How often it is run, one after the other, each time as a run of its own."""
    trial: Annotated[int, msgspec.Meta(ge=0, le=MOST_TRIALS)] = 0
    """Which of its trials this is, from 1; 0: the plan itself, as it is signed."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the plan as it is signed, in hex."""
        return hashlib.sha256(canonical(self.document)).hexdigest()

    @property
    def document(self) -> Plan:
        """The plan as it is signed. A trial is that with another run id, and nothing else of it differs."""
        return _renamed(self, self.signed_run, 0) if self.trial else self

    @property
    def signed_run(self) -> str:
        """The run id that approvals name."""
        return self.run.removesuffix(_suffix(self.trial, self.trials)) if self.trial else self.run

    def of_trial(self, number: int) -> Plan:
        """The plan of that trial, from 1 to `trials`: the same with a run id of its own, like `k3n9m2pqt07`.

        Raises:
            Refused: this is a trial itself, it has no such trial, or its run id is none of ours.
        """
        if self.trial or not 1 <= number <= self.trials:
            raise Refused(f"plan {self.run} has no trial {number}")
        if not RUN_ID.fullmatch(self.run):
            raise Refused(f"the run id {self.run} is none that a plan of several trials can have: make a new plan")
        try:
            made = _renamed(self, self.run + _suffix(number, self.trials), number)
            same = canonical(made.document) == canonical(self)
        except msgspec.DecodeError:
            same = False
        if not same:
            raise Refused(f"the run id {self.run} stands for something else in this plan too: make a new plan")
        return made


def canonical(plan: Plan) -> bytes:
    """The one JSON text of a plan: sorted keys, no spaces."""
    return msgspec.json.encode(plan, order="sorted")


def _suffix(number: int, trials: int) -> str:
    """Of one length for all trials: no trial's id is the beginning of another's. Good in names of every kind."""
    return f"t{number:0{len(str(trials))}d}"


def _renamed(plan: Plan, run: str, trial: int) -> Plan:
    """The plan with another run id wherever that stands: in scripts, folders and names, whatever fault has them.

    Where a fault makes something else of the run id its script is made anew, but only if it was the fault's own: one
    that was edited stays so, and has not the signed digest.
    """
    text = canonical(plan).replace(plan.run.encode(), run.encode())
    made = msgspec.json.decode(text, type=Plan)
    actions = tuple(
        msgspec.structs.replace(new, scripts=new.fault.scripts(new.target))
        if old.scripts == old.fault.scripts(old.target)
        else new
        for old, new in zip(plan.actions, made.actions, strict=True)
    )
    return msgspec.structs.replace(made, trial=trial, actions=actions)


def new_run_id() -> str:
    """Eight characters that are not mistaken for one another when read aloud (about 39 bits)."""
    return "".join(secrets.choice(RUN_ALPHABET) for _ in range(8))


def save(plan: Plan, file: Path) -> None:
    """Write the plan for people to read and sign, refusing to overwrite another.

    Raises:
        BadInput: the file is there already, or cannot be written.
    """
    try:
        with file.open("xb") as out:
            out.write(msgspec.json.format(canonical(plan), indent=2) + b"\n")
    except FileExistsError:
        raise BadInput("is there already; a plan is never overwritten", file=file) from None
    except OSError as error:
        raise BadInput(f"cannot be written: {error.strerror}", file=file) from error


def load(file: Path) -> Plan:
    """The plan in `file`.

    Raises:
        BadInput: not a plan.
    """
    try:
        plan = msgspec.json.decode(strict.read(file), type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"not a plan: {error}", file=file, line=1) from error
    if not strict.NAME.fullmatch(plan.run):
        raise BadInput(f"the run id {plan.run[:40]!r} is no id", file=file, line=1)
    if plan.trial and (plan.trial > plan.trials or plan.signed_run == plan.run):
        raise BadInput(f"{plan.run} is no trial {plan.trial} of {plan.trials}", file=file, line=1)
    try:
        _ = plan.window and plan.window.epochs
    except ValueError as error:
        raise BadInput(f"its window is none: {error}", file=file, line=1) from error
    return plan


def check_against(plan: Plan, inventory: Inventory) -> None:
    """That the plan still means the machines of this inventory, and that its scripts are its faults' own.

    Raises:
        Refused: a node is gone or has another address, or a script was edited; all such reasons in one sentence.
    """
    wrong: list[str] = []
    for planned in plan.nodes:
        node = inventory.nodes.get(planned.name)
        if node is None:
            wrong.append(f"node '{planned.name}' is not in the inventory")
        elif (node.address, node.port) != (planned.address, planned.port):
            wrong.append(
                f"node '{planned.name}' is {node.address}:{node.port}, the plan says {planned.address}:{planned.port}"
            )
        elif planned.shell_guard_for_high and not node.shell_guard_for_high:
            wrong.append(f"the inventory does not accept the shell's guard for high risk on '{planned.name}'")
    wrong += [moved for action in plan.actions if (moved := peers.moved(action.target, inventory))]
    wrong += edited(plan)
    wrong += [
        f"{action.fault.kind} on '{action.node}' is not bound to the plan's maintenance window"
        for action in plan.actions
        if action.target.window != (plan.window.epochs if plan.window else None)
        or (action.fault.needs_window and plan.window is None)
    ]
    probes = [item.probe for item in plan.scenario.expectations]
    if any((p.alertmanager, p.node) != asked_at(inventory, p.alert) for p in probes if isinstance(p, AlertProbe)):
        wrong.append("the inventory's 'monitoring' is another than the plan's")
    wrong += stores.moved(plan.scenario, inventory)
    if wrong:
        raise Refused("; ".join(wrong) + ": make a new plan")


def edited(plan: Plan) -> list[str]:
    """What the plan says of its faults that is not their own: signers are to read what will be done."""
    wrong = [
        f"what is to be run on '{action.node}' is not what {action.fault.kind} does"
        for action in plan.actions
        if action.fault.scripts(action.target) != action.scripts
    ]
    wrong += [
        f"the blast radius on '{action.node}' is not that of {action.fault.kind}"
        for action in plan.actions
        if action.fault.blast_radius(action.target) != action.blast_radius
    ]
    return wrong


def asked_at(inventory: Inventory, alert: str) -> tuple[str, str]:
    """The URL of the Alertmanager that may have that alert, and the node from which it is asked; empty: none may."""
    monitoring = inventory.monitoring
    if monitoring is None or (monitoring.only and alert not in monitoring.only):
        return "", ""
    return monitoring.alertmanager, monitoring.node


def hand_command(*words: str) -> str:
    """A command line that can be pasted into a shell."""
    return shlex.join(words)
