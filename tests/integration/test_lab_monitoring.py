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


@contextmanager
def in_trouble(lab: SystemdLab) -> Iterator[None]:
    """A store that may not write, one that is not there, and jobs with a late bus, a failing adapter, a worker less."""
    ask = 'curl -fsS -m5 -H "Authorization: Bearer $(cat /etc/federation/dev-token)" http://127.0.0.1:7072/dev/'
    lab.on("bluefin", "chmod", "a-w", "/srv/sigil")
    for misbehave in ("worker/kill", "eventbus/delay?ms=1000", "adapter/fail"):
        lab.on("bluefin", "sh", "-euc", f"{ask}'{misbehave}' -X POST")
    try:
        with stopped(lab, "bluefin", "lightning"):
            yield
    finally:
        lab.on("bluefin", "sh", "-euc", f"chmod u+w /srv/sigil; {ask}reset -X POST")


TROUBLES: dict[tuple[str, ...], tuple[str, Callable[[SystemdLab], AbstractContextManager[None]]]] = {
    ("GatewayDown",): ("redfin", lambda lab: stopped(lab, "redfin", "llm-gateway")),
    ("NodeUnreachable",): ("redfin", lambda lab: lab.unplugged("redfin")),
    ("DiskNearlyFull",): ("redfin", filled),
    ("DatabaseDown",): ("bluefin", lambda lab: stopped(lab, "bluefin", CLUSTER_UNIT)),
    ("ServiceDown", "StoreRefusesWrites", "WorkerLost", "EventsLate", "AdapterFails"): ("bluefin", in_trouble),
}


def test_every_alert_is_tried() -> None:
    assert {name for names in TROUBLES for name in names} == set(ALERTS)


@pytest.mark.parametrize("names", TROUBLES, ids="-".join)
def test_an_alert_fires_within_seconds_and_clears_again(systemd_lab: SystemdLab, names: tuple[str, ...]) -> None:
    node, trouble = TROUBLES[names]
    wanted, fired = {(name, node) for name in names}, set[tuple[str, str]]()

    def all_fired() -> bool:
        fired.update(alerts(systemd_lab))
        return wanted <= fired

    assert systemd_lab.wait_until(lambda: not alerts(systemd_lab), CLEARS_WITHIN_S), alerts(systemd_lab)
    with trouble(systemd_lab):
        assert systemd_lab.wait_until(all_fired, FIRES_WITHIN_S), fired
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
