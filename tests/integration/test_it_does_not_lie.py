"""Real machines on which something did not recover, was seen by nobody, or was broken before: never a PASS. (Root.)

PostgreSQL's share of this, stock Debian and lost rows, is in test_postgres_crash_systemd.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from console.lab.systemd.monitoring import NODE, RULES
from tests.approvals import approved
from tests.hurry import begun, ended, hurried, observed, observing, sentence, verdict
from tests.integration.test_lab_monitoring import CLEARS_WITHIN_S, alerts
from tests.lab import Done
from tests.systemd_lab import SystemdLab

UNIT = "llm-gateway.service"
FAILED = (1, "failed", "expectation")


def gateway_kill(lab: SystemdLab, within_s: float = 12) -> str:
    """A1, which waits for 4 s instead of 10 to call the gateway stable, and not as long for it to be so."""
    return hurried(lab, "llm-gateway-kill", within_s=(30, within_s), stable_for_s=4)


def restored(done: Done) -> list[tuple[str, str]]:
    return [(told["service"], told["status"]) for told in done.events if told["event"] == "restored"]


def rules(lab: SystemdLab) -> str:
    return lab.on("greenfin", "sh", "-c", "iptables -S; ip6tables -S")


def quiet(lab: SystemdLab) -> bool:
    """Whether monitoring has nothing to say, in time."""
    return lab.wait_until(lambda: not alerts(lab), CLEARS_WITHIN_S)


def test_a_gateway_that_nothing_restarts_is_failed_and_restored_by_the_console(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    with lab.unit("redfin", UNIT, Restart="no"):
        done = lab.run(gateway_kill(lab, within_s=6))
        assert lab.show("redfin", UNIT, "ActiveState") == "active"
    assert verdict(done) == FAILED, str(done)
    assert re.fullmatch(
        r"Restarted by systemd: not met within 5 s: no restart by systemd yet, inactive \(dead\)", sentence(done)
    ), sentence(done)
    assert set(observed(done).values()) == {"fail"}
    assert restored(done) == [("llm-gateway", "pass")]


def test_a_gateway_that_somebody_starts_by_hand_has_not_recovered(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    with lab.unit("redfin", UNIT, Restart="no"), begun(lab, gateway_kill(lab)) as console:
        observing(console)
        lab.on("redfin", "systemctl", "start", UNIT)
        done = ended(console)
    assert verdict(done) == FAILED, str(done)
    assert sentence(done) == "Restarted by systemd: not met within 5 s: no restart by systemd yet, active (running)"
    assert observed(done) == {"auto-restart": "fail", "active": "pass", "healthy": "pass"}


def test_a_gateway_that_is_up_for_two_seconds_at_a_time_is_failed(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    # The process that runs keeps what it was started with: the loop begins with the fault.
    with lab.unit("redfin", UNIT, Environment="GATEWAY_MODE=flapping GATEWAY_LIFE_S=2"):
        done = lab.run(gateway_kill(lab))
    assert verdict(done) == FAILED, str(done)
    # What it says last depends on whether the end of the time finds it up or down.
    told = r"Healthy again: not met within 12 s(: it held for [12]\.\d s only, then: |, only after )"
    assert re.match(told, sentence(done)), sentence(done)
    assert observed(done) == {"auto-restart": "pass", "active": "pass", "healthy": "fail"}


@contextmanager
def without_rule(lab: SystemdLab, name: str) -> Iterator[None]:
    """Prometheus has forgotten that alert for a while."""
    rule = f"{RULES}/{name}.yml"
    lab.on(NODE, "sh", "-euc", f"mv {rule} /root/; systemctl reload prometheus")
    try:
        yield
    finally:
        lab.on(NODE, "sh", "-euc", f"mv /root/{name}.yml {rule}; systemctl reload prometheus")


def test_an_alert_that_nobody_gets_is_missed(systemd_lab: SystemdLab) -> None:
    # With the rule the same fault passes: test_a_second_console.py.
    lab = systemd_lab
    assert quiet(lab), alerts(lab)
    scenario = hurried(lab, "network-partition", hold_s=8, stable_for_s=3, within_s=7)
    plan = approved(lab, scenario)
    with without_rule(lab, "NodeUnreachable"):
        done = lab.run(*plan)
    assert verdict(done) == FAILED, str(done)
    assert sentence(done) == (
        'Monitoring notices that redfin is gone: not met within 7 s: NodeUnreachable{node="redfin"} does not fire'
    )
    assert observed(done).pop("alert-fires") == "fail"
    assert {observed(done)[name] for name in ("health-checks-fail", "gateway-back")} == {"pass"}
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)


@contextmanager
def dropping(lab: SystemdLab) -> Iterator[None]:
    """Somebody else's rules drop all between greenfin and redfin, for a while."""
    rule = "{0} {1} INPUT -s redfin -j DROP; {0} {1} OUTPUT -d redfin -j DROP"
    lab.on("greenfin", "sh", "-euc", "; ".join(rule.format(tool, "-I") for tool in ("iptables", "ip6tables")))
    try:
        yield
    finally:
        lab.on("greenfin", "sh", "-euc", "; ".join(rule.format(tool, "-D") for tool in ("iptables", "ip6tables")))


