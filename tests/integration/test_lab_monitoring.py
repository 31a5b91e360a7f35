"""The systemd lab's monitoring: its alerts fire within seconds of what they are for, and clear once it is over."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from console.lab.systemd.monitoring import ALERTS, NODE, RULES
from console.lab.systemd.setup import CLUSTER_UNIT
from tests.systemd_lab import SystemdLab

FIRES_WITHIN_S = 15.0
CLEARS_WITHIN_S = 20.0


def alerts(lab: SystemdLab) -> set[tuple[str, str]]:
    """What Alertmanager has active: alert and node."""
    url = f"http://{lab.inventory.nodes[NODE].address}:9093/api/v2/alerts?active=true"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return {(alert["labels"]["alertname"], alert["labels"]["node"]) for alert in json.load(answer)}


@contextmanager
def stopped(lab: SystemdLab, node: str, unit: str) -> Iterator[None]:
    lab.on(node, "systemctl", "stop", unit)
    try:
        yield
    finally:
        lab.on(node, "systemctl", "start", unit)


@contextmanager
def filled(lab: SystemdLab) -> Iterator[None]:
    lab.on("redfin", "sh", "-c", "dd if=/dev/zero of=/tmp/fill bs=1M count=210 2>/dev/null")
    try:
        yield
    finally:
        lab.on("redfin", "rm", "/tmp/fill")


TROUBLES: dict[str, tuple[str, Callable[[SystemdLab], AbstractContextManager[None]]]] = {
    "GatewayDown": ("redfin", lambda lab: stopped(lab, "redfin", "llm-gateway")),
    "NodeUnreachable": ("redfin", lambda lab: lab.unplugged("redfin")),
    "DiskNearlyFull": ("redfin", filled),
    "DatabaseDown": ("bluefin", lambda lab: stopped(lab, "bluefin", CLUSTER_UNIT)),
}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_within_seconds_and_clears_again(systemd_lab: SystemdLab, name: str) -> None:
    node, trouble = TROUBLES[name]
    assert systemd_lab.wait_until(lambda: not alerts(systemd_lab), CLEARS_WITHIN_S), alerts(systemd_lab)
    with trouble(systemd_lab):
        assert systemd_lab.wait_until(lambda: (name, node) in alerts(systemd_lab), FIRES_WITHIN_S)
    assert systemd_lab.wait_until(lambda: not alerts(systemd_lab), CLEARS_WITHIN_S), alerts(systemd_lab)


def test_an_alert_whose_rule_was_removed_never_fires(systemd_lab: SystemdLab) -> None:
    rule = f"{RULES}/GatewayDown.yml"
    systemd_lab.on(NODE, "sh", "-euc", f"mv {rule} /root/; systemctl reload prometheus")
    try:
        with stopped(systemd_lab, "redfin", "llm-gateway"):
            time.sleep(6)
            assert ("GatewayDown", "redfin") not in alerts(systemd_lab)
    finally:
        systemd_lab.on(NODE, "sh", "-euc", f"mv /root/GatewayDown.yml {rule}; systemctl reload prometheus")
    with stopped(systemd_lab, "redfin", "llm-gateway"):
        assert systemd_lab.wait_until(lambda: ("GatewayDown", "redfin") in alerts(systemd_lab), FIRES_WITHIN_S)
    assert systemd_lab.wait_until(lambda: not alerts(systemd_lab), CLEARS_WITHIN_S)


def test_promtool_finds_nothing_to_complain_about(systemd_lab: SystemdLab) -> None:
    assert "SUCCESS" in systemd_lab.on(NODE, "promtool", "check", "config", "/etc/prometheus/prometheus.yml")
