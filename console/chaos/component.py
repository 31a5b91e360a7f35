"""A component's fault by hand: the shipped experiment of its kind, aimed at another service."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from console.errors import BadInput
from console.plan.inventory import Service
from console.plan.probe import AlertProbe, AnyProbe, MetricProbe
from console.plan.scenario import Expectation, Scenario, SteadyState

SCENARIOS = {"worker": "worker-kill", "eventbus": "eventbus-delay", "adapter": "adapter-error"}
"""Component -> the experiment that breaks it."""

T = TypeVar("T", Expectation, SteadyState)


def aimed(
    scenario: Scenario, node: str, name: str, service: Service, *, hold_s: float | None = None, via: str = "outside"
) -> Scenario:
    """The experiment on that service. What only its own service tells, its counters and alerts, is left out elsewhere.

    Raises:
        BadInput: the service has no such component, or its fault cannot be held.
    """
    (action,) = scenario.method
    fault = action.fault
    component = str(getattr(fault, "component", ""))
    if component not in service.components:
        raise BadInput(f"{name} on {node} has no component '{component}' in the inventory")
    if hold_s is not None and not fault.lasts_s:
        raise BadInput(f"--for: {fault.kind} is a blow, there is nothing to hold")
    changes = {"via": via} | ({"hold_s": hold_s} if hold_s is not None else {})
    try:  # through its own rules: a plain replace knows no bounds
        fault = msgspec.convert({**msgspec.to_builtins(fault), **changes}, type(fault))
    except msgspec.ValidationError as error:
        raise BadInput(f"{fault.kind}: {error}") from error
    home = (action.node, action.service)
    same = home == (node, name)
    return msgspec.structs.replace(
        scenario,
        method=(msgspec.structs.replace(action, node=node, service=name, fault=fault),),
        steady_state=_aimed(scenario.steady_state, node, name, service, same=same),
        expectations=_aimed(scenario.expectations, node, name, service, same=same),
    )


def _aimed(items: tuple[T, ...], node: str, name: str, service: Service, *, same: bool) -> tuple[T, ...]:
    if same:
        return items
    return tuple(
        msgspec.structs.replace(item, probe=_moved(item.probe, node, name))
        for item in items
        if _asks_anybody(item.probe, service)
    )


def _asks_anybody(probe: AnyProbe, service: Service) -> bool:
    if isinstance(probe, (MetricProbe, AlertProbe)):
        return False
    return bool(service.health) or probe.__struct_config__.tag != "http"


def _moved(probe: AnyProbe, node: str, name: str) -> AnyProbe:
    wanted = {"node": node, "service": name}
    return msgspec.structs.replace(probe, **{key: value for key, value in wanted.items() if hasattr(probe, key)})
