"""Writes the systemd lab's inventory: as the embedded lab's, but with machines that have all that machines have."""

from __future__ import annotations

from typing import Any

from console.lab import inventory_file
from console.lab.fleet import FLEET, LabNode, stores
from console.lab.layout import LabLayout
from console.lab.systemd.hardware import HARDWARE
from console.lab.systemd.machine import POWER
from console.lab.systemd.monitoring import alertmanager_url
from console.lab.systemd.network import MachineNetwork
from console.lab.systemd.setup import BACKUPS, CRASH_BACKUPS, STORES, unit_of
from console.lab.systemd.skeleton import PROGRAMS

Mapping = dict[str, Any]


def inventory(lab: LabLayout, network: MachineNetwork, lease_s: float) -> Mapping:
    """The inventory's content."""
    made: Mapping = inventory_file.inventory(lab, network, lease_s)
    made["name"] = "systemd lab"
    made["nodes"] = {node.name: _node(node, made["nodes"][node.name], lab, network) for node in FLEET}
    for node in FLEET:
        for service in made["nodes"][node.name]["services"].values():
            if "dev" in service:
                service["dev"]["token_file"] = str(lab.dev_token(node.name).relative_to(lab.root))
    made["checks"]["backups"]["path"] = BACKUPS
    opening = inventory_file.opener("/usr/bin/python3", PROGRAMS)
    for node in FLEET:
        for service in stores(node):
            path = f"{STORES}/{service.name}"
            made["stores"][service.name] = inventory_file.store_entry(service, node, network, path, opening)
    for database in made["databases"].values():
        database["backup_dir"] = CRASH_BACKUPS
    made["monitoring"] = {"alertmanager": alertmanager_url(network)}
    return made


def _node(node: LabNode, embedded: Mapping, lab: LabLayout, network: MachineNetwork) -> Mapping:
    """A machine, with the login of the embedded lab's node."""
    hardware = HARDWARE[node.name]
    services = {
        service.name: embedded["services"][service.name] | {"unit": unit_of(service)} for service in node.services
    }
    for service in node.services:
        if not service.label:
            services[service.name].pop("label", "")  # Debian has what this Python lacks
    return {
        "address": network.address(node.name),
        # In each machine's /etc/hosts, with an IPv4 and an IPv6 address.
        "peer_address": node.name,
        **{key: embedded[key] for key in ("user", "identity", "known_hosts")},
        "sudo": True,
        "run_dir": "/run/gameday",
        "power_on": ["touch", str(lab.node(node.name).root / POWER)],
        "disks": list(hardware.mounts),
        "never": list(hardware.never),
        "services": services,
    }
