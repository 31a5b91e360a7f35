"""The component of a service that a fault means, as its node sees it."""

from __future__ import annotations

from collections.abc import Sequence

from console.errors import near_match
from console.faults.base import ComponentTarget, Fault
from console.faults.component import ComponentFault
from console.plan.inventory import Service


def located(fault: Fault, services: Sequence[Service]) -> tuple[ComponentTarget | None, str]:
    """The component that the fault names, or why there is none; neither where the fault is about no component."""
    if not isinstance(fault, ComponentFault):
        return None, ""
    if not services:
        return None, f"{fault.kind} needs 'service'"
    service = services[0]
    found = service.components.get(fault.component)
    if found is None:
        hint = near_match(fault.component, service.components)
        return None, f"no component is named {fault.component[:60]!r} in the inventory{hint}"
    if fault.needs_component == "process" and not found.process:
        return None, f"{fault.kind} needs a component with a 'process', '{fault.component}' has a port"
    if fault.needs_component == "port" and not found.port:
        return None, f"{fault.kind} needs a component with a 'port', '{fault.component}' is a process"
    asked = service.dev if fault.via == "endpoint" else None
    if fault.via == "endpoint" and asked is None:
        return None, f"{fault.kind} via its endpoint: the service has no 'dev' in the inventory"
    return (
        ComponentTarget(
            fault.component,
            found.process,
            found.port or 0,
            asked.url.rstrip("/") if asked else "",
            asked.token_file if asked else "",
        ),
        "",
    )
