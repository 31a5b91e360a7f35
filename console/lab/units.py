"""Writes the unit files of the lab's services."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import console
from console.lab.fleet import FLEET, LabNode, LabService
from console.lab.layout import LabLayout
from console.lab.network import LOOPBACK, Network

PYTHONPATH = os.pathsep.join(
    filter(None, [str(Path(console.__file__).resolve().parent.parent), os.environ.get("PYTHONPATH")])
)
"""For the lab's own Python processes: where this package is, wherever they are started from."""
SERVICES = Path(__file__).resolve().parent / "services"


@dataclass(frozen=True)
class Programs:
    """How a node runs the lab's own programs."""

    python: str
    services: str
    """The folder with gateway.py."""
    pythonpath: str
    log: str
    """The folder for the gateway's own log."""
    uvicorn: tuple[str, ...] = ()
    """More words for uvicorn."""
    unit: tuple[str, ...] = ()
    """More lines of a unit file's [Service] section."""


def write_units(lab: LabLayout, network: Network, postgres: list[str]) -> None:
    """Write one unit file for each service; `postgres` is the command line of the database server."""
    for node in FLEET:
        layout = lab.node(node.name)
        programs = Programs(
            sys.executable, str(SERVICES), PYTHONPATH, str(layout.log), ("--timeout-graceful-shutdown", "1")
        )
        for service in node.services:
            database = service.name == "postgresql"
            text = unit_text(service, postgres, {}) if database else program_unit(service, node, network, programs)
            (layout.units / service.unit).write_text(text)


def program_unit(service: LabService, node: LabNode, network: Network, programs: Programs) -> str:
    """The unit file of a service that is one of the lab's own programs."""
    environment = _environment(service, node.name, network, programs)
    return unit_text(service, _command(service, network, programs), environment, programs.unit)


def unit_text(service: LabService, command: list[str], environment: dict[str, str], more: tuple[str, ...] = ()) -> str:
    """The unit file of that service; `more` are lines of its [Service] section."""
    lines = ["[Unit]", f"Description={service.description}", "", "[Service]", f"ExecStart={shlex.join(command)}"]
    lines += [f"Environment={shlex.quote(f'{key}={value}')}" for key, value in environment.items()]
    lines += [f"Restart={service.restart}", f"RestartSec={service.restart_s:g}", "TimeoutStopSec=10", *more]
    # As PostgreSQL's own unit does: a fast shutdown, which does not wait for clients to leave.
    lines += ["KillSignal=SIGINT"] if service.name == "postgresql" else []
    return "\n".join([*lines, "", "[Install]", "WantedBy=multi-user.target", ""])


def _command(service: LabService, network: Network, programs: Programs) -> list[str]:
    if service.module:
        return [programs.python, "-m", f"console.lab.services.{service.module}"]
    where = ["--host", network.listen, "--port", str(network.ports[service.name])]
    command = [programs.python, "-m", "uvicorn", "gateway:app", "--app-dir", programs.services]
    return [*command, *where, "--log-level", "warning", *programs.uvicorn]


def _environment(service: LabService, node: str, network: Network, programs: Programs) -> dict[str, str]:
    ports = network.ports
    gateway = ports["llm-gateway"]
    environment = {**service.environment, "PYTHONPATH": programs.pythonpath}
    if service.module == "stand_in":
        environment |= {"STAND_IN_FOR": service.name, "STAND_IN_HOST": network.listen}
        return environment | {"STAND_IN_PORT": str(ports[service.name])}
    beside = node == "redfin"
    environment["GATEWAY_HEALTH"] = f"http://{LOOPBACK if beside else network.address('redfin')}:{gateway}/health"
    if beside:
        environment |= {"PGHOST": network.address("bluefin"), "PGPORT": str(ports["postgresql"])}
        environment |= {"PGDATABASE": "federation"}
        environment |= {"PGUSER": "app", "PGAPPNAME": service.name}
    if service.name == "llm-gateway":
        environment |= {"GATEWAY_PORT": str(gateway), "GATEWAY_LOG": f"{programs.log}/gateway.jsonl"}
    return environment
