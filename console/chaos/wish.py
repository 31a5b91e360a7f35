"""What an operator wants of one process, and the scenario that it is: made from the inventory, without a file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

import msgspec

from console.errors import BadInput, near_match
from console.faults.call_errors import CallErrors
from console.faults.call_modes import MODES, Mode
from console.plan.inventory import Inventory
from console.plan.probe import HttpProbe, ServiceProbe, StoreProbe
from console.plan.scenario import Action, Expectation, Scenario, SteadyState
from console.terms import Category, Risk

FOR_S = (1.0, 3600.0)
"""The bounds of a time for which a mode is held, in seconds."""
RECORDS_S = 30.0
"""How long a store may take to give its records back, in seconds after the mode's end."""
UNITS_S = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
CATEGORIES = {
    "files": Category.RESOURCE,
    "memory": Category.RESOURCE,
    "network": Category.NETWORK,
    "process": Category.SERVICE,
}
AS_FIELD = {"files": "files_pct", "network": "network_pct", "memory": "memory_pct"}


class Wish(msgspec.Struct, frozen=True):
    """What an operator asks for, from the command line or the console."""

    node: str
    service: str
    mode: Mode
    rate_pct: float = 10.0
    for_s: float | None = None
    """For how long its node holds it by itself, in seconds; None: as long as the console does, at most FOR_S[1]."""
    seed: int = 1
    backend: str = "auto"
    schedule: str = "steady"
    also: tuple[str, ...] = ()

    @property
    def fault(self) -> CallErrors:
        """The fault that it is.

        Raises:
            BadInput: a word that cannot be understood.
        """
        return fault(
            self.mode,
            rate_pct=self.rate_pct,
            also=self.also,
            hold_s=self.for_s or FOR_S[1],
            seed=self.seed,
            backend=self.backend,
            schedule=self.schedule,
        )

    def scenario(self, inventory: Inventory) -> Scenario:
        """The run that it is.

        Raises:
            BadInput: a word that cannot be understood.
        """
        return scenario(self.node, self.service, self.fault, inventory, watched=self.for_s is None)


