"""The plan: a scenario with every name resolved. Dry-run prints it, approvers sign it, the runner executes nothing else."""

from __future__ import annotations

import hashlib
import secrets
import shlex
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from console.errors import BadInput, Refused, near_match
from console.faults import AnyFault
from console.faults.base import DatabaseTarget, Scripts, Target
from console.plan.inventory import Inventory, Node, Policy
from console.plan.probe import AnyProbe, CommandProbe, ConnectionsProbe, HttpProbe, ServiceProbe, SqlProbe
from console.plan.scenario import Action, Scenario
from console.plan.strict import NAME
from console.terms import Risk

RUN_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


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


class PlannedAction(Part, frozen=True):
    """One fault on one node, with its exact scripts."""

    node: str
    fault: AnyFault
    target: Target
    scripts: Scripts
    blast_radius: str


class Plan(Part, frozen=True):
    """Pure data; its digest is what approvals are for. It runs at most once."""

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

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(canonical(self)).hexdigest()


def canonical(plan: Plan) -> bytes:
    """The one JSON text of a plan: sorted keys, no spaces."""
    return msgspec.json.encode(plan, order="sorted")


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
        text = file.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}", file=file) from error
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"not a plan: {error}", file=file, line=1) from error
    if not NAME.fullmatch(plan.run):
        raise BadInput(f"the run id {plan.run[:40]!r} is no id", file=file, line=1)
    return plan


def resolve(scenario: Scenario, inventory: Inventory, *, operator: str, run: str, created: datetime) -> Plan:
    """Resolve every name of the scenario against the inventory.

    Raises:
        BadInput: a name that the inventory lacks.
        Refused: a guard rail of a fault.
    """
    resolver = _Resolver(scenario, inventory, run)
    resolved = msgspec.structs.replace(
        scenario,
        steady_state=tuple(
            msgspec.structs.replace(item, probe=resolver.probe(item.probe, f"steady state '{item.id}'"))
            for item in scenario.steady_state
        ),
        expectations=tuple(
            msgspec.structs.replace(item, probe=resolver.probe(item.probe, f"expectation '{item.id}'"))
            for item in scenario.expectations
        ),
    )
    actions = tuple(resolver.action(action) for action in scenario.method)
    return Plan(
        version=1,
        run=run,
        created=created.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        inventory=inventory.name,
        operator=operator,
        lease_s=inventory.lease_s,
        scenario=resolved,
        nodes=tuple(resolver.planned_node(name) for name in sorted(resolver.units)),
        actions=actions,
        policy=inventory.approvals.policy(scenario.risk) if scenario.method else inventory.approvals.policy(Risk.LOW),
    )


