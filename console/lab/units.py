"""Writes the unit files of the lab's services."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import console
from console.lab.fleet import FLEET, WITNESS, WITNESS_NODE, LabNode, LabService, stores
from console.lab.layout import LabLayout
from console.lab.network import LOOPBACK, Network
from console.lab.private_file import write_private

PYTHONPATH = os.pathsep.join(
    filter(None, [str(Path(console.__file__).resolve().parent.parent), os.environ.get("PYTHONPATH")])
)
"""For the lab's own Python processes: where this package is, wherever they are started from."""
FIU_FOLDERS = ("/usr/lib/fiu", "/usr/local/lib/fiu")
"""Where Debian, and libfiu's own installation, put its preload libraries."""
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
    stores: str = "/srv"
    """The folder with a folder for each store."""
    own_disks: bool = True
    """Whether each of those is a disk of its own."""
    runtime: str = "/run"
    """The folder with a folder for each service's pipes, gone with the service."""
    preload: str = ""
    """libfiu's preload, as the environment variable LD_PRELOAD takes it; empty: this node has none."""
    token: str = ""
    """The file with the token for what services offer in development only."""


def write_units(lab: LabLayout, network: Network, postgres: list[str]) -> None:
    """Write one unit file for each service; `postgres` is the command line of the database server."""
    for node in FLEET:
        layout = lab.node(node.name)
        programs = Programs(
            *(sys.executable, str(SERVICES), PYTHONPATH, str(layout.log), ("--timeout-graceful-shutdown", "1")),
            stores=str(layout.stores),
            own_disks=network.own,
            runtime=str(layout.home),
            preload=_preload(),
            token=str(layout.token),
        )
        for service in stores(node):
            for folder in (layout.stores / service.name, layout.home / service.name):
                folder.mkdir(mode=0o700, parents=True)
        write_private(layout.token, secrets.token_hex(16))
        for service in node.services:
            database = service.name == "postgresql"
            text = unit_text(service, postgres, {}) if database else program_unit(service, node, network, programs)
            (layout.units / service.unit).write_text(text)
        if node.name == WITNESS_NODE:
            (layout.units / WITNESS.unit).write_text(program_unit(WITNESS, node, network, programs))


def program_unit(service: LabService, node: LabNode, network: Network, programs: Programs) -> str:
    """The unit file of a service that is one of the lab's own programs."""
    environment = _environment(service, node.name, network, programs)
    runtime = (f"RuntimeDirectory={service.name}",) if service.preload and programs.preload else ()
    return unit_text(service, _command(service, network, programs), environment, (*programs.unit, *runtime))


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
        return [programs.python, "-m", f"console.lab.services.{service.module}", *service.arguments]
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
    if service is WITNESS:
        return environment | _witness_environment(network)
    if service.module == "stack":
        return environment | _stack_environment(service, network, programs)
    beside = node == "redfin"
    environment["GATEWAY_HEALTH"] = f"http://{LOOPBACK if beside else network.address('redfin')}:{gateway}/health"
    if beside:
        environment |= {"PGHOST": network.address("bluefin"), "PGPORT": str(ports["postgresql"])}
        environment |= {"PGDATABASE": "federation"}
        environment |= {"PGUSER": "app", "PGAPPNAME": service.name}
    if service.name == "llm-gateway":
        environment |= {"GATEWAY_PORT": str(gateway), "GATEWAY_LOG": f"{programs.log}/gateway.jsonl"}
    return environment


def store_library() -> str:
    """What keeps sigil's records here; empty where there is a wheel of neither."""
    libraries = {"plyvel": "LevelDB", "rocksdict": "RocksDB"}
    return next((name for module, name in libraries.items() if find_spec(module)), "")


def preload_of(folder: str) -> str:
    """libfiu's preload libraries in that folder, as LD_PRELOAD takes them."""
    return f"{folder}/fiu_run_preload.so:{folder}/fiu_posix_preload.so"


def _preload() -> str:
    """This machine's libfiu; empty where there is none."""
    found = (preload_of(folder) for folder in FIU_FOLDERS)
    return next((text for text in found if all(Path(file).is_file() for file in text.split(":"))), "")


def _witness_environment(network: Network) -> dict[str, str]:
    pages = {
        service.name: f"http://{network.address(node.name)}:{network.ports[service.name]}{service.metrics}"
        for node in FLEET
        for service in node.services
        if service.metrics
    }
    (node,) = {node.name for node in FLEET for service in node.services if service.metrics}
    return {
        "ALERT_HOST": LOOPBACK,
        "ALERT_PORT": str(network.ports[WITNESS.name]),
        "ALERT_NODE": node,
        "ALERT_PAGES": " ".join(f"{name}={url}" for name, url in pages.items()),
    }


def _stack_environment(service: LabService, network: Network, programs: Programs) -> dict[str, str]:
    ports = network.ports
    environment = {"STACK_HOST": network.listen, "STACK_PORT": str(ports[service.name])}
    if service.store:
        folder, prefix = f"{programs.stores}/{service.name}", service.name.upper()
        environment |= {f"{prefix}_DB_PATH": folder, f"{prefix}_DISK": folder if programs.own_disks else ""}
    if service.name == "jobs":
        environment |= {
            f"STACK_{name.partition('-')[2].upper()}_PORT": str(ports[name]) for name in service.inner_ports
        }
        environment["STACK_DEV_TOKEN_FILE"] = programs.token
    if service.preload and programs.preload:
        pipe = f"{programs.runtime}/{service.name}/fiu"
        environment |= {"LD_PRELOAD": programs.preload, "FIU_CTRL_FIFO": pipe}
    return environment