def duration_s(text: str) -> float:
    """A time from 1 s to 1 h, like `30s`, `5m` or `1h`, in seconds.

    >>> duration_s("90s"), duration_s("5m")
    (90.0, 300.0)

    Raises:
        BadInput: it is none, or out of bounds.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", text.strip())
    seconds = float(found[1]) * UNITS_S[found[2]] if found else -1.0
    if not FOR_S[0] <= seconds <= FOR_S[1]:
        raise BadInput(f"'{text[:40]}' is no time from 1 s to 1 h, like 30s or 5m")
    return seconds


def percent(text: str) -> float:
    """A rate from 0 to 100, with or without its sign.

    >>> percent("12.5%")
    12.5

    Raises:
        BadInput: it is none.
    """
    try:
        rate = float(text.strip().removesuffix("%"))
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 100:
        raise BadInput(f"'{text[:40]}' is no rate from 0 to 100 %")
    return rate


def mode_named(text: str) -> Mode:
    """The mode of that name, written with `-` or `_`.

    >>> mode_named("disk-full")
    'disk_full'

    Raises:
        BadInput: there is none.
    """
    name = text.replace("-", "_")
    for mode in get_args(Mode):
        if mode == name:
            return mode  # type: ignore[no-any-return]
    raise BadInput(f"there is no mode '{text[:40]}'{near_match(name, MODES)}; there are {', '.join(MODES)}, none")


def target_named(text: str, inventory: Inventory) -> tuple[str, str]:
    """NODE/SERVICE as (node, service), both of the inventory.

    Raises:
        BadInput: it is not of that form, or not in the inventory.
    """
    node, slash, service = text.partition("/")
    if not slash:
        raise BadInput(f"--target {text[:80]}: it must look like NODE/SERVICE, as in the inventory")
    if node not in inventory.nodes:
        raise BadInput(f"--target {text[:80]}: no node is named '{node}'{near_match(node, inventory.nodes)}")
    services = inventory.nodes[node].services
    if service not in services:
        raise BadInput(f"--target {text[:80]}: {node} has no service '{service}'{near_match(service, services)}")
    return node, service


def schedule_named(text: str) -> dict[str, Any]:
    """`steady`, `ramp:SECONDS` or `pulse:ON/OFF` as the fault's fields.

    >>> schedule_named("pulse:3/2s")
    {'schedule': 'pulse', 'on_s': 3.0, 'off_s': 2.0}

    Raises:
        BadInput: it is none of them.
    """
    kind, _, rest = text.partition(":")
    if kind == "steady" and not rest:
        return {}
    if kind == "ramp" and rest:
        return {"schedule": "ramp", "ramp_s": duration_s(rest)}
    if kind == "pulse" and "/" in rest:
        on, _, off = rest.partition("/")
        return {"schedule": "pulse", "on_s": duration_s(on), "off_s": duration_s(off)}
    raise BadInput(f"--schedule {text[:40]}: it must be steady, ramp:SECONDS or pulse:ON/OFF")


def fault(
    mode: Mode, *, rate_pct: float, also: Iterable[str] = (), hold_s: float, seed: int, backend: str, schedule: str
) -> CallErrors:
    """The fault; `also` are other modes at rates of their own, as MODE=RATE. Its rate may be set anew up to 100 %.

    Raises:
        BadInput: a word that cannot be understood.
    """
    fields: dict[str, Any] = {
        "mode": mode,
        "rate_pct": rate_pct,
        "ceiling_pct": 100.0,
        "hold_s": hold_s,
        "seed": seed,
        "backend": backend,
        **schedule_named(schedule),
    }
    for text in also:
        name, equals, rate = text.partition("=")
        if not equals:
            raise BadInput(f"--and {text[:40]}: it must look like MODE=RATE")
        other = mode_named(name)
        field = AS_FIELD.get(MODES[other].subsystem, "")
        if not field or not MODES[other].errno:
            raise BadInput(f"--and {text[:40]}: {other} cannot act along with another")
        fields[field] = percent(rate)
        if field == "files_pct":
            fields["files_mode"] = other
    try:
        return msgspec.convert({"kind": "call-errors", **fields}, CallErrors)
    except msgspec.ValidationError as error:
        raise BadInput(str(error)) from error


def steady_state(node: str, service: str, inventory: Inventory) -> tuple[SteadyState, ...]:
    """That the service is active, and answers where the inventory says how it is asked."""
    active = SteadyState("active", f"{service} is active", ServiceProbe(node=node, service=service))
    if not inventory.nodes[node].services[service].health:
        return (active,)
    return active, SteadyState("answers", f"{service} answers", HttpProbe(node=node, service=service))


def records_kept(node: str, service: str, inventory: Inventory) -> tuple[Expectation, ...]:
    """Where the service is a store of the inventory: that it keeps what it acknowledges.

    Records are written for it through the whole run: of a store that nobody uses just then, no call could fail.
    """
    return tuple(
        Expectation(
            f"{name}-whole", f"Every record that {name} acknowledged is there, whole",
            StoreProbe(store=name, state="whole"), RECORDS_S, after="revert",
        )
        for name, store in inventory.stores.items()
        if (store.node, store.service) == (node, service)
    )  # fmt: skip


def scenario(node: str, service: str, made: CallErrors, inventory: Inventory, *, watched: bool = True) -> Scenario:
    """One mode on one process: low risk, nothing expected but that all is as before when it is over.

    `watched`: by the console to its end, so that a store's records can be read back then.
    """
    word = made.mode.replace("_", "-")
    return Scenario(
        name=f"mode-{word}",
        title=f"{made.mode} at {made.rate_pct:g} % in {service} on {node}",
        category=CATEGORIES[MODES[made.mode].subsystem],
        risk=Risk.LOW,
        purpose=f"See how {service} takes it when its calls fail, by hand.",
        hypothesis=f"When the mode is over, {service} is as it was.",
        rollback="The preload's failure points are turned off, or the tracer is ended; nothing else was changed.",
        method=(Action(node=node, service=service, fault=made),),
        steady_state=steady_state(node, service, inventory),
        expectations=records_kept(node, service, inventory) if watched else (),
        observe_s=min(3600.0, made.hold_s + 60.0),
    )
