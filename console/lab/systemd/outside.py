"""The systemd lab from outside: up, status, down."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from console.errors import GamedayError
from console.lab import embedded
from console.lab.embedded import LabStatus, NodeStatus, ServiceStatus, bring_up
from console.lab.fleet import FLEET, LabNode
from console.lab.layout import LabLayout
from console.lab.lock import is_locked
from console.lab.systemd.host import check_host
from console.lab.systemd.image import image
from console.lab.systemd.inside import command_inside
from console.lab.systemd.network import SWITCH_PID
from console.lab.systemd.setup import unit_of
from console.plan.inventory import load_inventory


def up(
    directory: Path,
    *,
    lease_s: float = 10.0,
    lifeline: bool = False,
    stock_postgres: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Path:
    """Bring the lab up in that folder and wait until all of it is healthy; the path of its inventory.

    As `embedded.up`. `stock_postgres`: PostgreSQL by Debian's own unit, which never restarts it.

    Raises:
        BadInput: this machine cannot run it, or the folder holds something else.
        GamedayError: the lab did not come up; the sentence says why.
    """
    check_host()
    image(progress)  # here, not in the daemon, so that Ctrl-C ends it
    stock = ["--stock-postgres"] if stock_postgres else []
    module = "console.lab.systemd.daemon"
    return bring_up(module, directory, str(lease_s), *stock, lifeline=lifeline, progress=progress)


def keeps(directory: Path) -> bool:
    """Whether the lab in that folder is one of machines."""
    return (directory.expanduser() / SWITCH_PID).exists()


def status(directory: Path) -> LabStatus:
    """What runs in that folder, as each machine's systemd says.

    Raises:
        BadInput: this machine cannot run such labs.
    """
    check_host()
    lab = LabLayout(directory.expanduser().resolve())
    if not (is_locked(lab) and lab.inventory.exists()):
        return LabStatus(False, lab.inventory)
    return LabStatus(True, lab.inventory, tuple(_node_status(lab, node) for node in FLEET))


def down(directory: Path) -> bool:
    """Take the lab in that folder down, or clear what a killed one left; False when there was nothing to do.

    Raises:
        BadInput: this machine cannot run such labs.
        GamedayError: it does not end.
    """
    check_host()
    return embedded.down(directory)


def _node_status(lab: LabLayout, node: LabNode) -> NodeStatus:
    inventory = load_inventory(lab.inventory)
    names = ["ActiveState", "SubState", "NRestarts"]
    services = []
    for service in node.services:
        try:
            command = command_inside(lab.node(node.name), "systemctl", "show", "-p", ",".join(names), unit_of(service))
            shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
        except (GamedayError, subprocess.SubprocessError):
            shown = ""
        state = dict(line.split("=", 1) for line in shown.splitlines())
        active, sub, restarts = (state.get(name) for name in names)
        services.append(ServiceStatus(service, active or "unknown", sub or "unknown", int(restarts or 0), service.port))
    return NodeStatus(node.name, 22, tuple(services), inventory.nodes[node.name].address)