def test_a_partition_that_is_there_already_is_not_run_and_its_rules_stay(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    plan = approved(lab, "network-partition")
    with dropping(lab):
        before = rules(lab)
        assert before.count("-j DROP") == 4
        done = lab.run(*plan)
        assert rules(lab) == before
    assert quiet(lab), alerts(lab)
    assert verdict(done) == (3, "not-run", "baseline"), str(done)
    assert re.fullmatch(
        r"greenfin: redfin does not answer at( \S+){2}, neither a ping nor on TCP port 22: "
        r"something cuts it off already",
        sentence(done),
    ), sentence(done)
    assert not [told for told in done.events if told["event"] in ("injecting", "injected")]


def test_a_node_without_sudo_is_refused_with_what_to_do(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    lab.on("redfin", "mv", "/etc/sudoers.d/gameday", "/root/sudo-rule")
    try:
        done = lab.run("llm-gateway-kill")
    finally:
        lab.on("redfin", "mv", "/root/sudo-rule", "/etc/sudoers.d/gameday")
    assert verdict(done) == (3, "not-run", "refused"), str(done)
    assert sentence(done) == (
        "redfin lacks sudo: sudo: a password is required (fix: let the account use `sudo -n` "
        "(`gameday doctor --sudoers` prints the rule), or log in as root)"
    )


@contextmanager
def full_run_folder(lab: SystemdLab) -> Iterator[None]:
    """Half of what a guard needs is free in redfin's /run, for a while."""
    sized = "mount -o remount,size=$((used + 512))k /run"
    before = lab.on("redfin", "findmnt", "-bno", "SIZE", "/run").strip()
    lab.on("redfin", "sh", "-euc", f"used=$(df -kP /run | awk 'NR == 2 {{ print $3 }}'); {sized}")
    try:
        yield
    finally:
        lab.on("redfin", "mount", "-o", f"remount,size={before}", "/run")


def test_a_node_without_room_for_its_guard_is_refused(systemd_lab: SystemdLab) -> None:
    lab = systemd_lab
    with full_run_folder(lab):
        done = lab.run("llm-gateway-kill")
    assert verdict(done) == (3, "not-run", "refused"), str(done)
    assert (
        sentence(done) == "redfin: no guard: only 512 KB are free in /run/gameday, 1024 KB are needed: make room there"
    )
    assert not [told for told in done.events if told["event"] in ("injecting", "injected")]


EARLY_ENDS = {
    "network-partition": (
        "greenfin",
        "iptables -I INPUT 1 -s redfin -j ACCEPT",
        "the first rule of INPUT in iptables is not ours",
    ),
    "disk-fill": ("redfin", "rm /tmp/.gameday-fill.*/fill.1", r"of \d+ MB only \d+ MB are left in /tmp/\S+: .*"),
    "cpu-pressure": ("greenfin", "pkill stress-ng", r"0 of \d+ loops burn: .*"),
    "memory-pressure": ("greenfin", "pkill stress-ng", r"0 MB of \d+ MB held by ours; .*: they ended"),
}
"""Scenario -> node, what somebody does there meanwhile, what the proof says then."""
PATIENCE_S = {"network-partition": 60, "disk-fill": 60, "cpu-pressure": 30, "memory-pressure": 30}
"""The limit in the shipped scenario, in seconds, that what a cut-short fault cannot meet any more would wait for."""


@pytest.mark.parametrize("scenario", EARLY_ENDS)
def test_a_fault_that_somebody_ends_is_no_proof_of_anything(systemd_lab: SystemdLab, scenario: str) -> None:
    lab = systemd_lab
    node, done_there, said = EARLY_ENDS[scenario]
    assert quiet(lab), alerts(lab)
    plan = approved(lab, hurried(lab, scenario, within_s=(PATIENCE_S[scenario], 4)))
    try:
        with begun(lab, *plan) as console:
            observing(console)
            lab.on(node, "sh", "-c", done_there)
            done = ended(console)
        assert verdict(done) == (1, "failed", "fault-ended-early"), str(done)
        assert re.fullmatch(f"{node}: the fault ended before it was taken back: {said}", sentence(done)), sentence(done)
        assert done.result["revert_proven"] is True
        foreign = f"-A INPUT -s {lab.inventory.nodes['redfin'].address}/32 -j ACCEPT"
        assert (foreign in rules(lab)) == (scenario == "network-partition"), rules(lab)
    finally:
        lab.on("greenfin", "sh", "-c", "iptables -D INPUT -s redfin -j ACCEPT 2>&1 || :")
