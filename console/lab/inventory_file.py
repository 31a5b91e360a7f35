"""Writes the lab's inventory: a file like any user's, so that the console need not know that a lab is a lab."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from console.lab.fleet import FLEET, SSH_USER, WITNESS, WITNESS_NODE, LabNode, LabService, stores
from console.lab.keys import COUNCIL, OPERATOR, TPM
from console.lab.layout import LabLayout
from console.lab.network import DISK, LOOPBACK, Network
from console.lab.postgres import CONSOLE_ROLE, DATABASE
from console.lab.services.alert_rules import HELD_S
from console.lab.units import PYTHONPATH, store_library

Mapping = dict[str, object]
MEMORY_LIMIT_MB = 512
"""What a fault may take for the whole of a node's memory: the nodes share this machine's."""


def write_inventory(lab: LabLayout, network: Network, lease_s: float) -> None:
    """Write it."""
    write(lab, inventory(lab, network, lease_s))


def write(lab: LabLayout, content: Mapping) -> None:
    """Write an inventory in one step: once it is there, the lab is ready."""
    new = lab.inventory.with_suffix(".new")
    text = yaml.safe_dump(content, sort_keys=False, width=120)
    new.write_text(f"# Made by `gameday lab up`; gone with the lab.\n{text}")
    new.replace(lab.inventory)


def inventory(lab: LabLayout, network: Network, lease_s: float) -> Mapping:
    """The inventory's content. Paths on the console are relative to the file, paths on nodes absolute."""

    ports = network.ports
    disks = list(dict.fromkeys([mount_point(lab.root), *([DISK] if network.own else [])]))

    def here(path: Path) -> str:
        return str(path.relative_to(lab.root))

    nodes: dict[str, Any] = {
        node.name: {
            "address": LOOPBACK,
            **({"peer_address": network.address(node.name)} if network.own else {}),
            "port": ports[f"ssh.{node.name}"],
            "user": SSH_USER,
            "identity": here(lab.keys / "operator_ssh"),
            "known_hosts": here(lab.known_hosts),
            "sudo": False,
            "run_dir": str(lab.node(node.name).run),
            "undo_dir": str(lab.node(node.name).undo),
            "disks": [*disks, *_store_disks(lab, node, network)],
            "memory_disks": [DISK, *_store_disks(lab, node, network)] if network.own else [],
            "memory_limit_mb": MEMORY_LIMIT_MB,
            # There is no systemd here, and nothing in a lab is worth more than the practice.
            "shell_guard_for_high": True,
            "never": ["/ganuda", "/pg_data", "/sag_data", *([str(lab.pgdata)] if node.name == "bluefin" else [])],
            "services": {
                service.name: _service(service, network, here(lab.node(node.name).token)) for service in node.services
            },
        }
        for node in FLEET
    }
    if (library := store_library()) != "LevelDB":
        nodes["bluefin"]["services"]["sigil"]["label"] = f"{library or 'nothing'} in place of LevelDB"
    return {
        "version": 1,
        "name": "embedded lab",
        "lease_s": lease_s,
        "nodes": nodes,
        "databases": {
            DATABASE: {
                "node": "bluefin",
                "dbname": DATABASE,
                "user": CONSOLE_ROLE,
                "host": LOOPBACK,
                "port": ports["postgresql"],
                "passfile": here(lab.passfile),
                "service": "postgresql",
                "backup_dir": str(lab.backups),
            }
        },
        "stores": {
            service.name: store_entry(service, node, network, str(lab.node(node.name).stores / service.name), opener())
            for node in FLEET
            for service in stores(node)
            if service.name != "sigil" or library
        },
        "thermal_memory": {"database": DATABASE, "table": "thermal_memory_archive"},
        "approvals": {
            "allowed_signers": here(lab.allowed_signers),
            "inbox": here(lab.approvals),
            "operator": OPERATOR,
            "operator_key": here(lab.keys / "operator"),
            "roles": {"tpm": list(TPM), "council": list(COUNCIL)},
        },
        "monitoring": {
            "alertmanager": f"http://{LOOPBACK}:{network.ports[WITNESS.name]}",
            "node": WITNESS_NODE,
            "stand_in": True,
            "only": list(HELD_S),
        },
        "checks": {
            "notify": {"command": ["tee", "-a", str(lab.tpm_inbox)]},
            "backups": {"node": "bluefin", "path": str(lab.backups), "max_age_h": 24},
            "active_work": {
                "database": DATABASE,
                "sql": "select count(*) from thermal_memory_archive where current_stage = 'ACTIVE'",
                "expect": "0",
            },
            "council": {
                "database": DATABASE,
                "sql": "select count(*) from council_votes where status = 'open'",
                "expect": "0",
            },
        },
    }


def opener(python: str = sys.executable, pythonpath: str = PYTHONPATH, *before: str) -> tuple[str, ...]:
    """The words that open sigil's store a second time, after `before` and without where it is."""
    return (*before, "env", f"PYTHONPATH={pythonpath}", python, "-m", "console.lab.services.stack", "store", "open")


def store_entry(
    service: LabService, node: LabNode, network: Network, path: str, opening: tuple[str, ...] = ()
) -> Mapping:
    """A store; `opening`: how sigil's would be opened a second time. LMDB lets others in."""
    url = f"http://{LOOPBACK}:{network.ports[service.name]}{service.store}"
    entry: Mapping = {"node": node.name, "service": service.name, "path": path, "url": url}
    if service.name == "sigil":
        at = opening.index("env") + 1
        disk = [f"SIGIL_DISK={path}"] if network.own else []
        entry["open"] = [*opening[:at], f"SIGIL_DB_PATH={path}", *disk, *opening[at:]]
    return entry


def _store_disks(lab: LabLayout, node: LabNode, network: Network) -> list[str]:
    return [str(lab.node(node.name).stores / service.name) for service in stores(node)] if network.own else []


COMPONENTS = {"bus": "eventbus", "upstream": "adapter"}
"""What the inventory calls the part behind a service's inner port."""


def _service(service: LabService, network: Network, token_file: str) -> Mapping:
    def page(path: str) -> str:
        return f"http://{LOOPBACK}:{network.ports[service.name]}{path}" if path else ""

    components: Mapping = {"worker": {"process": service.workers}} if service.workers else {}
    for name in service.inner_ports:
        components[COMPONENTS[name.removeprefix(f"{service.name}-")]] = {"port": network.ports[name]}
    optional = {
        "process": service.process,
        "health": page(service.health),
        "metrics": page(service.metrics),
        "label": service.label,
        "components": components,
        "dev": {"url": page(service.dev), "token_file": token_file} if service.dev else {},
    }
    return {
        "unit": service.unit,
        "criticality": service.criticality,
        "recovery": service.recovery,
        **{key: value for key, value in optional.items() if value},
    }


def mount_point(path: Path) -> str:
    """The mount point of the file system that holds `path`."""
    path = path.resolve()
    while not os.path.ismount(path):
        path = path.parent
    return str(path)
