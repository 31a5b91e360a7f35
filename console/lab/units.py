"""Writes the unit files of the lab's services."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import console
from console.lab.fleet import FLEET, LabService
from console.lab.layout import LabLayout, NodeLayout

PYTHONPATH = os.pathsep.join(
    filter(None, [str(Path(console.__file__).resolve().parent.parent), os.environ.get("PYTHONPATH")])
)
"""For the lab's own Python processes: where this package is, wherever they are started from."""
SERVICES = Path(__file__).resolve().parent / "services"


def write_units(lab: LabLayout, ports: dict[str, int], postgres: list[str]) -> None:
    """Write one unit file for each service; `postgres` is the command line of the database server."""
    for node in FLEET:
        layout = lab.node(node.name)
        for service in node.services:
            command = postgres if service.name == "postgresql" else _command(service, ports)
            text = unit_text(service, command, _environment(service, layout, ports))
            (layout.units / service.unit).write_text(text)


def unit_text(service: LabService, command: list[str], environment: dict[str, str]) -> str:
    """The unit file of that service."""
    lines = ["[Unit]", f"Description={service.description}", "", "[Service]", f"ExecStart={shlex.join(command)}"]
    lines += [f"Environment={shlex.quote(f'{key}={value}')}" for key, value in environment.items()]
    lines += [f"Restart={service.restart}", f"RestartSec={service.restart_s:g}", "TimeoutStopSec=10"]
    # As PostgreSQL's own unit does: a fast shutdown, which does not wait for clients to leave.
    lines += ["KillSignal=SIGINT"] if service.name == "postgresql" else []
    return "\n".join([*lines, "", "[Install]", "WantedBy=multi-user.target", ""])


def _command(service: LabService, ports: dict[str, int]) -> list[str]:
    if service.module:
        return [sys.executable, "-m", f"console.lab.services.{service.module}"]
    port = str(ports[service.name])
    command = [sys.executable, "-m", "uvicorn", "gateway:app", "--app-dir", str(SERVICES)]
    return [
        *command,
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--log-level",
        "warning",
        "--timeout-graceful-shutdown",
        "1",
    ]


def _environment(service: LabService, node: NodeLayout, ports: dict[str, int]) -> dict[str, str]:
    gateway = ports["llm-gateway"]
    environment = dict(service.environment)
    if service.name == "postgresql":
        return environment
    environment["PYTHONPATH"] = PYTHONPATH
    if service.module == "stand_in":
        return environment | {"STAND_IN_FOR": service.name, "STAND_IN_PORT": str(ports[service.name])}
    environment["GATEWAY_HEALTH"] = f"http://127.0.0.1:{gateway}/health"
    if node.name == "redfin":
        environment |= {"PGHOST": "127.0.0.1", "PGPORT": str(ports["postgresql"]), "PGDATABASE": "federation"}
        environment |= {"PGUSER": "app", "PGAPPNAME": service.name}
    if service.name == "llm-gateway":
        environment |= {"GATEWAY_PORT": str(gateway), "GATEWAY_LOG": str(node.log / "gateway.jsonl")}
    return environment
