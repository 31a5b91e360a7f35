"""The lab's monitoring: exporters on the machines, Prometheus and Alertmanager on greenfin, rules in a file each.

Everything is asked once a second, so that an alert fires, and clears, within seconds.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request

import yaml

from console.lab.fleet import FLEET
from console.lab.systemd.network import MachineNetwork
from console.lab.systemd.skeleton import Skeleton

NODE = "greenfin"
RULES = "/etc/prometheus/rules"
"""The folder of the rules: RULES/NAME.yml; `systemctl reload prometheus` reads them again."""
_MEASURED = tuple((node, service) for node in FLEET for service in node.services if service.module == "stack")
"""Services with counters of their own."""
ALERTS = {
    "GatewayDown": ("up{job='gateway'} == 0", "1s", "The gateway on {{ $labels.node }} does not answer"),
    "NodeUnreachable": ("up{job='node'} == 0", "2s", "{{ $labels.node }} does not answer"),
    "DiskNearlyFull": (
        "100 * (1 - node_filesystem_avail_bytes / node_filesystem_size_bytes) > 85",
        "0s",
        "{{ $labels.mountpoint }} on {{ $labels.node }} is {{ $value }} % full",
    ),
    "DatabaseDown": (
        "pg_up == 0 or up{job='postgres'} == 0",
        "0s",
        "PostgreSQL on {{ $labels.node }} does not answer",
    ),
    "ServiceDown": (
        f"up{{job=~'{'|'.join(service.name for _, service in _MEASURED)}'}} == 0",
        "2s",
        "{{ $labels.job }} on {{ $labels.node }} does not answer",
    ),
    "StoreRefusesWrites": (
        " or ".join(f"{service.name}_writable == 0" for _, service in _MEASURED if service.store),
        "0s",
        "{{ $labels.job }} on {{ $labels.node }} takes no records: its disk is full, read-only or gone",
    ),
    # One that is replaced at once is missing for less than the second from one look to the next.
    "WorkerLost": (
        "jobs_workers < jobs_workers_wanted or increase(jobs_worker_restarts_total[10s]) > 0",
        "0s",
        "A worker of jobs on {{ $labels.node }} is gone or had to be replaced",
    ),
    "EventsLate": (
        "jobs_event_delay_seconds > 0.5",
        "2s",
        "Events of jobs on {{ $labels.node }} take {{ $value }} s",
    ),
    "AdapterFails": ("jobs_adapter_up == 0", "0s", "The adapter of jobs on {{ $labels.node }} fails"),
}
"""Name -> expression, how long it must hold, summary."""
_ALERTMANAGER, _PROMETHEUS, _NODE_EXPORTER, _POSTGRES_EXPORTER = 9093, 9090, 9100, 9187
_HOSTS_OWN = "^/(run/host|proc|sys|dev|opt/federation)($|/)"
"""Mounts that are this host's or the kernel's: no disk of the machine."""
_NO_DISKS = "^(cgroup2?|devpts|fusectl|hugetlbfs|mqueue|proc|ramfs|sysfs|tmpfs)$"
"""Kinds of file systems that are no disks. Debian leaves out overlay too, which is `/` here."""


def alertmanager_url(network: MachineNetwork) -> str:
    """Where Alertmanager answers."""
    return f"http://{network.address(NODE)}:{_ALERTMANAGER}"


def lay_out_monitoring(tree: Skeleton, node: str) -> None:
    """Write that machine's part."""
    collectors = ["filesystem", "loadavg", "meminfo", "time", "uname"]
    flags = ["--collector.disable-defaults", *(f"--collector.{name}" for name in collectors)]
    flags.append(f"--collector.filesystem.mount-points-exclude={_HOSTS_OWN}")
    flags += [f"--collector.filesystem.fs-types-exclude={_NO_DISKS}", "--web.disable-exporter-metrics"]
    _arguments(tree, "prometheus-node-exporter", *flags)
    if node == "bluefin":
        source = "DATA_SOURCE_NAME='user=prometheus host=/run/postgresql dbname=federation connect_timeout=1'\n"
        flags = ["--disable-default-metrics", "--disable-settings-metrics"]
        _arguments(tree, "prometheus-postgres-exporter", *flags, more=source)
    if node == NODE:
        tree.file("/etc/prometheus/prometheus.yml", yaml.safe_dump(_settings(), sort_keys=False))
        tree.file("/etc/prometheus/alertmanager.yml", yaml.safe_dump(_ROUTE, sort_keys=False))
        for name, (expression, held, summary) in ALERTS.items():
            rule = {"alert": name, "expr": expression, "for": held, "annotations": {"summary": summary}}
            group = {"groups": [{"name": name, "rules": [rule]}]}
            tree.file(f"{RULES}/{name}.yml", yaml.safe_dump(group, sort_keys=False))
        # After a reload it knows no Alertmanager for some seconds; what it sends then is lost until it is resent.
        _arguments(tree, "prometheus", "--storage.tsdb.retention.time=2h", "--rules.alert.resend-delay=2s")
        # One instance, which looks for no others.
        _arguments(tree, "prometheus-alertmanager", "--cluster.listen-address=")


_ROUTE = {
    "route": {"receiver": "nobody", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"},
    "receivers": [{"name": "nobody"}],
}


def _arguments(tree: Skeleton, unit: str, *flags: str, more: str = "") -> None:
    """Start that unit with the machine, with those flags, where Debian's own file for it looks.

    Each has one processor at a time: several of them beside one another cost a small host as much as their work.
    """
    tree.file(f"/etc/default/{unit}", f'ARGS="{" ".join(flags)}"\nGOMAXPROCS=1\n{more}')
    tree.unit(f"{unit}.service")


def _settings() -> dict[str, object]:
    jobs = {
        "node": {node.name: f"{node.name}:{_NODE_EXPORTER}" for node in FLEET},
        "postgres": {"bluefin": f"bluefin:{_POSTGRES_EXPORTER}"},
        "gateway": {"redfin": "redfin:8080"},
        **{service.name: {node.name: f"{node.name}:{service.port}"} for node, service in _MEASURED},
    }
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{_ALERTMANAGER}"]}]}]},
        "rule_files": [f"{RULES}/*.yml"],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [{"targets": [target], "labels": {"node": node}} for node, target in targets.items()],
            }
            for job, targets in jobs.items()
        ],
    }


async def unsettled(network: MachineNetwork) -> str:
    """Something to say while monitoring does not see everything well; empty once it does, with no alert."""
    return await asyncio.to_thread(_unsettled, network)


def _unsettled(network: MachineNetwork) -> str:
    expected = len(FLEET) + 2 + len(_MEASURED)
    query = urllib.parse.quote("count(up == 1)")
    try:
        asked = f"http://{network.address(NODE)}:{_PROMETHEUS}/api/v1/query?query={query}"
        with urllib.request.urlopen(asked, timeout=2.0) as answer:
            found = json.load(answer)["data"]["result"]
        with urllib.request.urlopen(f"{alertmanager_url(network)}/api/v2/alerts", timeout=2.0) as answer:  # noqa: S310
            alerts = [alert["labels"]["alertname"] for alert in json.load(answer)]
    except OSError as error:
        return f"monitoring ({error})"
    seen = int(found[0]["value"][1]) if found else 0
    if seen < expected:
        return f"monitoring ({seen} of {expected} targets answer)"
    return f"monitoring (alerts {', '.join(sorted(set(alerts)))})" if alerts else ""
