"""A scenario: what is broken, what is expected, what holds before and after. Names only; a plan resolves them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
import yaml

from console.errors import BadInput, near_match
from console.faults import AnyFault
from console.plan import strict
from console.plan.probe import AlertProbe, AnyProbe
from console.terms import Category, Risk

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
Id = Annotated[
    str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="a name of a-z, 0-9 and '-', at most 64")
]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of everything in a scenario."""


class Action(Part, frozen=True):
    """One fault on one node; `service`, `database` or `store` says what of the node is meant."""

    node: Id
    fault: AnyFault
    service: str = ""
    database: str = ""
    store: str = ""
    services: tuple[str, ...] = ()
    """For faults that act on several services, in this order."""
    peer: str = ""
    """For faults between two nodes: the other one."""


class SteadyState(Part, frozen=True):
    """What must hold before the injection and again at the end."""

    id: Id
    title: Text
    probe: AnyProbe


class Expectation(Part, frozen=True):
    """What should happen, and by when."""

    id: Id
    title: Text
    probe: AnyProbe
    within_s: Seconds = 30.0
    """The limit in seconds, counted from `after`."""
    stable_for_s: Seconds = 0.0
    """Met at t only if it then holds without a miss for this long, in seconds."""
    after: Literal["inject", "revert"] = "inject"
    throughout: bool = False
    """Once met it must hold without a miss until the observation ends; for what the fault must not touch."""
    required: bool = True
    recovery: bool = False
    """The moment at which this is met is the end of the recovery time; at most one per scenario."""


class ChecklistItem(Part, frozen=True):
    """An item of the scenario's own, ticked by the operator."""

    id: Id
    title: Text


class Scenario(Part, frozen=True):
    """One experiment."""

    name: Id
    title: Text
    category: Category
    risk: Risk
    purpose: Text
    hypothesis: Text
    rollback: Text
    """In words; the commands are in the plan."""
    runbook: str = ""
    """A Markdown file, relative to the scenario."""
    suites: tuple[Id, ...] = ()
    method: tuple[Action, ...] = ()
    """The faults, in the order of their injection; none: an observation."""
    steady_state: tuple[SteadyState, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    observe_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 60.0
    """The longest time to watch after the injection, in seconds; it ends sooner when all is told."""
    pre: tuple[ChecklistItem, ...] = ()
    post: tuple[ChecklistItem, ...] = ()


def load_scenario(file: Path, overrides: dict[str, str] | None = None) -> Scenario:
    """The scenario in `file`, with the fault's parameters or the scenario's numbers overridden by {key: text}.

    Raises:
        BadInput: the file is not a scenario, or is at odds with itself.
    """
    root = strict.compose(file)
    if overrides and isinstance(root, yaml.MappingNode):
        _override(root, overrides)
    scenario = strict.build(root, Scenario, file)
    _check(scenario, root, file)
    return scenario


def _override(root: yaml.MappingNode, overrides: dict[str, str]) -> None:
    """Set each key in the faults of the method, or at the scenario's top level (`observe_s`)."""
    own = [key.value for key, _ in root.value]
    fault_fields = {f.encode_name for fault in get_args(AnyFault) for f in msgspec.structs.fields(fault)}
    for key, text in overrides.items():
        value = strict.compose_text(text or "''", Path(f"--set {key}"))
        if not isinstance(value, yaml.ScalarNode):
            raise BadInput(f"--set {key}={text}: the value must be one word or number")
        places = [root] if key == "observe_s" else _fault_nodes(root)
        if key != "observe_s" and key not in fault_fields:
            raise BadInput(
                f"--set {key}={text}: no fault has the parameter '{key}'{near_match(key, [*fault_fields, 'observe_s'])}"
            )
        if not places:
            raise BadInput(f"--set {key}={text}: this scenario has no fault, only {', '.join(own)}")
        for place in places:
            place.value[:] = [pair for pair in place.value if pair[0].value != key]
            key_node = yaml.ScalarNode("tag:yaml.org,2002:str", key, place.start_mark)
            # The place's line: a value that does not fit is told of where it was set.
            place.value.append((key_node, yaml.ScalarNode(value.tag, value.value, place.start_mark)))


def _fault_nodes(root: yaml.Node) -> list[yaml.MappingNode]:
    found: list[yaml.MappingNode] = []

    def walk(node: yaml.Node, key: str) -> None:
        if isinstance(node, yaml.MappingNode):
            if key == "fault":
                found.append(node)
            for child_key, child in node.value:
                walk(child, child_key.value)
        elif isinstance(node, yaml.SequenceNode):
            for child in node.value:
                walk(child, key)

    walk(root, "")
    return found


def _check(scenario: Scenario, root: yaml.Node, file: Path) -> None:
    def bad(what: str, *path: str | int) -> BadInput:
        return BadInput(what, file=file, line=strict.line_of(root, *path))

    for lists in (("expectations",), ("steady_state",), ("pre", "post")):
        seen: set[str] = set()
        for name in lists:
            for index, item in enumerate(getattr(scenario, name)):
                if item.id in seen:
                    raise bad(f"the id '{item.id}' stands twice in '{' and '.join(lists)}'", name, index, "id")
                seen.add(item.id)
    for index, item in enumerate(scenario.steady_state):
        if isinstance(item.probe, AlertProbe):
            raise bad("an alert is something to expect, it is no steady state", "steady_state", index, "probe")
    for action in scenario.method:
        floor = action.fault.risk_floor
        if scenario.risk.rank < floor.rank:
            raise bad(f"'risk' is {scenario.risk.value}, but {action.fault.kind} is at least {floor.value}", "risk")
    for index, item in enumerate(scenario.expectations):
        if item.throughout and item.after == "revert":
            raise bad("'throughout' is for the observation, which is over after the revert", "expectations", index)
    ends = [index for index, item in enumerate(scenario.expectations) if item.recovery]
    if len(ends) > 1:
        raise bad("only one expectation can have 'recovery: true'", "expectations", ends[1], "recovery")