class _Resolver:
    """Looks names up, and remembers which nodes and units the plan comes to touch or measure."""

    def __init__(self, scenario: Scenario, inventory: Inventory, run: str) -> None:
        self.scenario = scenario
        self.inventory = inventory
        self.run = run
        self.units: dict[str, dict[str, str]] = {}

    def node(self, name: str, where: str) -> Node:
        if name not in self.inventory.nodes:
            raise self._unknown("node", name, self.inventory.nodes, where)
        self.units.setdefault(name, {})
        return self.inventory.nodes[name]

    def unit(self, node: str, service: str, where: str) -> str:
        services = self.node(node, where).services
        if service not in services:
            raise self._unknown(f"service of {node}", service, services, where)
        self.units[node][service] = services[service].unit
        return services[service].unit

    def database(self, name: str, where: str) -> DatabaseTarget:
        if name not in self.inventory.databases:
            raise self._unknown("database", name, self.inventory.databases, where)
        database = self.inventory.databases[name]
        self.node(database.node, where)
        return DatabaseTarget(host=database.host, port=database.port, dbname=database.dbname, user=database.user)

    def _unknown(self, kind: str, name: str, known: object, where: str) -> BadInput:
        hint = near_match(name, list(known))  # type: ignore[call-overload]
        return BadInput(f"scenario '{self.scenario.name}', {where}: no {kind} is named '{name}' in the inventory{hint}")

    def probe(self, probe: AnyProbe, where: str) -> AnyProbe:
        if isinstance(probe, HttpProbe):
            url = probe.url
            if probe.service:
                self.unit(probe.node, probe.service, where)
                url = url or self.inventory.nodes[probe.node].services[probe.service].health
            self.node(probe.node, where)
            if not url:
                raise BadInput(f"scenario '{self.scenario.name}', {where}: service '{probe.service}' has no health URL in the inventory")
            return msgspec.structs.replace(probe, url=url)
        if isinstance(probe, ServiceProbe):
            return msgspec.structs.replace(probe, unit=self.unit(probe.node, probe.service, where))
        if isinstance(probe, (SqlProbe, ConnectionsProbe)):
            self.database(probe.database, where)
        elif isinstance(probe, CommandProbe):
            self.node(probe.node, where)
        return probe

    def action(self, action: Action) -> PlannedAction:
        where = f"method on '{action.node}'"
        node = self.node(action.node, where)
        fault = action.fault
        names = action.services or ((action.service,) if action.service else ())
        units = tuple(self.unit(action.node, name, where) for name in names)
        if fault.needs_units and not units:
            raise BadInput(f"scenario '{self.scenario.name}', {where}: {fault.kind} needs 'service' or 'services'")
        process = node.services[names[0]].process if names else ""
        if fault.needs_process and not process:
            raise BadInput(f"scenario '{self.scenario.name}', {where}: service '{names[0]}' has no 'process' in the inventory")
        if fault.needs_database and not action.database:
            raise BadInput(f"scenario '{self.scenario.name}', {where}: {fault.kind} needs 'database'")
        target = Target(
            node=action.node,
            run=self.run,
            units=units,
            process=process,
            database=self.database(action.database, where) if action.database else None,
            never=node.never,
        )
        return PlannedAction(
            node=action.node, fault=fault, target=target, scripts=fault.scripts(target), blast_radius=fault.blast_radius(target)
        )

    def planned_node(self, name: str) -> PlannedNode:
        node = self.inventory.nodes[name]
        return PlannedNode(
            name=name, address=node.address, port=node.port, user=node.user, sudo=node.sudo, run_dir=node.run_dir,
            units=dict(sorted(self.units[name].items())),
        )


def check_against(plan: Plan, inventory: Inventory) -> None:
    """That the plan still means the machines of this inventory.

    Raises:
        Refused: a node is gone or has another address; all such reasons in one sentence.
    """
    wrong: list[str] = []
    for planned in plan.nodes:
        node = inventory.nodes.get(planned.name)
        if node is None:
            wrong.append(f"node '{planned.name}' is not in the inventory")
        elif (node.address, node.port) != (planned.address, planned.port):
            wrong.append(f"node '{planned.name}' is {node.address}:{node.port}, the plan says {planned.address}:{planned.port}")
    if wrong:
        raise Refused("; ".join(wrong) + ": make a new plan")


def render(plan: Plan) -> str:
    """The plan as text for dry-run, approvers and the experiment screen: what is run where, word for word."""
    lines = [
        f"plan {plan.run}  {plan.scenario.name}  risk {plan.scenario.risk.value}  digest {plan.digest[:16]}",
        f"operator {plan.operator}, inventory {plan.inventory}, lease {plan.lease_s:g} s, made {plan.created}",
        "nodes armed: " + ", ".join(f"{n.name} ({n.user or 'ssh user'}@{n.address}:{n.port})" for n in plan.nodes),
    ]
    for action in plan.actions:
        lines += ["", f"on {action.node}: {action.fault.summary}", f"  blast radius: {action.blast_radius}"]
        for name in ("inject", "effect", "revert", "clean"):
            script = getattr(action.scripts, name)
            lines += [f"  {name}:", *(f"    {line}" for line in script.rstrip().splitlines())]
    if not plan.actions:
        lines += ["", "no fault: an observation"]
    lines += ["", "expected:"]
    lines += [f"  {e.id}: {e.title} (within {e.within_s:g} s of the {e.after})" for e in plan.scenario.expectations]
    return "\n".join(lines)


def hand_command(*words: str) -> str:
    """A command line that can be pasted into a shell."""
    return shlex.join(words)
